"""Booking: which days and times are refused, and which are asked about first (F51)."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import AskFirst, Refused
from s2s_portal.identity import acting_as
from s2s_portal.models.calendar import DateKind, TermDate
from s2s_portal.models.clocks import CouncilClosure
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.visit import Visit, VisitKind
from s2s_portal.services import booking_rules, visits
from tests import rows, world
from tests.client import Client, Page
from tests.world import OTHER_SCHOOL, SCHOOL

REFERENCE, OTHER = "S2S-19-7K4P", "S2S-19-9CDF"
PAT = world.ACTORS["practitioner"]
BOOKING: dict[str, Any] = {
    "kind": "OBS",
    "day": ["20", "5", "2019"],
    "starts": "9.30",
    "ends": "11am",
    "note": "Ask for O'Brien-Łukasz <b>, or =1+1 🙂",
}

pytestmark = pytest.mark.usefixtures("may_2019")


def allocated(session: Session, reference: str, urn: int = SCHOOL) -> Referral:
    row = rows.referral(session, reference, urn=urn, status=Status.ALLOCATED)
    rows.allocation(session, row, "practitioner")
    session.commit()
    return row


@pytest.fixture
def case(session: Session) -> str:
    """A referral of SCHOOL that the practitioner has; two schools have a training day each."""
    done = {"by_id": "a", "by_name": "A", "academic_year": 2018}
    session.add_all(
        [
            TermDate(**done, kind=kind, starts=starts, ends=ends, urn=urn)
            for kind, starts, ends, urn in (
                (DateKind.INSET, date(2019, 6, 3), date(2019, 6, 3), SCHOOL),
                (DateKind.INSET, date(2019, 6, 4), date(2019, 6, 4), OTHER_SCHOOL),
            )
        ]
    )
    session.add(
        CouncilClosure(
            starts=date(2019, 6, 6), ends=date(2019, 6, 6), reason="x", by_id="a", by_name="A"
        )
    )
    allocated(session, REFERENCE)
    return REFERENCE


def on(day: date) -> dict[str, Any]:
    return BOOKING | {"day": [str(day.day), str(day.month), str(day.year)]}


def asked_day(words: str) -> str:
    """What the summary of errors says of a day."""
    return f"{words} Tick the box if the school has agreed to it."


def asked_way(words: str) -> str:
    """What the summary of errors says of a way."""
    return f"{words} Tick the box if that is time enough."


def ticks(page: Page, name: str) -> list[str]:
    """The sentences that a page asks to say yes to, by the field that asks."""
    return [str(box.get("value")) for box in page.document.xpath(f"//input[@name='{name}']")]


@pytest.mark.parametrize(
    ("day", "why"),
    [
        (date(2019, 5, 18), "a Saturday"),
        (date(2019, 5, 19), "a Sunday"),
        (date(2019, 5, 27), "a bank holiday"),
        (date(2019, 5, 28), "in the school's half-term holiday"),
        (date(2019, 6, 3), "a staff training day of the school"),
        (date(2019, 6, 6), "a day on which the council is closed"),
        (date(2019, 8, 1), "in the school's holidays"),
    ],
)
def test_a_day_on_which_the_school_is_closed_needs_its_word(
    client: Client, session: Session, case: str, day: date, why: str
) -> None:
    """Refused until the box is ticked that the day was agreed; then booked, and written down."""
    words = f"{day.day} {day:%B %Y} is {why}."
    page = client.sign_on("practitioner").post("visits.book", on(day), status=422, reference=case)
    assert page.errors == [asked_day(words)]
    assert ticks(page, "agreed_day") == [words]
    assert page.value("note") == BOOKING["note"]
    assert session.scalars(select(Visit)).all() == []
    client.post("visits.book", on(day) | {"agreed_day": words}, reference=case)
    session.commit()
    assert session.scalars(select(Visit.unusual_day)).all() == [words]
    told = session.scalars(
        select(ReferralEvent.message).where(ReferralEvent.action == Action.VISIT_BOOKED)
    ).one()
    assert f"Agreed with the school: {words}" in told
    assert words in client.get("visits.show", reference=case).words
    assert words in client.sign_on("senco").get("referrals.show", reference=case).words


def test_yes_to_one_day_is_no_yes_to_another(client: Client, session: Session, case: str) -> None:
    first, second = "18 May 2019 is a Saturday.", "19 May 2019 is a Sunday."
    page = client.sign_on("practitioner").post(
        "visits.book", on(date(2019, 5, 19)) | {"agreed_day": first}, status=422, reference=case
    )
    assert page.errors == [asked_day(second)]
    assert ticks(page, "agreed_day") == [second]


def test_what_was_said_yes_to_stays_when_something_else_is_wrong(
    client: Client, session: Session, case: str
) -> None:
    words = "18 May 2019 is a Saturday."
    page = client.sign_on("practitioner").post(
        "visits.book",
        on(date(2019, 5, 18)) | {"agreed_day": words, "ends": "9am"},
        status=422,
        reference=case,
    )
    assert page.errors == ["The end time must be later than the start time."]
    (box,) = page.document.xpath("//input[@name='agreed_day']")
    assert (box.get("value"), box.get("checked")) == (words, "checked")


def test_a_training_day_of_another_school_is_a_day_like_any_other(
    client: Client, session: Session, case: str
) -> None:
    client.sign_on("practitioner").post("visits.book", on(date(2019, 6, 4)), reference=case)
    session.commit()
    assert session.scalars(select(Visit.unusual_day)).all() == [""]


def test_there_is_no_visit_before_the_referral_was_accepted(
    client: Client, session: Session, case: str
) -> None:
    row = session.scalars(select(Referral)).one()
    row.received_on = date(2019, 5, 1)
    session.add(
        ReferralEvent(
            referral_id=row.id,
            action=Action.ACCEPTED,
            at=clock.from_local(date(2019, 5, 9), 0, 30),  # the 8th in UTC
            by_id="officer",
            by_name="Ola Officer",
        )
    )
    session.commit()
    page = client.sign_on("practitioner").post(
        "visits.book", on(date(2019, 5, 8)), status=422, reference=case
    )
    said = "The visit must be on or after 9 May 2019, when the referral was accepted."
    assert page.errors == [said]
    client.post("visits.book", on(date(2019, 5, 9)), reference=case)


def test_how_far_ahead_is_a_setting(
    client: Client, session: Session, case: str, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "S2S_BOOKING_MONTHS", 1)
    client.sign_on("practitioner")
    page = client.post("visits.book", on(date(2019, 6, 17)), status=422, reference=case)
    assert page.errors == ["The visit must be on or before 14 June 2019."]
    client.post("visits.book", on(date(2019, 6, 14)), reference=case)


@pytest.mark.parametrize(
    ("day", "months", "after"),
    [
        (date(2019, 1, 31), 1, date(2019, 2, 28)),
        (date(2020, 2, 29), 12, date(2021, 2, 28)),
        (date(2019, 12, 1), 1, date(2020, 1, 1)),
        (date(2019, 5, 14), -12, date(2018, 5, 14)),
    ],
)
def test_months_after(day: date, months: int, after: date) -> None:
    assert booking_rules.months_after(day, months) == after


# Otherham is 20.8 miles from Little Snoring: 50 minutes at 25 miles an hour.
WAY = "You are at Otherham Invented High {}, 21 miles away: allow about 50 minutes."


def other_visit(session: Session, starts: time, ends: time, **more: Any) -> Visit:
    """A visit that the practitioner makes to Otherham on 20 May."""
    row = allocated(session, OTHER, OTHER_SCHOOL)
    given = rows.allocation_of(session, row)
    made = rows.coming(
        session,
        row,
        given,
        1,
        starts_at=clock.from_local(date(2019, 5, 20), starts.hour, starts.minute),
        ends_at=clock.from_local(date(2019, 5, 20), ends.hour, ends.minute),
        **more,
    )
    session.commit()
    return made


@pytest.mark.parametrize(
    ("starts", "ends", "when"),
    [
        (time(8), time(9), "until 9:00am"),
        (time(11, 30), time(12, 30), "from 11:30am"),
    ],
)
def test_too_little_time_for_the_way_is_asked_about(
    client: Client, session: Session, case: str, starts: time, ends: time, when: str
) -> None:
    other_visit(session, starts, ends)
    page = client.sign_on("practitioner").post("visits.book", BOOKING, status=422, reference=case)
    assert page.errors == [asked_way(WAY.format(when))]
    assert "Your other visits on 20 May 2019" in page.words
    assert "Otherham Invented High" in page.words
    assert OTHER not in page.words
    client.post("visits.book", BOOKING | {"enough_time": WAY.format(when)}, reference=case)
    session.commit()
    made = session.scalars(select(Visit).order_by(Visit.id.desc())).first()
    assert made is not None and made.short_of_time == WAY.format(when)
    school = client.sign_on("senco").get("referrals.show", reference=case).words
    assert "Otherham" not in school, "where else somebody goes is nothing to this school"


def test_time_enough_is_not_asked_about(client: Client, session: Session, case: str) -> None:
    other_visit(session, time(7, 30), time(8, 40))
    client.sign_on("practitioner").post("visits.book", BOOKING, reference=case)


def test_both_questions_come_at_once(client: Client, session: Session, case: str) -> None:
    made = other_visit(session, time(8), time(9))
    made.starts_at += timedelta(days=5)
    made.ends_at += timedelta(days=5)
    session.commit()
    page = client.sign_on("practitioner").post(
        "visits.book", on(date(2019, 5, 25)), status=422, reference=case
    )
    assert page.errors == [
        asked_day("25 May 2019 is a Saturday."),
        asked_way(WAY.format("until 9:00am")),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"cancelled_at": clock.from_local(date(2019, 5, 14))},
        {"kind": VisitKind.REVERSE_VISIT},  # they stay at their own school, a mile away
    ],
)
def test_a_visit_elsewhere_or_cancelled_takes_no_time(
    client: Client, session: Session, case: str, changes: dict[str, Any]
) -> None:
    other_visit(session, time(8), time(9), **changes)
    client.sign_on("practitioner").post("visits.book", BOOKING, reference=case)


def test_the_speed_is_a_setting_and_none_asks_nobody(
    client: Client, session: Session, case: str, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_visit(session, time(8), time(9))
    client.sign_on("practitioner")
    monkeypatch.setitem(app.config, "S2S_TRAVEL_MPH", 20)
    page = client.post("visits.book", BOOKING, status=422, reference=case)
    assert "allow about 65 minutes" in page.errors[0]
    monkeypatch.setitem(app.config, "S2S_TRAVEL_MPH", 0)
    client.post("visits.book", BOOKING, reference=case)


def test_the_page_lists_the_visits_of_the_next_weeks(
    client: Client, session: Session, case: str
) -> None:
    assert (
        "next four weeks"
        not in client.sign_on("practitioner").get("visits.book", reference=case).words
    )
    other_visit(session, time(8), time(9))
    page = client.get("visits.book", reference=case)
    assert "20 May 2019 at 8:00am to 9:00am: observation, Little Snoring" in page.words


def test_a_script_is_asked_like_a_page(session: Session, case: str) -> None:
    """The rule is the service's, whoever calls it."""
    wanted = {"kind": VisitKind.VISIT, "starts": time(9), "ends": time(10)}
    with acting_as(PAT):
        session.commit()
        with pytest.raises(AskFirst) as asked, unit_of_work() as work:
            visits.book(work, case, day=date(2019, 5, 18), by=PAT, **wanted)
        assert asked.value.asks == {"agreed_day": "18 May 2019 is a Saturday."}
        assert isinstance(asked.value, Refused)
