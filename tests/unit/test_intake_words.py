"""What a school is told about how many requests are left: the sum, the pace, and no guesses."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from s2s_portal.models.establishment import SettingKind
from s2s_portal.services.intake import Standing

AUTUMN: dict[str, Any] = {
    "window_id": 7,
    "opens": date(2024, 9, 1),
    "closes": date(2024, 12, 13),
    "quota": 85,
}
NO_LIMIT: dict[str, Any] = {"quota": None, "used": None}


def autumn(on: date, number: int, **changes: Any) -> Standing:
    """The window of autumn 2024 as Norfolk announced it: 85 requests, until 13 December."""
    return Standing(SettingKind.MAINSTREAM, on, **{**AUTUMN, "used": number, **changes})


def test_used_left_close_and_pace() -> None:
    here = autumn(date(2024, 10, 15), 61)
    assert here.words == (
        "61 of 85 requests are used, so 24 are left for mainstream schools."
        " Requests are taken until 13 December 2024."
    )
    assert here.fills_on == date(2024, 11, 2)
    assert here.pace_words == "At today’s pace they will be used up about 2 November 2024."
    assert here.sum_words == (
        "61 requests in the 45 days since 1 September 2024 is about 1.4 a day."
        " At that pace the 24 that are left will take about 18 days."
    )


def test_the_pace_is_the_day_on_which_the_last_place_goes() -> None:
    """Held against counting day by day."""
    for used in range(5, 85):
        for days in (7, 8, 30, 60, 100):
            on = date.fromordinal(date(2024, 9, 1).toordinal() + days - 1)
            filled, day = float(used), on
            while filled + 1e-9 < 85:
                filled += used / days
                day = date.fromordinal(day.toordinal() + 1)
            assert autumn(on, used).fills_on == day, (used, days)


@pytest.mark.parametrize(
    ("on", "used"), [(date(2024, 9, 6), 20), (date(2024, 10, 15), 4), (date(2024, 10, 15), 0)]
)
def test_no_guess_from_too_little(on: date, used: int) -> None:
    here = autumn(on, used)
    assert here.fills_on is None
    assert here.pace_words == "It is too early to say when they will be used up."
    assert here.sum_words == ""


def test_not_used_up_before_it_closes() -> None:
    here = autumn(date(2024, 12, 1), 61)
    assert here.pace_words == "At today’s pace they will not be used up before then."


def test_the_last_one() -> None:
    here = autumn(date(2024, 11, 20), 84)
    assert "so 1 is left" in here.words
    assert "the 1 that is left" in here.sum_words


@pytest.mark.parametrize("used", [85, 86])
def test_all_used(used: int) -> None:
    here = autumn(date(2024, 11, 1), used)
    assert not here.is_open
    assert here.left == 0
    assert here.why_closed == (
        "All 85 requests that the council commissioned for mainstream schools until"
        " 13 December 2024 have been used."
    )
    assert here.pace_words == ""


def test_no_limit_is_said_plainly() -> None:
    here = autumn(date(2024, 10, 15), 0, **NO_LIMIT, closes=None)
    assert here.words == "There is no limit on the number of requests. There is no closing date."
    assert here.is_open
    assert here.pace_words == ""


def test_a_closing_date_without_a_limit() -> None:
    here = autumn(date(2024, 10, 15), 0, **NO_LIMIT)
    assert "Requests are taken until 13 December 2024." in here.words


def test_closed() -> None:
    here = Standing(SettingKind.EARLY_YEARS, date(2024, 12, 14), None)
    assert here.words == (
        "The council is not taking requests from early years settings at the moment."
        " No date for the next intake has been set."
    )
    later = Standing(SettingKind.EARLY_YEARS, date(2024, 12, 14), None, next_opens=date(2025, 1, 6))
    assert later.next_words == "The next intake opens on 6 January 2025."
