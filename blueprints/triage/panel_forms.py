"""The forms of a panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wtforms import SelectField, SelectMultipleField
from wtforms.fields import SelectChoice

from s2s_portal.blueprints.forms import (
    DayField,
    DecidingForm,
    Needed,
    Paragraphs,
    PickOne,
    S2SForm,
)
from s2s_portal.blueprints.widgets import GovSelect
from s2s_portal.models.panel import Recommends
from s2s_portal.models.worklist import Officer
from s2s_portal.services.panel_comments import RECOMMENDS_WORDS


class CallForm(S2SForm):
    """Call a meeting."""

    team = PickOne("Which team’s panel is it?", "Choose which team’s panel it is", choices=[])
    meets_on = DayField("When does it meet?", [Needed("Enter when it meets")])
    chair = SelectField("Who chairs it?", choices=[], validate_choice=False, widget=GovSelect())
    reviewers = SelectMultipleField(
        "Who writes a comment on each referral?", choices=[], validate_choice=False
    )

    def offer(self, teams: Mapping[str, str], officers: Sequence[Officer]) -> None:
        """Offer these teams and officers."""
        self.team.choices = [SelectChoice(*pair) for pair in teams.items()]
        people = [SelectChoice(str(one.id), one.name) for one in officers]
        self.chair.choices = [SelectChoice("", "Choose an officer"), *people]
        self.reviewers.choices = people

    @property
    def numbers(self) -> list[int]:
        """The reviewers, by our number."""
        return [number_of(text) for text in self.reviewers.data or ()]


class PutOnForm(DecidingForm):
    """Put a referral on the agenda of a meeting."""

    meeting = PickOne("Which meeting?", "Choose which meeting", choices=[])
    why = Paragraphs("Why does it need a panel?", [Needed("Enter why it needs a panel")])

    def offer(self, meetings: Mapping[int, str]) -> None:
        """Offer these meetings."""
        self.meeting.choices = [SelectChoice(str(key), name) for key, name in meetings.items()]


class TakeOffForm(S2SForm):
    """Take a referral off an agenda."""

    why = Paragraphs("Why is it taken off?", [Needed("Enter why it is taken off")])


class CommentForm(S2SForm):
    """What one reviewer thinks."""

    recommends = PickOne(
        "What do you recommend?",
        "Choose what you recommend",
        choices=[SelectChoice(one.value, words) for one, words in RECOMMENDS_WORDS.items()],
    )
    level = SelectField(
        "If you accept it, at which level?", choices=[], validate_choice=False, widget=GovSelect()
    )
    text = Paragraphs("Why?", [Needed("Enter why")])

    def offer(self, levels: Mapping[str, str]) -> None:
        """Offer these levels."""
        self.level.choices = [
            SelectChoice("", "I do not accept it"),
            *(SelectChoice(*pair) for pair in levels.items()),
        ]

    @property
    def recommended(self) -> Recommends:
        """What was picked."""
        return Recommends(self.recommends.data)


class EndForm(S2SForm):
    """End a meeting."""

    present = Paragraphs("Who was there?", [Needed("Enter who was there")])


def number_of(text: str | None) -> int:
    """The number that a field brought; 0, which nothing has, for nonsense."""
    said = text or ""
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 10 else 0
