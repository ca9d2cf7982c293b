"""Choosing a practitioner: the ranking with its four reasons, and one allocation for a referral."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import AlreadyAllocated, OutOfOrder, Refused, Stale
from s2s_portal.identity import acting_as
from s2s_portal.models.answer import Need
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import allocation, referrals
from s2s_portal.services.candidate import Candidate
from tests import rows
from tests.client import Client, Page
from tests.world import ACTORS, OTHER_PROVIDER, OTHER_SCHOOL, PROVIDER, SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"
OFFICER = ACTORS["officer"]


@pytest.fixture
def referral(session: Session) -> Referral:
    """An accepted referral that nobody has yet."""
    row = rows.referral(session, REF, status=Status.ACCEPTED)
    session.commit()
    return row


def practitioner(session: Session, key: str) -> Practitioner:
    return session.scalars(select(Practitioner).where(Practitioner.account_id == key)).one()


def mails(connection: Connection) -> list[dict[str, Any]]:
    return list(connection.scalars(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id")))


def found(session: Session) -> list[Candidate]:
    """The candidates as an officer gets them."""
    session.rollback()
    with acting_as(OFFICER):
        try:
            return allocation.candidates(referrals.get(REF))
        finally:
            session.rollback()


def choice(session: Session, page: Page, key: str = "practitioner") -> dict[str, str]:
    """The form of `page` filled in for one practitioner."""
    chosen = practitioner(session, key).id
    return {"seen": page.value("seen"), "practitioner": str(chosen), "reason": "Knows the school"}


# The candidates ---------------------------------------------------------------------------------


def test_candidates_with_their_reasons(session: Session, referral: Referral) -> None:
    first, second, third = found(session)
    assert [one.name for one in (first, second, third)] == [
        "Pat Practitioner",  # need and phase
        "Quin Practitioner",  # need only, far away
        "Cam Colleague",  # phase only, near
    ]
    assert first.cover_words == "Covers the need and the phase"
    assert second.cover_words == "Covers the need, not the phase"
    assert third.cover_words == "Covers the phase, not the need"
    assert first.provider_name == "Fen View Complex Needs School"
    assert first.miles == pytest.approx((1000**2 + 1000**2) ** 0.5 / 1609.344)
    assert (first.load_words, first.contact_words) == ("0 of 4 open cases", "None")


def test_leads_and_those_who_left_are_no_candidates(session: Session, referral: Referral) -> None:
    practitioner(session, "practitioner").active = False
    session.commit()
    assert {one.name for one in found(session)} == {"Quin Practitioner", "Cam Colleague"}


def test_cases_count_while_open_and_contact_counts_for_ever(
    session: Session, referral: Referral
) -> None:
    for suffix, urn, status, ended in (
        ("4443", SCHOOL, Status.ALLOCATED, False),  # open, and earlier contact
        ("4444", OTHER_SCHOOL, Status.ALLOCATED, False),  # open only
        ("4446", SCHOOL, Status.CLOSED, False),  # earlier contact only
        ("4447", SCHOOL, Status.ALLOCATED, True),  # was given to somebody else since
    ):
        row = rows.referral(session, f"S2S-19-{suffix}", urn=urn, status=status)
        made = rows.allocation(session, row, "practitioner", ended=ended)
        made.at = clock.from_local(date(2019, 5, int(suffix[-1])), 9)
    session.commit()
    first = found(session)[0]
    assert (first.name, first.open_cases, first.earlier) == ("Pat Practitioner", 2, 3)
    assert first.contact_words == "3 referrals, last 7 May 2019"
    others = {one.name: (one.open_cases, one.earlier) for one in found(session)[1:]}
    assert others == {"Quin Practitioner": (0, 0), "Cam Colleague": (0, 0)}


def test_a_place_that_is_not_on_the_map(session: Session, referral: Referral) -> None:
    session.get_one(Establishment, PROVIDER).easting = None
    session.commit()
    assert {one.distance_words for one in found(session) if one.name != "Quin Practitioner"} == {
        "Distance not known"
    }


def test_no_primary_need_is_covered_by_nobody(session: Session, referral: Referral) -> None:
    session.delete(session.get_one(Need, (referral.id, "SEMH")))
    session.commit()
    assert not any(one.covers_need for one in found(session))


def test_as_many_statements_for_fifty_practitioners_as_for_three(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    statements: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda *given: statements.append(given[2]))
    client.sign_on("officer").get("allocation.allocate", reference=REF)
    few = len(statements)
    session.add_all(
        Practitioner(
            name=f"Somebody {number}",
            email="somebody@school.example",
            provider_urn=OTHER_PROVIDER if number % 2 else PROVIDER,
            phases=["2"],
            needs=["SEMH"],
            capacity=1,
        )
        for number in range(50)
    )
    session.commit()
    statements.clear()
    page = client.get("allocation.allocate", reference=REF)
    assert len(page.all("//tbody/tr")) == 53
    assert len(statements) == few


# The pages --------------------------------------------------------------------------------------


def test_list_of_what_has_nobody_oldest_first(client: Client, session: Session) -> None:
    assert "Every accepted referral has a practitioner" in (
        client.sign_on("officer").get("allocation.index").words
    )
    for day, suffix in ((13, "4444"), (12, "4443")):
        row = rows.referral(session, f"S2S-19-{suffix}", status=Status.ACCEPTED)
        row.submitted_at = clock.from_local(date(2019, 5, day), 9)
        row.received_on = date(2019, 5, day)
    rows.referral(session, "S2S-19-4446")
    session.commit()
    page = client.get("allocation.index")
    assert page.all("//tbody//th") == ["S2S-19-4443", "S2S-19-4444"]
    assert page.all("//tbody//td[last()-1]") == ["2 working days", "1 working day"]
    assert "Canary" not in page.text


def test_page_shows_each_candidate_with_reasons_and_no_child(
    client: Client, session: Session, referral: Referral
) -> None:
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    assert page.all("//tbody/tr[1]/td") == [
        "1. Pat PractitionerFen View Complex Needs School",
        "Covers the need and the phaseExperienced",
        "0 of 4 open cases",
        "Hours not known",
        "0.9 miles",
        "0",
        "None",
        "Nothing",
    ]
    assert "Practical advice" in page.words
    assert "Canary" not in page.text


def test_allocating_tells_everybody_it_concerns(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    done = client.post("allocation.allocate", choice(session, page), reference=REF)
    shown = client.follow(done)
    assert "Pat Practitioner has the referral" in shown.words
    assert "Why: Knows the school" in shown.words
    session.expire_all()
    row = session.scalars(select(Referral).where(Referral.reference == REF)).one()
    assert row.status is Status.ALLOCATED
    made = session.scalars(select(Allocation)).one()
    assert (made.practitioner_name, made.provider_urn, made.provider_name, made.by_id) == (
        "Pat Practitioner",
        PROVIDER,
        "Fen View Complex Needs School",
        "officer",
    )
    happened = session.scalars(
        select(ReferralEvent).where(ReferralEvent.action == Action.ALLOCATED)
    ).one()
    assert happened.message == (
        "Pat Practitioner of Fen View Complex Needs School will support you."
    )
    assert happened.note == "Knows the school"
    told = {mail["notice"]: mail for mail in mails(connection)}
    assert told["referral_allocated"]["address"] == "senco@school.example"
    assert told["allocated_to_you"]["practitioner_id"] == made.practitioner_id
    assert told["allocated_to_you"]["link"].endswith(f"/s2s/visits/{REF}/")
    assert told["allocated_to_your_staff"]["provider_urn"] == PROVIDER
    assert len(told) == 3


def test_a_reason_and_a_choice_are_needed_and_what_was_typed_stays(
    client: Client, session: Session, referral: Referral
) -> None:
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    form = choice(session, page)
    refused = client.post("allocation.allocate", {**form, "reason": " "}, status=422, reference=REF)
    assert refused.errors == ["Enter why you chose this practitioner"]
    assert refused.document.xpath("//input[@checked]/@value") == [form["practitioner"]]
    refused = client.post(
        "allocation.allocate", {**form, "practitioner": ""}, status=422, reference=REF
    )
    assert refused.errors == ["Choose a practitioner"]
    assert refused.value("reason") == "Knows the school"
    lead = str(practitioner(session, "lead").id)
    for wrong in (lead, "0", "x"):
        refused = client.post(
            "allocation.allocate", {**form, "practitioner": wrong}, status=422, reference=REF
        )
        assert refused.errors == ["Choose a practitioner"]
    assert session.scalars(select(Allocation)).all() == []


def test_somebody_full_is_marked_and_may_be_chosen_with_a_reason(
    client: Client, session: Session, referral: Referral
) -> None:
    for letter in "34":
        row = rows.referral(session, f"S2S-19-444{letter}", status=Status.ALLOCATED)
        rows.allocation(session, row, "colleague")
    session.commit()
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    assert page.all("//strong[contains(@class,'govuk-tag--orange')]") == ["2 of 2 open cases: full"]
    client.post("allocation.allocate", choice(session, page, "colleague"), reference=REF)
    page = client.get("triage.show", reference=REF)
    assert "Cam Colleague, Fen View Complex Needs School" in page.words


def test_two_officers_the_second_is_told_to_whom_and_keeps_what_was_typed(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    other = Client(client.app).sign_on("other-officer")
    other.post("allocation.allocate", choice(session, page), reference=REF)
    told = len(mails(connection))
    late = client.post(
        "allocation.allocate", choice(session, page, "colleague"), status=422, reference=REF
    )
    assert late.errors == [
        "Ravi Officer allocated this referral to Pat Practitioner of Fen View Complex Needs"
        " School on 14 May 2019 at midday. Nothing has been changed now."
    ]
    assert late.value("reason") == "Knows the school"
    assert late.document.xpath("//input[@checked]/@value") == [
        str(practitioner(session, "colleague").id)
    ]
    assert session.scalars(select(Allocation.practitioner_name)).all() == ["Pat Practitioner"]
    assert len(mails(connection)) == told
    assert "Ravi Officer" in client.get("allocation.allocate", status=409, reference=REF).words


def test_a_practitioner_who_left_meanwhile_is_refused(session: Session, referral: Referral) -> None:
    gone = practitioner(session, "practitioner")
    gone.active = False
    session.commit()
    with (
        acting_as(OFFICER),
        pytest.raises(Refused, match="no longer takes referrals") as refused,
        unit_of_work() as work,
    ):
        allocation.allocate(
            work, REF, practitioner_id=gone.id, reason="x", seen=referral.version, by=OFFICER
        )
    assert refused.value.field == "practitioner"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (Status.SUBMITTED, OutOfOrder),
        (Status.RETURNED, OutOfOrder),
        (Status.DECLINED, OutOfOrder),
        (Status.CLOSED, OutOfOrder),
        (Status.ALLOCATED, AlreadyAllocated),
    ],
)
def test_only_what_is_accepted_and_with_nobody_can_be_allocated(
    client: Client, session: Session, status: Status, error: type[OutOfOrder]
) -> None:
    row = rows.referral(session, REF, status=status)
    if status is Status.ALLOCATED:
        rows.allocation(session, row, "colleague")
    session.commit()
    client.sign_on("officer").get("allocation.allocate", status=409, reference=REF)
    with acting_as(OFFICER), pytest.raises(error), unit_of_work() as work:
        allocation.allocate(work, REF, practitioner_id=1, reason="x", seen=1, by=OFFICER)


def test_a_page_drawn_from_another_version_allocates_nothing(
    session: Session, referral: Referral
) -> None:
    who = practitioner(session, "practitioner").id
    seen = referral.version + 1
    session.rollback()
    with acting_as(OFFICER), pytest.raises(Stale), unit_of_work() as work:
        allocation.allocate(work, REF, practitioner_id=who, reason="x", seen=seen, by=OFFICER)


@pytest.mark.parametrize("key", ["senco", "practitioner", "lead", "finance", "manager", "auditor"])
def test_nobody_but_an_officer_gets_in(client: Client, referral: Referral, key: str) -> None:
    client.sign_on(key).get("allocation.index", status=403)
    client.get("allocation.allocate", status=403, reference=REF)


def test_an_absent_referral_and_a_draft_look_the_same(client: Client, session: Session) -> None:
    rows.referral(session, "S2S-19-7K4Q", status=Status.DRAFT)
    session.commit()
    client.sign_on("officer")
    for reference in ("S2S-19-7K4Q", "S2S-19-XXXX", "x"):
        client.get("allocation.allocate", status=404, reference=reference)


def test_without_practitioners_the_page_says_whom_to_ask(
    client: Client, session: Session, referral: Referral
) -> None:
    session.execute(text("UPDATE s2s.practitioner SET active = false"))
    session.commit()
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    assert "There is no practitioner to choose from" in page.words


@pytest.mark.parametrize(
    "notice", ["referral_allocated", "allocated_to_you", "allocated_to_your_staff"]
)
def test_mail_has_the_reference_and_a_link(client: Client, notice: str) -> None:
    body = client.app.jinja_env.get_template(f"s2s/mail/{notice}.txt").render(
        reference=REF, school="Little Snoring", link="https://portal.example/s2s/x"
    )
    assert REF in body
    assert "https://portal.example/s2s/x" in body
