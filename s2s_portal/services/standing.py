"""Where a referral stands, in plain words: whose turn it is, what happens next, what has happened.

Shared by everybody who shows a status: the school, triage, visits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import inspect, select
from sqlalchemy.orm import joinedload

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.models.codes import GIVEN, INSIDE, TURNED_AWAY, Action, Status
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.reallocation import Supporter
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.visit import Visit, VisitRecord
from s2s_portal.services import holding
from s2s_portal.services.labels import date_words

PLAIN = {
    Status.DRAFT: "With you: not sent yet",
    Status.SUBMITTED: "With the council: waiting for a decision",
    Status.RETURNED: "With you: the council needs more information",
    Status.DECLINED: "Declined",
    Status.ACCEPTED: "With the council: accepted, a practitioner is being found",
    Status.ALLOCATED: "With the practitioner",
    Status.CLOSED: "Closed",
    Status.EXPIRED: "Expired: not sent in time",
    Status.WITHDRAWN: "Withdrawn",
    Status.WAITING: "With the council: on the waiting list",
    Status.ADVISED: "Advice given, without a visit",
    Status.REDIRECTED: "Sent on to another service",
    Status.UNANSWERED: "Closed: not answered in time",
}

NEXT_STEP = {
    Status.DRAFT: "Complete the sections and send the referral.",
    Status.SUBMITTED: "A SEND officer reads the referral and decides. We will email the contact"
    " you named.",
    Status.RETURNED: "Add what the council asked for and send the referral again.",
    Status.DECLINED: "Nothing more happens with this referral, and nothing is charged for it.",
    Status.ACCEPTED: "A SEND officer chooses a practitioner from a Complex Needs School. We will"
    " email the contact you named.",
    Status.ALLOCATED: "The practitioner arranges visits with you, and writes a record of each for"
    " you to read here.",
    Status.CLOSED: "The support has ended. The referral and its visit records stay here to read.",
    Status.EXPIRED: "What was entered has been deleted. If you still need help, start a new one.",
    Status.WITHDRAWN: "The support has stopped, or was never begun. The referral and any visit"
    " records stay here to read. If you need support later, send a new referral.",
    Status.WAITING: "A SEND officer looks at the waiting list when a practitioner has room. You"
    " need not do anything. If things change, amend the referral or withdraw it.",
    Status.ADVISED: "Read the advice below. Nothing more happens with this referral, and nothing is"
    " charged for it.",
    Status.REDIRECTED: "Read below which service it is, and how to reach it. Nothing more happens"
    " with this referral here, and nothing is charged for it.",
    Status.UNANSWERED: "Nothing more happens with this referral, and nothing is charged for it. If"
    " you still want to answer, ask the council to open it again.",
}

HAPPENED = {
    Action.STARTED: "Referral started",
    Action.SUBMITTED: "Referral sent to the council",
    Action.RETURNED: "The council asked for more information",
    Action.RESUBMITTED: "Referral sent again",
    Action.ACCEPTED: "Referral accepted",
    Action.DECLINED: "Referral declined",
    Action.ALLOCATED: "Practitioner allocated",
    Action.VISIT_BOOKED: "Visit booked",
    Action.RECORD_ISSUED: "Visit record issued",
    Action.RECORD_ACKNOWLEDGED: "Visit record read by the school",
    Action.ADDENDUM_WRITTEN: "Addition to a visit record",
    Action.OUTCOMES_RECORDED: "Outcomes recorded",
    Action.CLOSED: "Referral closed",
    Action.REOPENED: "Referral reopened",
    Action.EXPIRED: "Draft expired, and what it said was deleted",
    Action.AMENDED: "Referral amended",
    Action.WITHDRAWN: "Referral withdrawn",
    Action.AGREEMENT_WITHDRAWN: "Agreement withdrawn, so the support stops",
    Action.ASSIGNED: "An officer looks after the referral",
    Action.WAITING_LISTED: "Put on the waiting list",
    Action.ADVISED: "Advice given, without a visit",
    Action.REDIRECTED: "Sent on to another service",
    Action.UNANSWERED: "Closed, as the questions were not answered",
    Action.RETURN_REOPENED: "Opened again for the school to answer",
    Action.HELD: "Put on hold",
    Action.RELEASED: "No longer on hold",
    Action.DECISION_UNDONE: "Decision taken back",
    Action.OFFERED: "Offered to a practitioner",
    Action.OFFER_ACCEPTED: "Offer accepted by the practitioner",
    Action.OFFER_RELEASED: "Release confirmed by the lead",
    Action.OFFER_DECLINED: "Offer declined",
    Action.OFFER_WITHDRAWN: "Offer withdrawn",
    Action.OFFER_LAPSED: "Offer not answered in time",
    Action.TAKING_ASKED: "A practitioner asked for this referral",
    Action.TAKING_REFUSED: "A practitioner who asked for it was told no",
    Action.REALLOCATED: "Another practitioner has the referral",
    Action.TAKEN_BACK: "No longer with the practitioner",
    Action.SUPPORT_ADDED: "Another practitioner joins in",
    Action.SUPPORT_ENDED: "A practitioner no longer joins in",
    Action.HANDED_OVER: "Handed to another team of the council",
    Action.PANEL_LISTED: "Put on the agenda of a panel",
    Action.PANEL_REMOVED: "Taken off the agenda of a panel",
}

COLOURS = {
    Status.DRAFT: "grey",
    Status.SUBMITTED: "blue",
    Status.RETURNED: "yellow",
    Status.DECLINED: "red",
    Status.ACCEPTED: "teal",
    Status.ALLOCATED: "green",
    Status.CLOSED: "grey",
    Status.EXPIRED: "grey",
    Status.WITHDRAWN: "grey",
    Status.WAITING: "purple",
    Status.ADVISED: "turquoise",
    Status.REDIRECTED: "orange",
    Status.UNANSWERED: "grey",
}

# What the council has promised by a date, for each status that waits for the council or the
# practitioner: as long as the date is ahead, and when it has passed.
PROMISED = {
    Status.SUBMITTED: (
        "With the council: decision by {}",
        "With the council: decision was due by {}",
    ),
    Status.ACCEPTED: (
        "With the council: practitioner chosen by {}",
        "With the council: practitioner was due by {}",
    ),
    Status.ALLOCATED: ("With the practitioner: you hear from them by {}", PLAIN[Status.ALLOCATED]),
}


def words(status: Status) -> str:
    """Where a referral with this status stands, in words for its school."""
    return PLAIN[status]


def stands(referral: Referral, next_visit: datetime | None = None) -> str:
    """Where `referral` stands and the next date, in words for its school (F15).

    `next_visit` is the instant of the next visit booked, which says more than a promise.
    """
    if referral.status is Status.ALLOCATED and next_visit is not None:
        return f"With the practitioner: next visit on {_near(clock.local(next_visit).date())}"
    if holding.is_held(referral) and referral.held_until is not None:
        return f"With the council: on hold until about {_near(referral.held_until)}"
    if referral.status is Status.RETURNED and referral.answer_by is not None:
        return f"With you: answer by {_near(referral.answer_by)}"
    if referral.due_on is None or referral.status not in PROMISED:
        return PLAIN[referral.status]
    ahead, passed = PROMISED[referral.status]
    return (ahead if clock.today() <= referral.due_on else passed).format(_near(referral.due_on))


def next_visit(visits: Sequence[Visit]) -> datetime | None:
    """When the first of `visits` that is still to come begins; None when there is none."""
    return min((v.starts_at for v in visits if is_coming(v)), default=None)


def is_coming(visit: Visit) -> bool:
    """Whether the visit is still to begin and takes place."""
    return visit.starts_at > clock.now() and visit.cancelled_at is None


def _near(day: date) -> str:
    """A day without its year, if that is this year: `14 May`."""
    return f"{day.day} {day:%B}" if day.year == clock.today().year else date_words(day)


def next_step(status: Status) -> str:
    """What happens next, in a sentence for the school."""
    return NEXT_STEP[status]


def colour(status: Status) -> str:
    """The colour of the GOV.UK tag that shows this status; the words say the same."""
    return COLOURS[status]


def colour_of(status: str) -> str:
    """The same of a status by its stored word, as a list has it."""
    return COLOURS[Status(status)]


@dataclass(frozen=True)
class Happening:
    """One line of a referral's history as the school may read it: never the service's own note."""

    event: ReferralEvent
    words: str


def history(referral: Referral, *, inside: bool = False) -> list[Happening]:
    """What has happened, newest first; `inside` also how a practitioner was found.

    `referral` must be loaded whole.
    """
    return [
        Happening(event, HAPPENED[event.action])
        for event in reversed(referral.events)
        if inside or event.action not in INSIDE
    ]


def asked_for(referral: Referral) -> str:
    """What the council asked when it last returned the referral; empty when it never did."""
    for event in reversed(referral.events):
        if event.action is Action.RETURNED:
            return event.message
    return ""


def charge_words(referral: Referral) -> str:
    """What the school pays, or will, for a referral that has been sent."""
    if not referral.fee_pence:
        return "There is nothing to pay."
    if referral.status in {Status.SUBMITTED, Status.RETURNED, Status.WAITING}:
        return "The fee is charged if the council accepts the referral."
    if not _was_accepted(referral):
        if referral.status is Status.DECLINED:
            return "The referral was declined, so nothing is charged."
        if referral.status in TURNED_AWAY:
            return "No support was arranged, so nothing is charged."
        if referral.status is Status.WITHDRAWN:
            return "The referral was withdrawn before it was accepted, so nothing is charged."
    return "The fee has been charged to the school. Finance collects it; do not send a payment."


def _was_accepted(referral: Referral) -> bool:
    """Whether an acceptance stands: one that was taken back charges nothing."""
    told = {Action.ACCEPTED, Action.DECISION_UNDONE}
    last = next((event.action for event in reversed(referral.events) if event.action in told), None)
    return last is Action.ACCEPTED


def practitioner(referral: Referral) -> Allocation | None:
    """The allocation that is open now: its `practitioner_name` and `provider_name` are the
    school's to see, where the practitioner's own row is not."""
    if referral.status not in GIVEN:
        return None
    return (
        session()
        .scalars(
            select(Allocation).where(
                Allocation.referral_id == referral.id, Allocation.ended_at.is_(None)
            )
        )
        .one_or_none()
    )


def beside(referral: Referral) -> Sequence[Supporter]:
    """Who joins in beside the practitioner now, by the names that the school may see."""
    return (
        session()
        .scalars(
            select(Supporter)
            .where(Supporter.referral_id == referral.id, Supporter.ended_at.is_(None))
            .order_by(Supporter.id)
        )
        .all()
    )


def was_given(referral: Referral) -> bool:
    """Whether `referral` has been with a practitioner, as far as it can be told without asking.

    One that was taken back is accepted again: its history says so, if it is at hand.
    """
    if referral.status in GIVEN:
        return True
    if referral.status is not Status.ACCEPTED:
        return False
    if "events" in inspect(referral).unloaded:
        return True
    return any(event.action is Action.TAKEN_BACK for event in referral.events)


def visits(referral: Referral) -> Sequence[Visit]:
    """The visits booked, in order, each with its record (the school sees issued ones only).

    Also of a referral that was taken back and is with nobody again: what was made stays to read.
    """
    if not was_given(referral):
        return []
    return (
        session()
        .scalars(
            select(Visit)
            .where(Visit.referral_id == referral.id)
            .options(joinedload(Visit.record).joinedload(VisitRecord.acknowledgement))
            .order_by(Visit.number)
        )
        .all()
    )
