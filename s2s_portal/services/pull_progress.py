"""How far Finance has collected what it pulled: entry by entry, and what is open of each pull."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Text, and_, case, cast, func, or_, select

from s2s_portal.database import session
from s2s_portal.models.charges import ChargeState, EntryStanding
from s2s_portal.models.finance_files import Outcome, ResponseLine
from s2s_portal.models.ledger import EntryKind, LedgerEntry, Pull, PullLine


@dataclass(frozen=True)
class Progress:
    """How many entries of a pull were collected, were rejected or queried and are open, and how
    many it has in all."""

    collected: int
    rejected: int
    queried: int
    count: int

    @property
    def silent(self) -> int:
        """How many Finance has said nothing about."""
        return self.count - self.collected - self.rejected - self.queried

    @property
    def part(self) -> bool:
        """Whether Finance has answered, and something is still open."""
        return self.silent < self.count and self.collected < self.count


def progress(numbers: list[int]) -> dict[int, Progress]:
    """How far each of these pulls has been collected, from the ledger and Finance's answers."""
    stands = EntryStanding
    last = (
        select(ResponseLine.outcome)
        .where(ResponseLine.entry_number == PullLine.entry_number)
        .order_by(ResponseLine.response_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    # Of a charge it counts where it stands: a query that was settled is none. Of a reversal, which
    # nobody disputes, what Finance said last.
    state = case(
        (stands.settled, Outcome.COLLECTED.value),
        (stands.kind == EntryKind.REVERSAL, cast(last, Text)),
        (stands.state == ChargeState.DISPUTED, Outcome.QUERY.value),
        (stands.state == ChargeState.REJECTED, Outcome.REJECTED.value),
    ).label("state")
    lines = (
        select(PullLine.pull_number, PullLine.entry_number, state)
        .join(stands, stands.number == PullLine.entry_number)
        .where(PullLine.pull_number.in_(numbers))
        .subquery()
    )
    found: dict[int, dict[str | None, int]] = {number: {} for number in numbers}
    for number, outcome, count in session().execute(
        select(lines.c.pull_number, lines.c.state, func.count()).group_by(
            lines.c.pull_number, lines.c.state
        )
    ):
        found[number][outcome] = count
    return {
        number: Progress(
            collected=counts.get(Outcome.COLLECTED, 0),
            rejected=counts.get(Outcome.REJECTED, 0),
            queried=counts.get(Outcome.QUERY, 0),
            count=sum(counts.values()),
        )
        for number, counts in found.items()
    }


def settled(number: int) -> dict[int, LedgerEntry]:
    """The entries of a pull that have been collected, each with the entry that settles it."""
    rows = session().scalars(
        select(LedgerEntry)
        .join(PullLine, PullLine.entry_number == LedgerEntry.settles_number)
        .where(PullLine.pull_number == number)
    )
    return {row.settles_number or 0: row for row in rows}


def answers(number: int) -> dict[int, ResponseLine]:
    """What Finance said last of the entries of a pull, in the files that it sent back."""
    rows = session().scalars(
        select(ResponseLine)
        .join(PullLine, PullLine.entry_number == ResponseLine.entry_number)
        .where(PullLine.pull_number == number)
        .order_by(ResponseLine.response_id)
    )
    return {row.entry_number: row for row in rows}


def not_to_collect(pull: Pull) -> set[int]:
    """The entries of a whole `pull` that are collected already, or rejected, or disputed."""
    stands = EntryStanding
    rows = session().scalars(
        select(stands.number).where(
            stands.pull_number == pull.number,
            or_(
                stands.settled,
                and_(
                    stands.kind == EntryKind.CHARGE,
                    stands.state.in_([ChargeState.REJECTED, ChargeState.DISPUTED]),
                ),
            ),
        )
    )
    answered = answers(pull.number)
    said = {
        line.entry_number
        for line in pull.lines
        if line.entry.kind is EntryKind.REVERSAL and line.entry_number in answered
    }
    return {*rows, *said}
