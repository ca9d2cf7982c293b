"""What has changed in a referral since it was sent: by an answer to the council, or an amendment.

Both leave the same two rows: why a section was opened and what it said, and what it says now (W5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from s2s_portal import clock, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor
from s2s_portal.models.change import SectionChange, SectionOpening
from s2s_portal.models.codes import UNDER_WAY, Action, Status
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import notices, openings, reading, referrals, sections, standing

# Facts that a school may put right by itself. What was asked for, agreed to and declared stays as
# it was decided on; another referral, or a return for information, is the way to change that.
AMENDABLE = (
    *("school", "subject", "schooling", "needs", "tried", "services"),
    "practicalities",
)


@dataclass(frozen=True)
class Line:
    """One answer that changed: its label, and what it said before and says now (empty: nothing)."""

    label: str
    before: str
    after: str


@dataclass(frozen=True)
class Change:
    """One section changed after sending, with the reason and every answer that differs."""

    section: str
    title: str
    reason: str
    asked: bool
    change: SectionChange
    lines: list[Line]


def open_sections(
    work: UnitOfWork,
    referral: Referral,
    event: ReferralEvent,
    reasons: Mapping[str, str],
    codes: Mapping[str, int] | None = None,
) -> list[SectionOpening]:
    """Open sections of a sent referral, each with its reason, and keep what each says now.

    `codes` has the id of the `DecisionReason` for those that an officer gave one for.
    """
    work.flush()
    made = [
        SectionOpening(
            referral_id=referral.id,
            event_id=event.id,
            section=section,
            reason=reason,
            code_id=(codes or {}).get(section),
            before=_lines(referral, section),
        )
        for section, reason in reasons.items()
    ]
    work.session.add_all(made)
    work.flush()
    return made


def close_sections(work: UnitOfWork, referral: Referral, *, by: Actor) -> None:
    """Note what the school changed in answer to the council, as the referral is sent again."""
    event = openings.last_return(referral)
    for opening in event.openings if event else []:
        _note(work, referral, opening, by)


def may_amend(referral: Referral) -> bool:
    """Whether the school can amend the referral now: it has been sent and is under way."""
    return referral.status in UNDER_WAY


def held(reference: str, *, by: Actor) -> Referral:
    """The referral `reference` of a school of `by`, whole and locked, to be amended.

    Raises NotFound when there is none, OutOfOrder when it is not under way.
    """
    referral = referrals.get(reference, whole=True)
    if referral.urn not in by.establishments:
        raise NotFound()
    check_may_amend(referral)
    session().expire_all()
    referral = referrals.get(reference, whole=True, lock=True)
    check_may_amend(referral)
    return referral


def check_may_amend(referral: Referral) -> None:
    """Raise OutOfOrder unless the referral is under way."""
    if not may_amend(referral):
        raise OutOfOrder("This referral is not under way, so it cannot be amended.")


def amend(
    work: UnitOfWork,
    referral: Referral,
    section: str,
    save: Callable[..., None],
    *,
    given: Mapping[str, Any],
    reason: str,
    seen: str | None = None,
    by: Actor,
) -> None:
    """Change one section of a sent referral, with the reason; the officers and the practitioner
    are told.

    `referral` comes from `held`; `save` is the section's own function, which judges
    `given` by the rules of the form. Raises NotFound for a section that is not AMENDABLE, Refused
    without a reason, when nothing differs or by the section's rules, Stale as `save` does.
    """
    if section not in AMENDABLE:
        raise NotFound()
    if not reason.strip():
        raise Refused("Enter why you are changing this", "amend_reason")
    if section not in sections.keys(referral):
        raise NotFound()
    given = dict(given)
    if section == "practicalities" and referral.status is not Status.SUBMITTED:
        given["purchase_order"] = referral.purchase_order  # on the charge already
    message = f"{sections.title(referral, section)}: {reason}"
    event = referrals.record(work, referral, Action.AMENDED, by=by, message=message)
    (opening,) = open_sections(work, referral, event, {section: reason})
    save(work, referral, seen=seen, by=by, **given)
    work.flush()
    if not _note(work, referral, opening, by):
        raise Refused("Nothing is different from what was sent. Change something, or go back.")
    _tell(work, referral, standing.practitioner(referral))
    signals.tell(
        work,
        signals.referral_amended,
        reference=referral.reference,
        urn=referral.urn,
        by=by.id,
        section=section,
    )


def log(referral: Referral) -> list[Change]:
    """What has changed since the referral was first sent, newest first. It must be whole."""
    return [
        Change(
            section=opening.section,
            title=sections.titles(referral)[opening.section],
            reason=opening.reason,
            asked=event.action is Action.RETURNED,
            change=opening.change,
            lines=differences(opening.before, opening.change.after),
        )
        for event in reversed(referral.events)
        for opening in event.openings
        if opening.change is not None
    ]


def changed_since_return(referral: Referral) -> set[str]:
    """The sections that changed since the council last returned the referral."""
    event = openings.last_return(referral)
    later = [one for one in referral.events if event is not None and one.id >= event.id]
    return {opening.section for one in later for opening in one.openings if opening.change}


def differences(before: list[Any], after: list[Any]) -> list[Line]:
    """The answers that differ between two states of a section, in the order of the form."""
    old, new = ({label: text for label, text in lines} for lines in (before, after))
    labels = [*new, *(label for label in old if label not in new)]
    return [
        Line(label, old.get(label, ""), new.get(label, ""))
        for label in labels
        if old.get(label, "") != new.get(label, "")
    ]


def _lines(referral: Referral, section: str) -> list[list[str]]:
    if section == sections.FILES:
        return []  # each file says itself when it came and went
    return [[label, text] for label, text in reading.part_lines(referral, section)]


def _note(work: UnitOfWork, referral: Referral, opening: SectionOpening, by: Actor) -> bool:
    """Keep what an opened section says now; whether that differs from before."""
    after = _lines(referral, opening.section)
    if after == opening.before:
        return False
    work.session.add(
        SectionChange(
            opening_id=opening.id,
            referral_id=referral.id,
            after=after,
            at=clock.now(),
            by_id=by.id,
            by_name=by.name,
        )
    )
    work.flush()
    return True


def _tell(work: UnitOfWork, referral: Referral, allocation: Allocation | None) -> None:
    notices.tell_officers(work, "referral_amended", referral)
    if allocation is not None:
        link = notices.link_to("s2s.visits.show", reference=referral.reference)
        notices.tell_practitioner(
            work, "referral_amended", allocation.practitioner_id, referral, link
        )
