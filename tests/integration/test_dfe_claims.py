"""Schools and trusts by their DfE Sign-in claims: which school, which roles, and who is refused."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from s2s_portal import Actor, DfESignInClaims, Role, SignOnRefused
from s2s_portal.models.establishment import Establishment
from tests.integration.test_entra_claims import JSON
from tests.world import (
    ACADEMY,
    CLOSED_SCHOOL,
    NURSERY,
    OTHER_PROVIDER,
    OTHER_SCHOOL,
    PROVIDER,
    SCHOOL,
    SPECIAL,
    SUFFOLK_SCHOOL,
)

BEFORE, AFTER, TWIN, YOUNGER_TWIN, PLANNED = 900301, 900302, 900303, 900304, 900305
ALL_CODES = ("S2S_SENCO", "S2S_HEAD", "S2S_PRACTITIONER", "S2S_LEAD")
TRUST = 99001

pytestmark = pytest.mark.usefixtures("register")


@pytest.fixture
def register(session: Session, may_2019: None) -> None:
    """A school before and after it became an academy, two with one number, one not open yet."""
    session.add_all(
        [
            _numbered(BEFORE, 3301, 1, status_code=2, close_date=date(2018, 2, 28)),
            _numbered(AFTER, 3301, 34, open_date=date(2018, 3, 1), trust_uid=TRUST),
            _numbered(TWIN, 3303, 1),
            _numbered(YOUNGER_TWIN, 3303, 1),
            _numbered(PLANNED, 3305, 35, status_code=4, trust_uid=TRUST),
        ]
    )
    session.commit()


def _numbered(urn: int, number: int, type_code: int, **more: Any) -> Establishment:
    return Establishment(
        urn=urn,
        name="Church Park Invented Academy",
        local_authority=926,
        establishment_number=number,
        type_code=type_code,
        **({"status_code": 1} | more),
    )


def organisation(urn: Any = SCHOOL, **changes: Any) -> dict[str, Any]:
    """An organisation as `mapOrganisationFromEntity` of login.dfe.organisations builds it."""
    whole = {
        "id": "D1000000-0000-4000-8000-000000000001",
        "name": "Caister Invented Junior School",
        "LegalName": None,
        "category": {"id": "001", "name": "Establishment"},
        "type": {"id": "01", "name": "Community School"},
        "urn": None if urn is None else str(urn),
        "uid": None,
        "upin": None,
        "ukprn": "10000001",
        "establishmentNumber": "2033",
        "status": {"id": 1, "name": "Open", "tagColor": "green"},
        "closedOn": None,
        "telephone": None,
        "region": {"id": "G", "name": "East of England"},
        "localAuthority": {"id": "L1", "name": "Norfolk", "code": "926"},
        "phaseOfEducation": {"id": 2, "name": "Primary"},
        "statutoryLowAge": 7,
        "statutoryHighAge": 11,
        "legacyId": "1",
        "companyRegistrationNumber": None,
    }
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def trust(uid: Any = str(TRUST), **changes: Any) -> dict[str, Any]:
    """An academy trust's organisation."""
    return organisation(
        None,
        **{
            "category": {"id": "010", "name": "Multi-Academy Trust"},
            "uid": uid,
            "establishmentNumber": None,
            "localAuthority": None,
        }
        | changes,
    )


def claims(chosen: Any = ..., **changes: Any) -> dict[str, Any]:
    """What DfE Sign-in says of Sam, who chose an organisation."""
    whole = {
        "sub": "9B2C0000-0000-4000-8000-000000000001",
        "email": "senco@example.norfolk.sch.uk",
        "given_name": "Sam",
        "family_name": "Reed",
        "organisation": organisation() if chosen is ... else chosen,
    }
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def actor(given: dict[str, Any], *codes: str) -> Actor:
    """The actor for somebody with those role codes at every organisation."""
    return DfESignInClaims(lambda _user, _organisation: codes or ALL_CODES).actor(given)


