"""A school says that a fee is wrong, in words that Finance may read: none about a child (F76)."""

from __future__ import annotations

import re

from sqlalchemy import select

from s2s_portal import audit
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.answer import Subject
from s2s_portal.models.charges import ChargeEvent, Side
from s2s_portal.models.ledger import LedgerEntry
from s2s_portal.models.referral import Referral
from s2s_portal.services import charges


def side_of(by: Actor) -> Side:
    """For whom somebody speaks about a charge."""
    finance = by.has(Role.FINANCE, Role.FINANCE_APPROVER, Role.SYSTEM)
    return Side.FINANCE if finance else Side.SCHOOL


def charge_of(number: int, *, by: Actor) -> LedgerEntry:
    """A charge that `by` may dispute: Finance any, a school its own. Raises NotFound."""
    entry = charges.entry(number)
    if side_of(by) is Side.SCHOOL and entry.urn not in by.establishments:
        raise NotFound("There is no charge with this number.")
    return entry


def raise_dispute(work: UnitOfWork, number: int, *, words: str, by: Actor) -> ChargeEvent:
    """Say that charge `number` is wrong. Collection is paused until Finance has settled that.

    Raises as `charges.dispute` does, and Refused when a school's words name the pupil.
    """
    side, entry = side_of(by), charge_of(number, by=by)
    if side is Side.SCHOOL:
        _check_no_child(entry.referral_reference, words)
    return charges.dispute(work, number, words, by, side=side)


def _check_no_child(reference: str, words: str) -> None:
    """Refuse words with the pupil's name or UPN in them; only the school itself can be asked."""
    subject = session().scalar(
        select(Subject)
        .join(Referral, Referral.id == Subject.referral_id)
        .where(Referral.reference == reference)
    )
    if subject is None:
        return
    audit.looked_at("referral", reference)
    named = f"{subject.surname} {subject.forenames} {subject.known_as} {subject.upn}"
    found = sorted(_words(named) & _words(words))
    if found:
        raise Refused(
            f"Leave out “{found[0]}”: Finance reads this, and it must not name a child", "words"
        )


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.casefold()) if len(word) > 1}
