"""The files of a pull: ledger, internal-charge journal, invoice request, workbook (F76, F77, F85).

Made once, from the entries alone, and kept. Nothing in them is about a child: a referral appears by
its opaque reference. The manifest and the list of digests are written from what is kept, so they
are the same each time too.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from s2s_portal import clock, money
from s2s_portal.database import session
from s2s_portal.errors import LedgerBroken, Refused
from s2s_portal.exports import batches
from s2s_portal.exports.csv import rows_to_csv
from s2s_portal.exports.xlsx import Sheet, sheets_to_xlsx
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.ledger import LedgerEntry, Pull, PullFile, Route
from s2s_portal.state import setting

CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
JSON = "application/json"
PLAIN = "text/plain"

# The columns of a pull's files (domain.md 6.3), in this order; nothing is about a child.
HEADER = (
    "pull_number",
    "line_number",
    "entry_number",
    "kind",
    "event_date",
    "recorded_on",
    "financial_year",
    "period",
    "route",
    "urn",
    "dfe_number",
    "school_name",
    "payer_name",
    "purchase_order",
    "source_reference",
    "narrative",
    "fee_kind",
    "terms",
    "verdict",
    "vat_code",
    "amount_pounds",
    "amount_pence",
    "reverses_entry",
    "reason",
    "entry_digest",
)
JOURNAL = (
    "batch_id",
    "line_no",
    "journal_date",
    "financial_year",
    "period",
    "entity",
    "cost_centre",
    "subjective",
    "analysis",
    "debit",
    "credit",
    "vat_code",
    "narrative",
    "source_ref",
    "dfe_number",
    "urn",
    "school_name",
    "entry_number",
)
INVOICES = (
    "batch_id",
    "line_no",
    "request_date",
    "customer_no",
    "customer_name",
    "address_1",
    "address_2",
    "address_3",
    "address_4",
    "postcode",
    "po_number",
    "site_urn",
    "site_dfe",
    "site_name",
    "description",
    "quantity",
    "unit_price",
    "net",
    "vat_code",
    "vat_rate",
    "vat",
    "gross",
    "income_cost_centre",
    "income_subjective",
    "source_ref",
    "contact_email",
    "entry_number",
)
Rows = list[tuple[Any, ...]]


def stem(number: int) -> str:
    """What the files of a pull are called up to their kind: `s2s-pull-0001`."""
    return f"s2s-pull-{number:04d}"


def make(pull: Pull, entries: Sequence[LedgerEntry]) -> list[PullFile]:
    """The files of `pull` with these entries; a journal or an invoice request where there is one.

    Raises LedgerBroken when a file does not add up to the ledger, Refused when a setting that it
    needs is not there.
    """
    name = stem(pull.number)
    ledger = [_row(pull, line, entry) for line, entry in enumerate(entries, start=1)]
    journal = journal_rows(pull.number, _by(Route.INTERNAL, entries))
    invoices = invoice_rows(pull, _by(Route.INVOICE, entries))
    check_journal(journal, _by(Route.INTERNAL, entries))
    check_invoices(invoices, _by(Route.INVOICE, entries))
    parts: list[tuple[str, str, tuple[str, ...], Rows]] = [
        ("ledger", f"Pull {pull.number}", HEADER, ledger)
    ]
    if journal:
        parts.append(("journal", "Journal", JOURNAL, journal))
    if invoices:
        parts.append(("invoices", "Invoices", INVOICES, invoices))
    book = sheets_to_xlsx([Sheet(title, header, rows) for _, title, header, rows in parts])
    return [
        *(
            _file(pull, f"{name}-{kind}.csv", CSV, rows_to_csv(header, rows))
            for kind, _, header, rows in parts
        ),
        _file(pull, f"{name}-ledger.xlsx", XLSX, book),
    ]


def totals(pull: Any) -> batches.Totals:
    """What the digest of a pull covers; `pull` is a `Pull` or a row with its columns."""
    return batches.Totals(
        number=pull.number,
        cutoff=batches.utc(pull.cutoff),
        first_entry=pull.first_entry,
        last_entry=pull.last_entry,
        entry_count=pull.entry_count,
        total_pence=pull.total_pence,
        previous_digest=pull.previous_digest,
    )


def beside(pull: Pull) -> dict[str, tuple[str, bytes]]:
    """What lies beside the files of a pull: its manifest and its digests, by name, with media type.

    The pull's `files` must be loaded.
    """
    files = [(file.name, file.sha256) for file in pull.files]
    name, known = stem(pull.number), totals(pull)
    made_at = batches.utc(pull.at)
    return {
        f"{name}-manifest.json": (JSON, batches.manifest(known, files, pull.digest, made_at)),
        f"{name}.sha256": (PLAIN, batches.sums(known, files, pull.digest)),
    }


def journal_rows(number: int, entries: Iterable[LedgerEntry]) -> Rows:
    """Two rows for each internal charge: the school's cost centre is debited, the service's
    credited; for one that is taken back, the other way about. Amounts are positive pounds."""
    rows: Rows = []
    for entry in entries:
        school = (_code("S2S_SCHOOL_COST_CENTRES", entry.urn), setting("S2S_SCHOOL_SUBJECTIVE"))
        service = (setting("S2S_SERVICE_COST_CENTRE"), setting("S2S_INCOME_SUBJECTIVE"))
        amount = money.decimal_pounds(abs(entry.amount_pence))
        debit, credit = (school, service) if entry.amount_pence > 0 else (service, school)
        for codes, sides in ((debit, (amount, None)), (credit, (None, amount))):
            rows.append(_journal_row(number, len(rows) + 1, entry, codes, sides))
    return rows


def _journal_row(
    number: int,
    line: int,
    entry: LedgerEntry,
    codes: tuple[str, str],
    sides: tuple[Decimal | None, Decimal | None],
) -> tuple[Any, ...]:
    return (
        f"INT-{number:04d}",
        line,
        entry.event_date,
        entry.financial_year,
        f"{entry.period:02d}",
        setting("S2S_JOURNAL_ENTITY"),
        *codes,
        setting("S2S_JOURNAL_ANALYSIS"),
        *sides,
        entry.vat_code,
        narrative(entry),
        entry.referral_reference,
        entry.dfe_number,
        entry.urn,
        entry.establishment_name,
        entry.number,
    )


def check_journal(rows: Rows, entries: Sequence[LedgerEntry]) -> None:
    """Raise LedgerBroken unless debits are credits, in all and for each reference, and what the
    schools are charged is what the ledger says (domain.md 6.3)."""
    debit, credit, reference = (JOURNAL.index(name) for name in ("debit", "credit", "source_ref"))
    sides: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sides[row[reference]] += (row[debit] or Decimal()) - (row[credit] or Decimal())
    wrong = sorted(name for name, difference in sides.items() if difference)
    debits = sum((row[debit] or Decimal() for row in rows), Decimal())
    moved = money.decimal_pounds(sum(abs(entry.amount_pence) for entry in entries))
    if wrong or debits != moved:
        raise LedgerBroken(
            [f"the journal does not balance for {name}" for name in wrong]
            or ["the journal does not move what the ledger says"]
        )


def invoice_rows(pull: Pull, entries: Iterable[LedgerEntry]) -> Rows:
    """One row for each invoice to be raised, with the trust as the debtor of an academy; what is
    taken back has a negative quantity. Raises Refused for a VAT code without a rate."""
    asked_on = clock.local(pull.at).date()
    listed = list(entries)
    sites = _sites({entry.urn for entry in listed})
    return [
        _invoice_row(pull.number, line, asked_on, entry, sites.get(entry.urn))
        for line, entry in enumerate(listed, start=1)
    ]


def _invoice_row(
    number: int, line: int, asked_on: Any, entry: LedgerEntry, site: Establishment | None
) -> tuple[Any, ...]:
    net, vat, rate = vat_of(entry)
    return (
        f"INV-{number:04d}",
        line,
        asked_on,
        *_debtor(entry, site),
        entry.purchase_order,
        entry.urn,
        entry.dfe_number,
        entry.establishment_name,
        narrative(entry),
        -1 if entry.amount_pence < 0 else 1,
        money.decimal_pounds(abs(net)),
        money.decimal_pounds(net),
        entry.vat_code,
        rate,
        money.decimal_pounds(vat),
        money.decimal_pounds(net + vat),
        setting("S2S_SERVICE_COST_CENTRE"),
        setting("S2S_INCOME_SUBJECTIVE"),
        entry.referral_reference,
        _customer(entry).get("email", ""),
        entry.number,
    )


def vat_of(entry: LedgerEntry) -> tuple[int, int, Decimal]:
    """The net amount and the VAT of an entry, both in pence and of its own sign, and the rate in
    per cent. By S2S_FEE_INCLUDES_VAT the entry's amount is the gross one, or the net one."""
    rates = setting("S2S_VAT_RATES")
    if entry.vat_code not in rates:
        raise Refused(
            f"The VAT code {entry.vat_code} has no rate: add it to S2S_VAT_RATES, then pull again."
        )
    rate = Decimal(str(rates[entry.vat_code]))
    amount = Decimal(abs(entry.amount_pence))
    of = 100 + rate if setting("S2S_FEE_INCLUDES_VAT") else Decimal(100)
    vat = int((amount * rate / of).quantize(Decimal(1), rounding="ROUND_HALF_UP"))
    net = int(amount) - vat if setting("S2S_FEE_INCLUDES_VAT") else int(amount)
    sign = -1 if entry.amount_pence < 0 else 1
    return sign * net, sign * vat, rate


