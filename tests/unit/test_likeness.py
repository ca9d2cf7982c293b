"""What counts as the same pupil or class, whatever way it was typed; and what a mark gives away."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from s2s_portal import likeness

BORN = date(2010, 9, 2)
KEY = "a key for these tests alone, long enough"


def pupil(**more: Any) -> set[str]:
    given: dict[str, Any] = {
        "surname": "O'Brien",
        "forenames": "Zoë Marie",
        "known_as": "",
        "born": BORN,
        "upn": "",
    }
    return {words for _, words in likeness.of_pupil(**given | more)}


@pytest.mark.parametrize(
    "more",
    [
        {"surname": "OBrien"},
        {"surname": "o’brien "},
        {"surname": "O BRIEN"},
        {"forenames": "Zoe"},
        {"forenames": "ZOE\u0308-Ann"},  # the accent as a character of its own
        {"forenames": "Marie", "known_as": "Zoë"},
    ],
)
def test_the_same_pupil(more: dict[str, Any]) -> None:
    assert pupil(**more) & pupil()


@pytest.mark.parametrize(
    "more",
    [
        {"surname": "Byrne"},
        {"forenames": "Amy"},
        {"born": date(2010, 2, 9)},
        {"born": None},
        {"surname": "-"},
        {"surname": "O'BrienZoe", "forenames": ""},
    ],
)
def test_another_pupil(more: dict[str, Any]) -> None:
    assert not pupil(**more) & pupil()


def test_a_upn_finds_a_pupil_whose_name_has_changed() -> None:
    before = pupil(upn="H801200001001")
    assert before & pupil(surname="Byrne", forenames="Amy", upn="h801 2000 01001")
    assert not before & pupil(surname="Byrne", forenames="Amy", upn="H801200001002")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Łukasz", "lukasz"),
        ("Straße", "STRASSE"),
        ("Ólafsdóttir", "Olafsdottir"),
        ("Bjørn", "Bjorn"),
        ("Anne-Marie", "anne marie"),
        ("Юлія", "ЮЛІЯ"),
    ],
)
def test_letters_that_are_typed_in_several_ways(one: str, other: str) -> None:
    assert likeness.normal(one) == likeness.normal(other) != ""


def test_a_group_is_of_one_school_with_a_name_and_year_groups() -> None:
    def group(urn: int = 1, name: str = "Year 2 phonics", years: str = "Year 2") -> list[Any]:
        return likeness.of_group(urn, name=name, years=years)

    assert group() == group(name="year 2 Phonics!", years="Y2") != []
    assert group(years="Years 3 and 4") == group(years="4, 3")
    assert group(years="Reception") == group(years="our reception class")
    assert group() != group(urn=2)
    assert group() != group(years="Year 3")
    assert group() != group(name="Year 2 maths")
    assert group(name=" ") == []


def test_a_mark_says_nothing_without_its_key() -> None:
    words = next(iter(pupil()))
    one, other = likeness.mark(KEY, words), likeness.mark(KEY + "!", words)
    assert one == likeness.mark(KEY, words)
    assert one != other
    assert len(one) == 64
    assert not {"brien", "zoe", "2010"} & set(one.split())
    assert likeness.key_id(KEY) != likeness.key_id(KEY + "!")
    assert KEY not in likeness.key_id(KEY)
