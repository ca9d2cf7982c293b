"""Earlier and other referrals about the same pupil or class, as they are shown to who may know."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sqlalchemy import Select, func, select
from sqlalchemy.orm import joinedload

from s2s_portal import audit, clock
from s2s_portal.database import session
from s2s_portal.models.codes import Action, Kind, Status
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import closing, repeats, triage, withdrawing
from s2s_portal.services.terms import written

MOST_SHOWN = 20
ENDS = (Action.CLOSED, Action.DECLINED, Action.WITHDRAWN, Action.AGREEMENT_WITHDRAWN)
ENDED = {Status.CLOSED: "Closed", Status.DECLINED: "Declined", Status.WITHDRAWN: "Withdrawn"}
UNDER_WAY = {
    Status.DRAFT: "Begun and not sent yet",
    Status.SUBMITTED: "Waiting for a decision",
    Status.RETURNED: "Back with the school for more information",
    Status.ACCEPTED: "Waiting for a practitioner",
    Status.ALLOCATED: "With a practitioner",
}
ALIKE = {
    "upn": "The same UPN",
    "name": "The same name and date of birth",
    "group": "The same group and year groups",
}


@dataclass(frozen=True)
class Earlier:
    """One other referral about the same: how alike, where it stands or how it ended, with whom.

    `practitioner` is who had it last, with their school; empty when nobody had.
    """

    reference: str
    school: str
    same_school: bool
    alike: str
    sent: str
    stands: str
    practitioner: str


def of(referral: Referral) -> list[Earlier]:
    """The repeats of `referral` that the acting person may know of, newest first; read, so audited.

    A school: its own, drafts too. An officer: all that have been sent.
    """
    if referral.kind not in {Kind.PUPIL, Kind.GROUP} or not repeats.looked_for():
        return []
    values = {"referral_id": referral.id, "since": repeats.since(referral)}
    rows = session().execute(_statement(), values).all()
    for row in rows:
        audit.looked_at("referral", row.Referral.reference)
    return [
        Earlier(
            reference=row.Referral.reference,
            school=row.Referral.school_name or row.Referral.establishment.name,
            same_school=row.Referral.urn == referral.urn,
            alike=ALIKE[row.basis],
            sent=written(row.Referral.received_on) if row.Referral.received_on else "",
            stands=_stands(row.Referral, row.ended_at),
            practitioner=row.practitioner or "",
        )
        for row in rows
    ]


@cache  # built once, as a page asks it
def _statement() -> Select[*tuple[object, ...]]:
    found = repeats.found_by().subquery()
    ended = (
        select(func.max(ReferralEvent.at))
        .where(ReferralEvent.referral_id == Referral.id, ReferralEvent.action.in_(ENDS))
        .correlate(Referral)
        .scalar_subquery()
        .label("ended_at")
    )
    last = (
        select(Allocation.practitioner_name + ", " + Allocation.provider_name)
        .where(Allocation.referral_id == Referral.id)
        .order_by(Allocation.id.desc())
        .limit(1)
        .correlate(Referral)
        .scalar_subquery()
        .label("practitioner")
    )
    return (
        select(Referral, found.c.basis, ended, last)
        .join(found, found.c.referral_id == Referral.id)
        .options(joinedload(Referral.establishment))
        .order_by(Referral.id.desc())
        .limit(MOST_SHOWN)
    )


def _stands(row: Referral, ended_at: object) -> str:
    """Where it stands, or when and how it ended: `Closed on 3 March 2019: the outcomes ...`."""
    if row.status in UNDER_WAY:
        return UNDER_WAY[row.status]
    when = f" on {written(clock.local(ended_at).date())}" if ended_at else ""  # type: ignore[arg-type]
    outcome = _outcome(row)
    return f"{ENDED[row.status]}{when}" + (
        f": {outcome[0].lower()}{outcome[1:]}" if outcome else ""
    )


def _outcome(row: Referral) -> str:
    if row.closure is not None:
        return closing.closure_words()[row.closure]
    if row.decline_reason is not None:
        return triage.DECLINE_WORDS[row.decline_reason]
    return withdrawing.words()[row.withdrawal] if row.withdrawal is not None else ""
