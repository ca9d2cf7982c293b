"""The forms about what support achieved, for the practitioner, the school and an officer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import Any

from wtforms import BooleanField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired

from s2s_portal.blueprints import drawing
from s2s_portal.blueprints.forms import (
    DayField,
    Line,
    Needed,
    Paragraphs,
    PickOne,
    S2SForm,
    Seen,
)
from s2s_portal.blueprints.scale import ScoreField
from s2s_portal.models.case_study import ConsentHow, Party
from s2s_portal.models.end_report import EndReport
from s2s_portal.models.impact import Stage, StillUsing
from s2s_portal.services import case_studies, end_reports, school_evaluations
from s2s_portal.services.confidence import CONFIDENCE_WORDS, USING_WORDS, Said
from s2s_portal.services.end_reports import Answers


class ReportForm(S2SForm):
    """The draft of an end report; it may be saved incomplete."""

    seen = Seen()
    done = Paragraphs(
        "What was done?", description="Visits, training, resources: in a few sentences."
    )
    changed = Paragraphs("What changed?", description="For the pupil or group, and for the staff.")
    goes_on = Paragraphs(
        "What does the school go on with?", description="What works, and who keeps it going."
    )
    next_steps = Paragraphs("Advice for the next steps", description="If there is none, say so.")

    def answers(self) -> Answers:
        """What was written, ready for the service."""
        return Answers(**{one.name: self[one.name].data or "" for one in fields(Answers)})

    def show(self, problems: Mapping[str, str]) -> None:
        """Put what is missing onto the fields it is missing from."""
        for name, sentence in problems.items():
            self[name].errors = [*self[name].errors, sentence]


def report_form(draft: EndReport | None) -> ReportForm:
    """The form with what the draft holds."""
    given = vars(end_reports.answers_of(draft))
    return ReportForm(data={**given, "seen": str(draft.version if draft else 0)})


class IssueReportForm(S2SForm):
    """The button that issues the report, and the version that was checked."""

    seen = Seen()


def scores_form(
    name: str, positions: Sequence[int], label: str, given: Mapping[int, int | None] | None = None
) -> type[S2SForm]:
    """A form class with a question on the scale for each outcome, called `name_1` and so on."""

    class ScoresForm(S2SForm):
        """Where things are with each outcome."""

        @property
        def scores(self) -> dict[int, int]:
            """What was chosen, by the outcome's position."""
            return {one: self[f"{name}_{one}"].score for one in positions}

    for one in positions:
        question = ScoreField(label.format(one), one, (given or {}).get(one))
        setattr(ScoresForm, f"{name}_{one}", question)
    return ScoresForm


def baseline_form(positions: Sequence[int]) -> Any:
    """Where things were at the start, for the outcomes of which the school has not said so."""

    class BaselineForm(scores_form("start", positions, "Where were things with outcome {}?")):  # type: ignore[misc]
        """The day it is about, and a score for each."""

        on = DayField(
            "Which day is this about?",
            [Needed("Enter the day of your first visit")],
            description="The day of your first visit, for example 27 3 2019",
        )

    return BaselineForm()


def view_form(positions: Sequence[int], given: Mapping[int, int | None]) -> Any:
    """Where things are at the end, as the school sees them."""
    return scores_form("school", positions, "Where are things with outcome {} now?", given)()


def confidence_form(stage: Stage, positions: Sequence[int], said: Said | None) -> Any:
    """The one short form, at its stage; with what was said before, if it is shown."""
    later = stage is Stage.LATER
    kind = scores_form("later", positions if later else (), "Where are things with outcome {} now?")
    answer = said.answer if said else None

    class ConfidenceForm(kind):  # type: ignore[misc, valid-type]
        """How sure staff feel; once it is over, whether it lasted too."""

        seen = Seen(default=said.revision if said else 0)
        confidence = PickOne(
            "How sure do the staff feel who work with this?",
            "Choose from 1 to 5 how sure staff feel",
            choices=[SelectChoice(str(n), words) for n, words in CONFIDENCE_WORDS.items()],
            default=str(answer.confidence) if answer else None,
        )
        if later:
            still_using = PickOne(
                "Do staff still use what was recommended?",
                "Choose whether staff still use what was recommended",
                choices=[SelectChoice(code.value, words) for code, words in USING_WORDS.items()],
                default=answer.still_using.value if answer and answer.still_using else None,
            )

        def given(self) -> dict[str, Any]:
            """What was answered, ready for the service."""
            return {
                "confidence": int(self.confidence.data),
                "still_using": StillUsing(self.still_using.data) if later else None,
                "scores": self.scores,
            }

    return ConfidenceForm()


class EvaluationForm(S2SForm):
    """What the school thought of the support."""

    useful = PickOne(
        "How useful was the support?",
        "Choose how useful the support was",
        choices=[SelectChoice(str(n), w) for n, w in school_evaluations.USEFUL_WORDS.items()],
    )
    timely = PickOne(
        "Did it come soon enough?",
        "Choose whether it came soon enough",
        choices=[SelectChoice(str(n), w) for n, w in school_evaluations.TIMELY_WORDS.items()],
    )
    still_using = PickOne(
        "Do staff use what was recommended?",
        "Choose whether staff use what was recommended",
        choices=[SelectChoice(code.value, w) for code, w in USING_WORDS.items()],
    )
    text = Paragraphs(
        "What else would you like to say? (optional)",
        description="Do not name a child. The practitioner and the council read this.",
    )


def _choices(words: Mapping[Any, str]) -> Callable[[], list[SelectChoice]]:
    return lambda: [SelectChoice(code.value, text) for code, text in words.items()]


class ConsentForm(S2SForm):
    """Somebody agrees to a case study, or takes it back: who, how and when."""

    answer = PickOne(
        "What do you want to write down?",
        "Choose whether they agree",
        choices=[
            SelectChoice("yes", "They agree to a case study"),
            SelectChoice("no", "They no longer agree"),
        ],
    )
    party = PickOne(
        "Who said so?", "Choose who said so", choices=_choices(case_studies.PARTY_WORDS)
    )
    who = Line("Their name", [Needed("Enter their name")])
    how = PickOne(
        "How did they say so?", "Choose how they said so", choices=_choices(case_studies.HOW_WORDS)
    )
    on = DayField("When did they say so?", [Needed("Enter the day they said so")])

    def given(self) -> dict[str, Any]:
        """What was answered, ready for the service."""
        return {
            "given": self.answer.data == "yes",
            "party": Party(self.party.data),
            "who": self.who.data,
            "how": ConsentHow(self.how.data),
            "on": self.on.data or date.max,
        }


class MarkForm(S2SForm):
    """What may be told of a referral, checked by an officer."""

    text = Paragraphs(
        "What may be told?",
        [Needed("Enter what may be told")],
        description="What was difficult, what was tried, what helped. No name of anybody, no"
        " school, no date, nothing by which somebody could be recognised.",
    )
    checked = BooleanField(
        "I have read it again, and nobody can be recognised in it",
        [InputRequired("Say that nobody can be recognised in it")],
        widget=drawing.Tick(),
    )
