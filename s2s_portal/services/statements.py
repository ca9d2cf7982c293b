"""The statement of one school for one financial year: what it owed, what happened, what it owes.

On screen and as PDF (F83). Made from the ledger's own tables alone, so it names no child.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from sqlalchemy import ColumnElement, func, select

from s2s_portal import clock, money
from s2s_portal.database import session
from s2s_portal.documents.statement import Row, StatementDocument, render
from s2s_portal.errors import NotFound
from s2s_portal.identity import Actor
from s2s_portal.models.charges import YearClose
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.ledger import LedgerEntry
from s2s_portal.services import accounts
from s2s_portal.services.terms import written
from s2s_portal.state import setting

YEAR = re.compile(r"(\d{4})-(\d{2})")


@dataclass(frozen=True)
class YearStatement:
    """One school's financial year: amounts in pence, lines oldest first with the balance after
    each. `years` are those with entries; `closed` that nothing can be dated in it any more."""

    establishment: Establishment
    year: str
    opening_pence: int
    lines: list[accounts.Line]
    closing_pence: int
    balance_pence: int
    years: list[str]
    closed: bool


@dataclass(frozen=True)
class WholeStatement:
    """All that one school was ever charged and what became of it, oldest first, as `lines`; it owes
    `balance_pence`."""

    establishment: Establishment
    lines: list[accounts.Line]
    balance_pence: int


def whole(urn: int, *, by: Actor) -> WholeStatement:
    """Every entry of school `urn`, in two statements. Raises NotFound for another's."""
    accounts.check_may_ask(urn, by)
    establishment = session().get(Establishment, urn)
    if establishment is None:
        raise NotFound()
    lines = accounts.lines_of(urn)
    after = list(accumulate(line.amount_pence for line in lines))
    return WholeStatement(
        establishment,
        [accounts.with_balance(line, pence) for line, pence in zip(lines, after, strict=True)],
        after[-1] if after else 0,
    )


def in_address(year: str) -> str:
    """A financial year as an address has it: `2019-20`."""
    return year.replace("/", "-")


def from_address(text: str) -> str:
    """The financial year that `text` from an address means; the present one for nonsense."""
    found = YEAR.fullmatch(text)
    if found and (int(found[1]) + 1) % 100 == int(found[2]):
        return f"{found[1]}/{found[2]}"
    return money.financial_year(clock.today())


def of_year(urn: int, year: str, *, by: Actor) -> YearStatement:
    """The statement of school `urn` for `year` (`2019/20`); four statements, however long it is.

    For Finance, the school itself and its trust. Raises NotFound for another's.
    """
    accounts.check_may_ask(urn, by)
    establishment = session().get(Establishment, urn)
    if establishment is None:
        raise NotFound()
    before, owed, closed = (
        session()
        .execute(
            select(
                _sum(urn, LedgerEntry.financial_year < year),
                _sum(urn),
                select(func.count())
                .where(YearClose.financial_year == year)
                .select_from(YearClose)
                .scalar_subquery(),
            )
        )
        .one()
    )
    lines = accounts.lines_of(urn, year)
    after = list(accumulate((line.amount_pence for line in lines), initial=before))
    return YearStatement(
        establishment,
        year,
        opening_pence=before,
        lines=[
            accounts.with_balance(line, pence) for line, pence in zip(lines, after[1:], strict=True)
        ],
        closing_pence=after[-1],
        balance_pence=owed,
        years=_years(urn, year),
        closed=bool(closed),
    )


def _sum(urn: int, *where: ColumnElement[bool]) -> Any:
    total = select(func.coalesce(func.sum(LedgerEntry.amount_pence), 0))
    return total.where(LedgerEntry.urn == urn, *where).scalar_subquery()


def _years(urn: int, shown: str) -> list[str]:
    found = session().scalars(
        select(LedgerEntry.financial_year).where(LedgerEntry.urn == urn).distinct()
    )
    return sorted({*found, shown, money.financial_year(clock.today())}, reverse=True)


def as_pdf(statement: YearStatement, *, by: Actor) -> bytes:
    """The statement as PDF/UA-1 and PDF/A-2a."""
    finance = accounts.is_finance(by)
    establishment = statement.establishment
    first, last = _span(statement.year)
    return render(
        StatementDocument(
            school=establishment.name,
            dfe_number=establishment.dfe_number,
            urn=str(establishment.urn),
            year=statement.year,
            span=f"{first} to {last}",
            opening=money.pounds(statement.opening_pence),
            closing=money.pounds(statement.closing_pence),
            closed=statement.closed,
            rows=tuple(_row(line, finance=finance) for line in statement.lines),
            contact=setting("S2S_CONTACT"),
            council=setting("S2S_COUNCIL_NAME"),
            made_at=clock.now(),
        )
    )


def _span(year: str) -> tuple[str, str]:
    first = int(year[:4])
    return f"1 April {first}", f"31 March {first + 1}"


def _row(line: accounts.Line, *, finance: bool) -> Row:
    why = [line.verdict, line.reason]
    if line.finance_reference:
        why.append(f"Reference {line.finance_reference}")
    return Row(
        day=written(line.event_date),
        kind=f"{line.kind}, entry {line.number}",
        reference=line.reference,
        why="\n".join(words for words in why if words),
        state=line.words if finance else line.school_words,
        amount=money.pounds(line.amount_pence),
        balance=money.pounds(line.balance_pence),
    )
