"""Which financial years are closed: nothing may happen in them any more (F84)."""

from __future__ import annotations

from datetime import date

from s2s_portal import money
from s2s_portal.database import session
from s2s_portal.errors import YearClosed
from s2s_portal.models.charges import YearClose


def check_open(day: date) -> None:
    """Raise YearClosed, saying which, when the financial year of `day` is closed.

    The database asks again as an entry is written.
    """
    year = money.financial_year(day)
    if session().get(YearClose, year) is not None:
        raise YearClosed(year)
