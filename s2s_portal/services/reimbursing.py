"""What a Complex Needs School is to be paid for its staff's time: worked out, issued, for good.

Every issued record of a visit is stated once, by the school whose practitioner made it; what
changes of one afterwards comes in the next statement as a correction. Nothing of it is about a
child (features.md 3.10).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any

from sqlalchemy import Date, Integer, Select, bindparam, column, func, select
from sqlalchemy.orm import selectinload

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.documents import reimbursement as document
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.reimbursement import (
    ReimbursementLine,
    ReimbursementStatement,
    ReleaseRate,
)
from s2s_portal.models.visit import VisitKind
from s2s_portal.services import release_rates
from s2s_portal.services.periods import Span
from s2s_portal.services.terms import written
from s2s_portal.services.visits import KIND_NAMES
from s2s_portal.state import setting

NUMBER_LOCK = 5_203  # namespace of the advisory lock that hands out statement numbers
LONG_AGO = date(2000, 1, 1)

# The one place where time is read: a record's columns today. See `0032_day.sql`, part 3.
ACTIVITY = func.s2s.release_activity(
    bindparam("provider", type_=Integer),
    bindparam("since", type_=Date),
    bindparam("until", type_=Date),
).table_valued(
    "record_id",
    "reference",
    "urn",
    "school_name",
    "kind",
    column("visited_on", Date),
    "practitioner_id",
    "practitioner_name",
    "minutes",
    "miles",
    name="activity",
)


@dataclass(frozen=True)
class Line:
    """One activity to be stated, or what changed of one. Amounts in pence."""

    record_id: int
    reference: str
    urn: int
    school_name: str
    practitioner_name: str
    kind: VisitKind
    visited_on: date
    minutes: int
    miles: Decimal
    rate_id: int
    time_pence: int
    mile_pence: int
    correction: bool

    @property
    def kind_words(self) -> str:
        """What the visit was for."""
        return KIND_NAMES[self.kind]

    @property
    def total_pence(self) -> int:
        """Time and miles together."""
        return self.time_pence + self.mile_pence


@dataclass(frozen=True)
class Draft:
    """What a statement would say now; `unpriced` are days for which no rate is known."""

    lines: tuple[Line, ...]
    unpriced: tuple[date, ...]

    @property
    def minutes(self) -> int:
        """All the time."""
        return sum(line.minutes for line in self.lines)

    @property
    def miles(self) -> Decimal:
        """All the miles."""
        return sum((line.miles for line in self.lines), Decimal(0))

    @property
    def time_pence(self) -> int:
        """What the time comes to."""
        return sum(line.time_pence for line in self.lines)

    @property
    def mile_pence(self) -> int:
        """What the miles come to."""
        return sum(line.mile_pence for line in self.lines)

    @property
    def total_pence(self) -> int:
        """All of it."""
        return self.time_pence + self.mile_pence

    @property
    def mark(self) -> str:
        """What a page that shows it says it has shown: another draft has another one."""
        return f"{len(self.lines)}.{self.total_pence}"


@dataclass(frozen=True)
class Stated:
    """What earlier statements said of one record."""

    minutes: int = 0
    miles: Decimal = Decimal(0)
    time_pence: int = 0
    mile_pence: int = 0


def activity(provider: int, since: date, until: date) -> list[Any]:
    """What the staff of a school did from `since` to `until`, the earliest first; no child.

    Empty for anybody but the school's own lead, and the service.
    """
    return list(
        session().execute(
            select(ACTIVITY).order_by(ACTIVITY.c.visited_on, ACTIVITY.c.record_id),
            {"provider": provider, "since": since, "until": until},
        )
    )


def draft(provider: int, span: Span) -> Draft:
    """What a statement of `span` says: all that was done by its last day and is not stated yet."""
    stated, rates = _stated(provider), release_rates.every()
    lines: list[Line] = []
    unpriced: set[date] = set()
    for row in activity(provider, LONG_AGO, span.ends):
        before = stated.get(row.record_id)
        known = before or Stated()
        if (row.minutes, row.miles) == (known.minutes, known.miles):
            continue
        rate = release_rates.on(row.visited_on, provider, rates)
        if rate is None:
            unpriced.add(row.visited_on)
            continue
        lines.append(_line(row, known, rate, correction=before is not None))
    return Draft(tuple(lines), tuple(sorted(unpriced)))


def _line(row: Any, known: Stated, rate: ReleaseRate, *, correction: bool) -> Line:
    paid = release_rates.pay(row.minutes, row.miles, rate, int(setting("S2S_RELEASE_DAY_MINUTES")))
    return Line(
        row.record_id,
        row.reference,
        row.urn,
        row.school_name,
        row.practitioner_name,
        VisitKind(row.kind),
        row.visited_on,
        row.minutes - known.minutes,
        row.miles - known.miles,
        rate.id,
        paid.time - known.time_pence,
        paid.miles - known.mile_pence,
        correction,
    )


def _stated(provider: int) -> dict[int, Stated]:
    line = ReimbursementLine
    rows = session().execute(
        select(
            line.record_id,
            func.sum(line.minutes),
            func.sum(line.miles),
            func.sum(line.time_pence),
            func.sum(line.mile_pence),
        )
        .join(ReimbursementStatement, ReimbursementStatement.number == line.statement_number)
        .where(ReimbursementStatement.provider_urn == provider)
        .group_by(line.record_id)
    )
    return {row[0]: Stated(*row[1:]) for row in rows}


def issue(work: UnitOfWork, span: Span, *, token: str, seen: str, by: Actor) -> int:
    """Issue the statement of `span` for the school that `by` leads; its number.

    Only in the service's own sight (`in_the_name_of`), as numbers count every school's. The same
    token gives the same statement. Raises NotFound for who leads no school, Refused when the period
    is not over, nothing is to be stated, a rate is missing, or the draft is no longer what `seen`
    says was shown.
    """
    provider = _provider_led(by)
    session().execute(select(func.pg_advisory_xact_lock(NUMBER_LOCK, 0)))
    there = session().scalar(
        select(ReimbursementStatement.number).where(
            ReimbursementStatement.token == token,
            ReimbursementStatement.provider_urn == provider.urn,
        )
    )
    if there is not None:
        return there
    found = draft(provider.urn, span)
    _check(found, span, seen)
    made = _statement(provider, span, found, token, by)
    lines = [
        ReimbursementLine(
            statement_number=made.number,
            position=position,
            **{name: getattr(line, name) for name in LINE_COLUMNS},
        )
        for position, line in enumerate(found.lines, start=1)
    ]
    made.digest = digest(made, lines)
    made.pdf = document.render(_sheet(made, lines))
    work.session.add(made)
    work.flush()
    work.session.add_all(lines)
    audit.wrote(work, "issued", "reimbursement statement", made.number)
    return made.number


LINE_COLUMNS = (
    "record_id",
    "correction",
    "reference",
    "urn",
    "school_name",
    "practitioner_name",
    "kind",
    "visited_on",
    "minutes",
    "miles",
    "rate_id",
    "time_pence",
    "mile_pence",
)


def _provider_led(by: Actor) -> Establishment:
    """The school that `by` leads, if their account is tied there and active. Raises NotFound."""
    found = session().scalar(
        select(Establishment)
        .join(Practitioner, Practitioner.provider_urn == Establishment.urn)
        .where(
            Practitioner.account_id == by.id,
            Practitioner.active,
            Practitioner.provider_urn == by.provider,
        )
    )
    if found is None or not by.has(Role.LEAD):
        raise NotFound()
    return found


def _check(found: Draft, span: Span, seen: str) -> None:
    if not span.is_over(clock.today()):
        raise OutOfOrder(
            f"{span.words} ends on {written(span.ends)}. You can issue its statement after that."
        )
    if found.unpriced:
        raise Refused(
            f"No rate is known for {written(found.unpriced[0])}. An administrator adds one first."
        )
    if not found.lines:
        raise OutOfOrder("Nothing is left to state for this period: all of it has been stated.")
    if found.mark != seen:
        raise OutOfOrder(
            "What is to be stated has changed since you opened this page. Read it again, then"
            " issue it."
        )


def _statement(
    provider: Establishment, span: Span, found: Draft, token: str, by: Actor
) -> ReimbursementStatement:
    last = session().scalar(select(func.max(ReimbursementStatement.number))) or 0
    return ReimbursementStatement(
        number=last + 1,
        provider_urn=provider.urn,
        provider_name=provider.name,
        period=span.kind,
        period_words=span.words,
        starts=span.starts,
        ends=span.ends,
        day_minutes=int(setting("S2S_RELEASE_DAY_MINUTES")),
        minutes=found.minutes,
        miles=found.miles,
        time_pence=found.time_pence,
        mile_pence=found.mile_pence,
        total_pence=found.total_pence,
        token=token,
        at=clock.now(),
        by_id=by.id,
        by_name=by.name,
    )


def digest(made: ReimbursementStatement, lines: Sequence[ReimbursementLine]) -> str:
    """The hex digest of all that a statement says; rows that are as they were give it again."""
    says = {
        "number": made.number,
        "provider": made.provider_urn,
        "name": made.provider_name,
        "period": [made.period.value, made.period_words, str(made.starts), str(made.ends)],
        "day": made.day_minutes,
        "total": [
            made.minutes,
            f"{made.miles:.1f}",
            made.time_pence,
            made.mile_pence,
            made.total_pence,
        ],
        "issued": [made.at.astimezone(clock.UTC).isoformat(), made.by_id, made.by_name],
        "lines": [
            [
                f"{value:.1f}" if isinstance(value, Decimal) else str(value)
                for value in (getattr(line, name) for name in ("position", *LINE_COLUMNS))
            ]
            for line in lines
        ],
    }
    return sha256(json.dumps(says, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def is_sound(made: ReimbursementStatement) -> bool:
    """Whether a statement with its lines still says what it did when it was issued."""
    return made.digest == digest(made, made.lines)


def get(number: int) -> ReimbursementStatement:
    """Statement `number` with its lines. Raises NotFound when it is not the reader's to see."""
    found = session().scalar(
        select(ReimbursementStatement)
        .where(ReimbursementStatement.number == number)
        .options(selectinload(ReimbursementStatement.lines))
    )
    if found is None:
        raise NotFound()
    return found