def refusal(given: Any, code: str) -> str:
    """The sentence with which those claims are refused."""
    with pytest.raises(SignOnRefused) as caught:
        actor(given)
    assert caught.value.code == code
    assert "ask the SEND programme team" in str(caught.value)
    assert "Sam" not in str(caught.value)
    return str(caught.value)


def test_a_senco_of_a_mainstream_school() -> None:
    found = actor(claims(), "S2S_SENCO")
    assert found == Actor(
        id="dfe:9B2C0000-0000-4000-8000-000000000001",
        name="Sam Reed",
        email="senco@example.norfolk.sch.uk",
        roles=frozenset({Role.REFERRER}),
        establishments=(SCHOOL,),
    )


@pytest.mark.parametrize(
    ("urn", "codes", "roles"),
    [
        (SCHOOL, ["S2S_HEAD"], {Role.HEAD, Role.REFERRER}),
        (ACADEMY, ["S2S_SENCO"], {Role.REFERRER}),
        (NURSERY, ["S2S_SENCO"], {Role.REFERRER}),
        (SCHOOL, ["S2S_PRACTITIONER", "S2S_LEAD"], set()),
        (SCHOOL, ["s2s_senco", "SENCO", "send_officer", "administrator"], set()),
        (SCHOOL, ALL_CODES, {Role.HEAD, Role.REFERRER}),
        (PROVIDER, ["S2S_PRACTITIONER"], {Role.PRACTITIONER}),
        (PROVIDER, ["S2S_LEAD"], {Role.LEAD}),
        (PROVIDER, ["S2S_LEAD", "S2S_PRACTITIONER"], {Role.LEAD, Role.PRACTITIONER}),
        (PROVIDER, ["S2S_SENCO", "S2S_HEAD"], set()),
        (SPECIAL, ["S2S_SENCO"], set()),
    ],
)
def test_what_a_role_code_gives_depends_on_the_school(
    urn: int, codes: list[str], roles: set[Role]
) -> None:
    found = actor(claims(organisation(urn)), *codes)
    assert found.roles == roles
    assert found.establishments == ((urn,) if Role.REFERRER in roles else ())
    assert found.provider == (urn if roles & {Role.PRACTITIONER, Role.LEAD} else None)


def test_no_role_code_is_no_role() -> None:
    found = DfESignInClaims(lambda _user, _organisation: ()).actor(claims())
    assert (found.roles, found.establishments, found.provider) == (frozenset(), (), None)


def test_a_school_can_never_give_a_council_role() -> None:
    mapped = {"S2S_SENCO": Role.OFFICER, "S2S_HEAD": Role.REFERRER, "S2S_LEAD": Role.ADMINISTRATOR}
    for urn in (SCHOOL, PROVIDER):
        given = claims(organisation(urn))
        found = DfESignInClaims(lambda _user, _organisation: ALL_CODES, mapped).actor(given)
        assert found.roles <= {Role.REFERRER}


def test_the_api_is_asked_about_this_person_at_this_organisation() -> None:
    asked = []
    DfESignInClaims(lambda *who: asked.append(who) or ()).actor(claims())  # type: ignore[func-returns-value]
    assert asked == [
        ("9B2C0000-0000-4000-8000-000000000001", "D1000000-0000-4000-8000-000000000001")
    ]


@pytest.mark.parametrize(
    "shape",
    [
        organisation(),
        json.dumps(organisation()),
        organisation(urn=SCHOOL) | {"urn": SCHOOL},
        organisation(category={"id": 1}, localAuthority={"code": 926}, status={"id": "1"}),
        organisation(category={"id": "1"}, type=None, ukprn=None, status=None),
        organisation(localAuthority=None, establishmentNumber=None, status={"id": None}),
        organisation(type=..., status=..., closedOn=..., localAuthority=..., name=...),
        organisation(status={"id": 3, "name": "Proposed to close"}),
        organisation(closedOn="2019-05-14T00:00:00.000Z"),
        organisation(closedOn="2019-08-31", category=json.dumps({"id": "001"})),
        organisation(closedOn="soon"),
        [organisation()],
    ],
)
def test_every_shape_in_which_an_organisation_arrives(shape: Any) -> None:
    assert actor(claims(shape)).establishments == (SCHOOL,)


