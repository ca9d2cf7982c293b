"""The rule that ranks practitioners, and its four reasons in words."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from s2s_portal import clock
from s2s_portal.services import candidate
from s2s_portal.services.candidate import Candidate

PLAIN = Candidate(
    practitioner_id=1,
    name="Mid",
    provider_name="Fen View",
    miles=5.0,
    covers_need=True,
    covers_phase=True,
    open_cases=1,
    capacity=3,
)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"covers_phase": True, "miles": 50.0}, {"covers_phase": False, "miles": 0.1}),
        ({"covers_phase": False, "miles": 50.0}, {"covers_need": False, "miles": 0.1}),
        ({"covers_phase": False}, {"covers_need": False, "covers_phase": False}),
        ({"open_cases": 2, "miles": 50.0}, {"open_cases": 3, "miles": 0.1}),
        ({"miles": 4.9}, {"miles": 5.0, "earlier": 9}),
        ({"miles": 500.0}, {"miles": None}),
        ({"earlier": 1, "name": "Zed"}, {"earlier": 0, "name": "Abe"}),
        ({"name": "Abe", "practitioner_id": 2}, {"name": "Zed"}),
        ({"practitioner_id": 1}, {"practitioner_id": 2}),
    ],
)
def test_order_of_two_candidates(better: dict[str, Any], worse: dict[str, Any]) -> None:
    first, second = PLAIN._replace(**better), PLAIN._replace(**worse)
    assert sorted([second, first], key=candidate.order) == [first, second]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"open_cases": 3, "capacity": 4}, "3 of 4 open cases"),
        ({"open_cases": 4, "capacity": 4}, "4 of 4 open cases: full"),
        ({"open_cases": 5, "capacity": 4}, "5 of 4 open cases: over capacity"),
        ({"open_cases": 0, "capacity": 0}, "0 of 0 open cases: full"),
    ],
)
def test_load_in_words(change: dict[str, Any], words: str) -> None:
    assert PLAIN._replace(**change).load_words == words


def test_other_reasons_in_words() -> None:
    assert PLAIN._replace(miles=None).distance_words == "Distance not known"
    assert PLAIN._replace(miles=0.877).distance_words == "0.9 miles"
    assert PLAIN.contact_words == "None"
    last = clock.from_local(date(2018, 11, 2), 9)
    assert PLAIN._replace(earlier=1, earlier_last=last).contact_words == (
        "1 referral, last 2 November 2018"
    )
    assert PLAIN._replace(earlier=3, earlier_last=last).contact_words.startswith("3 referrals")
    assert PLAIN._replace(covers_need=False).cover_words == "Covers the phase, not the need"
    assert PLAIN._replace(covers_phase=False).cover_words == "Covers the need, not the phase"


@pytest.mark.parametrize(
    ("phases", "phase", "covered"),
    [
        (["2"], 2, True),
        (["4"], 2, False),
        ([], 2, False),
        (["2"], 7, True),
        (["4"], 7, True),
        (["4"], 5, True),
        (["2"], 5, False),
        (["2"], 3, True),
        (["2", "4"], 0, False),
    ],
)
def test_phases_covered(phases: list[str], phase: int, covered: bool) -> None:
    assert candidate.covers(phases, phase) is covered
