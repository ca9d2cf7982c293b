"""Working days: the vectors of domain.md 8.3, late arrivals, days off, one-off holidays."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_portal.clock import LONDON
from s2s_portal.working_days import after, between, day_received, is_working_day


@pytest.mark.parametrize(
    ("received", "fifth"),
    [
        (date(2019, 4, 18), date(2019, 4, 29)),  # Good Friday and Easter Monday between
        (date(2019, 5, 3), date(2019, 5, 13)),  # the early May bank holiday
        (date(2019, 7, 18), date(2019, 7, 25)),  # the summer holidays are working days
        (date(2022, 5, 31), date(2022, 6, 9)),  # two days for the Platinum Jubilee
        (date(2022, 9, 16), date(2022, 9, 26)),  # the funeral of Queen Elizabeth II
    ],
)
def test_five_working_days_on(received: date, fifth: date) -> None:
    assert after(received, 5) == fifth


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2019, 5, 14, 9, tzinfo=LONDON), date(2019, 5, 14)),
        (datetime(2019, 5, 14, 17, tzinfo=LONDON), date(2019, 5, 14)),
        (datetime(2019, 5, 14, 17, 0, 1, tzinfo=LONDON), date(2019, 5, 15)),
        (datetime(2019, 5, 17, 18, tzinfo=LONDON), date(2019, 5, 20)),  # Friday evening
        (datetime(2019, 5, 18, 9, tzinfo=LONDON), date(2019, 5, 20)),  # Saturday
        (datetime(2019, 4, 18, 18, tzinfo=LONDON), date(2019, 4, 23)),  # the evening before Easter
    ],
)
def test_the_day_something_counts_as_received(moment: datetime, day: date) -> None:
    assert day_received(moment) == day


def test_none_of_no_days_and_no_deadline_in_the_past() -> None:
    assert after(date(2019, 5, 18), 0) == date(2019, 5, 18)
    with pytest.raises(ValueError, match="ahead"):
        after(date(2019, 5, 14), -1)


@given(st.dates(date(2015, 1, 1), date(2035, 1, 1)), st.integers(1, 30))
def test_a_deadline_is_a_working_day_with_so_many_before_it(day: date, number: int) -> None:
    found = after(day, number)
    between = (date.fromordinal(n) for n in range(day.toordinal() + 1, found.toordinal() + 1))
    assert sum(is_working_day(one) for one in between) == number
    assert is_working_day(found)


@given(
    st.dates(date(2015, 1, 1), date(2030, 1, 1)),
    st.integers(-10, 500),
    st.sets(st.integers(-10, 510), max_size=5),
)
def test_the_days_between_are_those_that_counting_finds(
    day: date, number: int, closed: set[int]
) -> None:
    last = date.fromordinal(day.toordinal() + number)
    shut = frozenset(date.fromordinal(day.toordinal() + one) for one in closed)
    days = (date.fromordinal(n) for n in range(day.toordinal() + 1, last.toordinal() + 1))
    assert between(day, last, shut) == sum(is_working_day(one, shut) for one in days)
