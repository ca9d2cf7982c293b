"""A practitioner who could take a referral, and the service's rule for who comes first (F41)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from math import inf
from typing import Any, NamedTuple

from s2s_portal import clock
from s2s_portal.models.practitioner import ConflictWeight, Level, Rule
from s2s_portal.services import practitioner_words
from s2s_portal.services.terms import written
from s2s_portal.services.workload import FULL, Load

LEVEL_ORDER = (None, Level.WORKING, Level.EXPERIENCED, Level.SPECIALIST)
LEVEL_WORDS = {
    Level.WORKING: "with working knowledge",
    Level.EXPERIENCED: "at experienced level",
    Level.SPECIALIST: "at specialist level",
}
# Phases of the register that a practitioner for another phase covers too: a middle school deemed
# primary (3) or secondary (5), sixteen plus (6), an all-through school (7).
COVERED_BY: dict[str, frozenset[str]] = {
    "3": frozenset({"2", "3"}),
    "5": frozenset({"4", "5"}),
    "6": frozenset({"4", "6"}),
    "7": frozenset({"2", "4", "7"}),
}


class Candidate(NamedTuple):
    """A practitioner who could take a referral, and the reasons for and against.

    `miles` is a straight line from the school to the provider, None when one is not on the map;
    `earlier` counts other referrals of the same school that this practitioner was given.
    `covers_need` is None when the referral names no need, as one for a whole school or training;
    `lapsed_on` is a day gone by until when the level had been checked: it warns and takes nobody
    off. `more` are the minutes that the referral would add to `load`; `caps` the caps that one more
    referral would go over, in words. `before` says what became of the last offer of this very
    referral to them, `turned_down` whether they did not take it; `asked` why they ask for it, in
    the request numbered `request_id`. With `asks_lead` the lead of their school confirms release.
    """

    practitioner_id: int
    name: str
    provider_name: str
    miles: float | None
    covers_need: bool | None
    covers_phase: bool
    open_cases: int
    capacity: int
    earlier: int = 0
    earlier_last: datetime | None = None
    level: Level | None = None
    lapsed_on: date | None = None
    in_area: bool = True
    load: Load = Load(0, 0, 0, 0, None)
    more: int = 0
    last_week: int = 0
    absences: tuple[tuple[date, date], ...] = ()
    leaving_on: date | None = None
    conflict: ConflictWeight | None = None
    conflict_reason: str = ""
    caps: tuple[str, ...] = ()
    today: date = date.min
    before: str = ""
    turned_down: bool = False
    asked: str = ""
    request_id: int | None = None
    asks_lead: bool = False

    @property
    def has_room(self) -> bool:
        """Whether one more case fits in cases, hours and caps, and they are there today."""
        after = self.load.percent(self.more)
        hours = self.load.available is None or (after is not None and after <= FULL)
        return self.open_cases < self.capacity and hours and not self.caps and not self.is_away

    @property
    def is_away(self) -> bool:
        """Whether an absence holds today."""
        return any(starts <= self.today <= ends for starts, ends in self.absences)

    @property
    def excluded(self) -> bool:
        """Whether they may be chosen only by saying so."""
        return self.conflict is ConflictWeight.EXCLUDED

    @property
    def fit(self) -> int:
        """How much they cover: the need counts twice, the phase and the area once."""
        return 2 * bool(self.covers_need) + self.covers_phase + self.in_area

    @property
    def load_change(self) -> str:
        """The workload now and with this referral: `84% to 97%`."""
        return self.load.change(self.more)

    @property
    def load_after(self) -> Load:
        """The load with this referral."""
        return self.load._replace(
            cases=self.load.cases + 1, case_minutes=self.load.case_minutes + self.more
        )

    @property
    def level_words(self) -> str:
        """The level at which the need is covered, if it is."""
        return practitioner_words.LEVELS[self.level] if self.level else ""

    @property
    def warnings(self) -> list[str]:
        """What to know before they are chosen, each in a sentence."""
        found = []
        if self.conflict is not None:
            what = "Excluded" if self.excluded else "Ask first"
            found.append(f"{what}: {self.conflict_reason}")
        lead = "Their lead confirms release: ask first" if self.asks_lead else ""
        found += filter(None, (*self.caps, self.before, self.asked, lead))
        if self.lapsed_on:
            found.append(f"Knowledge of the need to be checked since {written(self.lapsed_on)}")
        if not self.in_area:
            found.append("The school is outside the areas they go to")
        for starts, ends in self.absences[:2]:
            found.append(f"Absent {practitioner_words.days_between(starts, ends)}")
        if self.leaving_on:
            found.append(f"Leaving on {written(self.leaving_on)}")
        return found

    @property
    def distance_words(self) -> str:
        """`1.9 miles`, or that nobody knows."""
        if self.miles is None:
            return "Distance not known"
        return f"{self.miles:.1f} miles"

    @property
    def cover_words(self) -> str:
        """Whether the need and the phase are theirs."""
        return {
            (True, True): "Covers the need and the phase",
            (True, False): "Covers the need, not the phase",
            (False, True): "Covers the phase, not the need",
            (False, False): "Covers neither the need nor the phase",
            (None, True): "Covers the phase",
            (None, False): "Does not cover the phase",
        }[self.covers_need, self.covers_phase]

    @property
    def load_words(self) -> str:
        """Open cases against capacity: `3 of 4 open cases`; full or over is said plainly."""
        words = f"{self.open_cases} of {self.capacity} open cases"
        if self.has_room:
            return words
        return f"{words}: {'over capacity' if self.open_cases > self.capacity else 'full'}"

    @property
    def contact_words(self) -> str:
        """Earlier referrals of this school, how many and when the last was given."""
        if not self.earlier or self.earlier_last is None:
            return "None"
        times = "1 referral" if self.earlier == 1 else f"{self.earlier} referrals"
        return f"{times}, last {written(clock.local(self.earlier_last).date())}"


def order(candidate: Candidate) -> tuple[Any, ...]:
    """The service's rule: need and phase, then room, then nearest; then level and contact.

    Of two who cover only one of need and phase, the need counts more. Who is excluded comes last,
    before them who did not take this referral when it was offered to them;
    who covers a need that nobody has checked lately, or is to go beyond their areas, comes after
    those of whom all is well.
    """
    return (
        candidate.excluded,
        candidate.turned_down,
        -(bool(candidate.covers_need) + candidate.covers_phase),
        not candidate.covers_need,
        candidate.lapsed_on is not None,
        not candidate.in_area,
        not candidate.has_room,
        inf if candidate.miles is None else round(candidate.miles, 1),
        -LEVEL_ORDER.index(candidate.level),
        -candidate.earlier,
        candidate.name,
        candidate.practitioner_id,
    )


def covers(phases: Iterable[str], phase_code: int) -> bool:
    """Whether somebody who works in `phases` (register codes as text) covers a school's phase."""
    wanted = str(phase_code)
    return not COVERED_BY.get(wanted, frozenset({wanted})).isdisjoint(phases)