@pytest.mark.parametrize(
    "nothing", [{}, "{}", None, "", "null", [], 7, "not JSON", [7], "[" * 9999]
)
def test_no_organisation(nothing: Any) -> None:
    assert "choose your school" in refusal(claims(nothing), "organisation-missing")


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        (organisation(category={"id": "002", "name": "Local Authority"}), "organisation-kind"),
        (organisation(category={"id": "009"}), "organisation-kind"),
        (organisation(category={"id": None}), "organisation-kind"),
        (organisation(category="001"), "organisation-kind"),
        (organisation(category=...), "organisation-kind"),
        (organisation(status={"id": 2, "name": "Closed"}), "organisation-closed"),
        (organisation(status={"id": "2"}), "organisation-closed"),
        (organisation(status='{"id": 2}'), "organisation-closed"),
        (organisation(closedOn="2019-05-13"), "organisation-closed"),
        (organisation(closedOn="2018-02-28T00:00:00.000Z"), "organisation-closed"),
        (organisation(CLOSED_SCHOOL), "organisation-closed"),
        (organisation(localAuthority={"code": "935"}), "local-authority"),
        (organisation(SUFFOLK_SCHOOL, localAuthority=None), "local-authority"),
        (organisation(SUFFOLK_SCHOOL), "local-authority"),
        (organisation(None), "organisation-unknown"),
        (organisation(999_999), "organisation-unknown"),
        (organisation("99999999999999999999"), "organisation-unknown"),
        (organisation("-1"), "organisation-unknown"),
        (organisation("٩٠٠١٠١"), "organisation-unknown"),
        (organisation(id=None), "organisation-unknown"),
        (organisation(id="../.."), "organisation-unknown"),
        (trust(status={"id": 5, "name": "Dissolved"}), "organisation-closed"),
        (trust("12345"), "organisation-unknown"),
        (trust(None), "organisation-unknown"),
    ],
)
def test_which_organisations_are_refused(shape: dict[str, Any], code: str) -> None:
    refusal(claims(shape), code)


@pytest.mark.parametrize(
    ("shape", "urn"),
    [
        (organisation(BEFORE, establishmentNumber="3301"), AFTER),
        (organisation(None, establishmentNumber=3301), AFTER),
        (organisation(777_777, establishmentNumber="3301"), AFTER),
        (organisation(AFTER, establishmentNumber="9999"), AFTER),
        (organisation(TWIN, establishmentNumber="3303"), TWIN),
    ],
)
def test_a_school_is_found_by_urn_then_by_the_number_that_is_open_today(
    shape: dict[str, Any], urn: int
) -> None:
    assert actor(claims(shape)).establishments == (urn,)


@pytest.mark.parametrize(
    "shape",
    [
        organisation(None, establishmentNumber="3303"),  # two schools have it
        organisation(None, establishmentNumber="3305"),  # not open yet
        organisation(None, establishmentNumber="3301", localAuthority=None),  # no area, no number
        organisation(None, establishmentNumber=None, name="Little Snoring Invented Primary"),
    ],
)
def test_else_it_is_refused_and_never_found_by_name(shape: dict[str, Any]) -> None:
    sentence = refusal(claims(shape), "organisation-unknown")
    assert "has become an academy" in sentence


def test_the_number_is_taken_with_the_day() -> None:
    from s2s_portal import clock

    shape = organisation(None, establishmentNumber="3301")
    with clock.frozen(date(2018, 2, 28)):
        refusal(claims(shape), "organisation-unknown")
    with clock.frozen(date(2018, 3, 1)):
        assert actor(claims(shape)).establishments == (AFTER,)


def test_a_closed_school_without_a_successor_says_so() -> None:
    shape = organisation(BEFORE, establishmentNumber=None)
    assert "choose the new one" in refusal(claims(shape), "organisation-closed")


