"""The forms of the school's journey that ask the same of every referral; starting, and sending."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from wtforms import Field, HiddenField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import StopValidation

from s2s_portal.blueprints import drawing
from s2s_portal.blueprints.forms import DayField, Line, Needed, Paragraphs, PickOne, S2SForm, Seen
from s2s_portal.blueprints.referrals.fields import (
    AnyOf,
    NotFuture,
    OneOf,
    SectionForm,
    Tick,
    Ticked,
    choices,
)
from s2s_portal.models.codes import Kind
from s2s_portal.services import labels
from s2s_portal.services.draft_rules import MOST_OUTCOMES, MOST_SECONDARY

BASELINES = [str(value) for value in range(11)]
# Question -> how it is asked, and what is said when it is not answered.
SCREENING = {
    "safety": (
        "Are you worried that a child is at risk of harm now?",
        "Choose “Yes” if you are worried that a child is at risk, or not sure, and “No” if not",
    ),
    "about": ("Whom do you want help with?", "Choose whom you want help with"),
    "reception": ("Children in a reception class", "Choose “Continue” to go on"),
}
EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]+")


class RepeatForm(SectionForm):
    """Why the school asks again about the same pupil or class."""

    repeat_reason = Paragraphs(
        "Why are you asking again?",
        [Needed("Enter why you are asking again")],
        description="For example, what has changed since, or what is still needed. The SEND officer"
        " and the practitioner read this.",
    )


class StartForm(S2SForm):
    """Begin a referral for one school."""

    urn = HiddenField()


class ScreeningForm(S2SForm):
    """One question before a draft. What is asked stands in the page's heading."""

    answer = PickOne("", "")

    def __init__(self, question: str, *, offered: Mapping[str, str]) -> None:
        super().__init__()
        self.answer.choices = [SelectChoice(code, words) for code, words in offered.items()]
        self.answer.label.text, self.answer.message = SCREENING[question]


class SubmitForm(S2SForm):
    """Send the referral: its single-use token, and the version that was checked."""

    token = HiddenField()
    seen = Seen()


def email_address(_form: Any, field: Field) -> None:
    """Refuse what cannot be an email address."""
    if not EMAIL.fullmatch(field.data or ""):
        raise StopValidation("Enter an email address, like name@school.org.uk")


class SchoolForm(SectionForm):
    """School and contact."""

    contact_name = Line("Name of the contact", [Needed("Enter the name of the contact")])
    contact_role = OneOf(
        "Their role",
        message="Choose the role of the contact",
        choices=choices(labels.CONTACT_ROLES),
    )
    contact_email = Line(
        "Email address of the contact",
        [Needed("Enter the email address of the contact"), email_address],
        description="We send notices about this referral here. They never say anything about a"
        " child.",
    )
    contact_phone = Line(
        "Telephone number (optional)", longest=40, description="For the practitioner to ring."
    )
    leader_name = Line(
        "Senior leader who agreed to this referral",
        [Needed("Enter the name of the senior leader who agreed")],
    )
    leader_agreed_on = DayField(
        "Date they agreed",
        [
            Needed("Enter the date the senior leader agreed"),
            NotFuture("The date the senior leader agreed must be today or in the past"),
        ],
        description="For example, 27 3 2019",
    )


class KindForm(SectionForm):
    """What the referral is for: asked before anything else, as the rest depends on it.

    `told` are the sections that the person has been told a change drops, between commas.
    """

    kind = OneOf(
        "What do you need help with?",
        message="Choose what you need help with",
        choices=choices(labels.KINDS),
    )
    told = HiddenField()

    def offer(self, kinds: Iterable[Kind]) -> None:
        """Offer the kinds that the referral's form knows."""
        self.kind.choices = choices({kind: labels.KINDS[kind] for kind in kinds})


class NeedsForm(SectionForm):
    """One primary need and up to four others, by census code."""

    primary = OneOf("Primary need", message="Choose one primary need")
    secondary = AnyOf(
        f"Other needs (optional, {MOST_SECONDARY} at most)",
        message="Choose other needs from the list",
    )

    def offer(self, needs: dict[str, str]) -> None:
        """Offer the codes in use today, with their labels."""
        self.primary.choices = self.secondary.choices = choices(needs)


