"""Tiles, filters and orders in the address; who looks after what; kept lists; the way back."""

from __future__ import annotations

from datetime import date, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.errors import Stale
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.answer import Need
from s2s_portal.models.clocks import ClockState
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.terms import Step
from s2s_portal.models.worklist import Officer, OfficerAssignment, SavedList, WorklistEntry
from s2s_portal.services import clocks, officers, referrals, worklist
from s2s_portal.services.worklist_wanted import Pile, Sort, Wanted, When
from tests import rows
from tests.client import Client, Page
from tests.world import ACTORS, OTHER_SCHOOL, SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
REF, OTHER = "S2S-19-7K4P", "S2S-19-7K4Q"
TODAY = date(2019, 5, 14)


def sent(session: Session, reference: str, day: date = TODAY, urn: int = SCHOOL) -> Referral:
    """A referral that was sent on a day, with the clocks that this starts."""
    row = rows.referral(session, reference, urn=urn)
    row.status = Status.DRAFT  # never written: it is sent in the same breath
    with clock.frozen(day):
        row.submitted_at, row.received_on = clock.now(), day
        referrals.record(UnitOfWork(session), row, Action.SUBMITTED, by=SYSTEM)
    session.flush()
    return row


def found(session: Session, wanted: Wanted, who: str = "officer") -> list[str]:
    """The references in a list, as an officer sees it."""
    session.flush()
    with acting_as(ACTORS[who]):
        return [line.reference for line in worklist.listing(wanted).lines]


def known(session: Session, who: str) -> Officer:
    """The officer `who` has been here."""
    here = session.scalar(select(Officer).where(Officer.account_id == who))
    if here is None:
        here = Officer(account_id=who, name=ACTORS[who].name, seen_on=TODAY)
        session.add(here)
        session.flush()
    return here


def given(session: Session, row: Referral, who: str) -> OfficerAssignment:
    """`row`, which nobody looks after, is given to an officer by somebody else."""
    number = known(session, who).id
    return officers.assign(UnitOfWork(session), row.reference, officer=number, seen=0, by=SYSTEM)


def references_on(page: Page) -> list[str]:
    return page.all("//tbody//th")


def test_each_tile_has_what_its_name_says(session: Session) -> None:
    new = sent(session, REF, date(2019, 5, 13))
    again = sent(session, OTHER, date(2019, 5, 1))
    for action, day in ((Action.RETURNED, 2), (Action.RESUBMITTED, 13)):
        with clock.frozen(date(2019, 5, day)):
            referrals.record(UnitOfWork(session), again, action, by=SYSTEM)
    back = sent(session, "S2S-19-7K4R", date(2019, 5, 10))
    with clock.frozen(date(2019, 5, 13)):
        referrals.record(UnitOfWork(session), back, Action.RETURNED, by=SYSTEM)
    late = sent(session, "S2S-19-7K4T", date(2019, 4, 1))
    due = sent(session, "S2S-19-7K4V", date(2019, 5, 10))  # to be taken up within two days
    nobody = rows.referral(session, "S2S-19-7K4W", status=Status.ACCEPTED)
    session.flush()
    assert found(session, Wanted(pile=Pile.NEW)) == [
        late.reference,
        due.reference,
        new.reference,
    ]
    assert found(session, Wanted(pile=Pile.RESUBMITTED)) == [again.reference]
    assert found(session, Wanted(pile=Pile.RETURNED)) == [back.reference]
    assert found(session, Wanted(pile=Pile.DUE)) == [due.reference]
    assert found(session, Wanted(pile=Pile.OVERDUE)) == [late.reference]
    assert found(session, Wanted(pile=Pile.ACCEPTED)) == [nobody.reference]
    with acting_as(ACTORS["officer"]):
        numbers = worklist.counts()
    assert numbers == {
        Pile.NEW: "3",
        Pile.RESUBMITTED: "1",
        Pile.RETURNED: "1",
        Pile.DUE: "1",
        Pile.OVERDUE: "1",
        Pile.MINE: "0",
        Pile.NEW_TO_ME: "0",
        Pile.ACCEPTED: "1",
    }


