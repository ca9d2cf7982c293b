"""What is said of an offer, and of a request to take a referral. Names no child."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from s2s_portal import clock
from s2s_portal.models.offer import Ended, Offer, Refusal
from s2s_portal.services.terms import written

# In the middle of a sentence; `CHOICES` is what a practitioner picks.
REFUSALS = {
    Refusal.TIME: "no time",
    Refusal.EXPERTISE: "not their expertise",
    Refusal.CONFLICT: "a conflict of interest",
    Refusal.BLOCKED: "something that cannot be put right",
    Refusal.OTHER: "another reason",
}
CHOICES = {
    Refusal.TIME: "I have no time for it",
    Refusal.EXPERTISE: "It is not my expertise",
    Refusal.CONFLICT: "I have a conflict of interest",
    Refusal.BLOCKED: "Something stands in the way that cannot be put right",
    Refusal.OTHER: "Another reason",
}
# After these, somebody else comes first.
TURNED_DOWN = (Ended.DECLINED, Ended.NOT_RELEASED, Ended.LAPSED)


class Past(NamedTuple):
    """What a sentence about an offer goes by."""

    at: datetime
    due_on: date
    ended: Ended | None
    ended_at: datetime | None
    refusal: Refusal | None
    comment: str


def past(offer: Offer) -> Past:
    """The same of a whole offer."""
    return Past(offer.at, offer.due_on, offer.ended, offer.ended_at, offer.refusal, offer.comment)


def became(one: Past) -> str:
    """What became of an offer: `Offered and declined on 3 May 2019: no time`."""
    if one.ended is None or one.ended_at is None:
        return f"Offered on {_day(one.at)}, to be answered by {written(one.due_on)}"
    day = _day(one.ended_at)
    return {
        Ended.ACCEPTED: f"Offered and accepted on {day}",
        Ended.DECLINED: f"Offered and declined on {day}: {why(one.refusal, one.comment)}",
        Ended.NOT_RELEASED: f"Offered, and not released by their lead on {day}: {one.comment}",
        Ended.WITHDRAWN: f"Offered, and the offer withdrawn on {day}: {one.comment}",
        Ended.LAPSED: f"Offered, and not answered by {written(one.due_on)}",
        Ended.OVERTAKEN: f"Offered; that offer ended on {day}",
    }[one.ended]


def why(refusal: Refusal | None, comment: str) -> str:
    """Why somebody declined, in the middle of a sentence, with their own words."""
    words = REFUSALS[refusal] if refusal else ""
    if refusal is Refusal.OTHER:
        return comment
    return f"{words} ({comment})" if comment else words


def waits(offer: Offer) -> str:
    """Whose answer an open offer waits for: `Pat Practitioner`, `the lead of Fen View`."""
    lead = f"the lead of {offer.provider_name}"
    if not offer.needs_release or offer.released_at is not None:
        return offer.practitioner_name
    if offer.accepted_at is not None:
        return lead
    return f"{offer.practitioner_name} and {lead}"


def stands(offer: Offer) -> str:
    """Where an open offer stands, in a sentence for an officer."""
    said = []
    if offer.accepted_at is not None:
        said.append(f" {offer.practitioner_name} accepted on {_day(offer.accepted_at)}.")
    if offer.released_at is not None:
        said.append(f" {offer.released_by_name} confirmed release on {_day(offer.released_at)}.")
    return (
        f"Offered to {offer.practitioner_name} of {offer.provider_name}, answer by"
        f" {written(offer.due_on)}.{''.join(said)} It waits for {waits(offer)}."
    )


def over(offer: Offer) -> str:
    """Why an offer that has ended cannot be answered any more, for whom it was offered to."""
    by = offer.ended_by_name
    day = _day(offer.ended_at or offer.at)
    words = {
        Ended.ACCEPTED: f"This offer was accepted on {day}, and the referral has been allocated.",
        Ended.DECLINED: f"{by} declined this offer on {day}.",
        Ended.NOT_RELEASED: f"{by} did not confirm release on {day}: {offer.comment}.",
        Ended.WITHDRAWN: f"{by} withdrew this offer on {day}.",
        Ended.LAPSED: f"This offer could be answered until {written(offer.due_on)}.",
        Ended.OVERTAKEN: f"This offer ended on {day}: the referral was put on hold, taken back or"
        " given to somebody.",
    }
    return f"{words[offer.ended]} Nothing has been changed now." if offer.ended else ""


def asked(at: datetime, words: str) -> str:
    """That somebody asks for a referral, and why."""
    return f"Asked for it on {_day(at)}: {words}"


def _day(instant: datetime) -> str:
    return written(clock.local(instant).date())
