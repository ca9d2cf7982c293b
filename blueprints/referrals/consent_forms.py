"""Agreement: of a parent or carer, to what, of the pupil; how a group's parents were told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wtforms.fields.choices import SelectChoice

from s2s_portal.blueprints.forms import DayField, Line, Needed, Paragraphs
from s2s_portal.blueprints.referrals.fields import (
    AnyOf,
    NotFuture,
    OneOf,
    OneOrNone,
    SectionForm,
    Tick,
    Ticked,
    choices,
)
from s2s_portal.services import labels

YES_NO = {"yes": "Yes", "no": "No"}
WHEN_AGREED = (
    "given_by",
    "relationship_to_pupil",
    "parental_responsibility",
    "how",
    "obtained_by",
    "obtained_on",
)


class ConsentForm(SectionForm):
    """A parent's or carer's agreement about a named pupil; the rest only when they agreed."""

    agreed = OneOf(
        "Has a parent or carer agreed?",
        message="Choose whether a parent or carer has agreed",
        choices=choices({"yes": "Yes", "no": "No, not yet"}),
        reveals={"yes": WHEN_AGREED},
    )
    given_by = Line("Who agreed", [Needed("Enter who agreed")])
    relationship_to_pupil = Line(
        "Their relationship to the pupil",
        [Needed("Enter their relationship to the pupil")],
        description="For example, mother or foster carer",
    )
    parental_responsibility = OneOf(
        "Do they have parental responsibility?",
        message="Choose whether they have parental responsibility",
        choices=choices(YES_NO),
        description="If not, ask somebody who has it before you send the referral.",
    )
    how = OneOf(
        "How they agreed", message="Choose how they agreed", choices=choices(labels.HOW_AGREED)
    )
    obtained_by = Line(
        "Who obtained the agreement",
        [Needed("Enter who obtained the agreement")],
        description="The member of staff who spoke with them.",
    )
    obtained_on = DayField(
        "Date they agreed",
        [
            Needed("Enter the date they agreed"),
            NotFuture("The date they agreed must be today or in the past"),
        ],
        description="For example, 27 3 2019",
    )

    def given(self) -> dict[str, Any]:
        """The answers; empty ones with "not yet"."""
        agreed = self.agreed.data == "yes"
        responsible = self.parental_responsibility.data == "yes" if agreed else None
        return {**super().given(), "agreed": agreed, "parental_responsibility": responsible}


class SharingForm(SectionForm):
    """What a parent or carer agreed to, what they were given, and where the evidence is."""

    scope = AnyOf(
        "What did they agree to?",
        validators=[Needed("Choose what they agreed to")],
        message="Choose from the list what they agreed to",
        choices=choices(labels.SCOPES),
        reveals={"SHARING": ("shared_with",)},
    )
    shared_with = Line(
        "Which services",
        [Needed("Enter the services to share with")],
        description="For example, the speech and language therapist. Only these are shared with.",
    )
    evidence_file = OneOrNone(
        "Attached file that is the evidence of their agreement",
        none="None: it is kept elsewhere",
        message="Choose the file from the list",
    )
    evidence = Line(
        "Where the evidence of their agreement is kept",
        description="For example, a signed form in the pupil's SEN file. The council may ask to see"
        " it.",
    )
    notice = Tick(
        "They have been given the privacy notice",
        [Ticked("Give them the privacy notice, then tick the box")],
    )

    def offer(self, files: Mapping[int, str]) -> None:
        """The files that can be the evidence: number and label. With none it is not asked."""
        if not files:
            del self.evidence_file
            return
        self.evidence_file.choices += [SelectChoice(str(n), text) for n, text in files.items()]
        self.evidence.label.text = "Where else it is kept (optional if you have chosen a file)"

    def validate(self, extra_validators: Any = None) -> bool:
        """As the fields say, and there must be evidence of one kind or the other."""
        good = super().validate(extra_validators)
        if self.evidence.data or self._file():
            return good
        self.evidence.errors = ["Enter where the evidence of their agreement is kept"]
        return False

    def given(self) -> dict[str, Any]:
        """The answers; the file by its number, or None."""
        return {**super().given(), "evidence_file": self._file()}

    def _file(self) -> int | None:
        chosen = self["evidence_file"].data if "evidence_file" in self else None
        return int(chosen) if chosen and chosen.isascii() and chosen.isdecimal() else None


class OwnForm(SectionForm):
    """The agreement of a pupil of 16 or more."""

    pupil_agreed = OneOf(
        "Does the pupil agree?",
        message="Choose whether the pupil agrees",
        choices=choices({"yes": "Yes", "no": "No, not yet"}),
        reveals={"yes": ("pupil_agreed_on",)},
    )
    pupil_agreed_on = DayField(
        "Date the pupil agreed",
        [
            Needed("Enter the date the pupil agreed"),
            NotFuture("The date the pupil agreed must be today or in the past"),
        ],
        description="For example, 27 3 2019",
    )

    def given(self) -> dict[str, Any]:
        """The answers; no date with "not yet"."""
        return {**super().given(), "pupil_agreed": self.pupil_agreed.data == "yes"}


class GroupConsentForm(SectionForm):
    """How the parents and carers of a group were told, when and by whom."""

    how = OneOf(
        "How parents and carers were told",
        message="Choose how parents and carers were told",
        choices=choices(labels.HOW_TOLD),
    )
    obtained_by = Line("Who told them", [Needed("Enter who told them")])
    obtained_on = DayField(
        "Date they were told",
        [
            Needed("Enter the date they were told"),
            NotFuture("The date they were told must be today or in the past"),
        ],
        description="For example, 27 3 2019",
    )
    group_told = Paragraphs(
        "Anything else about how they were told (optional)",
        description="Do not name any child.",
    )
    notice = Tick(
        "They have been given the privacy notice",
        [Ticked("Give them the privacy notice, then tick the box")],
    )

    def given(self) -> dict[str, Any]:
        """The answers: that they had the notice is what lets the form pass."""
        return {name: value for name, value in super().given().items() if name != "notice"}