class CriteriaForm(SectionForm):
    """Why the school's own means are not enough."""

    criteria = AnyOf(
        "Which of these are true?",
        validators=[Needed("Choose at least one")],
        message="Choose from the list",
        choices=choices(labels.CRITERIA),
        description="Choose all that are true. At least one must be.",
    )


def wanted(number: int) -> Paragraphs:
    """One outcome; only the first must be given."""
    if number == 1:
        return Paragraphs("Outcome 1", [Needed("Enter at least one outcome you want")])
    return Paragraphs(f"Outcome {number} (optional)")


def where_now(number: int) -> SelectField:
    """Where things are with an outcome at referral."""
    scale = {str(value): str(value) for value in range(11)}
    scale |= {"0": "0, not at all", "10": "10, all the time"}
    return SelectField(
        f"Outcome {number} now, from 0 to 10",
        choices=[SelectChoice("", "Choose a number"), *choices(scale)],
        validate_choice=False,
        widget=drawing.Select(),
    )


class OutcomesForm(SectionForm):
    """One to four outcomes, each with where things are now."""

    outcome_1, baseline_1 = wanted(1), where_now(1)
    outcome_2, baseline_2 = wanted(2), where_now(2)
    outcome_3, baseline_3 = wanted(3), where_now(3)
    outcome_4, baseline_4 = wanted(4), where_now(4)

    def validate(self, extra_validators: Any = None) -> bool:
        """As the fields say; an outcome needs its number, and no number stands alone."""
        super().validate(extra_validators)
        for number in range(1, MOST_OUTCOMES + 1):
            text, now = self[f"outcome_{number}"], self[f"baseline_{number}"]
            if text.data and now.data not in BASELINES:
                now.errors = [f"Choose a number from 0 to 10 for outcome {number}"]
            elif now.data and not text.data and not text.errors:
                text.errors = [f"Enter outcome {number}, or choose no number for it"]
        return not self.errors

    def given(self) -> dict[str, Any]:
        """The outcomes that are not empty, in order."""
        rows = [
            (self[f"outcome_{number}"].data, self[f"baseline_{number}"].data)
            for number in range(1, MOST_OUTCOMES + 1)
        ]
        return {"outcomes": [(text, int(now)) for text, now in rows if text]}


class SupportForm(SectionForm):
    """Kinds of support, and why."""

    support = AnyOf(
        "What would help?",
        validators=[Needed("Choose at least one kind of support")],
        message="Choose from the kinds of support in the list",
        choices=choices(labels.SUPPORT),
        description="Choose all that you would like. The practitioner agrees with you what is"
        " done.",
    )
    reason = Paragraphs(
        "Why you are making this referral",
        [Needed("Enter why you are making this referral")],
        description="What is happening now, and what you want to change.",
    )


class PracticalitiesForm(SectionForm):
    """What a visitor should know; all of it optional."""

    preferred_days = Line("Days and times that suit (optional)")
    visit_notes = Paragraphs(
        "Arriving at the school (optional)",
        description="For example, parking, where to sign in, days to avoid.",
    )
    safety_notes = Paragraphs(
        "Anything a visitor must know to be safe (optional)",
        description="Read by the officer, the practitioner and their school.",
    )
    purchase_order = Line(
        "Purchase order number (optional)",
        longest=60,
        description="Your academy or trust is invoiced: give a number if you need one quoted.",
    )


class DeclarationForm(SectionForm):
    """Who declares, and that they do."""

    declared_by = Line(
        "Your name",
        [Needed("Enter your name")],
        description="The person who makes this declaration for the school.",
    )
    agree = Tick("I make this declaration", [Ticked("Tick the box to make the declaration")])

    def given(self) -> dict[str, Any]:
        """Who declares: that they do is what lets the form pass."""
        return {"declared_by": self.declared_by.data}
