"""Posting to the ledger, putting entries right, and what a school owes (F71-F75).

Every entry is double entry in whole pence. Its number and digest come from the head of the ledger,
which stays locked until the transaction ends: numbers have no gap, the chain no fork, and a pull
can never miss an entry that was numbered earlier and committed later.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import exists, func, select

from s2s_portal import audit, clock, money, signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import AlreadyDecided, NotAllowed, NotFound, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.ledger import (
    Account,
    EntryKind,
    LedgerEntry,
    LedgerHead,
    Posting,
    Route,
)
from s2s_portal.models.referral import Referral
from s2s_portal.state import setting

INCOME = "income:engagement-fee"
COLLECTED = "collected:finance"
# Begins the key of a reversal by which a decision was taken back; the database looks for it too.
UNDONE = "undone:"
NO_HASH = "0" * 64
# What an entry's digest covers, in this order. Adding a column means a new version of the digest.
SEALED = (
    "number",
    "kind",
    "fee_kind",
    "event_date",
    "recorded_at",
    "recorded_by_id",
    "recorded_by_name",
    "financial_year",
    "period",
    "referral_reference",
    "urn",
    "dfe_number",
    "establishment_name",
    "payer_name",
    "route",
    "vat_code",
    "purchase_order",
    "terms_id",
    "terms_name",
    "verdict",
    "amount_pence",
    "settles_number",
    "reverses_number",
    "finance_reference",
    "reason",
    "idempotency_key",
    "fingerprint",
    "previous_hash",
)
# What every entry about one charge repeats: who pays, by which way, under which terms.
CARRIED = (
    "fee_kind",
    "referral_reference",
    "urn",
    "dfe_number",
    "establishment_name",
    "payer_name",
    "route",
    "vat_code",
    "purchase_order",
    "terms_id",
    "terms_name",
)
BLANK = {
    "fee_kind": "engagement",
    "vat_code": "",
    "purchase_order": "",
    "settles_number": None,
    "reverses_number": None,
    "finance_reference": "",
    "reason": "",
}


@dataclass(frozen=True)
class Line:
    """One line of an entry to be posted: debit positive, credit negative, in pence."""

    account: str
    amount_pence: int


def receivable(urn: int) -> str:
    """The account of what one establishment owes."""
    return f"receivable:{urn}"


def post_charge(work: UnitOfWork, referral: Referral, *, by: Actor) -> LedgerEntry | None:
    """Post the engagement fee of an accepted referral, once for ever.

    Everything that decides how it is collected is frozen here: payer, route, VAT code, terms,
    verdict. Returns None when the fee is £0: there is nothing to post. The establishment and the
    terms of `referral` must be loaded.
    """
    if not referral.fee_pence:
        return None
    establishment, terms = referral.establishment, referral.terms
    if terms is None:
        raise Refused("The referral has no service terms, so it cannot be charged.")
    route = route_for(establishment)
    lock_head(work)
    _open_account(work, establishment)
    return post(
        work,
        [
            Line(receivable(establishment.urn), referral.fee_pence),
            Line(INCOME, -referral.fee_pence),
        ],
        by=by,
        kind=EntryKind.CHARGE,
        event_date=clock.today(),
        referral_reference=referral.reference,
        urn=establishment.urn,
        dfe_number=establishment.dfe_number,
        establishment_name=referral.school_name,
        payer_name=_payer(establishment, referral.school_name),
        route=route,
        vat_code=setting(
            "S2S_VAT_CODE_INTERNAL" if route is Route.INTERNAL else "S2S_VAT_CODE_INVOICE"
        ),
        purchase_order=referral.purchase_order,
        terms_id=terms.id,
        terms_name=terms.name,
        verdict=referral.fee_verdict,
        idempotency_key=_charge_key(referral.reference),
    )


def _charge_key(reference: str) -> str:
    """The key of the charge that stands or comes next: one whose decision was taken back leaves
    room for the next, one that Finance has waived does not.

    Asked under the lock of the head, so that two posting at once get the same.
    """
    undone = session().scalar(
        select(func.count()).where(
            LedgerEntry.referral_reference == reference,
            LedgerEntry.idempotency_key.startswith(UNDONE),
        )
    )
    return f"charge:{reference}:engagement" + (f":{undone + 1}" if undone else "")


def route_for(establishment: Establishment) -> Route:
    """How Finance collects from an establishment.

    An internal charge within the council (MI Sheet 108/05), an invoice to academies and to
    maintained schools with their own bank account.
    """
    own_account = establishment.urn in setting("S2S_OWN_BANK_ACCOUNT_URNS")
    if establishment.is_maintained and not own_account:
        return Route.INTERNAL
    return Route.INVOICE


def _payer(establishment: Establishment, school_name: str) -> str:
    if not establishment.is_maintained and establishment.trust_name:
        return establishment.trust_name
    return school_name


def _open_account(work: UnitOfWork, establishment: Establishment) -> None:
    code = receivable(establishment.urn)
    if work.session.get(Account, code) is None:
        work.session.add(
            Account(code=code, urn=establishment.urn, name=f"Owed by {establishment.name}")
        )
        work.flush()


def lock_head(work: UnitOfWork) -> LedgerHead:
    """The end of the chain, held until the transaction ends: nobody else can post meanwhile."""
    return work.session.scalars(
        select(LedgerHead).with_for_update().execution_options(populate_existing=True)
    ).one()


def post(work: UnitOfWork, lines: list[Line], *, by: Actor, **fields: Any) -> LedgerEntry:
    """Post one entry. `fields` are columns of `LedgerEntry`; `idempotency_key` is required.

    The same key with the same content returns the entry already posted; with other content it is
    refused (F73). Locks the head of the ledger until the transaction ends.
    """
    if sum(line.amount_pence for line in lines) != 0:
        raise Refused("The lines of a ledger entry must sum to nothing.")
    pairs = [(line.account, line.amount_pence) for line in lines]
    fingerprint = digest_of([_plain(fields), pairs])
    head = lock_head(work)
    earlier = _posted(fields["idempotency_key"])
    if earlier is not None:
        if earlier.fingerprint != fingerprint:
            raise Refused("This has been posted before with other content.")
        return earlier
    entry = LedgerEntry(
        **BLANK | fields,
        number=head.number + 1,
        amount_pence=owed(pairs),
        recorded_at=clock.now(),
        recorded_by_id=by.id,
        recorded_by_name=by.name,
        financial_year=money.financial_year(fields["event_date"]),
        period=money.period(fields["event_date"]),
        fingerprint=fingerprint,
        previous_hash=head.hash,
    )
    entry.hash = seal(entry, pairs)
    _write(work, head, entry, lines)
    audit.wrote(work, "posted", "ledger entry", entry.number)
    _announce(work, entry)
    return entry


def _announce(work: UnitOfWork, entry: LedgerEntry) -> None:
    signal, more = {
        EntryKind.CHARGE: (signals.charge_posted, {}),
        EntryKind.REVERSAL: (signals.charge_reversed, {"reverses": entry.reverses_number}),
        EntryKind.COLLECTION: (signals.charge_collected, {"settles": entry.settles_number}),
    }[entry.kind]
    signals.tell(
        work,
        signal,
        reference=entry.referral_reference,
        urn=entry.urn,
        by=entry.recorded_by_id,
        entry=entry.number,
        amount_pence=entry.amount_pence,
        route=str(entry.route),
        **more,
    )


def _posted(idempotency_key: str) -> LedgerEntry | None:
    return (
        session()
        .scalars(select(LedgerEntry).where(LedgerEntry.idempotency_key == idempotency_key))
        .one_or_none()
    )


def _write(work: UnitOfWork, head: LedgerHead, entry: LedgerEntry, lines: list[Line]) -> None:
    """Head first, then the entry, then its postings: the order that the database checks."""
    head.number, head.hash = entry.number, entry.hash
    work.flush()
    work.session.add(entry)
    work.flush()
    work.session.add_all(
        Posting(
            entry_number=entry.number,
            line=position,
            account_code=line.account,
            amount_pence=line.amount_pence,
        )
        for position, line in enumerate(lines, start=1)
    )
    work.flush()


def reverse(work: UnitOfWork, number: int, *, reason: str, by: Actor) -> LedgerEntry:
    """Put a charge right: post the entry that undoes it, with the reason and a link to it.

    The charge itself never changes. Only a charge can be reversed, once, by somebody who approves
    for Finance. Raises NotAllowed, NotFound, Refused without a `reason`, AlreadyDecided the second
    time.
    """
    if not by.has(Role.FINANCE_APPROVER, Role.SYSTEM):
        raise NotAllowed("Only somebody who approves for Finance can reverse a charge.")
    if not reason.strip():
        raise Refused("Enter why the charge is reversed", "reason")
    return post_reversal(work, number, reason=reason, by=by)


def is_reversed(number: int) -> bool:
    """Whether an entry that reverses the charge `number` has been posted."""
    return bool(session().scalar(select(exists().where(LedgerEntry.reverses_number == number))))


def post_reversal(
    work: UnitOfWork, number: int, *, reason: str, by: Actor, key: str = "reversal:"
) -> LedgerEntry:
    """Post the entry that undoes a charge; who may is for the caller, and the database, to say.

    `key` begins its idempotency key: `UNDONE` where the decision itself was taken back.

    Raises NotFound, Refused for what is no charge, AlreadyDecided the second time.
    """
    lock_head(work)
    charge = work.session.get(LedgerEntry, number)
    if charge is None:
        raise NotFound()
    if charge.kind is not EntryKind.CHARGE:
        raise Refused(f"Entry {number} is not a charge, so it cannot be reversed.")
    if is_reversed(number):
        raise AlreadyDecided(f"Entry {number} has already been reversed.")
    return post(
        work,
        [
            Line(INCOME, charge.amount_pence),
            Line(receivable(charge.urn), -charge.amount_pence),
        ],
        by=by,
        kind=EntryKind.REVERSAL,
        event_date=clock.today(),
        verdict=f"Reverses entry {number} ({charge.verdict})",
        reverses_number=number,
        reason=reason.strip(),
        idempotency_key=f"{key}{number}",
        **carried(charge),
    )


def carried(entry: LedgerEntry) -> dict[str, Any]:
    """What a later entry about the same charge repeats of `entry`."""
    return {name: getattr(entry, name) for name in CARRIED}


def owed(pairs: list[tuple[str, int]]) -> int:
    """By how many pence postings, as (account, pence), change what a school owes."""
    return sum(pence for account, pence in pairs if account.startswith("receivable:"))


def seal(entry: Any, pairs: list[tuple[str, int]]) -> str:
    """The hex SHA-256 of an entry with its postings, chained to the entry before it.

    `entry` is a `LedgerEntry` or a row with its columns; `pairs` are its postings in order, as
    (account, pence).
    """
    return digest_of([[_plain(getattr(entry, name)) for name in SEALED], pairs])


def digest_of(content: Any) -> str:
    """The hex SHA-256 of plain content (lists, text, numbers) in one fixed written form."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    return value


def balance(urn: int) -> int:
    """What one establishment owes now, in pence."""
    owes = select(func.coalesce(func.sum(Posting.amount_pence), 0)).where(
        Posting.account_code == receivable(urn)
    )
    return int(session().scalar(owes) or 0)


def charge_for(reference: str) -> LedgerEntry | None:
    """The charge posted for a referral, the last if a decision was taken back, or None."""
    return (
        session()
        .scalars(
            select(LedgerEntry)
            .where(
                LedgerEntry.referral_reference == reference, LedgerEntry.kind == EntryKind.CHARGE
            )
            .order_by(LedgerEntry.number.desc())
            .limit(1)
        )
        .first()
    )
