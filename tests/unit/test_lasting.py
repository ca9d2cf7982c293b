"""Did it last? Each row of the table, and of several outcomes the worst."""

from __future__ import annotations

import pytest

from s2s_portal.services import lasting
from s2s_portal.services.lasting import Lasted
from s2s_portal.services.outcome_scores import change_words


@pytest.mark.parametrize(
    ("end", "later", "lasted"),
    [
        (None, None, Lasted.CANNOT_SAY),
        (None, 7, Lasted.CANNOT_SAY),
        (7, None, Lasted.CANNOT_SAY),
        (0, None, Lasted.CANNOT_SAY),
        (7, 7, Lasted.KEPT),
        (7, 10, Lasted.KEPT),
        (0, 0, Lasted.KEPT),
        (7, 6, Lasted.SLIPPED),
        (1, 0, Lasted.SLIPPED),
    ],
)
def test_the_end_is_held_against_later(end: int | None, later: int | None, lasted: Lasted) -> None:
    assert lasting.of(end, later) is lasted


@pytest.mark.parametrize(
    ("each", "lasted"),
    [
        ([], Lasted.CANNOT_SAY),
        ([Lasted.KEPT, Lasted.KEPT], Lasted.KEPT),
        ([Lasted.KEPT, Lasted.CANNOT_SAY], Lasted.CANNOT_SAY),
        ([Lasted.KEPT, Lasted.SLIPPED], Lasted.SLIPPED),
        ([Lasted.CANNOT_SAY, Lasted.SLIPPED], Lasted.SLIPPED),
    ],
)
def test_of_several_outcomes_the_worst_counts(each: list[Lasted], lasted: Lasted) -> None:
    assert lasting.altogether(each) is lasted


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (3, 7, "From 3 to 7"),
        (7, 3, "From 7 to 3"),
        (0, 0, "0, as at the start"),
        (3, None, "3 at the start, not scored at the end"),
        (None, 7, "7 at the end, not scored at the start"),
        (None, None, "Not scored"),
    ],
)
def test_a_change_is_said_in_words(start: int | None, end: int | None, words: str) -> None:
    assert change_words(start, end) == words