def pdf(number: int) -> bytes:
    """The document of statement `number`, as it was issued. Raises NotFound as `get`."""
    content = session().scalar(
        select(ReimbursementStatement.pdf).where(ReimbursementStatement.number == number)
    )
    if content is None:
        raise NotFound()
    return content


@dataclass(frozen=True)
class Listing:
    """One page of statements, the latest first, and the number behind which the next begins."""

    rows: list[ReimbursementStatement]
    next: int | None = None
    previous: None = None


def listing(*, after: int | None = None) -> Listing:
    """A page of the statements that the reader sees."""
    size = int(setting("S2S_PAGE_SIZE"))
    query: Select[Any] = select(ReimbursementStatement).order_by(
        ReimbursementStatement.number.desc()
    )
    if after is not None:
        query = query.where(ReimbursementStatement.number < after)
    rows = list(session().scalars(query.limit(size + 1)))
    return Listing(rows[:size], rows[size - 1].number if len(rows) > size else None)


def _sheet(
    made: ReimbursementStatement, lines: Sequence[ReimbursementLine]
) -> document.ReimbursementDocument:
    return document.ReimbursementDocument(
        number=made.number,
        provider_name=made.provider_name,
        provider_urn=made.provider_urn,
        period=made.period_words,
        starts=made.starts,
        ends=made.ends,
        minutes=made.minutes,
        day_minutes=made.day_minutes,
        miles=made.miles,
        time_pence=made.time_pence,
        mile_pence=made.mile_pence,
        total_pence=made.total_pence,
        issued_by=made.by_name,
        issued_at=made.at,
        digest=made.digest,
        lines=tuple(
            document.Line(
                line.visited_on,
                line.reference,
                line.school_name,
                line.practitioner_name,
                KIND_NAMES[line.kind],
                line.minutes,
                line.miles,
                line.time_pence + line.mile_pence,
                line.correction,
            )
            for line in lines
        ),
    )
