"""What is checked before a referral is accepted (F27): the data proves it, or an officer looks.

A point that neither proves is left open only with a reason. Each is kept with the acceptance: how
it was met, on what, by whom and when.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import exists, func, select

from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import Refused
from s2s_portal.models.answer import Agreement, StrategyTried
from s2s_portal.models.attachment import Attachment, FileState
from s2s_portal.models.codes import Checked, Kind
from s2s_portal.models.decision import DecisionCheck
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import earlier, repeats
from s2s_portal.state import setting

POINTS = {
    "eligibility": "The school is eligible",
    "agreement": "The parents or carers agree",
    "evidence": "The evidence is enough to decide on",
    "duplicates": "It repeats no other referral",
}
CYCLES = 2  # of what was tried, that prove the evidence (domain.md 2.2)


@dataclass(frozen=True)
class Point:
    """One point: whether the data proves it, and what the data says of it."""

    key: str
    label: str
    proven: bool
    detail: str


def of(referral: Referral) -> list[Point]:
    """The points of the checklist for `referral`, as the data stands now."""
    found = {
        "eligibility": _eligibility(referral),
        "agreement": _agreement(referral),
        "evidence": _evidence(referral),
        "duplicates": _duplicates(referral),
    }
    return [Point(key, label, *found[key]) for key, label in POINTS.items()]


def keep(
    work: UnitOfWork,
    referral: Referral,
    event: ReferralEvent,
    *,
    ticked: Collection[str],
    override: str,
) -> None:
    """Keep how each point was met as `event` accepted `referral`.

    Raises Refused when a point is neither proven nor `ticked` and there is no `override`.
    """
    work.flush()
    for point in of(referral):
        answer = Checked.PROVEN
        if not point.proven:
            answer = Checked.CHECKED if point.key in ticked else Checked.OVERRIDDEN
        work.session.add(
            DecisionCheck(
                event_id=event.id,
                point=point.key,
                referral_id=referral.id,
                answer=answer,
                detail=point.detail,
                reason=override.strip() if answer is Checked.OVERRIDDEN else "",
            )
        )
    work.flush()


def check(referral: Referral, ticked: Collection[str], override: str) -> None:
    """Raise Refused when a point is neither proven nor `ticked` and there is no `override`."""
    left = [one.label for one in of(referral) if not one.proven and one.key not in ticked]
    if left and not override.strip():
        named = " and ".join(f"“{label}”" for label in left)
        raise Refused(f"Tick {named} once you have checked, or enter why you go on", "checks")


def kept(referral: Referral) -> dict[int, list[DecisionCheck]]:
    """The points as they were met, by the event that accepted it; officers alone read them."""
    found: dict[int, list[DecisionCheck]] = {}
    for row in session().scalars(
        select(DecisionCheck).where(DecisionCheck.referral_id == referral.id)
    ):
        found.setdefault(row.event_id, []).append(row)
    order = list(POINTS)
    return {
        event: sorted(rows, key=lambda row: order.index(row.point)) for event, rows in found.items()
    }


def _eligibility(referral: Referral) -> tuple[bool, str]:
    reason = referral.establishment.why_not_refer(setting("S2S_LOCAL_AUTHORITY"))
    return (False, reason) if reason else (True, "An open mainstream school of this council.")


def _agreement(referral: Referral) -> tuple[bool, str]:
    if referral.kind is not Kind.PUPIL:
        return True, "No pupil is named, so no one parent is asked."
    agreed = session().scalar(
        select(exists().where(Agreement.referral_id == referral.id, Agreement.agreed))
    )
    if agreed:
        return True, "A parent or carer has agreed."
    return False, "No agreement of a parent or carer is written down."


def _evidence(referral: Referral) -> tuple[bool, str]:
    cycles, clean = (
        session()
        .execute(
            select(
                select(func.count())
                .where(StrategyTried.referral_id == referral.id, StrategyTried.result != "")
                .scalar_subquery(),
                select(func.count())
                .where(
                    Attachment.referral_id == referral.id,
                    Attachment.state == FileState.CLEAN,
                    Attachment.gone_at.is_(None),
                )
                .scalar_subquery(),
            )
        )
        .one()
    )
    rounds = "1 thing was tried" if cycles == 1 else f"{cycles} things were tried"
    files = "1 file is" if clean == 1 else f"{clean} files are"
    said = f"{rounds}, with what came of it; {files} attached."
    return cycles >= CYCLES, said


def _duplicates(referral: Referral) -> tuple[bool, str]:
    """Whether the same pupil, class or group was referred lately, by its marks (`earlier`)."""
    if referral.kind not in {Kind.PUPIL, Kind.GROUP} or not repeats.looked_for():
        return False, "Look whether the school has asked for the same before."
    found = earlier.of(referral)
    if found:
        named = ", ".join(one.reference for one in found)
        return False, f"A possible repeat of {named}."
    return True, "No other referral is about the same."