@pytest.mark.parametrize("category", ["010", 10, "013"])
def test_a_trust_sees_its_own_schools_and_needs_no_role_code(category: Any) -> None:
    found = DfESignInClaims(_never).actor(claims(trust(category={"id": category})))
    assert (found.roles, found.provider) == ({Role.TRUST_VIEWER}, None)
    assert found.establishments == (ACADEMY, AFTER)


def _never(_user: str, _organisation: str) -> list[str]:
    raise AssertionError("a trust's roles do not come from the API")


def test_several_schools_of_one_person() -> None:
    several = [organisation(SCHOOL), json.dumps(organisation(OTHER_SCHOOL)), organisation(PROVIDER)]
    found = actor(claims(None, organisations=several))
    assert found.establishments == (SCHOOL, OTHER_SCHOOL)
    assert found.provider == PROVIDER
    assert found.roles == {Role.HEAD, Role.REFERRER, Role.PRACTITIONER, Role.LEAD}


def test_the_chosen_organisation_comes_before_the_list() -> None:
    found = actor(claims(organisation(), organisations=[organisation(OTHER_SCHOOL)]))
    assert found.establishments == (SCHOOL,)


def test_one_closed_school_takes_nothing_from_the_others() -> None:
    several = [organisation(CLOSED_SCHOOL), organisation(SCHOOL)]
    assert actor(claims({}, organisations=json.dumps(several))).establishments == (SCHOOL,)
    refusal(claims({}, organisations=[organisation(CLOSED_SCHOOL)]), "organisation-closed")


@pytest.mark.parametrize(
    "several",
    [
        [trust(), organisation(SCHOOL)],  # else they could refer for every school of the trust
        [organisation(PROVIDER), organisation(OTHER_PROVIDER)],
    ],
)
def test_organisations_that_do_not_go_together(several: list[dict[str, Any]]) -> None:
    assert "choose the one" in refusal(claims({}, organisations=several), "organisation-several")


@pytest.mark.parametrize("sub", [..., None, "", 7, "..", "a b", "é", "x" * 300, "a\x00"])
def test_an_account_without_an_identifier(sub: Any) -> None:
    refusal(claims(sub=sub), "subject")


def test_the_account_is_the_subject_never_a_name_or_an_address() -> None:
    renamed = actor(claims(email="head@other.sch.uk", given_name="Samantha"))
    assert renamed.id == actor(claims()).id
    assert (renamed.name, renamed.email) == ("Samantha Reed", "head@other.sch.uk")
    assert actor(claims(given_name=None, family_name=None)).name == "A DfE Sign-in user"


@pytest.mark.parametrize("whole", [None, [], "sub", 7])
def test_claims_of_no_shape_at_all(whole: Any) -> None:
    refusal(whole, "claims")


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    changes=st.dictionaries(st.sampled_from(sorted(organisation())), JSON, max_size=3),
    outer=st.dictionaries(st.sampled_from([*claims(), "name", "organisations"]), JSON, max_size=2),
    base=st.sampled_from([organisation(), trust(), organisation(PROVIDER)]),
    codes=st.lists(st.sampled_from(ALL_CODES) | st.text(max_size=5), max_size=3),
    whole=JSON,
)
def test_whatever_arrives_is_an_actor_or_a_refusal(
    changes: dict[str, Any],
    outer: dict[str, Any],
    base: dict[str, Any],
    codes: list[str],
    whole: Any,
) -> None:
    for arrived in (claims(base | changes) | outer, whole):
        try:
            found = DfESignInClaims(lambda _user, _organisation: codes).actor(arrived)
        except SignOnRefused as refused:
            assert refused.code
        else:
            assert found.id.startswith("dfe:")
            assert found.roles <= {
                *(Role.REFERRER, Role.HEAD, Role.PRACTITIONER, Role.LEAD, Role.TRUST_VIEWER)
            }
            assert (found.id + found.name + found.email).isprintable()
            assert set(found.establishments) <= {SCHOOL, ACADEMY, AFTER}