def test_what_stands_still_is_not_overdue(session: Session) -> None:
    row = sent(session, REF, date(2019, 4, 1))
    assert found(session, Wanted(pile=Pile.OVERDUE)) == [REF]
    referrals.record(UnitOfWork(session), row, Action.RETURNED, by=SYSTEM)
    assert found(session, Wanted(pile=Pile.OVERDUE)) == []
    [line] = worklist.listing(Wanted(pile=Pile.RETURNED)).lines
    assert (line.due, line.due_on) == ("The school answers", date(2019, 6, 4))


def test_the_order_by_what_is_due_puts_what_has_no_date_last(session: Session) -> None:
    sent(session, REF, date(2019, 5, 13))
    sent(session, OTHER, date(2019, 4, 1))
    rows.referral(session, "S2S-19-7K4R", status=Status.CLOSED)
    wanted = Wanted(pile=Pile.ALL, sort=Sort.DUE)
    assert found(session, wanted) == [OTHER, REF, "S2S-19-7K4R"]


@pytest.mark.parametrize(("pile", "sort"), [(Pile.ALL, sort) for sort in Sort])
def test_pages_of_each_order_lead_there_and_back(
    client: Client, session: Session, pile: Pile, sort: Sort
) -> None:
    letters = "34679CDFGH"
    for number, letter in enumerate(letters):
        sent(session, f"S2S-19-333{letter}", date(2019, 4, 1) + timedelta(days=number // 3 * 9))
    session.commit()
    client.app.config["S2S_PAGE_SIZE"] = 4
    try:
        path = f"{client.url('triage.index')}?status={pile}&sort={sort}"
        pages = [client.sign_on("officer").fetch("GET", path)]
        for _ in range(2):
            pages.append(client.fetch("GET", pages[-1].document.xpath("//a[@rel='next']/@href")[0]))
        listed = [reference for page in pages for reference in references_on(page)]
        assert len(set(listed)) == len(listed) == len(letters)
        back = client.fetch("GET", pages[2].document.xpath("//a[@rel='prev']/@href")[0])
        assert references_on(back) == references_on(pages[1])
        oldest = [f"S2S-19-333{letter}" for letter in letters]
        assert listed == (oldest[::-1] if sort is Sort.NEWEST else oldest)
    finally:
        client.app.config["S2S_PAGE_SIZE"] = 25


@pytest.mark.parametrize(
    "filters",
    [
        {"school": OTHER_SCHOOL},
        {"area": "Broadland"},
        {"phase": 4},
        {"need": "ASD"},
        {"kind": "training"},
        {"when": When.OVERDUE},
        {"window": 1},
        {"search": "otherham"},
        {"search": OTHER},
    ],
)
def test_each_filter_narrows_the_list(session: Session, filters: dict[str, object]) -> None:
    sent(session, REF)
    row = sent(session, OTHER, date(2019, 4, 1), urn=OTHER_SCHOOL)
    row.school_name, row.kind, row.intake_window_id = "Otherham Invented High", "training", 1
    session.flush()
    need = session.scalars(select(Need).where(Need.referral_id == row.id)).one()
    need.code = "ASD"
    session.get_one(Establishment, OTHER_SCHOOL).district = "Broadland"
    session.flush()
    assert set(found(session, Wanted(pile=Pile.ALL))) == {REF, OTHER}
    assert found(session, Wanted(pile=Pile.ALL, **filters)) == [OTHER]


def test_the_whole_list_stands_in_the_address_and_nonsense_is_nothing() -> None:
    asked = {
        "status": "overdue",
        "q": "snoring",
        "school": "900101",
        "area": "Broadland",
        "phase": "2",
        "need": "ASD",
        "kind": "pupil",
        "officer": "0",
        "window": "1",
        "due": "soon",
        "sort": "due",
    }
    wanted = Wanted.of(asked)
    assert Wanted.parse(wanted.query) == wanted
    assert wanted.values == asked
    assert Wanted.of(dict.fromkeys(asked, "\x00<>²'")).pile is Pile.ALL  # searched for, no more
    assert Wanted.parse("status=nonsense&school=x&next=https://evil.example") == Wanted()


def test_an_officer_takes_a_referral_and_its_acknowledgement_is_kept(
    client: Client, session: Session
) -> None:
    row = sent(session, REF)
    session.commit()
    client.sign_on("officer").get("triage.show", reference=REF)
    page = client.follow(client.post("triage.take", {"seen": "0"}, reference=REF))
    assert "Ola Officer looks after this referral." in page.words
    [held] = session.scalars(select(OfficerAssignment)).all()
    assert (held.officer_id, held.by_id) == ("officer", "officer")
    assert held.opened_at is not None, "who takes it has read it"
    [taken] = [one for one in clocks.of(row) if one.step is Step.ACKNOWLEDGEMENT]
    assert taken.state is ClockState.MET
    assert found(session, Wanted(pile=Pile.MINE)) == [REF]
    assert found(session, Wanted(pile=Pile.MINE), "other-officer") == []
    [event] = session.scalars(
        select(ReferralEvent).where(ReferralEvent.action == Action.ASSIGNED)
    ).all()
    assert event.message == "Ola Officer looks after this referral."


def test_of_two_officers_who_take_it_the_second_is_told(session: Session) -> None:
    row = sent(session, REF)
    given(session, row, "officer")
    with pytest.raises(Stale, match="Ola Officer now looks after"):
        given(session, row, "other-officer")
    given(session, row, "officer")
    assert len(session.scalars(select(OfficerAssignment)).all()) == 1


def test_what_was_given_is_new_until_it_is_opened_or_ten_days_old(
    client: Client, session: Session
) -> None:
    row = sent(session, REF)
    given(session, row, "other-officer")
    session.commit()
    assert found(session, Wanted(pile=Pile.NEW_TO_ME), "other-officer") == [REF]
    assert found(session, Wanted(pile=Pile.NEW_TO_ME)) == []
    with clock.frozen(date(2019, 5, 29)):  # ten working days later: the 27th is a holiday
        assert found(session, Wanted(pile=Pile.NEW_TO_ME), "other-officer") == [REF]
    with clock.frozen(date(2019, 5, 30)):
        assert found(session, Wanted(pile=Pile.NEW_TO_ME), "other-officer") == []
    client.sign_on("officer").get("triage.show", reference=REF)
    assert found(session, Wanted(pile=Pile.NEW_TO_ME), "other-officer") == [REF]
    client.sign_on("other-officer").get("triage.show", reference=REF)
    assert found(session, Wanted(pile=Pile.NEW_TO_ME), "other-officer") == []
    assert found(session, Wanted(pile=Pile.MINE), "other-officer") == [REF]


def test_it_is_given_to_another_with_a_note_for_officers(client: Client, session: Session) -> None:
    row = sent(session, REF)
    held = given(session, row, "officer")
    other = known(session, "other-officer")
    session.commit()
    client.sign_on("officer").get("triage.assign", reference=REF)
    empty = client.post("triage.assign", {"seen": str(held.id)}, reference=REF, status=422)
    assert "Choose an officer" in empty.words
    form = {"officer": str(other.id), "seen": str(held.id), "note": "On leave"}
    page = client.follow(client.post("triage.assign", form, reference=REF))
    assert "Ravi Officer, since 14 May 2019" in page.words
    assert "On leave" in page.words
    assert found(session, Wanted(pile=Pile.MINE), "officer") == []
    school = client.sign_on("senco").get("referrals.show", reference=REF)
    assert "Ravi Officer looks after this referral." in school.words
    assert "On leave" not in school.words


def test_the_row_of_the_list_is_what_its_referral_says_whatever_changed(
    session: Session, connection: Connection
) -> None:
    row = sent(session, REF)
    given(session, row, "officer")
    referrals.record(UnitOfWork(session), row, Action.ACCEPTED, by=SYSTEM)
    session.flush()
    connection.execute(text("RESET ROLE"))
    kept = [name for name in WorklistEntry.__table__.columns.keys() if name != "due_sort"]  # noqa: SIM118
    listed = ", ".join(kept)
    differ = connection.execute(
        text(
            f"(SELECT {listed} FROM s2s.worklist_entry EXCEPT SELECT {listed} FROM"
            f" s2s.worklist_source) UNION ALL (SELECT {listed} FROM s2s.worklist_source"
            f" EXCEPT SELECT {listed} FROM s2s.worklist_entry)"
        )
    ).all()
    assert differ == []
    assert session.scalars(select(WorklistEntry.due_step)).all() == ["allocation"]


def test_a_list_is_kept_begun_with_and_deleted(client: Client, session: Session) -> None:
    sent(session, REF, date(2019, 4, 1))
    sent(session, OTHER)
    session.commit()
    path = client.url("triage.index")
    client.sign_on("officer").fetch("GET", f"{path}?status=all&due=overdue&sort=due")
    keep = {"name": "Late ones", "query": "status=all&due=overdue&sort=due&next=//evil.example"}
    page = client.follow(client.post("triage.keep", keep))
    assert references_on(page) == [REF]
    [one] = session.scalars(select(SavedList)).all()
    assert one.query == "status=all&sort=due&due=overdue"
    taken = client.post("triage.keep", keep | {"name": "LATE ones"}, status=422)
    assert "You already keep a list called" in taken.words
    nameless = client.post("triage.keep", keep | {"name": " "}, status=422)
    assert "Enter a name for this list" in nameless.words
    client.post("triage.begin_with", {"query": ""}, number=one.id)
    begun = client.open(path)
    assert begun.status_code == 302
    assert parse_qs(urlsplit(begun.location).query) == {
        "status": ["all"],
        "sort": ["due"],
        "due": ["overdue"],
    }
    assert client.sign_on("other-officer").open(path).status_code == 200, "theirs alone"
    client.post("triage.delete_list", {"query": ""}, number=one.id, status=404)
    client.sign_on("officer")
    client.post("triage.delete_list", {"query": ""}, number=one.id)
    assert session.scalars(select(SavedList)).all() == []


def test_back_leads_to_the_very_list_and_nowhere_else(client: Client, session: Session) -> None:
    sent(session, REF)
    session.commit()
    path = f"{client.url('triage.index')}?status=all&q=snoring&sort=newest"
    listed = client.sign_on("officer").fetch("GET", path)
    [link] = listed.document.xpath("//tbody//th/a/@href")
    page = client.fetch("GET", link)
    [back] = page.document.xpath("//a[contains(@class,'govuk-back-link')]/@href")
    assert Wanted.parse(urlsplit(back).query) == Wanted.parse(urlsplit(path).query)
    # It is handed on to the pages that decide, and comes back from them.
    [accept] = page.document.xpath("//a[normalize-space()='Accept']/@href")
    deciding = client.fetch("GET", accept)
    [back] = deciding.document.xpath("//a[contains(@class,'govuk-back-link')]/@href")
    assert back == link
    for evil in ("//evil.example", "https://evil.example/?status=all", "javascript:alert(1)"):
        shown = client.fetch(
            "GET", client.url("triage.show", reference=REF), query_string={"back": evil}
        )
        [away] = shown.document.xpath("//a[contains(@class,'govuk-back-link')]/@href")
        assert urlsplit(away).path == client.url("triage.index")
        assert "evil" not in away
        assert "script" not in away


def test_those_with_nobody_yet_are_listed_with_their_age(client: Client, session: Session) -> None:
    row = sent(session, REF, date(2019, 4, 1))
    with clock.frozen(date(2019, 4, 2)):
        referrals.record(UnitOfWork(session), row, Action.ACCEPTED, by=SYSTEM)
    session.commit()
    page = client.sign_on("officer").get("allocation.index")
    assert page.all("//tbody/tr/td")[-2:] == [
        "27 working days",
        "16 April 2019 Overdue17 working days late",
    ]


def test_an_officer_is_known_by_coming_and_offered_until_long_gone(session: Session) -> None:
    with acting_as(ACTORS["officer"]):
        officers.note(ACTORS["officer"])
        officers.note(ACTORS["officer"])
        assert [one.name for one in officers.offered()] == ["Ola Officer"]
        with clock.frozen(date(2019, 9, 1)):
            assert officers.offered() == []
    assert len(session.scalars(select(Officer)).all()) == 1
