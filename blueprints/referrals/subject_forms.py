"""Whom or what a referral is about: one short form for each kind."""

from __future__ import annotations

from typing import Any

from wtforms import Field
from wtforms.validators import StopValidation

from s2s_portal import clock, upn
from s2s_portal.blueprints.forms import DayField, Line, Needed
from s2s_portal.blueprints.referrals.fields import (
    AnyOf,
    NotFuture,
    OneOf,
    OneOfList,
    SectionForm,
    Tick,
    WholeNumber,
    choices,
)
from s2s_portal.services import labels

OLDEST = 26  # an EHC plan can last until a young person is 25


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


class SchoolingForm(SectionForm):
    """Where the pupil is at school: year group, SEN provision, UPN."""

    year_group = OneOfList(
        "Year group they are taught in",
        message="Choose the year group",
        choices=choices(labels.YEAR_GROUPS),
    )
    out_of_year = Tick("They are taught out of the year group for their age")
    sen_provision = provision()
    upn = Line(
        "Unique pupil number, UPN (optional)",
        [upn_or_empty],
        longest=40,
        description="13 characters. It is checked, and never put in an email or an address.",
    )

    def given(self) -> dict[str, Any]:
        """The answers, the UPN as one is written."""
        return {**super().given(), "upn": upn.tidy(self.upn.data or "")}


class GroupForm(SectionForm):
    """A group of pupils: no child is named."""

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


def how_many_staff() -> WholeNumber:
    """How many members of staff."""
    return WholeNumber(
        "How many people",
        least=1,
        most=2000,
        message="Enter how many people, as a number from 1 to 2000",
    )


class WholeSchoolForm(SectionForm):
    """Help for a whole school, or part of it: no pupil is named."""

    audience = Line(
        "Which staff or phase",
        [Needed("Enter which staff or phase it is for")],
        description="For example, all Key Stage 2 staff. Do not name any child.",
    )
    staff_count = how_many_staff()
    themes = AnyOf(
        "What it should be about",
        validators=[Needed("Choose at least one theme")],
        message="Choose themes from the list",
        choices=choices(labels.THEMES),
        description="Choose all that apply.",
    )


class TrainingForm(SectionForm):
    """Training for staff and nothing else: no pupil is named."""

    topic = Line(
        "What the training should be about",
        [Needed("Enter what the training should be about")],
        description="For example, making visual timetables. Do not name any child.",
    )
    audience = Line(
        "Who it is for",
        [Needed("Enter who the training is for")],
        description="For example, all teaching assistants",
    )
    staff_count = how_many_staff()
    preferred_dates = Line(
        "Dates that suit",
        [Needed("Enter dates that suit, or say that any will do")],
        description="For example, the staff meeting on any Tuesday after half term",
    )
