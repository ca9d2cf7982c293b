"""The UPN's check letter and shape, by the vectors of the DfE guide."""

from __future__ import annotations

import pytest

from s2s_portal import upn


@pytest.mark.parametrize(
    "good",
    [
        "H801200001001",
        "G80120000101A",
        "B801200005001",
        "U926200119001",
        "G926700819001",
        "M92610011901A",
        "h801 2000 01001",
    ],
)
def test_good_ones(good: str) -> None:
    assert upn.problem(good) is None


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("A801200005001", "wrong check letter at character 1"),
        ("H80120000100", "13 characters, and this has 12"),
        ("I801200001001", "must begin with a letter"),
        ("1801200001001", "must begin with a letter"),
        ("H8012X0001001", "Characters 2 to 12"),
        ("H80120000100O", "Character 13"),
        ("H801²00001001", "Characters 2 to 12"),
        ("H80120000100é", "Character 13"),
    ],
)
def test_bad_ones_say_why(bad: str, words: str) -> None:
    assert words in (upn.problem(bad) or "")


def test_every_change_of_one_digit_is_noticed() -> None:
    for place in range(1, 13):
        for digit in "0123456789":
            changed = "H801200001001"[:place] + digit + "H801200001001"[place + 1 :]
            assert (upn.problem(changed) is None) == (changed == "H801200001001")