def rule_of(chosen: Candidate, found: Iterable[Candidate]) -> Rule:
    """Which part of the rule speaks for `chosen`: the local school unless specialism or capacity.

    LOCAL when nobody who can be sent is nearer; SPECIALISM when everybody nearer covers less;
    CAPACITY when those nearer who cover as much have no room; else it is the officer's own choice.
    """
    here = inf if chosen.miles is None else round(chosen.miles, 1)
    nearer = [
        one
        for one in found
        if one.conflict is not ConflictWeight.EXCLUDED
        and not one.turned_down
        and (inf if one.miles is None else round(one.miles, 1)) < here
    ]
    if not nearer:
        return Rule.LOCAL
    as_good = [one for one in nearer if one.fit >= chosen.fit]
    if not as_good:
        return Rule.SPECIALISM
    if chosen.has_room and not any(one.has_room for one in as_good):
        return Rule.CAPACITY
    return Rule.OTHER


def recommendation(chosen: Candidate, found: Iterable[Candidate], need_label: str) -> str:
    """Why `chosen` comes first, in one plain sentence."""
    where = {
        Rule.LOCAL: f"Nearest ({chosen.distance_words})",
        Rule.SPECIALISM: f"{chosen.distance_words}, as nobody nearer covers as much",
        Rule.CAPACITY: f"{chosen.distance_words}, as nobody nearer who covers as much has room",
        Rule.OTHER: chosen.distance_words,
    }[rule_of(chosen, found)]
    if chosen.covers_need and chosen.level:
        label = need_label[:1].lower() + need_label[1:]
        what = f"covers {label} {LEVEL_WORDS[chosen.level]}"
    else:
        what = chosen.cover_words[:1].lower() + chosen.cover_words[1:]
    said = f"{where}, {what}, {chosen.load_change}"
    return f"{said}. {chosen.asked}" if chosen.asked else said
