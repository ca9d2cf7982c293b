"""Money, references and the clock: small, and everything rests on them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_portal import clock, money, references


@pytest.mark.parametrize(
    ("pence", "words"),
    [
        (0, "£0"),
        (10_000, "£100"),
        (1_250, "£12.50"),
        (-10_000, "−£100"),
        (125_000_05, "£125,000.05"),
        (1, "£0.01"),
    ],
)
def test_pounds_as_people_read_them(pence: int, words: str) -> None:
    assert money.pounds(pence) == words


@given(st.integers(-(10**12), 10**12))
def test_decimal_pounds_are_exact(pence: int) -> None:
    assert money.decimal_pounds(pence) * 100 == pence
    assert money.decimal_pounds(pence).as_tuple().exponent == -2


def test_decimal_pounds_have_two_places() -> None:
    assert str(money.decimal_pounds(10_000)) == "100.00"
    assert money.decimal_pounds(5) == Decimal("0.05")


@pytest.mark.parametrize(
    ("day", "year", "period"),
    [
        (date(2019, 3, 31), "2018/19", 12),
        (date(2019, 4, 1), "2019/20", 1),
        (date(2019, 12, 31), "2019/20", 9),
        (date(2020, 2, 29), "2019/20", 11),
        (date(2099, 4, 1), "2099/00", 1),
    ],
)
def test_financial_year_runs_from_april(day: date, year: str, period: int) -> None:
    assert (money.financial_year(day), money.period(day)) == (year, period)


def test_a_reference_has_its_year_and_no_ambiguous_character() -> None:
    made = {references.new(date(2019, 5, 14)) for _ in range(500)}
    assert len(made) > 450
    for reference in made:
        assert references.PATTERN.fullmatch(reference)
        assert reference.startswith("S2S-19-")
        assert not set(reference[7:]) & set("01258BILOSUZAE")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (" s2s-26-7k4p ", "S2S-26-7K4P"),
        ("S2S -26- 7K4P", "S2S-26-7K4P"),
        ("S2S-26-7K4", None),
        ("S2S-26-7K4O", None),
        ("1 OR 1=1", None),
        ("", None),
    ],
)
def test_a_typed_reference_is_forgiven_its_spaces(typed: str, meant: str | None) -> None:
    assert references.parse(typed) == meant


@given(st.text())
def test_any_text_at_all_is_a_reference_or_none(text: str) -> None:
    found = references.parse(text)
    assert found is None or references.PATTERN.fullmatch(found)


def test_the_day_is_norfolk_s_day() -> None:
    with clock.frozen(datetime(2019, 3, 31, 23, 30, tzinfo=UTC)):
        assert clock.today() == date(2019, 4, 1)
    with clock.frozen(datetime(2019, 1, 31, 23, 30, tzinfo=UTC)):
        assert clock.today() == date(2019, 1, 31)


def test_a_wall_clock_hour_is_the_right_instant() -> None:
    assert clock.from_local(date(2019, 7, 1), 9) == datetime(2019, 7, 1, 8, tzinfo=UTC)
    assert clock.from_local(date(2019, 1, 7), 9) == datetime(2019, 1, 7, 9, tzinfo=UTC)


def test_frozen_ends() -> None:
    with clock.frozen(date(2019, 5, 14)):
        assert clock.is_frozen()
        assert clock.now() == datetime(2019, 5, 14, 11, tzinfo=UTC)
    assert not clock.is_frozen()
