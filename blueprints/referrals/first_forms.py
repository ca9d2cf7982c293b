"""What the first form asked, as long as there are referrals that were started with it.

Never change what these ask: a new question belongs in a new version (`services.form_versions`).
"""

from __future__ import annotations

from typing import Any

from s2s_portal import upn
from s2s_portal.blueprints.forms import DayField, Line, Needed, Paragraphs
from s2s_portal.blueprints.referrals.fields import (
    NotFuture,
    OneOf,
    OneOfList,
    SectionForm,
    Tick,
    choices,
)
from s2s_portal.blueprints.referrals.subject_forms import (
    birth_of_a_pupil,
    provision,
    upn_or_empty,
)
from s2s_portal.services import labels
from s2s_portal.services.draft_rules import MOST_OUTCOMES


class FirstPupilForm(SectionForm):
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
        """The answers; the UPN as one is written."""
        return {**super().given(), "upn": upn.tidy(self.upn.data or "")}


class FirstOutcomesForm(SectionForm):
    """One to four outcomes."""

    outcome_1 = Paragraphs("Outcome 1", [Needed("Enter at least one outcome you want")])
    outcome_2 = Paragraphs("Outcome 2 (optional)")
    outcome_3 = Paragraphs("Outcome 3 (optional)")
    outcome_4 = Paragraphs("Outcome 4 (optional)")

    def given(self) -> dict[str, Any]:
        """The outcomes that are not empty, in order."""
        texts = [self[f"outcome_{number}"].data for number in range(1, MOST_OUTCOMES + 1)]
        return {"outcomes": [(text, None) for text in texts if text]}


class FirstConsentForm(SectionForm):
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


class FirstGroupConsentForm(SectionForm):
    """How the parents and carers of a group were told."""

    group_told = Paragraphs(
        "How you told their parents and carers",
        [Needed("Enter how you told parents and carers")],
        description="For example, a letter home on 1 May with the privacy notice.",
    )
