"""Whom or what a draft is about: its kind, the pupil, the group, the staff; services involved."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.errors import Refused, Stale
from s2s_portal.identity import Actor
from s2s_portal.models.answer import Subject
from s2s_portal.models.codes import Kind, Support
from s2s_portal.models.referral import Referral
from s2s_portal.services import (
    colleagues,
    draft_rules,
    form_versions,
    openings,
    repeats,
    sections,
)
from s2s_portal.services.draft_rules import Involved
from s2s_portal.services.drafting import forget, note, seen_mark, settled

# Answered for this pupil or that group: of no use once the referral is about something else.
ABOUT = frozenset({"subject", "schooling", "services", "consent", "sharing", "own"})


def would_drop(referral: Referral, kind: Kind) -> list[str]:
    """The keys of the sections that a change to `kind` drops, in order: what is answered there,
    and what a colleague was asked for.
    """
    if referral.kind in {None, kind}:
        return []
    stays = set(form_versions.of(referral).asked[kind]) - ABOUT
    written = {row.section for row in colleagues.open_ones(referral)} | referral.answered.keys()
    return [
        key
        for key in sections.keys(referral)
        if key in written and key != "kind" and key not in stays
    ]


def choose_kind(
    work: UnitOfWork,
    referral: Referral,
    *,
    kind: Kind,
    told: Collection[str] = (),
    by: Actor,
    seen: str | None = None,
) -> None:
    """Say what the referral is for. Another kind drops what it does not ask.

    `told` are the sections that the person was told it drops. Raises Stale when there are others,
    Refused for a kind that the form of this referral does not know.
    """
    if kind not in form_versions.of(referral).asked:
        raise Refused("Choose from the list what you need help with", "kind")
    if referral.kind is kind and "kind" in referral.answered:
        return
    openings.check_open(referral, "kind")
    dropped = would_drop(referral, kind)
    if seen not in {None, seen_mark(referral, "kind")} or not set(dropped) <= set(told):
        raise Stale(
            "The referral has changed since you opened this page. Check it and choose again."
        )
    if referral.kind is not kind:
        colleagues.end_unasked(work, referral, form_versions.of(referral).asked[kind])
        _drop(work, referral, dropped)
    referral.kind = kind
    referral.support = [Support.TRAINING.value] if kind is Kind.TRAINING else referral.support
    note(work, referral, "kind", by)


def _drop(work: UnitOfWork, referral: Referral, dropped: list[str]) -> None:
    referral.subject = None
    referral.agreement = None
    if "needs" in dropped:
        referral.needs.clear()
    if "tried" in dropped:
        referral.strategies.clear()
        referral.fewer_cycles = ""
    if "criteria" in dropped:
        referral.criteria = []
    if "support" in dropped:
        referral.support, referral.reason = [], ""
    forget(referral, dropped)
    repeats.note(work, referral)


def save_subject(
    work: UnitOfWork, referral: Referral, *, by: Actor, seen: str | None = None, **given: Any
) -> None:
    """Whom or what it is about: the names of `answers.subject_columns`, as its kind says.

    Raises Refused when the kind is not known yet, for a birth after something that is said to have
    happened to the pupil, or a UPN that is none.
    """
    if referral.kind is None:
        raise Refused("First say what you need help with.")
    if referral.kind is Kind.PUPIL:
        draft_rules.check_pupil(referral, given)
    _save(work, referral, "subject", given, by, seen)


def save_schooling(
    work: UnitOfWork, referral: Referral, *, by: Actor, seen: str | None = None, **given: Any
) -> None:
    """The pupil's year group, SEN provision and UPN: the names of `answers.SCHOOLING`.

    Raises Refused for a UPN that is none, or a year group that is not the one for the pupil's age
    unless they are taught out of it (domain.md 3.4).
    """
    draft_rules.check_upn(given)
    born = referral.subject.date_of_birth if referral.subject else None
    if born is None:
        raise Refused("First enter the pupil's date of birth.")
    draft_rules.check_year_group(born, given["year_group"], given["out_of_year"], clock.today())
    _save(work, referral, "schooling", given, by, seen)


def save_services(
    work: UnitOfWork,
    referral: Referral,
    *,
    rows: list[Involved],
    by: Actor,
    seen: str | None = None,
) -> None:
    """Services already involved with the pupil, none or more. Refused for one before birth."""
    draft_rules.check_services(referral, rows)
    if settled(referral, "services", {"rows": [vars(row) for row in rows]}, seen):
        return
    kept = [{**vars(row), "since": row.since.isoformat() if row.since else ""} for row in rows]
    _subject(referral).services = kept
    note(work, referral, "services", by)


def _save(
    work: UnitOfWork,
    referral: Referral,
    section: str,
    given: dict[str, Any],
    by: Actor,
    seen: str | None,
) -> None:
    if settled(referral, section, given, seen):
        return
    if referral.submitted_at and "sen_provision" in given:
        _check_needs_still_fit(referral, given["sen_provision"])
    subject = _subject(referral)
    for name, value in given.items():
        setattr(subject, name, value)
    alike = repeats.note(work, referral)
    note(work, referral, section, by, **alike)


def _check_needs_still_fit(referral: Referral, provision: str) -> None:
    nsa = any(need.code == sections.NSA for need in referral.needs)
    if nsa and provision != "K" and not openings.is_open(referral, "needs"):
        raise Refused(
            "The needs you sent say NSA, which is only for pupils on SEN Support. First change"
            f" “{sections.title(referral, 'needs')}”.",
            "sen_provision",
        )


def _subject(referral: Referral) -> Subject:
    if referral.subject is None:
        referral.subject = Subject(services=[], themes=[])
    return referral.subject