def check_invoices(rows: Rows, entries: Sequence[LedgerEntry]) -> None:
    """Raise LedgerBroken unless the invoices ask for what the ledger says, and net and VAT add up
    to gross in each."""
    net, vat, gross = (INVOICES.index(name) for name in ("net", "vat", "gross"))
    asked = gross if setting("S2S_FEE_INCLUDES_VAT") else net
    owed = money.decimal_pounds(sum(entry.amount_pence for entry in entries))
    if sum((row[asked] for row in rows), Decimal()) != owed or any(
        row[net] + row[vat] != row[gross] for row in rows
    ):
        raise LedgerBroken(["the invoice request does not ask for what the ledger says"])


def _debtor(entry: LedgerEntry, site: Establishment | None) -> tuple[str, ...]:
    """Number, name and address of who pays. The register has a school's address and no trust's."""
    known = _customer(entry)
    lines: list[str] = list(known.get("address", ()))
    postcode: str = known.get("postcode", "")
    if not known and site is not None and entry.payer_name == entry.establishment_name:
        lines, postcode = [site.street, site.town], site.postcode
    padded = [*lines, "", "", "", ""][:4]
    return known.get("number", ""), entry.payer_name, *padded, postcode


def _customer(entry: LedgerEntry) -> dict[str, Any]:
    found: dict[str, Any] = setting("S2S_CUSTOMERS").get(entry.payer_name, {})
    return found


