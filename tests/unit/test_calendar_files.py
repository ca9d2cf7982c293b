"""Entries for calendars: times right on both sides of a change of the clocks, ids that stay."""

from __future__ import annotations

from datetime import date, timedelta

import icalendar
import pytest

from s2s_portal import clock
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.visit import Visit, VisitKind
from s2s_portal.services import calendar_files
from s2s_portal.services.calendar_files import CANCEL, REQUEST, Party

PLACE = Establishment(name="O'Brien; Łukasz, <b>", town="", postcode="NR0 0AA")
LINK = "https://portal.example/s2s/visits/S2S-19-7K4P/"


def visit(day: date, **more: object) -> Visit:
    starts = clock.from_local(day, 9, 30)
    fields: dict[str, object] = {
        "number": 3,
        "kind": VisitKind.VISIT,
        "starts_at": starts,
        "ends_at": starts + timedelta(hours=1),
        "booked_at": clock.from_local(date(2019, 5, 14), 12),
        "moves": 0,
    }
    return Visit(**fields | more)


def event(content: bytes) -> icalendar.Event:
    (found,) = icalendar.Calendar.from_ical(content).walk("VEVENT")
    return found


def invited(one: Visit, method: str) -> bytes:
    made = calendar_files.entry(one, "S2S-19-7K4P", PLACE, LINK)
    sender = Party("s2s@council.example", 'The "Service"; Norfolk')
    return calendar_files.invitation(made, method, sender, Party("senco@school.example"))


@pytest.mark.parametrize(
    ("day", "starts"),
    [
        (date(2020, 3, 27), b"DTSTART:20200327T093000Z"),
        (date(2020, 3, 30), b"DTSTART:20200330T083000Z"),
        (date(2020, 10, 23), b"DTSTART:20201023T083000Z"),
        (date(2020, 10, 26), b"DTSTART:20201026T093000Z"),
    ],
)
def test_half_past_nine_is_half_past_nine_in_norfolk(day: date, starts: bytes) -> None:
    content = invited(visit(day), REQUEST)
    assert starts in content
    shown = event(content)["DTSTART"].dt.astimezone(clock.LONDON)
    assert (shown.hour, shown.minute) == (9, 30)


def test_an_invitation_says_from_whom_to_whom_and_asks_for_no_answer() -> None:
    content = invited(visit(date(2019, 5, 20)), REQUEST)
    calendar = icalendar.Calendar.from_ical(content)
    assert (calendar["METHOD"], calendar["VERSION"]) == ("REQUEST", "2.0")
    found = event(content)
    assert found["ORGANIZER"] == "mailto:s2s@council.example"
    assert found["ATTENDEE"] == "mailto:senco@school.example"
    assert found["ATTENDEE"].params["RSVP"] == "FALSE"
    assert found["LOCATION"] == "O'Brien; Łukasz, <b>, NR0 0AA"
    assert found["URL"] == LINK


def test_what_is_moved_keeps_its_id_and_counts_on() -> None:
    first = event(invited(visit(date(2019, 5, 20)), REQUEST))
    second = event(invited(visit(date(2019, 5, 21), number=4, first_number=3, moves=1), REQUEST))
    third = event(
        invited(
            visit(
                date(2019, 5, 21),
                number=4,
                first_number=3,
                moves=1,
                cancelled_at=clock.from_local(date(2019, 5, 15)),
            ),
            CANCEL,
        )
    )
    assert first["UID"] == second["UID"] == third["UID"] == "S2S-19-7K4P-visit-3@s2s.invalid"
    assert [one["SEQUENCE"] for one in (first, second, third)] == [0, 1, 2]
    assert [one["STATUS"] for one in (first, second, third)] == [
        "CONFIRMED",
        "CONFIRMED",
        "CANCELLED",
    ]


def test_lines_are_folded_as_the_format_asks() -> None:
    long = Establishment(name="Ysgol " + "Łóść " * 60, town="", postcode="")
    made = calendar_files.entry(visit(date(2019, 5, 20)), "S2S-19-7K4P", long, LINK)
    content = calendar_files.feed("Our visits", [made])
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    assert event(content)["LOCATION"] == long.name
