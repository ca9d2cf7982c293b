"""Forms around an issued record: who joins a training, what a school thought of it, its time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wtforms.fields import SelectChoice

from s2s_portal.blueprints.forms import Needed, Paragraphs, PickOne, S2SForm
from s2s_portal.blueprints.visits.record_forms import TimeFields
from s2s_portal.blueprints.widgets import GovRadioInput
from s2s_portal.services.activity_time import COLUMNS, Spent
from s2s_portal.services.training import SCALE, Joinable

MARKS = [SelectChoice(str(mark), words) for mark, words in SCALE.items()]


class JoinForm(S2SForm):
    """Which school joins next."""

    reference = PickOne("Which school joins?", "Select a school", widget=GovRadioInput())

    def offer(self, schools: Sequence[Joinable]) -> None:
        """List the schools that can join, each with its referral."""
        self.reference.choices = [
            SelectChoice(one.reference, f"{one.school_name}, referral {one.reference}")
            for one in schools
        ]


class EvaluationForm(S2SForm):
    """What the school thought of the training."""

    useful = PickOne(
        "How useful was it?",
        "Select how useful it was",
        choices=MARKS,
        widget=GovRadioInput(),
    )
    confident = PickOne(
        "How confident are staff to use it?",
        "Select how confident staff are",
        choices=MARKS,
        widget=GovRadioInput(),
    )
    words = Paragraphs(
        "What else should we know? (optional)",
        description="For example, what would help next. Do not name a child here.",
    )


class TimeForm(TimeFields):
    """The time of an issued record as it should be, and why."""

    reason = Paragraphs("Why was it wrong?", [Needed("Enter why the time was wrong")])

    def spent(self) -> Spent:
        """What was typed; an empty box is none."""
        said: dict[str, Any] = {name: self[name].data or 0 for name in COLUMNS}
        return Spent(**said)
