"""The forms of the worklist: keeping a list, and giving a referral to an officer."""

from __future__ import annotations

from wtforms import HiddenField
from wtforms.fields import SelectChoice

from s2s_portal.blueprints.forms import Line, Needed, Paragraphs, PickOne, S2SForm, Seen
from s2s_portal.models.worklist import Officer


class KeepForm(S2SForm):
    """Keep the list that is shown, under a name."""

    name = Line(
        "Name of this list",
        [Needed("Enter a name for this list")],
        longest=60,
        description="It keeps what you look in, the order and how it is narrowed. Only you see it.",
    )
    query = HiddenField()


class TakeForm(S2SForm):
    """A button: look after this referral oneself."""

    seen = Seen()


class AssignForm(S2SForm):
    """Which officer looks after a referral."""

    officer = PickOne("Who should look after it?", "Choose an officer", choices=[])
    note = Paragraphs("Note for officers (optional)")
    seen = Seen()

    def offer(self, officers: list[Officer]) -> None:
        """Offer these officers."""
        self.officer.choices = [SelectChoice(str(one.id), one.name) for one in officers]
