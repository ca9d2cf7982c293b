"""Money is whole pence (`int`), from the form to the ledger; never a float."""

from __future__ import annotations

from datetime import date
from decimal import Decimal


def pounds(pence: int) -> str:
    """Pence as people read it: `£100`, `£12.50`, `−£100`, `£1,250`. Whole pounds drop the pence."""
    sign = "−" if pence < 0 else ""
    whole, part = divmod(abs(pence), 100)
    return f"{sign}£{whole:,}" + (f".{part:02d}" if part else "")


def decimal_pounds(pence: int) -> Decimal:
    """Pence as an exact decimal number of pounds, two places: for files that Finance loads."""
    return Decimal(pence).scaleb(-2).quantize(Decimal("0.01"))


def financial_year(day: date) -> str:
    """The council's financial year that `day` falls in, 1 April to 31 March: `2019/20`."""
    first = day.year if day.month >= 4 else day.year - 1
    return f"{first}/{(first + 1) % 100:02d}"


def period(day: date) -> int:
    """The accounting period of `day`: April is 1, March is 12 (`domain.md` 6.6)."""
    return (day.month - 4) % 12 + 1
