"""The sections of the referral form, filled in by somebody at a browser, in the form's order.

Each leaves the page for the caller to send, so that it can be sent empty before.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from s2s_portal import clock
from s2s_portal.services.year_groups import school_year
from tests.browser.person import Person


def day(person: Person, legend: str, value: date) -> None:
    """Fill in a date."""
    person.date(legend, value.day, value.month, value.year)


def school(person: Person) -> None:
    """Whom to speak to."""
    person.fill("Name of the contact", "Sam O'Brien").choose("SENCo")
    person.fill("Email address of the contact", "senco@portal.example")
    person.fill("Senior leader who agreed", "Hana Head")
    day(person, "Date they agreed", clock.today())


def pupil(person: Person, surname: str) -> None:
    """Who the pupil is."""
    person.fill("Legal surname", surname).fill("Forenames", "Zosia").fill("Known as", "Zo")
    # Another child in each walk: the second would be a repeat of the first.
    day_of_month = 4 if person.javascript else 5
    person.date("Date of birth", day_of_month, 9, school_year(clock.today()) - 9).choose("Female")


def schooling(person: Person) -> None:
    """Year group and SEN provision."""
    person.pick("Year group they are taught in", "Year 4").choose("SEN Support")


def needs(person: Person) -> None:
    """The primary need."""
    person.choose("Social, emotional and mental health", under="Primary need")


def criteria(person: Person) -> None:
    """Why it meets the criteria."""
    person.choose("The needs are complex")


def tried(person: Person) -> None:
    """One cycle, and why there are no more."""
    person.fill("Assess: what you found", "Leaves class twice a week")
    person.fill("Plan: what you planned", "Now and next board")
    person.fill("Do: who did it, and how often", "Class teacher, each morning")
    day(person, "When it started", clock.today() - timedelta(days=100))
    day(person, "When it was reviewed", clock.today())
    person.fill("Review: what came of it", "Settles faster; still leaves class")
    person.fill("If there are fewer than 2 cycles", "She joined us in the spring")


def services(person: Person) -> None:
    """A service that is involved."""
    person.pick(re.compile("^Service$"), "Paediatrician").choose("They are involved now")


def outcomes(person: Person) -> None:
    """One outcome and where things are now."""
    person.fill("Outcome 1", "Stays in class all morning")
    person.page.get_by_label("Outcome 1 now").select_option(value="3")


def support(person: Person, kind: str = "Observation of the pupil or group") -> None:
    """What is asked for, and why, in words that hurt what does not quote them."""
    person.choose(kind)
    person.fill("Why you are making this referral", "=1+1 <b>She</b> runs; 'we' are stuck")


def consent(person: Person) -> None:
    """A parent has agreed."""
    person.choose(re.compile("^Yes$"), under="Has a parent or carer agreed?")
    person.fill("Who agreed", "A Parent").fill("Their relationship to the pupil", "mother")
    person.choose(re.compile("^Yes$"), under="Do they have parental responsibility?")
    person.choose("In writing, signed").fill("Who obtained the agreement", "Sam O'Brien")
    day(person, "Date they agreed", clock.today())


def sharing(person: Person) -> None:
    """What was agreed to."""
    person.choose("A practitioner may work with the pupil")
    person.fill("Where the evidence", "In the SEN file").choose("They have been given the privacy")


def training(person: Person) -> None:
    """What the training is about, and for whom."""
    person.fill("What the training should be about", "Visual timetables")
    person.fill("Who it is for", "Teaching assistants").fill("How many people", "9")
    person.fill("Dates that suit", "Any Tuesday")


def practicalities(person: Person) -> None:
    """When a visit suits."""
    person.fill("Days and times that suit", "Tuesdays")


def declaration(person: Person) -> None:
    """The declaration."""
    person.fill("Your name", "Sam O'Brien").choose("I make this declaration")


def group_name(person: Person) -> str:
    """What they are called: another group in each walk, as for a pupil."""
    return "The Otters" if person.javascript else "The Herons"


def group(person: Person) -> None:
    """Which pupils."""
    person.fill("What you call the group", group_name(person)).fill("How many pupils", "8")
    person.fill("Their year groups", "Years 1 and 2").choose("SEN Support")


def told(person: Person) -> None:
    """How the parents and carers of a group were told."""
    person.choose("By letter").fill("Who told them", "Sam O'Brien")
    day(person, "Date they were told", clock.today())
    person.choose("They have been given the privacy")
