"""The forms of the school's journey: one for each section, starting, and sending."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wtforms import Field, HiddenField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import StopValidation

from s2s_portal import clock, upn
from s2s_portal.blueprints.forms import (
    DayField,
    Line,
    Needed,
    Paragraphs,
    PickOne,
    S2SForm,
    Seen,
)
from s2s_portal.blueprints.referrals.fields import (
    AnyOf,
    NotFuture,
    OneOf,
    OneOfList,
    SectionForm,
    Tick,
    Ticked,
    WholeNumber,
    choices,
)
from s2s_portal.models.referral import Kind
from s2s_portal.services import labels
from s2s_portal.services.draft_rules import MOST_OUTCOMES, MOST_SECONDARY

OLDEST = 26  # an EHC plan can last until a young person is 25
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


class KindForm(S2SForm):
    """Whom the referral is about: asked before anything about them."""

    kind = OneOf(
        "Is this referral about one pupil or a group?",
        message="Choose whether the referral is about one pupil or a group",
        choices=choices({Kind.PUPIL: "One named pupil", Kind.GROUP: "A group or class of pupils"}),
    )


def upn_or_empty(_form: Any, field: Field) -> None:
    """Refuse a UPN that is none; one need not be given."""
    wrong = upn.problem(field.data) if field.data else None
    if wrong:
        raise StopValidation(wrong)


def birth_of_a_pupil(_form: Any, field: Field) -> None:
    """Refuse a birth that nobody at school can have."""
    if field.data and field.data.year < clock.today().year - OLDEST:
        raise StopValidation(f"Date of birth must be less than {OLDEST} years ago")


def provision() -> OneOf:
    """What SEN provision there is, by the school census."""
    return OneOf(
        "SEN provision",
        message="Choose the SEN provision",
        choices=choices(labels.PROVISIONS),
        description="As in your school census.",
    )


class PupilForm(SectionForm):
    """One named pupil."""

    kind = HiddenField(default=Kind.PUPIL.value)
    surname = Line("Legal surname", [Needed("Enter the pupil's legal surname")])
    forenames = Line("Forenames", [Needed("Enter the pupil's forenames")])
    known_as = Line("Known as (optional)")
    date_of_birth = DayField(
        "Date of birth",
        [
            Needed("Enter the pupil's date of birth"),
            NotFuture("Date of birth must be in the past"),
            birth_of_a_pupil,
        ],
        description="For example, 27 3 2010",
    )
    sex = OneOf("Sex", message="Choose the pupil's sex", choices=choices(labels.SEXES))
    upn = Line(
        "Unique pupil number, UPN (optional)",
        [upn_or_empty],
        longest=40,
        description="13 characters. It is checked, and never put in an email or an address.",
    )
    year_group = OneOfList(
        "Year group they are taught in",
        message="Choose the year group",
        choices=choices(labels.YEAR_GROUPS),
    )
    out_of_year = Tick("They are taught out of the year group for their age")
    sen_provision = provision()

    def given(self) -> dict[str, Any]:
        """The answers; the kind is the form's own."""
        return {**super().given(), "kind": Kind.PUPIL, "upn": upn.tidy(self.upn.data or "")}


class GroupForm(SectionForm):
    """A group of pupils: no child is named."""

    kind = HiddenField(default=Kind.GROUP.value)
    group_name = Line(
        "What you call the group",
        [Needed("Enter what you call the group")],
        description="For example, Year 2 phonics group. Do not name any child.",
    )
    group_size = WholeNumber(
        "How many pupils",
        least=2,
        most=2000,
        message="Enter how many pupils there are, as a number from 2 to 2000",
    )
    group_years = Line(
        "Their year groups",
        [Needed("Enter their year groups")],
        description="For example, Years 1 and 2",
    )
    sen_provision = provision()

    def given(self) -> dict[str, Any]:
        """The answers; the kind is the form's own."""
        return {**super().given(), "kind": Kind.GROUP}


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


class OutcomesForm(SectionForm):
    """One to four outcomes."""

    outcome_1 = Paragraphs("Outcome 1", [Needed("Enter at least one outcome you want")])
    outcome_2 = Paragraphs("Outcome 2 (optional)")
    outcome_3 = Paragraphs("Outcome 3 (optional)")
    outcome_4 = Paragraphs("Outcome 4 (optional)")

    def given(self) -> dict[str, Any]:
        """The outcomes that are not empty, in order."""
        texts = [self[f"outcome_{number}"].data for number in range(1, MOST_OUTCOMES + 1)]
        return {"outcomes": [text for text in texts if text]}


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


class PupilConsentForm(SectionForm):
    """A parent's or carer's agreement about a named pupil; the rest only when they agreed."""

    agreed = OneOf(
        "Has a parent or carer agreed?",
        message="Choose whether a parent or carer has agreed",
        choices=choices(
            {"yes": "Yes, and they have been given the privacy notice", "no": "No, not yet"}
        ),
    )
    given_by = Line("Who agreed")
    relationship_to_pupil = Line(
        "Their relationship to the pupil", description="For example, mother or foster carer"
    )
    how = OneOf(
        "How they agreed",
        message="Choose how they agreed",
        choices=choices(labels.HOW_AGREED),
    )
    obtained_by = Line(
        "Who obtained the agreement", description="The member of staff who spoke with them."
    )
    obtained_on = DayField(
        "Date they agreed",
        [NotFuture("The date they agreed must be today or in the past")],
        description="For example, 27 3 2019",
    )
    needed = {
        "given_by": "Enter who agreed",
        "relationship_to_pupil": "Enter their relationship to the pupil",
        "obtained_by": "Enter who obtained the agreement",
        "obtained_on": "Enter the date they agreed",
    }

    def validate(self, extra_validators: Any = None) -> bool:
        """As the fields say; with "not yet", nothing else is asked."""
        asked = {name: [Needed(message)] for name, message in self.needed.items()}
        agreed = self.agreed.data != "no"
        good: bool = super().validate({**(extra_validators or {}), **(asked if agreed else {})})
        if agreed or self.agreed.errors:
            return good
        for name in (*self.needed, "how"):
            self[name].errors = []
        return not self.errors

    def given(self) -> dict[str, Any]:
        """The answers; empty ones with "not yet"."""
        answers = super().given()
        if self.agreed.data == "yes":
            return {**answers, "agreed": True}
        return {**dict.fromkeys(answers, ""), "agreed": False, "obtained_on": None}


class GroupConsentForm(SectionForm):
    """How the parents and carers of a group were told."""

    group_told = Paragraphs(
        "How you told their parents and carers",
        [Needed("Enter how you told parents and carers")],
        description="For example, a letter home on 1 May with the privacy notice.",
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
