"""The forms with which an officer decides, holds, releases and takes a decision back."""

from __future__ import annotations

from collections.abc import Sequence

from wtforms import HiddenField, SelectMultipleField
from wtforms.fields import SelectChoice

from s2s_portal.blueprints.forms import DayField, DecidingForm, Needed, Paragraphs, PickOne
from s2s_portal.models.codes import Way
from s2s_portal.services import checklist, decision_words

QUESTIONS = {
    Way.ACCEPT: (
        "How much support does the school get?",
        "Choose how much support the school gets",
    ),
    Way.WAIT: ("Why does it have to wait?", "Choose why it has to wait"),
    Way.ADVISE: ("Why is advice enough?", "Choose why advice is enough"),
    Way.REDIRECT: ("Which service suits it better?", "Choose which service suits it better"),
    Way.DECLINE: ("Why are you declining it?", "Choose why you are declining the referral"),
}
OWN_WORDS = {
    Way.ADVISE: "What is your advice?",
    Way.DECLINE: "What do you want to tell the school?",
}


class DecideForm(DecidingForm):
    """Decide, in two steps: choose, then see and settle what the school reads.

    `standard` is the text as it was offered, which tells an edited one from one that was not.
    """

    choice = PickOne("", "", choices=[])
    words = Paragraphs("Anything else the school should know? (optional)")
    note = Paragraphs("Note for officers (optional)")
    checks = SelectMultipleField(
        "What have you checked yourself?",
        choices=[SelectChoice(key, label) for key, label in checklist.POINTS.items()],
        validate_choice=False,
    )
    override = Paragraphs("If you go on without one of these, why? (optional)")
    message = Paragraphs("What the school reads")
    standard = HiddenField()

    way: Way

    @property
    def edited(self) -> bool:
        """Whether the officer has changed the text that was offered."""
        return bool(self.message.data) and self.message.data != _plain(self.standard.data)

    def offer(self, way: Way, rows: Sequence[decision_words.Choice]) -> None:
        """Offer these rows for a decision of this kind, with its own words."""
        self.way = way
        self.choice.label.text, self.choice.message = QUESTIONS[way]
        self.choice.choices = [SelectChoice(row.code, row.label) for row in rows]
        if way in OWN_WORDS:
            self.words.label.text = OWN_WORDS[way]
            self.words.validators = [Needed("Enter what you want to tell the school")]
        if way is not Way.ACCEPT:
            del self.checks, self.override

    def settle(self, standard: str) -> None:
        """Show the text that is to be sent: as it was edited, or the standard one of today."""
        if not self.edited:
            self.message.data = standard
        self.standard.data = standard


def _plain(text: str | None) -> str:
    return (text or "").replace("\r\n", "\n").strip()


class HoldForm(DecidingForm):
    """Put on hold: why, until about when, and what the school is told."""

    reason = PickOne("Why is it on hold?", "Choose why it is on hold", choices=[])
    until = DayField("When do you expect to go on?", [Needed("Enter when you expect to go on")])
    message = Paragraphs("Anything else the school should know? (optional)")
    note = Paragraphs("Note for officers (optional)")


class ReleaseForm(DecidingForm):
    """Go on."""

    comment = Paragraphs("Why do we go on now?", [Needed("Enter why we go on")])


class UndoForm(DecidingForm):
    """Take a decision back."""

    message = Paragraphs(
        "What do you want to tell the school?", [Needed("Enter what you want to tell the school")]
    )
    note = Paragraphs("Note for officers (optional)")


class ReopenAnswerForm(DecidingForm):
    """Open a referral that was not answered to its school again."""

    reason = Paragraphs(
        "Why can the school answer after all?",
        [Needed("Enter why the school can answer after all")],
    )
