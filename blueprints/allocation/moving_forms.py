"""The forms with which a referral goes from one practitioner to another, and somebody joins in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from wtforms import BooleanField, Form, FormField, HiddenField, SelectField
from wtforms.fields import SelectChoice

from s2s_portal.blueprints.forms import (
    DecidingForm,
    Needed,
    Paragraphs,
    PickOne,
    Rows,
    S2SForm,
    Seen,
)
from s2s_portal.blueprints.widgets import GovSelect
from s2s_portal.models.reallocation import SupportRole, Why
from s2s_portal.models.visit import Visit
from s2s_portal.services.handing import WHY_WORDS, Fate, Handing
from s2s_portal.services.handing_on import MOST_AT_ONCE
from s2s_portal.services.supporting import OFFERED, ROLE_WORDS

STAY, HAND = "stay", "hand"


def _why() -> PickOne:
    return PickOne(
        "Why does it go to somebody else?",
        "Choose why it goes to somebody else",
        choices=[SelectChoice(one.value, words) for one, words in WHY_WORDS.items()],
    )


class HandingForm(DecidingForm):
    """Why a referral is no longer with somebody, and what whoever comes next should know."""

    why = _why()
    words = Paragraphs("Say more about it (optional)")
    hand_over = Paragraphs("Hand-over note (optional)")

    def handing(self, **more: Any) -> Handing:
        """What was said, as the service takes it."""
        return Handing(
            why=Why(self.why.data),
            words=self.words.data or "",
            hand_over=self.hand_over.data or "",
            **more,
        )


class ReallocateForm(HandingForm):
    """Who has the referral instead, and why; what becomes of each visit.

    `reallocate_form` makes one with a field for each planned visit: `visit_` and its number.
    """

    practitioner = PickOne(
        "Who should have this referral instead?", "Choose a practitioner", choices=[]
    )
    override = BooleanField("Choose them even so")
    reason = Paragraphs("Why this practitioner?", [Needed("Enter why you chose this practitioner")])
    records = PickOne("Who writes these records?", "Choose who writes these records", choices=[])

    numbers: tuple[int, ...] = ()

    def fates(self) -> list[Any]:
        """The fields about planned visits, in order."""
        return [self[f"visit_{number}"] for number in self.numbers]

    def all_of_it(self) -> Handing:
        """What was said, the visits and records included."""
        return self.handing(
            visits={number: Fate(self[f"visit_{number}"].data) for number in self.numbers},
            records_stay="records" in self and self.records.data == STAY,
        )


def reallocate_form(
    planned: Sequence[Visit], booked: Iterable[str], *, writer: str, writes: bool, owes: bool
) -> ReallocateForm:
    """The form for the visits `planned`, each as `booked` says; `writer` made the others.

    `owes`: there are records to write. `writes`: they are still there to write them.
    """
    fields = {
        f"visit_{visit.number}": PickOne(
            f"Visit {visit.number}: {words}",
            f"Choose what becomes of visit {visit.number}",
            choices=[
                SelectChoice(Fate.HAND.value, "Hand it over: the new practitioner comes that day"),
                SelectChoice(Fate.CANCEL.value, "Cancel it: a new day is agreed"),
            ],
        )
        for visit, words in zip(planned, booked, strict=True)
    }
    numbers = tuple(visit.number for visit in planned)
    form: ReallocateForm = type("Reallocate", (ReallocateForm,), {**fields, "numbers": numbers})()
    if not owes:
        del form.records
        return form
    stays = SelectChoice(STAY, f"{writer}, who sees the case until they are issued")
    form.records.choices = [
        *([stays] if writes else []),
        SelectChoice(HAND, "The new practitioner, from what is written here and in the draft"),
    ]
    return form


class AskForm(DecidingForm):
    """The button that asks whoever has the referral, as the page shows them, for a note."""


class TakeBackForm(HandingForm):
    """Take it back without a successor."""


class HandOnRow(Form):
    """One of many: who has it next (empty: it stays), and a note for them."""

    reference = HiddenField()
    seen = Seen()
    practitioner = SelectField(
        "Who has it next?", choices=[], validate_choice=False, widget=GovSelect()
    )
    hand_over = Paragraphs("Hand-over note (optional)")


class HandOnForm(S2SForm):
    """Several referrals of one practitioner, for one reason."""

    why = _why()
    words = Paragraphs("Say more about it (optional)")
    visits = PickOne(
        "What becomes of planned visits?",
        "Choose what becomes of planned visits",
        choices=[
            SelectChoice(Fate.HAND.value, "Hand them over: the new practitioner comes that day"),
            SelectChoice(Fate.CANCEL.value, "Cancel them: new days are agreed"),
        ],
    )
    records = PickOne(
        "Who writes records of visits made, where none has been issued?",
        "Choose who writes records of visits made",
        choices=[],
    )
    rows = Rows(FormField(HandOnRow), max_entries=MOST_AT_ONCE)

    def ask_about(self, writer: str, *, writes: bool) -> None:
        """Ask who writes the records that `writer` owes, if they are there to write them."""
        stays = SelectChoice(STAY, f"{writer}, who sees those cases until they are issued")
        self.records.choices = [
            *([stays] if writes else []),
            SelectChoice(HAND, "The new practitioner"),
        ]

    def handing(self, hand_over: str) -> Handing:
        """What was said of all, with the note for one."""
        return Handing(
            why=Why(self.why.data),
            words=self.words.data or "",
            hand_over=hand_over,
            others=Fate(self.visits.data),
            records_stay=self.records.data == STAY,
        )


class SupporterForm(S2SForm):
    """Who joins in, what they do, and why."""

    practitioner = PickOne("Who joins in?", "Choose a practitioner", choices=[])
    role = PickOne(
        "What do they do?",
        "Choose what they do",
        choices=[SelectChoice(one.value, ROLE_WORDS[one]) for one in OFFERED],
    )
    reason = Paragraphs("Why do they join in?", [Needed("Enter why they join in")])

    @property
    def chosen_role(self) -> SupportRole:
        """What they do."""
        return SupportRole(self.role.data)


class EndSupportForm(S2SForm):
    """Why somebody no longer joins in."""

    reason = Paragraphs(
        "Why do they no longer join in?", [Needed("Enter why they no longer join in")]
    )
