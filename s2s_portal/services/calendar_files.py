"""Visits in the format that every calendar reads: iCalendar (RFC 5545, RFC 5546; F63, F104).

An entry says that there is an S2S visit, by its reference, when and at which school; nothing about
a child and nothing that anybody typed. Times are instants in UTC, which every calendar shows as its
reader's own: right on both sides of the night that the clocks change, without a table of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from icalendar import Calendar, Event, vCalAddress, vText

from s2s_portal import clock
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.visit import Visit, VisitKind

MAKER = "-//School to School Support//s2s-portal//EN"
REQUEST, CANCEL = "REQUEST", "CANCEL"
REFRESHED = timedelta(hours=1)


@dataclass(frozen=True)
class Entry:
    """One visit as a calendar has it. `uid` stays when it is moved, and `sequence` counts on."""

    uid: str
    sequence: int
    title: str
    location: str
    link: str
    starts_at: datetime
    ends_at: datetime
    stamped_at: datetime
    cancelled: bool = False


@dataclass(frozen=True)
class Party:
    """Whom an invitation is from, or for."""

    address: str
    name: str = ""


def entry(
    visit: Visit,
    reference: str,
    place: Establishment,
    link: str,
    *,
    cancelled: bool | None = None,
) -> Entry:
    """The entry of `visit` of the referral `reference`, at `place`.

    `cancelled` where the caller knows more than the row: a whole case may have been withdrawn.
    """
    if cancelled is None:
        cancelled = visit.cancelled_at is not None
    return Entry(
        uid=f"{reference}-visit-{visit.chain}@s2s.invalid",
        # A cancellation comes after what it cancels.
        sequence=visit.moves + cancelled,
        title=f"S2S visit {reference}",
        location=", ".join(part for part in (place.name, place.town, place.postcode) if part),
        link=link,
        starts_at=visit.starts_at,
        ends_at=visit.ends_at,
        stamped_at=(visit.cancelled_at if cancelled else None) or visit.booked_at,
        cancelled=cancelled,
    )


def place_of(kind: VisitKind, school: Establishment, provider: Establishment) -> Establishment:
    """Where a visit is: at the school, but for its staff's visit to the Complex Needs School."""
    return provider if kind is VisitKind.REVERSE_VISIT else school


def invitation(one: Entry, method: str, sender: Party, reader: Party) -> bytes:
    """What a mail carries so that its reader's calendar takes the visit in, or out (`method`)."""
    made = _calendar()
    made.add("method", method)
    event = _event(one)
    event.add("organizer", _address(sender))
    attendee = _address(reader)
    attendee.params["RSVP"] = vText("FALSE")  # agreed already: nobody's answer is waited for
    event.add("attendee", attendee)
    made.add_component(event)
    return bytes(made.to_ical())


def feed(name: str, entries: Iterable[Entry]) -> bytes:
    """A calendar to fetch again and again: the same bytes for the same visits."""
    made = _calendar()
    made.add("x-wr-calname", name)
    made.add("refresh-interval", REFRESHED, parameters={"VALUE": "DURATION"})
    for one in entries:
        made.add_component(_event(one))
    return bytes(made.to_ical())


def _calendar() -> Calendar:
    made = Calendar()
    made.add("prodid", MAKER)
    made.add("version", "2.0")
    return made


def _event(one: Entry) -> Event:
    event = Event()
    event.add("uid", one.uid)
    event.add("dtstamp", one.stamped_at.astimezone(clock.UTC))
    event.add("dtstart", one.starts_at.astimezone(clock.UTC))
    event.add("dtend", one.ends_at.astimezone(clock.UTC))
    event.add("summary", one.title)
    event.add("location", one.location)
    event.add("url", one.link)
    event.add("sequence", one.sequence)
    event.add("status", "CANCELLED" if one.cancelled else "CONFIRMED")
    return event


def _address(party: Party) -> vCalAddress:
    made = vCalAddress(f"mailto:{party.address}")
    if party.name:
        made.params["CN"] = vText(party.name)
    return made