def _code(name: str, urn: int) -> str:
    """The code of a school in a setting that has codes by URN, as a number or as text."""
    codes: dict[Any, str] = setting(name)
    return codes.get(urn, codes.get(str(urn), ""))


def _sites(urns: set[int]) -> dict[int, Establishment]:
    rows = session().scalars(select(Establishment).where(Establishment.urn.in_(urns)))
    return {row.urn: row for row in rows}


def narrative(entry: LedgerEntry) -> str:
    """What a statement of account says of an entry; the reference alone says which referral."""
    return f"S2S {entry.fee_kind} fee {entry.referral_reference}"


def _by(route: Route, entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    return [entry for entry in entries if entry.route is route and entry.amount_pence]


def _file(pull: Pull, name: str, media_type: str, content: bytes) -> PullFile:
    return PullFile(
        pull_number=pull.number,
        name=name,
        media_type=media_type,
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
    )


def _row(pull: Pull, position: int, entry: LedgerEntry) -> tuple[Any, ...]:
    return (
        pull.number,
        position,
        entry.number,
        entry.kind.value,
        entry.event_date,
        clock.local(entry.recorded_at).date(),
        entry.financial_year,
        entry.period,
        entry.route.value,
        entry.urn,
        entry.dfe_number,
        entry.establishment_name,
        entry.payer_name,
        entry.purchase_order,
        entry.referral_reference,
        narrative(entry),
        entry.fee_kind,
        entry.terms_name,
        entry.verdict,
        entry.vat_code,
        money.decimal_pounds(entry.amount_pence),
        entry.amount_pence,
        entry.reverses_number,
        entry.reason,
        entry.hash,
    )
