"""Practitioners as records: who keeps which, in parts, with history, and two people at once."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound, Refused, Stale
from s2s_portal.identity import acting_as
from s2s_portal.models.codes import Status
from s2s_portal.models.practitioner import (
    AbsenceKind,
    Conflict,
    Level,
    Practitioner,
    PractitionerEvent,
)
from s2s_portal.services import practitioner_limits, practitioners
from s2s_portal.services.practitioners import SkillGiven
from tests import rows
from tests.client import Client, Page
from tests.world import ACTORS, OTHER_PROVIDER, OTHER_SCHOOL, PROVIDER

pytestmark = pytest.mark.usefixtures("may_2019")
LEAD = ACTORS["lead"]


def number(session: Session, key: str = "practitioner") -> int:
    """The number of somebody; no transaction is left open, so that the next one acts anew."""
    found = session.scalars(select(Practitioner.id).where(Practitioner.account_id == key)).one()
    session.rollback()
    return found


def events(session: Session, who: int) -> list[PractitionerEvent]:
    session.expire_all()
    return list(
        session.scalars(
            select(PractitionerEvent)
            .where(PractitionerEvent.practitioner_id == who)
            .order_by(PractitionerEvent.id)
        )
    )


def typed(page: Page, **more: object) -> dict[str, object]:
    return {"seen": page.value("seen"), **more}


DETAILS = {
    "name": "Pat Practitioner",
    "email": "pat@new.example",
    "leaving_on": ["31", "8", "2019"],
}


# Who ----------------------------------------------------------------------------------------------


def test_a_lead_lists_their_own_school_an_officer_and_an_administrator_all(client: Client) -> None:
    own = {"Pat Practitioner", "Cam Colleague"}
    for key, names in (
        ("lead", own),
        ("other-lead", {"Quin Practitioner"}),
        ("officer", own | {"Quin Practitioner"}),
        ("administrator", own | {"Quin Practitioner"}),
    ):
        page = client.sign_on(key).get("practitioners.index")
        assert set(page.all("//tbody//th/a")) == names, key
    assert "Add a practitioner" in page.words
    assert "Add a practitioner" not in client.sign_on("officer").get("practitioners.index").words


def test_a_lead_whose_account_is_not_linked_keeps_nothing(client: Client, session: Session) -> None:
    who = number(session)
    client.sign_on("newcomer")
    assert client.get("practitioners.index").all("//tbody//th/a") == []
    client.get("practitioners.show", number=who, status=404)
    new = {"name": "A", "email": "a@school.example", "provider": str(PROVIDER)}
    refused = client.post("practitioners.add", new, status=422)
    assert refused.errors == ["Choose the school that they work at"]


def test_nobody_else_keeps_a_record(client: Client, session: Session) -> None:
    who = number(session)
    for key in ("other-lead", "other-practitioner"):
        client.sign_on(key).get("practitioners.show", number=who, status=404)
    client.sign_on("other-lead")
    for part in ("details", "cover", "needs", "release"):
        client.get("practitioners.change", number=who, part=part, status=404)
        client.post("practitioners.change", DETAILS, number=who, part=part, status=404)
    for endpoint in ("state", "add_absence", "add_conflict"):
        client.post(f"practitioners.{endpoint}", {}, number=who, status=404)
    client.get("practitioners.history", number=who, status=404)
    client.sign_on("officer").post(
        "practitioners.change", DETAILS, number=who, part="details", status=403
    )
    for key in ("senco", "finance", "manager", "trust-viewer"):
        client.sign_on(key).get("practitioners.show", number=who, status=403)
    assert events(session, who) == []


def test_the_service_itself_asks_who_keeps_the_record(session: Session) -> None:
    who = number(session)
    session.rollback()
    for key in ("other-lead", "officer", "practitioner"):
        with acting_as(ACTORS[key]), pytest.raises(NotFound), unit_of_work() as work:
            practitioner_limits.add_absence(
                work,
                who,
                starts=date(2019, 6, 3),
                ends=None,
                kind=AbsenceKind.LEAVE,
                by=ACTORS[key],
            )


def test_a_practitioner_reads_their_own_record_without_conflicts(
    client: Client, session: Session
) -> None:
    who = number(session)
    session.add_all(rows.record(who))
    session.commit()
    page = client.sign_on("practitioner").get("practitioners.show", number=who)
    assert "Tuesday 3.5 hours, Thursday 7 hours" in page.words
    assert "3 June 2019 to 7 June 2019" in page.words
    assert "Canary" not in page.text
    assert "Conflicts of interest" not in page.words
    assert "Change" not in page.words
    assert "Canary: a sister teaches there" in (
        client.sign_on("officer").get("practitioners.show", number=who).words
    )
    client.sign_on("colleague").get("practitioners.show", number=who, status=404)


def test_a_lead_changes_neither_account_nor_school_nor_who_leads(
    session: Session, connection: Connection
) -> None:
    who = number(session)
    session.rollback()
    for column, value in (("account_id", "x"), ("is_lead", True), ("provider_urn", OTHER_PROVIDER)):
        with (
            acting_as(LEAD),
            pytest.raises(Exception, match=r"only an administrator changes|row-level security"),
            unit_of_work() as work,
        ):
            setattr(work.session.get_one(Practitioner, who), column, value)
            work.flush()
            work.audited = True


# Adding -------------------------------------------------------------------------------------------


def test_a_lead_adds_somebody_to_their_own_school_only(client: Client, session: Session) -> None:
    client.sign_on("lead")
    new = {"name": "Newly Named", "email": "new@school.example"}
    refused = client.post("practitioners.add", new | {"provider": str(OTHER_PROVIDER)}, status=422)
    assert refused.errors == ["Choose the school that they work at"]
    shown = client.follow(client.post("practitioners.add", new | {"provider": str(PROVIDER)}))
    assert shown.h1 == "Newly Named"
    row = session.scalars(select(Practitioner).where(Practitioner.name == "Newly Named")).one()
    assert (row.provider_urn, row.is_lead, row.account_id, row.active) == (
        PROVIDER,
        False,
        None,
        True,
    )
    assert [event.part for event in events(session, row.id)] == ["record"]
    again = client.post("practitioners.add", new | {"provider": str(PROVIDER)}, status=422)
    assert again.errors == ["Newly Named has this email address already"]
    wrong = client.post(
        "practitioners.add",
        {"name": "", "email": "no address", "provider": str(PROVIDER)},
        status=422,
    )
    assert wrong.errors == [
        "Enter their name",
        "Enter an email address, like name@school.example",
    ]
    assert wrong.value("email") == "no address"


# Parts --------------------------------------------------------------------------------------------


def test_details_are_changed_and_both_states_are_kept(client: Client, session: Session) -> None:
    who = number(session)
    client.sign_on("lead")
    page = client.get("practitioners.change", number=who, part="details")
    done = client.post("practitioners.change", typed(page, **DETAILS), number=who, part="details")
    assert "Saved." in client.follow(done).words
    (event,) = events(session, who)
    assert (event.by_id, event.part, event.version) == ("lead", "details", 2)
    assert ["Email", "practitioner@school.example"] in event.before
    assert ["Email", "pat@new.example"] in event.after
    assert ["Leaving date", "31 August 2019"] in event.after
    words = client.get("practitioners.history", number=who).words
    assert "practitioner@school.example" in words
    assert "pat@new.example" in words
    page = client.get("practitioners.change", number=who, part="details")
    done = client.post("practitioners.change", typed(page, **DETAILS), number=who, part="details")
    assert "Nothing changed." in client.follow(done).words
    assert len(events(session, who)) == 1


def test_two_people_the_second_sees_both_and_what_they_typed(
    client: Client, session: Session
) -> None:
    who = number(session)
    client.sign_on("lead")
    page = client.get("practitioners.change", number=who, part="details")
    other = Client(client.app).sign_on("administrator")
    theirs = other.get("practitioners.change", number=who, part="details")
    other.post(
        "practitioners.change",
        typed(theirs, **(DETAILS | {"email": "first@x.example"})),
        number=who,
        part="details",
    )
    late = client.post(
        "practitioners.change", typed(page, **DETAILS), number=who, part="details", status=422
    )
    assert "Adi Administrator has changed this since you opened the page" in late.errors[0]
    assert late.value("email") == "pat@new.example"
    assert "first@x.example" in late.words
    assert "practitioner@school.example" in late.words
    client.post("practitioners.change", typed(late, **DETAILS), number=who, part="details")
    assert [event.by_id for event in events(session, who)] == ["administrator", "lead"]


def test_two_people_at_two_parts_do_not_meet(client: Client, session: Session) -> None:
    who = number(session)
    client.sign_on("lead")
    page = client.get("practitioners.change", number=who, part="details")
    with acting_as(ACTORS["administrator"]), unit_of_work() as work:
        practitioners.save_cover(
            work,
            who,
            seen=1,
            phases=["2"],
            areas=[],
            capacity=9,
            by=ACTORS["administrator"],
        )
    client.post("practitioners.change", typed(page, **DETAILS), number=who, part="details")
    assert [event.part for event in events(session, who)] == ["cover", "details"]


def test_needs_have_a_level_and_a_date(client: Client, session: Session) -> None:
    who = number(session)
    client.sign_on("lead")
    page = client.get("practitioners.change", number=who, part="needs")
    wrong = client.post(
        "practitioners.change",
        typed(page, level_ASD="specialist", expires_ASD="31/2/2020", level_VI="nonsense"),
        number=who,
        part="needs",
        status=422,
    )
    assert "Autistic spectrum disorder: valid until must be a real date, for example 31/8/2027" in (
        wrong.errors
    )
    assert "Choose from the list" in wrong.errors
    assert wrong.value("expires_ASD") == "31/2/2020"
    client.post(
        "practitioners.change",
        typed(page, level_ASD="specialist", expires_ASD="31/8/2020", level_SEMH=""),
        number=who,
        part="needs",
    )
    session.rollback()
    with acting_as(LEAD):
        row = practitioners.get(who, LEAD)
    assert [(one.code, one.level, one.expires_on) for one in row.skills] == [
        ("ASD", Level.SPECIALIST, date(2020, 8, 31))
    ]


def test_release_by_date_the_old_one_stays(client: Client, session: Session) -> None:
    who = number(session)
    client.sign_on("lead")
    for day, hours in (("1", "3.5"), ("10", "7")):
        page = client.get("practitioners.change", number=who, part="release")
        client.post(
            "practitioners.change",
            typed(
                page,
                valid_from=[day, "5", "2019"],
                until=["", "", ""],
                monday="",
                tuesday=hours,
                wednesday="",
                thursday="",
                friday="",
            ),
            number=who,
            part="release",
        )
    with acting_as(LEAD):
        kept = practitioners.releases(who)
        on = {day: practitioners.release_on(kept, date(2019, 5, day)) for day in (9, 10)}
        assert practitioners.release_on(kept, date(2019, 4, 30)) is None
    assert [row.minutes[1] for row in kept] == [420, 210]
    assert on[9] is not None and on[9].minutes[1] == 210
    assert on[10] is not None and on[10].minutes[1] == 420
    session.rollback()
    page = client.get("practitioners.change", number=who, part="release")
    wrong = client.post(
        "practitioners.change",
        typed(page, valid_from=["1", "6", "2019"], until=["1", "5", "2019"], monday="11"),
        number=who,
        part="release",
        status=422,
    )
    assert wrong.errors == ["Monday must be hours from 0 to 10, for example 3.5"]
    assert wrong.value("monday") == "11"


# Absences and conflicts ---------------------------------------------------------------------------


def test_absences_come_and_go_and_the_history_keeps_them(client: Client, session: Session) -> None:
    who = number(session)
    client.sign_on("lead")
    days = {"starts": ["3", "6", "2019"], "ends": ["7", "6", "2019"], "kind": "leave"}
    client.post("practitioners.add_absence", days, number=who)
    twice = client.post("practitioners.add_absence", days, number=who, status=422)
    assert twice.errors == ["There is an absence on these days already: 3 June 2019 to 7 June 2019"]
    with acting_as(LEAD):
        made = practitioner_limits.absences(who)[0].id
    session.rollback()
    client.post("practitioners.remove_absence", {}, number=who, row=made)
    client.post("practitioners.remove_absence", {}, number=who, row=made, status=404)
    assert [(event.before, event.after) for event in events(session, who)] == [
        ([], [["3 June 2019 to 7 June 2019", "Leave"]]),
        ([["3 June 2019 to 7 June 2019", "Leave"]], []),
    ]


def test_a_row_of_somebody_else_is_not_removed(client: Client, session: Session) -> None:
    who, other = number(session), number(session, "colleague")
    session.add_all(rows.record(who))
    session.commit()
    conflict = session.scalars(select(Conflict.id)).one()
    session.rollback()
    client.sign_on("lead").post(
        "practitioners.remove_conflict", {}, number=other, row=conflict, status=404
    )
    client.post("practitioners.remove_conflict", {}, number=who, row=conflict)
    assert session.scalars(select(Conflict)).all() == []


def test_a_conflict_needs_a_school_of_the_register_and_a_reason(
    client: Client, session: Session
) -> None:
    who = number(session)
    client.sign_on("lead")
    form = {
        "urn": str(OTHER_SCHOOL),
        "kind": "former_school",
        "weight": "excluded",
        "reason": "Taught there until 2018",
        "starts": ["", "", ""],
        "ends": ["31", "8", "2020"],
    }
    wrong = client.post(
        "practitioners.add_conflict", form | {"urn": "12", "reason": ""}, number=who, status=422
    )
    assert wrong.errors == [
        "Enter the URN of the establishment: six digits",
        "Enter the reason",
    ]
    absent = client.post(
        "practitioners.add_conflict", form | {"urn": "999999"}, number=who, status=422
    )
    assert absent.errors == ["There is no establishment with this URN in the register"]
    assert absent.value("reason") == "Taught there until 2018"
    shown = client.follow(client.post("practitioners.add_conflict", form, number=who))
    assert "Excluded: not to be sent there. Worked there: Taught there until 2018" in shown.words


# Leaving ------------------------------------------------------------------------------------------


def test_open_referrals_are_said_before_somebody_is_no_longer_active(
    client: Client, session: Session
) -> None:
    who = number(session)
    row = rows.referral(session, "S2S-19-7K4P", status=Status.ALLOCATED)
    rows.allocation(session, row, "practitioner")
    session.commit()
    for key, listed in (("administrator", False), ("lead", True)):
        page = client.sign_on(key).get("practitioners.state", number=who)
        assert "Pat Practitioner has 1 open referral." in page.words
        assert ("S2S-19-7K4P" in page.words) is listed
    client.post("practitioners.state", {}, number=who)
    assert session.scalar(text(f"SELECT active FROM s2s.practitioner WHERE id = {who}")) is False
    client.get("practitioners.state", number=who)
    client.post("practitioners.state", {}, number=who)
    assert [event.after for event in events(session, who)] == [
        [["State", "No longer active"]],
        [["State", "Active"]],
    ]


def test_a_stale_version_saves_nothing(session: Session) -> None:
    who = number(session)
    given = {"seen": 1, "leaving_on": None, "by": LEAD}
    with acting_as(LEAD), unit_of_work() as work:
        practitioners.save_details(work, who, name="A", email="a@x.example", **given)
    with acting_as(LEAD), pytest.raises(Stale), unit_of_work() as work:
        practitioners.save_details(work, who, name="B", email="b@x.example", **given)
    with acting_as(LEAD), pytest.raises(Refused, match="last day"), unit_of_work() as work:
        practitioners.save_release(
            work,
            who,
            seen=2,
            valid_from=date(2019, 6, 1),
            until=date(2019, 5, 1),
            minutes=[0] * 5,
            by=LEAD,
        )
    with acting_as(LEAD), unit_of_work() as work:
        assert practitioners.save_needs(
            work, who, seen=2, needs=[SkillGiven("VI", Level.WORKING)], by=LEAD
        )
