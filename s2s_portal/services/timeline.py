"""Everything that happened to a referral, in one list, as far as its reader may see it."""

from __future__ import annotations

from dataclasses import dataclass

from s2s_portal import audit
from s2s_portal.errors import NotFound
from s2s_portal.identity import Actor, Role
from s2s_portal.models.codes import UNSENT
from s2s_portal.models.referral import Referral
from s2s_portal.services import referrals
from s2s_portal.services.timeline_sources import KIND_WORDS, SOURCES, Entry, Kind, Reader

__all__ = ["KIND_WORDS", "Kind", "Timeline", "everything", "of"]
PAGE = 50


@dataclass(frozen=True)
class Timeline:
    """A page of the list, newest first. `before` and `after` are the numbers of other pages."""

    entries: list[Entry]
    kinds: list[Kind]
    total: int
    before: int | None
    after: int | None


def of(
    reference: str, *, kind: Kind | None = None, start: int = 0, whole: bool = False, by: Actor
) -> tuple[Referral, Timeline]:
    """What happened to `reference`, newest first, as `by` may see it; the read is audited.

    Of one `kind` or all; `PAGE` entries from number `start` on, or the `whole` list. Raises
    NotFound for one that is not theirs, or has not been sent.
    """
    referral = referrals.get(reference)
    if referral.status in UNSENT:
        raise NotFound()
    audit.looked_at("referral", referral.reference)
    found = everything(referral, by)
    kinds = [one for one in Kind if any(entry.kind is one for entry in found)]
    wanted = [entry for entry in found if kind is None or entry.kind is kind]
    if whole:
        return referral, Timeline(wanted, kinds, len(wanted), None, None)
    start = start if 0 <= start < len(wanted) else 0
    shown = wanted[start : start + PAGE]
    return referral, Timeline(
        shown,
        kinds,
        len(wanted),
        max(start - PAGE, 0) if start else None,
        start + PAGE if start + PAGE < len(wanted) else None,
    )


def everything(referral: Referral, by: Actor) -> list[Entry]:
    """Every entry that `by` may see, newest first; of one moment, the one written last first."""
    is_school = by.has(Role.REFERRER) and referral.urn in by.establishments
    officer = by.has(Role.OFFICER) and bool(referral.is_for_reader)
    reader = Reader(officer=officer, school=is_school and not officer)
    roles = {Role.REFERRER} if is_school else set()
    roles |= {Role.OFFICER} if officer else set()
    roles |= by.roles & {Role.PRACTITIONER, Role.LEAD}
    found = [
        entry for find, readers in SOURCES if readers & roles for entry in find(referral, reader)
    ]
    return sorted(found, key=lambda entry: entry.at)[::-1]
