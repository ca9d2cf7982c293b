"""What the sections of a draft may say: the rules that need more than one answer to judge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from s2s_portal import clock, upn
from s2s_portal.errors import Refused
from s2s_portal.models.referral import Referral
from s2s_portal.services import sections, terms, year_groups
from s2s_portal.services.labels import SERVICES, YEAR_GROUPS, date_words

MOST_SECONDARY = 4  # so that ranks run from 1 to 5
MOST_STRATEGIES = 10
MOST_OUTCOMES = 4
MOST_SERVICES = 10
ENOUGH_CYCLES = sections.CYCLES


@dataclass(frozen=True)
class Strategy:
    """One thing a school has tried."""

    what: str
    started_on: date
    ended_on: date | None
    result: str


@dataclass(frozen=True)
class Cycle:
    """One round of assess, plan, do, review; `ended_on` is the day of the review."""

    assessed: str
    what: str
    delivered: str
    started_on: date
    ended_on: date
    result: str


@dataclass(frozen=True)
class Involved:
    """A service already involved with a pupil: `code` of `labels.SERVICES`; `since` may be open."""

    code: str
    name: str
    since: date | None
    current: bool


def check_pupil(referral: Referral, given: dict[str, Any]) -> None:
    """Tidy a UPN in `given`, and refuse a bad one or a birth after what happened to the pupil."""
    check_upn(given)
    days = [(row.started_on, "you began something you tried") for row in referral.strategies]
    if referral.agreement and referral.agreement.obtained_on:
        days.append((referral.agreement.obtained_on, "agreement was given"))
    born = given["date_of_birth"]
    for day, what in days:
        if day < born:
            raise Refused(
                f"Date of birth must be before {date_words(day)}, when {what}", "date_of_birth"
            )


def check_upn(given: dict[str, Any]) -> None:
    """Tidy the UPN in `given`, and refuse a bad one (domain.md 3.3); one need not be given."""
    if given.get("upn"):
        given["upn"] = upn.tidy(given["upn"])
        wrong = upn.problem(given["upn"])
        if wrong:
            raise Refused(wrong, "upn")


def check_year_group(born: date, year_group: str, out_of_year: bool, day: date) -> None:
    """Refuse a year group that is not the one for the age, unless that is the answer."""
    if out_of_year or year_groups.fits(born, year_group, day):
        return
    expected = YEAR_GROUPS.get(year_groups.expected(born, day))
    usual = f"is usually in {expected}" if expected else "is usually in no year group of a school"
    raise Refused(
        f"A pupil born on {date_words(born)} {usual} now. Choose another year group, change the"
        " date of birth, or tick that they are taught out of their year group",
        "year_group",
    )


def check_services(referral: Referral, rows: list[Involved]) -> None:
    """Refuse a service that is not in the list, too many, and one from before the birth."""
    if len(rows) > MOST_SERVICES:
        raise Refused(f"Enter {MOST_SERVICES} services at most", "rows")
    for row in rows:
        if row.code not in SERVICES:
            raise Refused("Choose the service from the list", "rows")
        if row.since:
            check_after_birth(referral, row.since, "A service must have begun", "rows")


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
            f" provision in “{_where_provision(referral)}”",
            "primary" if primary == sections.NSA else "secondary",
        )


def _where_provision(referral: Referral) -> str:
    asked = sections.keys(referral)
    return sections.title(referral, "schooling" if "schooling" in asked else "subject")


def check_cycles(referral: Referral, rows: list[Cycle], fewer: str) -> None:
    """Refuse too few cycles without a reason, too many, and dates that cannot be."""
    if len(rows) < ENOUGH_CYCLES and not fewer:
        raise Refused(
            f"Enter {ENOUGH_CYCLES} cycles, or say why there are fewer",
            "fewer_cycles",
        )
    check_dates(referral, rows, "A cycle", "A cycle")


def check_dates(referral: Referral, rows: Sequence[Strategy | Cycle], one: str, began: str) -> None:
    """Refuse too many rows, and rows that end before they start or start before the birth."""
    if len(rows) > MOST_STRATEGIES:
        raise Refused(f"Enter {MOST_STRATEGIES} at most", "rows")
    for row in rows:
        if row.ended_on and row.ended_on < row.started_on:
            raise Refused(f"{one} must end after it started", "rows")
        check_after_birth(referral, row.started_on, f"{began} must have started", "rows")


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
