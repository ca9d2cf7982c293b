"""Taking a sent referral back, and a parent who no longer agrees: involvement stops (domain.md 5).

What a withdrawal does depends on how far the referral has come:

| stage | fee | practitioner | records |
| --- | --- | --- | --- |
| not decided | nothing is charged, ever | none | none |
| accepted | stays charged unless Finance waives it | none | none |
| with a practitioner, no visit begun | the same | told; booked visits do not take place | none |
| visited | the same | told; no further visit | issued ones stay; a draft may be finished |

Where a parent no longer agrees, a draft may not be finished either. Nothing is erased.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from s2s_portal import audit, clock, money, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.change import AgreementWithdrawal
from s2s_portal.models.codes import UNDER_WAY, Action, Kind, Status, Withdrawal
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit, was_lost
from s2s_portal.services import notices, referrals, standing
from s2s_portal.services.labels import LEFT_AREA, with_council
from s2s_portal.services.referrals import check_seen

WORDS = {
    Withdrawal.MOVED_SCHOOL: "The pupil has moved, or is moving, to another school",
    Withdrawal.LEFT_COUNTY: LEFT_AREA,
    Withdrawal.NO_LONGER_NEEDED: "Things have improved, and support is no longer needed",
    Withdrawal.OTHER_SUPPORT: "Support has been found elsewhere",
    Withdrawal.AGREEMENT: "A parent or carer no longer agrees",
    Withdrawal.MISTAKE: "The referral was sent by mistake",
    Withdrawal.OTHER: "Another reason",
}
GROUPS: tuple[tuple[str, tuple[Withdrawal, ...]], ...] = (
    (
        "The pupil or group",
        (Withdrawal.MOVED_SCHOOL, Withdrawal.LEFT_COUNTY, Withdrawal.NO_LONGER_NEEDED),
    ),
    ("Support and agreement", (Withdrawal.OTHER_SUPPORT, Withdrawal.AGREEMENT)),
    ("The referral", (Withdrawal.MISTAKE, Withdrawal.OTHER)),
)
WITHDRAWABLE = UNDER_WAY | {Status.RETURNED}


def words() -> dict[Withdrawal, str]:
    """Why a referral was withdrawn, in words, with the council that runs the service by name."""
    return with_council(WORDS)


class Stage(StrEnum):
    """How far a referral had come when it was withdrawn."""

    UNDECIDED = "undecided"
    ACCEPTED = "accepted"
    ALLOCATED = "allocated"
    VISITED = "visited"


@dataclass(frozen=True)
class Effect:
    """What withdrawing does: to the fee, and to the rest; shown before it is done."""

    stage: Stage
    fee: str
    rest: tuple[str, ...]


REST: dict[Stage, tuple[str, ...]] = {
    Stage.UNDECIDED: ("The council stops reading the referral. No support is arranged.",),
    Stage.ACCEPTED: ("No practitioner is looked for any more.",),
    Stage.ALLOCATED: (
        "The practitioner and the lead of their Complex Needs School are told.",
        "Visits that have been booked do not take place.",
    ),
    Stage.VISITED: (
        "The practitioner and the lead of their Complex Needs School are told.",
        "No further visit takes place. Visit records that you have stay here to read.",
        "A record that the practitioner has begun may still be finished, so that you have it.",
    ),
}


def stage_of(status: Status, visits: Sequence[Visit]) -> Stage:
    """How far a referral with this status and these visits has come."""
    if status in {Status.SUBMITTED, Status.RETURNED, Status.WAITING}:
        return Stage.UNDECIDED
    if status is Status.ACCEPTED:
        return Stage.ACCEPTED
    now = clock.now()
    made = any(
        visit.starts_at <= now and visit.cancelled_at is None and not was_lost(visit)
        for visit in visits
    )
    return Stage.VISITED if made else Stage.ALLOCATED


def effect(referral: Referral) -> Effect:
    """What withdrawing `referral` would do now."""
    stage = stage_of(referral.status, standing.visits(referral))
    return Effect(stage, fee_words(stage, referral.fee_pence or 0), REST[stage])


def fee_words(stage: Stage, fee_pence: int) -> str:
    """What becomes of the engagement fee of `fee_pence` pence."""
    if stage is Stage.UNDECIDED:
        return "Nothing has been charged, and nothing will be."
    if not fee_pence:
        return "There is no fee for this referral, so nothing has been charged."
    return (
        f"The fee of {money.pounds(fee_pence)} was charged when the council accepted the referral."
        " It stays charged unless Finance waives it: withdrawing does not give it back."
    )


def check_withdrawable(referral: Referral) -> None:
    """Raise OutOfOrder unless the referral has been sent and has not ended."""
    if referral.status is Status.WITHDRAWN:
        raise OutOfOrder("This referral has already been withdrawn. Nothing has been changed now.")
    if referral.status not in WITHDRAWABLE:
        raise OutOfOrder("Only a referral that has been sent and is under way can be withdrawn.")


def withdraw(
    work: UnitOfWork,
    reference: str,
    *,
    reason: Withdrawal,
    message: str = "",
    seen: int,
    by: Actor,
) -> Referral:
    """Take a sent referral back for its school; everybody concerned is told.

    For a parent who no longer agrees use `withdraw_agreement`. Raises NotFound for anybody but its
    school, OutOfOrder when it has ended, Stale when it changed since version `seen`, Refused
    for another reason without words.
    """
    if reason is Withdrawal.AGREEMENT:
        raise Refused("Say who no longer agrees, and whom they told", "reason")
    if reason is Withdrawal.OTHER and not message.strip():
        raise Refused("Enter why you are withdrawing the referral", "message")
    referral = _held(reference, by)
    if referral.urn not in by.establishments:
        raise NotFound()
    check_seen(referral, seen)
    told = f"{words()[reason]}.\n{message}\n{effect(referral).fee}"
    _end(work, referral, reason, Action.WITHDRAWN, told, by)
    return referral


def withdraw_agreement(
    work: UnitOfWork,
    reference: str,
    *,
    withdrawn_by: str,
    told_to: str,
    told_on: date,
    comment: str = "",
    seen: int,
    by: Actor,
) -> Referral:
    """Write down that a parent or carer no longer agrees, and stop the service's involvement.

    By the school of the referral, or by an officer. Nothing is erased. Raises NotFound for anybody
    else, OutOfOrder when the referral has ended, Stale when it changed since version `seen`,
    Refused for a group (no one parent agreed for it) or a day to come.
    """
    referral = _held(reference, by)
    if not by.has(Role.OFFICER) and referral.urn not in by.establishments:
        raise NotFound()
    check_seen(referral, seen)
    check_pupil(referral)
    if told_on > clock.today():
        raise Refused("The day they said so must be today or in the past", "told_on")
    work.session.add(
        AgreementWithdrawal(
            referral_id=referral.id,
            withdrawn_by=withdrawn_by,
            told_to=told_to,
            told_on=told_on,
            comment=comment,
            at=clock.now(),
            by_id=by.id,
            by_name=by.name,
        )
    )
    work.flush()
    told = f"{WORDS[Withdrawal.AGREEMENT]}.\n{effect(referral).fee}"
    _end(work, referral, Withdrawal.AGREEMENT, Action.AGREEMENT_WITHDRAWN, told, by)
    return referral


def check_pupil(referral: Referral) -> None:
    """Raise Refused unless the referral is about a named pupil, for whom a parent agreed."""
    if referral.kind is not Kind.PUPIL:
        raise Refused(
            "This referral is about a group, so no one parent agreed to it. If parents do not want"
            " the support, the school withdraws the referral."
        )


def agreement_withdrawal(referral: Referral) -> AgreementWithdrawal | None:
    """Who withdrew the agreement and when, for those who may see the referral; None if nobody."""
    if referral.withdrawal is not Withdrawal.AGREEMENT:
        return None
    audit.looked_at("referral", referral.reference)
    return session().get(AgreementWithdrawal, referral.id)


def _held(reference: str, by: Actor) -> Referral:
    """The referral, locked. The database lets a school lock only what is under way."""
    try:
        referral = referrals.get(reference, lock=True)
    except NotFound:
        session().expire_all()
        referral = referrals.get(reference)
    if by.has(Role.REFERRER) and not by.has(Role.OFFICER) and referral.urn not in by.establishments:
        raise NotFound()
    check_withdrawable(referral)
    return referral


def _end(
    work: UnitOfWork,
    referral: Referral,
    reason: Withdrawal,
    action: Action,
    message: str,
    by: Actor,
) -> None:
    allocation = standing.practitioner(referral)
    referral.withdrawal = reason
    told = "\n".join(line for line in message.split("\n") if line.strip())
    referrals.record(work, referral, action, by=by, message=told)
    notice = f"referral_{action.value}"
    link = notices.link_to("s2s.referrals.show", reference=referral.reference)
    notices.tell_school(work, notice, referral, link)
    notices.tell_officers(work, notice, referral)
    if allocation is not None:
        case = notices.link_to("s2s.visits.show", reference=referral.reference)
        notices.tell_practitioner(work, notice, allocation.practitioner_id, referral, case)
        notices.tell_leads(work, notice, allocation.provider_urn, referral, case)
    signals.tell(
        work,
        signals.referral_withdrawn,
        reference=referral.reference,
        urn=referral.urn,
        by=by.id,
        withdrawal=reason.value,
    )
