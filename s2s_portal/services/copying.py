"""A declined referral that can be put right, copied into a new draft so nothing is typed twice.

Not copied: who agreed, to what and when, as that was to the referral that was; the declaration; and
files, which are attached again. The officer sees which referral it follows.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import inspect, select

from s2s_portal import audit, clock
from s2s_portal.database import Base, UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Status
from s2s_portal.models.referral import Referral
from s2s_portal.services import decided, drafting, repeats, sections

COLUMNS = (
    *("contact_name", "contact_role", "contact_email", "contact_phone", "leader_name"),
    *("reason", "support", "preferred_days", "visit_notes", "safety_notes", "purchase_order"),
    *("criteria", "fewer_cycles"),
)
LEFT_OUT = frozenset({"consent", "sharing", "own", "declaration", "school"})
# What a practitioner wrote about an outcome stays with the referral that it was about.
RESULTS = frozenset({"achieved", "comment", "recorded_at", "recorded_by_id", "recorded_by_name"})


def can_copy(referral: Referral) -> bool:
    """Whether the school can copy `referral`: declined, for a reason that it can put right."""
    if referral.status is not Status.DECLINED:
        return False
    decision = decided.current(referral)
    return bool(decision and decision.reason and decision.reason.can_fix)


def check(referral: Referral) -> None:
    """Raise OutOfOrder unless the school can copy `referral`."""
    if not can_copy(referral):
        raise OutOfOrder(
            "Only a referral that was declined for something you can put right can be copied."
        )


def copy(work: UnitOfWork, reference: str, *, token: str, by: Actor) -> Referral:
    """A new draft with what the referral `reference` says; however often `token` comes, one draft.

    Raises NotFound for anybody but its school, OutOfOrder when it cannot be copied, and what
    `drafting.start` raises, as a draft is begun: requests may be closed.
    """
    old = drafting.mine(reference, by=by)
    check(old)
    made = drafting.start(work, old.urn, token=token, by=by)
    if made.copied_from_id == old.id:
        return made
    if made.copied_from_id is not None or made.answered:
        raise NotFound()
    for name in COLUMNS:
        setattr(made, name, getattr(old, name))
    made.kind = old.kind
    made.copied_from_id = old.id
    work.flush()
    _parts(work, old, made)
    work.flush()
    work.session.expire(made)
    made = drafting.mine(made.reference, by=by)
    made.answered = _answered(old, made, by)
    alike = repeats.note(work, made)
    if "subject" in made.answered:
        made.answered = {**made.answered, "subject": {**made.answered["subject"], **alike}}
    audit.wrote(work, f"copied {old.reference} into", "referral", made.reference)
    return made


def follows(referral: Referral) -> str:
    """The reference of the referral that `referral` was copied from; empty of most."""
    if referral.copied_from_id is None:
        return ""
    found = select(Referral.reference).where(Referral.id == referral.copied_from_id)
    return session().scalar(found) or ""


def _parts(work: UnitOfWork, old: Referral, made: Referral) -> None:
    rows: list[Base] = [*old.needs, *old.strategies, *old.outcomes]
    if old.subject is not None:
        rows.append(old.subject)
    for row in rows:
        work.session.add(type(row)(**(_columns(row) | {"referral_id": made.id})))


def _columns(row: Any) -> dict[str, Any]:
    names = {column.key for column in inspect(type(row)).columns}
    return {name: getattr(row, name) for name in names - RESULTS - {"id"}}


def _answered(old: Referral, made: Referral, by: Actor) -> dict[str, Any]:
    """Which sections count as answered: those copied, if the questions are still the same."""
    if old.form_version != made.form_version:
        return {}
    taken = (key for key in ("kind", *sections.keys(old)) if key not in LEFT_OUT)
    entry = {"at": clock.now().isoformat(), "by": by.name}
    return {key: entry for key in taken if key in old.answered}
