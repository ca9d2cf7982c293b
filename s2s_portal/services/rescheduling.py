"""Moving and cancelling visits: what was booked stays as it was, with who asked and why (F55, W6).

A visit that is moved is a new row, which takes the place of the old one. Neither can be done once
the visit has begun or somebody has begun its record: whether it happened belongs into the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from s2s_portal import clock, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import AlreadyDecided, NotAllowed, NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Action
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import AskedBy, Visit, WhyMoved
from s2s_portal.services import calendar, notices, referrals, visits
from s2s_portal.services.booking_rules import Wanted
from s2s_portal.services.calendar_files import CANCEL, REQUEST
from s2s_portal.services.visits import Place, booked
from s2s_portal.state import setting

ASKED_WORDS = {
    AskedBy.PRACTITIONER: "the practitioner",
    AskedBy.SCHOOL: "the school",
    AskedBy.SERVICE: "the council",
}
WHY_WORDS = {
    WhyMoved.STAFF_AWAY: "Staff of the school are away",
    WhyMoved.NOT_READY: "The school is not ready",
    WhyMoved.PUPIL_AWAY: "The pupil or group is away",
    WhyMoved.UNAVAILABLE: "The practitioner is not available",
    WhyMoved.CLASH: "Something else is at that time",
    WhyMoved.WEATHER: "Weather or travel",
    WhyMoved.NOT_NEEDED: "The visit is not needed any more",
    WhyMoved.OTHER: "Another reason",
}


@dataclass(frozen=True)
class Asked:
    """Who asked for it, and why: a reason of the list, and what else there is to say."""

    by: AskedBy
    why: WhyMoved
    words: str = ""


def move(
    work: UnitOfWork,
    reference: str,
    number: int,
    *,
    day: date,
    starts: time,
    ends: time,
    asked: Asked,
    note: str = "",
    agreed_day: str = "",
    enough_time: str = "",
    by: Actor,
) -> Visit:
    """Move visit `number` to other times: the visit that takes its place.

    Sent twice it is moved once. Raises as `visits.book` does; AlreadyDecided when it has been moved
    elsewhere or cancelled meanwhile, OutOfOrder when it has begun or its record has.
    """
    referral, place, visit = _held(reference, number, by)
    wanted = Wanted(visit.kind, day, starts, ends, note, agreed_day, enough_time)
    replacement = _replacement(visit)
    if replacement is not None and (replacement.starts_at, replacement.ends_at) == (
        wanted.starts_at,
        wanted.ends_at,
    ):
        return replacement
    _check(referral, visit, asked)
    if (visit.starts_at, visit.ends_at) == (wanted.starts_at, wanted.ends_at):
        raise Refused("That is when the visit is now. Enter another day or time.", field="day")
    _end(work, referral, visit, asked, by)
    made, is_new = visits.add(work, referral, place, wanted, by, replaces=visit)
    if not is_new:
        raise Refused("You have a visit of this kind at that time already.", field="starts")
    message = f"{visits.told(made)}\nInstead of visit {number}: {booked(visit)}. {_why(visit)}"
    referrals.record(work, referral, Action.VISIT_MOVED, by=by, message=message)
    notices.tell_of_visit(work, "visit_moved", made, referral, REQUEST)
    signals.tell(
        work,
        signals.visit_moved,
        reference=referral.reference,
        urn=referral.urn,
        by=by.id,
        visit=made.number,
        replaced=number,
        asked_by=asked.by.value,
    )
    return made


def cancel(work: UnitOfWork, reference: str, number: int, *, asked: Asked, by: Actor) -> Visit:
    """Cancel visit `number`: it does not take place, and nothing takes its place.

    Raises as `move` does.
    """
    referral, _place, visit = _held(reference, number, by)
    _check(referral, visit, asked)
    _end(work, referral, visit, asked, by)
    message = f"Visit {number}: {booked(visit)}. {_why(visit)}"
    referrals.record(work, referral, Action.VISIT_CANCELLED, by=by, message=message)
    notices.tell_of_visit(work, "visit_cancelled", visit, referral, CANCEL)
    signals.tell(
        work,
        signals.visit_cancelled,
        reference=referral.reference,
        urn=referral.urn,
        by=by.id,
        visit=number,
        asked_by=asked.by.value,
    )
    return visit


def to_move(reference: str, number: int, by: Actor) -> Visit:
    """The visit, for a page that moves or cancels it. Raises as `move` does."""
    visit = visits.get(reference, number)
    _check_own(visit, visits.place_to_book(visit.referral, by))
    _check_as_it_is(visit.referral, visit)
    return visit


def why_not(visit: Visit) -> str:
    """Why nobody can move or cancel the visit, in a sentence; empty when its practitioner can."""
    if visit.record is not None:
        return (
            "The record of this visit has been begun, so it cannot be moved or cancelled. If it"
            " did not happen, say so in its record."
        )
    if visits.has_begun(visit):
        return (
            "This visit has begun or is over, so it cannot be moved or cancelled. If it did not"
            " happen, say so in its record."
        )
    return ""


def reason(visit: Visit) -> str:
    """Who asked and why, of a visit that was moved or cancelled alone: `asked for by ...: ...`."""
    if visit.asked_by is None or visit.why_moved is None:
        return ""
    said = [] if visit.why_moved is WhyMoved.OTHER else [WHY_WORDS[visit.why_moved]]
    said += [visit.moved_words] if visit.moved_words else []
    return f"asked for by {ASKED_WORDS[visit.asked_by]}: {'. '.join(said)}"


def _why(visit: Visit) -> str:
    words = reason(visit).rstrip(".")
    words = f"{words[:1].upper()}{words[1:]}."
    return f"{words} At short notice." if visit.short_notice else words


def _held(reference: str, number: int, by: Actor) -> tuple[Referral, Place, Visit]:
    """The referral, held until the end, where `by` stands in it, and their visit as it is now."""
    referral = referrals.get(reference, lock=True)
    place = visits.place_to_book(referral, by)
    visit = (
        session()
        .scalars(
            select(Visit)
            .where(Visit.referral_id == referral.id, Visit.number == number)
            .options(joinedload(Visit.record))
            .execution_options(populate_existing=True)
        )
        .one_or_none()
    )
    if visit is None:
        raise NotFound()
    _check_own(visit, place)
    return referral, place, visit


def _check_own(visit: Visit, place: Place) -> None:
    if visit.practitioner_id != place.number:
        raise NotAllowed("Only whoever makes the visit can move or cancel it.")


def _check(referral: Referral, visit: Visit, asked: Asked) -> None:
    _check_as_it_is(referral, visit)
    if asked.why is WhyMoved.OTHER and not asked.words.strip():
        raise Refused("Say in your own words why.", field="words")


def _check_as_it_is(referral: Referral, visit: Visit) -> None:
    replacement = _replacement(visit)
    if replacement is not None:
        raise AlreadyDecided(
            f"{visit.cancelled_by_name} has moved this visit already. It is now visit"
            f" {replacement.number}: {booked(replacement)}."
        )
    if visit.cancelled_at is not None:
        raise AlreadyDecided(f"{visit.cancelled_by_name} has cancelled this visit already.")
    visits.check_open(referral)
    if why_not(visit):
        raise OutOfOrder(why_not(visit))


def _replacement(visit: Visit) -> Visit | None:
    return session().scalars(select(Visit).where(Visit.replaces_id == visit.id)).one_or_none()


def _end(work: UnitOfWork, referral: Referral, visit: Visit, asked: Asked, by: Actor) -> None:
    visit.cancelled_at, visit.cancelled_by_id, visit.cancelled_by_name = (
        clock.now(),
        by.id,
        by.name,
    )
    visit.asked_by, visit.why_moved, visit.moved_words = asked.by, asked.why, asked.words.strip()
    visit.short_notice = is_short_notice(visit, referral.urn)
    work.flush()


def is_short_notice(visit: Visit, urn: int) -> bool:
    """Whether there are fewer school days until the visit than notice is asked for.

    A visit tomorrow has one school day's notice, and one today none.
    """
    days = int(setting("S2S_SHORT_NOTICE_SCHOOL_DAYS"))
    first = calendar.add_school_days(clock.today(), days, urn)
    return days > 0 and clock.local(visit.starts_at).date() < first
