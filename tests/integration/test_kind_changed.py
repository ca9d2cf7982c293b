"""A colleague changes what a referral is for while somebody types: what was typed is not lost."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests import answers
from tests.client import Client

pytestmark = pytest.mark.usefixtures("may_2019")


def drawn(client: Client, kind: str, section: str) -> tuple[str, dict[str, Any]]:
    """A referral of `kind` whose SENCo has `section` open: its reference, and what they type."""
    reference = answers.start(client.sign_on("senco"), kind)
    if section != "subject":
        answers.save(client, reference, "subject", answers.KINDS[kind]["subject"])
    mark = answers.seen(client, reference, section)
    return reference, {**answers.KINDS[kind][section], **mark}


@pytest.mark.parametrize(
    ("kind", "section", "to", "typed"),
    [
        ("pupil", "schooling", "whole", ["h801 2000 01001", "Year 3"]),
        ("pupil", "tried", "training", ["A calm corner", "7 1 2019", "She joined us in January"]),
        ("pupil", "needs", "whole", ["Social, emotional and mental health"]),
        ("pupil", "services", "group", ["Tia Therapist", "3 9 2018"]),
        ("pupil", "support", "training", ["Practical advice", "so is lunch"]),
        ("group", "consent", "training", ["1 5 2019"]),
    ],
)
def test_a_section_that_is_not_asked_any_more_shows_what_was_typed(
    client: Client, session: Session, kind: str, section: str, to: str, typed: list[str]
) -> None:
    reference, form = drawn(client, kind, section)
    answers.choose(client.sign_on("head"), reference, to)
    client.sign_on("senco")
    where = {"reference": reference, "section": section}
    page = client.post("referrals.section", form, status=409, **where)
    assert page.h1 == "This section is not asked any more"
    assert "Hana Head changed what the referral is for" in page.words
    for words in typed:
        assert words in page.words, words
    page = client.get("referrals.section", status=302, **where)  # drawn, it is left as before
    assert page.location.endswith(f"/{reference}/")


@pytest.mark.parametrize(
    ("kind", "section", "to", "typed"),
    [
        ("pupil", "subject", "group", ["Canary-Ólafsdóttir", "2 9 2010"]),
        ("group", "subject", "training", ["Year 2 phonics", "8"]),
        ("training", "subject", "pupil", ["Visual timetables"]),
        ("pupil", "consent", "group", ["A Parent", "Mother"]),
    ],
)
def test_a_section_that_asks_something_else_now_shows_what_was_typed(
    client: Client, session: Session, kind: str, section: str, to: str, typed: list[str]
) -> None:
    reference, form = drawn(client, kind, section)
    answers.choose(client.sign_on("head"), reference, to)
    client.sign_on("senco")
    page = client.post("referrals.section", form, status=409, reference=reference, section=section)
    assert page.h1 == "This section now asks something else"
    assert "Hana Head changed what the referral is for" in page.words
    for words in typed:
        assert words in page.words, words
    page = client.get("referrals.show", reference=reference)
    assert "Canary" not in page.words, "nothing of it was saved"


def test_a_section_that_is_still_asked_is_saved(client: Client, session: Session) -> None:
    reference, form = drawn(client, "pupil", "practicalities")
    answers.choose(client.sign_on("head"), reference, "whole")
    client.sign_on("senco")
    client.post("referrals.section", form, reference=reference, section="practicalities")


def test_a_pupil_who_is_not_16_after_all(client: Client, session: Session) -> None:
    reference = answers.start(client.sign_on("senco"), "pupil")
    answers.save(client, reference, "subject", date_of_birth=["2", "9", "2002"])
    answers.save(client, reference, "consent")
    form = {**answers.OWN, **answers.seen(client, reference, "own")}
    answers.save(client.sign_on("head"), reference, "subject")
    client.sign_on("senco")
    page = client.post("referrals.section", form, status=409, reference=reference, section="own")
    assert "the pupil is younger than 16" in page.words
    assert "Hana Head changed" not in page.words
    assert "13 5 2019" in page.words
