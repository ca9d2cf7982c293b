"""Practitioners who join in a case that another leads: they see it, and do what their part is."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from s2s_portal import access
from s2s_portal.database import session as current_session
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotAllowed, NotFound, OutOfOrder, Refused
from s2s_portal.identity import acting_as
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.practitioner import (
    Allocation,
    Conflict,
    ConflictKind,
    ConflictWeight,
    Practitioner,
)
from s2s_portal.models.reallocation import Supporter, SupportRole, Why
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.visit import Visit, VisitKind
from s2s_portal.services import (
    caseload,
    closing,
    messages,
    reallocating,
    referrals,
    supporting,
    visits,
    workload,
)
from s2s_portal.services.handing import Handing
from tests import rows
from tests.client import Client
from tests.world import ACTORS, SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"
OFFICER, LEAD = ACTORS["officer"], ACTORS["lead"]


@pytest.fixture
def case(session: Session) -> str:
    """A referral that Pat leads."""
    row = rows.referral(session, REF, status=Status.ALLOCATED)
    rows.allocation(session, row, "practitioner")
    session.commit()
    return REF


def number(session: Session, key: str) -> int:
    session.commit()
    return session.scalars(select(Practitioner.id).where(Practitioner.account_id == key)).one()


def join(
    session: Session, key: str, role: SupportRole = SupportRole.JOINT, by: Any = OFFICER
) -> int:
    who = number(session, key)
    session.commit()
    with acting_as(by), unit_of_work() as work:
        made = supporting.add(
            work, REF, practitioner_id=who, role=role, reason="Two of them", by=by
        )
        work.flush()
        return made.id


def book(key: str, day: int = 20) -> None:
    who = ACTORS[key]
    current_session().commit()
    with acting_as(who), unit_of_work() as work:
        visits.book(
            work,
            REF,
            kind=VisitKind.VISIT,
            day=date(2019, 5, day),
            starts=time(9),
            ends=time(10),
            by=who,
        )


def all_of(session: Session, kind: Any) -> list[Any]:
    session.commit()
    return list(session.scalars(select(kind).order_by(kind.id)))


def sees(key: str) -> bool:
    with acting_as(ACTORS[key]):
        current_session().commit()
        try:
            referrals.get(REF)
        except NotFound:
            return False
        return True


def test_who_joins_in_sees_the_case_and_books_visits_of_their_own(
    client: Client, session: Session, connection: Connection, case: str
) -> None:
    assert not sees("other-practitioner")
    join(session, "other-practitioner", SupportRole.SPECIALIST)
    assert sees("other-practitioner") and sees("other-lead")
    event = all_of(session, ReferralEvent)[-1]
    assert (event.action, event.message) == (
        Action.SUPPORT_ADDED,
        "Quin Practitioner of Broad Oak Complex Needs School: specialist advice.",
    )
    sent = connection.scalars(text("SELECT args->>'notice' FROM s2s.procrastinate_jobs"))
    assert sorted(sent) == ["support_added", "support_added", "support_asked_of_you"]
    book("other-practitioner")
    book("practitioner")  # both at once: it is a joint visit
    assert {visit.practitioner_id for visit in all_of(session, Visit)} == {
        number(session, "practitioner"),
        number(session, "other-practitioner"),
    }
    page = client.sign_on("other-practitioner").get("visits.show", reference=REF)
    assert "You join in: specialist advice" in page.words
    assert "Record outcomes" not in page.words
    assert "Book a visit" in page.words
    index = client.get("visits.index")
    assert "Where you join in" in index.words
    assert "Nothing is new" in index.words
    school = client.sign_on("senco").get("referrals.show", reference=REF)
    assert "Quin Practitioner, Broad Oak Complex Needs School, joins in" in school.words
    assert "Two of them" not in school.words


def test_outcomes_and_messages_by_their_part(session: Session, case: str) -> None:
    join(session, "colleague", SupportRole.SHADOWING)
    join(session, "other-practitioner")
    for key, may in (("colleague", False), ("other-practitioner", True)):
        who = ACTORS[key]
        session.commit()
        with acting_as(who):
            assert (messages.thread(referrals.get(REF), by=who).side is not None) is may
            session.commit()
            with pytest.raises(NotAllowed), unit_of_work() as work:
                closing.record_outcomes(work, REF, results={}, by=who)
    with pytest.raises(NotAllowed):
        book("colleague")


def test_it_weighs_less_than_a_case_of_their_own(session: Session, case: str) -> None:
    def loads() -> dict[str, tuple[int, int, int]]:
        session.commit()
        with acting_as(OFFICER):
            return {
                one.name: (one.load.cases, one.load.supported, one.load.minutes)
                for one in workload.team(None)
            }

    before = loads()
    assert before["Pat Practitioner"] == (1, 0, 120)
    assert before["Cam Colleague"] == (0, 0, 0)
    join(session, "colleague")
    assert loads()["Cam Colleague"] == (0, 1, 40)


def test_what_stands_against_joining_in(session: Session, case: str) -> None:
    with pytest.raises(Refused, match="cannot join in"):
        join(session, "practitioner")
    session.add(
        Conflict(
            practitioner_id=number(session, "colleague"),
            urn=SCHOOL,
            kind=ConflictKind.RELATIVE,
            weight=ConflictWeight.EXCLUDED,
            reason="A child there",
            by_id="lead",
            by_name="Lee Lead",
        )
    )
    session.commit()
    with pytest.raises(Refused, match=r"Cam Colleague cannot join in\. Excluded: A child there"):
        join(session, "colleague")
    first = join(session, "other-practitioner")
    assert join(session, "other-practitioner") == first, "twice the same is one"
    with pytest.raises(Refused, match="supports this referral already"):
        join(session, "other-practitioner", SupportRole.SHADOWING)
    assert len(all_of(session, Supporter)) == 1


def test_a_lead_adds_and_ends_their_own_staff_alone(
    client: Client, session: Session, case: str
) -> None:
    page = client.sign_on("lead").get("allocation.add_supporter", reference=REF)
    assert "Cam Colleague" in page.words and "Quin Practitioner" not in page.words
    typed = {
        "practitioner": str(number(session, "colleague")),
        "role": "shadowing",
        "reason": "New",
    }
    empty = client.post("allocation.add_supporter", {}, reference=REF, status=422)
    assert "Choose what they do" in empty.words
    client.post("allocation.add_supporter", typed, reference=REF)
    [made] = all_of(session, Supporter)
    assert (made.practitioner_name, made.by_name) == ("Cam Colleague", LEAD.name)
    other = join(session, "other-practitioner")
    client.get("allocation.end_supporter", reference=REF, number=other, status=404)
    client.post("allocation.end_supporter", {"reason": "Done"}, reference=REF, number=made.id)
    assert not sees("colleague")
    with pytest.raises(Refused):
        join(session, "other-lead", by=LEAD)


def test_it_ends_once_nothing_is_owed(client: Client, session: Session, case: str) -> None:
    made = join(session, "colleague")
    book("colleague")
    form = {"reason": "Moved on"}
    client.sign_on("officer")
    refused = client.post("allocation.end_supporter", form, reference=REF, number=made, status=422)
    assert "Cam Colleague has a visit booked" in refused.words
    session.commit()
    with acting_as(OFFICER), unit_of_work() as work, pytest.raises(OutOfOrder):
        supporting.end(work, REF, made, reason="Moved on", by=OFFICER)
    who = number(session, "other-practitioner")
    session.commit()
    with acting_as(OFFICER), unit_of_work() as work:
        reallocating.reallocate(
            work,
            REF,
            practitioner_id=who,
            reason="Need",
            handing=Handing(why=Why.MOVED),
            seen=1,
            by=OFFICER,
        )
    with acting_as(ACTORS["colleague"]):
        session.commit()
        mine = caseload.of_practitioner(ACTORS["colleague"])
        assert [one.visit.number for one in mine.coming] == [1], "their own visit stays theirs"
    last = all_of(session, Allocation)[-1]
    assert all_of(session, Visit)[0].allocation_id == last.id


def test_who_leads_now_supports_no_longer_and_taken_back_nobody_does(
    session: Session, case: str
) -> None:
    join(session, "colleague")
    join(session, "other-practitioner")
    who = number(session, "colleague")
    session.commit()
    with acting_as(OFFICER), unit_of_work() as work:
        handing = Handing(why=Why.LEFT)
        reallocating.reallocate(
            work, REF, practitioner_id=who, reason="Known", handing=handing, seen=1, by=OFFICER
        )
    ended = [one.ended_reason for one in all_of(session, Supporter)]
    assert ended == ["They lead the case now", ""]
    seen = referral_version(session)
    with acting_as(OFFICER), unit_of_work() as work:
        reallocating.take_back(work, REF, handing=handing, seen=seen, by=OFFICER)
    assert all_of(session, Supporter)[1].ended_reason == "The referral was taken back"
    assert not sees("other-practitioner")


def referral_version(session: Session) -> int:
    session.commit()
    with acting_as(OFFICER):
        found = referrals.get(REF).version
        session.commit()
        return found


def test_the_rule_for_one_referral_says_the_same_as_the_database(
    session: Session, case: str
) -> None:
    made = join(session, "other-practitioner")
    session.commit()
    row = session.scalars(select(Referral).where(Referral.reference == REF)).one()
    [beside] = referrals.supporters(row)
    assert beside.id == made
    for key, may in (
        ("other-practitioner", True),
        ("other-lead", True),
        ("colleague", False),
        ("senco", True),
        ("other-senco", False),
    ):
        assert access.may_see(ACTORS[key], row, None, [beside]) is may, key
    assert not access.may_see(ACTORS["other-practitioner"], row, None)
    beside.practitioner.active = False
    assert not access.may_see(ACTORS["other-practitioner"], row, None, [beside])
    session.rollback()
