"""What the sections of a draft may say: the rules that need more than one answer to judge."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from s2s_portal import clock, upn
from s2s_portal.errors import Refused
from s2s_portal.models.referral import Referral
from s2s_portal.services import sections, terms
from s2s_portal.services.labels import date_words

MOST_SECONDARY = 4  # so that ranks run from 1 to 5
MOST_STRATEGIES = 10
MOST_OUTCOMES = 4


@dataclass(frozen=True)
class Strategy:
    """One thing a school has tried."""

    what: str
    started_on: date
    ended_on: date | None
    result: str


def check_pupil(referral: Referral, given: dict[str, Any]) -> None:
    """Tidy the UPN in `given`, and refuse a bad one or a birth after what happened to the pupil."""
    if given.get("upn"):
        given["upn"] = upn.tidy(given["upn"])
        wrong = upn.problem(given["upn"])
        if wrong:
            raise Refused(wrong, "upn")
    days = [(row.started_on, "you began something you tried") for row in referral.strategies]
    if referral.agreement and referral.agreement.obtained_on:
        days.append((referral.agreement.obtained_on, "agreement was given"))
    born = given["date_of_birth"]
    for day, what in days:
        if day < born:
            raise Refused(
                f"Date of birth must be before {date_words(day)}, when {what}", "date_of_birth"
            )


def check_needs(referral: Referral, primary: str, others: list[str]) -> None:
    """Refuse needs that the school census would refuse (domain.md 3.2)."""
    valid = {need.code for need in terms.needs_on(clock.today())}
    if primary not in valid:
        raise Refused("Choose a primary need from the list", "primary")
    if not valid.issuperset(others):
        raise Refused("Choose other needs from the list", "secondary")
    if primary in others:
        raise Refused("The primary need must not be among the other needs as well", "secondary")
    if len(set(others)) != len(others):
        raise Refused("Choose each need once", "secondary")
    if len(others) > MOST_SECONDARY:
        raise Refused(f"Choose {MOST_SECONDARY} other needs at most", "secondary")
    subject = referral.subject
    if sections.NSA in {primary, *others} and subject and subject.sen_provision != "K":
        raise Refused(
            "NSA is only for pupils on SEN Support: choose another need, or change the SEN"
            " provision in “Pupil or group”",
            "primary" if primary == sections.NSA else "secondary",
        )


def check_tried(referral: Referral, rows: list[Strategy]) -> None:
    """Refuse no rows, too many, and rows that end before they start or start before the birth."""
    if not rows:
        raise Refused("Enter at least one thing you have tried", "rows")
    if len(rows) > MOST_STRATEGIES:
        raise Refused(f"Enter {MOST_STRATEGIES} things at most", "rows")
    for row in rows:
        if row.ended_on and row.ended_on < row.started_on:
            raise Refused("A thing you tried must end after it started", "rows")
        check_after_birth(referral, row.started_on, "What you tried must have started", "rows")


def check_purchase_order(referral: Referral, number: str) -> None:
    """Refuse a purchase order number that names the pupil: Finance reads it, never of a child."""
    subject = referral.subject
    if subject is None or not number:
        return
    named = f"{subject.surname} {subject.forenames} {subject.known_as} {subject.upn}"
    if not _words(named).isdisjoint(_words(number)):
        raise Refused(
            "The purchase order number must not have the pupil's name in it: Finance reads it",
            "purchase_order",
        )


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.casefold()) if len(word) > 1}


def check_after_birth(referral: Referral, day: date, what: str, field: str) -> None:
    """Refuse a `day` before the pupil was born; `what` begins the sentence."""
    born = referral.subject.date_of_birth if referral.subject else None
    if born and day < born:
        raise Refused(f"{what} after the pupil was born on {date_words(born)}", field)
