"""The picture of a map: places in proportion, north at the top, and no number over another."""

from __future__ import annotations

from itertools import combinations, product
from math import hypot, isclose

import pytest

from s2s_portal.services import county_map, referral_map
from s2s_portal.services.candidate import Candidate
from s2s_portal.services.county_map import Area
from s2s_portal.services.map_drawing import Circle, Frame, Point, spread
from s2s_portal.services.workload import Load

FRAME = Frame.around(
    [Point(580_000, 290_000), Point(660_000, 345_000)], width=400, height=340, margin=30
)


def test_the_picture_is_in_proportion_with_north_at_the_top_and_all_of_it_within() -> None:
    west, east = FRAME.place(Point(580_000, 290_000)), FRAME.place(Point(660_000, 290_000))
    north = FRAME.place(Point(580_000, 345_000))
    assert west[1] == east[1]
    assert west[0] == north[0] == 30
    assert east[0] == 370
    assert north[1] < west[1]
    assert isclose((west[1] - north[1]) / (east[0] - west[0]), 55 / 80, abs_tol=0.01)
    assert isclose(sum((north[1], west[1])) / 2, 170)  # in the middle, up and down


def test_one_place_alone_is_in_the_middle() -> None:
    frame = Frame.around([Point(600_000, 300_000)], width=400, height=340, margin=30)
    assert frame.place(Point(600_000, 300_000)) == (200, 170)
    assert not frame.has(401, 170)


def test_dots_are_one_path_without_doubles() -> None:
    here = Point(580_000, 290_000)
    assert FRAME.dots([here, here]).count("M") == 1
    assert FRAME.dots([]) == ""


@pytest.mark.parametrize("number", [2, 7, 12])
def test_circles_on_one_spot_end_apart_within_the_frame_and_always_the_same(number: int) -> None:
    found = spread(FRAME, [Circle(2, 335, 20)] * number)
    for one, other in combinations(found, 2):
        assert hypot(one.x - other.x, one.y - other.y) >= 39
    assert all(FRAME.has(one.x, one.y, 20) for one in found)
    assert found == spread(FRAME, [Circle(2, 335, 20)] * number)


def test_circles_that_are_apart_stay_where_they_are() -> None:
    apart = [Circle(100, 100, 20), Circle(200, 100, 20)]
    assert spread(FRAME, apart) == apart


def test_more_than_there_is_room_for_comes_to_an_end() -> None:
    assert len(spread(FRAME, [Circle(200, 170, 46) for _ in range(40)])) == 40


def candidate(name: str, miles: float | None) -> Candidate:
    return Candidate(
        practitioner_id=1,
        name=name,
        provider_name="Fen View",
        miles=miles,
        covers_need=True,
        covers_phase=True,
        open_cases=0,
        capacity=3,
    )


def test_the_sentence_of_a_referrals_map_counts_by_ring() -> None:
    found = [candidate("Far", 12.04), candidate("Near", 4.0), candidate("Where", None)]
    assert referral_map.summary(found) == (
        "The nearest practitioner is Near of Fen View, 4.0 miles away. Of 3 practitioners,"
        " 1 within 5 miles, 1 within 10 miles and 2 within 20 miles."
    )
    assert "not known" in referral_map.summary([candidate("Where", None)])


def test_of_two_as_near_the_first_in_the_table_is_named() -> None:
    found = [candidate("First", 4.0), candidate("Second", 4.0)]
    assert "First of Fen View" in referral_map.summary(found)


HALF, OVER = Load(1, 60, 0, 0, 120), Load(3, 180, 0, 0, 120)
NONE_LEFT, UNKNOWN = Load(1, 60, 0, 0, 0), Load(2, 120, 0, 0, None)


@pytest.mark.parametrize(
    ("loads", "words", "hours", "over"),
    [
        ((), "Nobody based here", "0", False),
        ((HALF,), "50%", "2", False),
        ((HALF, OVER), "100%", "4", False),
        ((OVER,), "150%", "2", True),
        ((HALF, UNKNOWN), "50%", "2", False),  # unknown hours are in neither number
        ((UNKNOWN,), "Hours not known", "0", False),
        ((NONE_LEFT,), "No hours left", "0", True),
        ((NONE_LEFT, HALF), "100%", "2", False),
    ],
)
def test_the_workload_of_an_area(
    loads: tuple[Load, ...], words: str, hours: str, over: bool
) -> None:
    area = Area("A", "Breckland", 0, 0, loads)
    assert (area.workload_words, area.hours, area.is_over) == (words, hours, over)


def test_what_the_county_map_says_in_words() -> None:
    areas = [Area("A", "Breckland", 3, 1, (OVER,)), Area("B", "Norwich", 3, 0, (HALF,))]
    assert county_map.summary(areas) == [
        "6 referrals are open; the most, 3, in Breckland and Norwich.",
        "1 accepted has nobody yet: 1 in Breckland.",
        "More work than hours for the practitioners based in Breckland (150%).",
    ]
    assert county_map.summary([Area("A", "Breckland", 1, 0, (HALF,))]) == [
        "1 referral is open; the most, 1, in Breckland.",
        "Every accepted referral has a practitioner.",
        "In no area have the practitioners more work than hours.",
    ]
    assert county_map.summary([]) == ["There is no open referral."]


def test_a_ring_has_its_words_inside_the_picture_or_is_left_out() -> None:
    for x, y in product((30, 200, 370), repeat=2):
        for ring in referral_map._rings(FRAME, x, y):
            assert FRAME.has(ring.x, ring.y, 20)
            assert isclose(hypot(ring.x - x, ring.y - y), ring.radius, abs_tol=0.2)
