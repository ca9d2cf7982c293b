"""A statement for reimbursement as a file for Finance: its lines and, last, what they come to."""

from __future__ import annotations

from decimal import Decimal

from s2s_portal import money
from s2s_portal.exports import Cell
from s2s_portal.exports.csv import rows_to_csv
from s2s_portal.models.reimbursement import ReimbursementStatement
from s2s_portal.services.visits import KIND_NAMES

HEADER = (
    "statement",
    "line",
    "date",
    "reference",
    "urn",
    "school",
    "practitioner",
    "kind",
    "correction",
    "minutes",
    "miles",
    "time_pounds",
    "miles_pounds",
    "total_pounds",
)


def as_csv(made: ReimbursementStatement) -> bytes:
    """The lines of `made`, which must be loaded, and a last row with their sums."""
    rows: list[tuple[Cell, ...]] = [
        (
            made.number,
            line.position,
            line.visited_on,
            line.reference,
            line.urn,
            line.school_name,
            line.practitioner_name,
            KIND_NAMES[line.kind],
            "yes" if line.correction else "no",
            line.minutes,
            line.miles,
            *_amounts(line.time_pence, line.mile_pence),
        )
        for line in made.lines
    ]
    sums = (made.minutes, made.miles, *_amounts(made.time_pence, made.mile_pence))
    blank: tuple[Cell, ...] = (None,) * 6
    return rows_to_csv(HEADER, [*rows, (made.number, "total", *blank, None, *sums)])


def _amounts(time: int, miles: int) -> tuple[Decimal, Decimal, Decimal]:
    return (
        money.decimal_pounds(time),
        money.decimal_pounds(miles),
        money.decimal_pounds(time + miles),
    )
