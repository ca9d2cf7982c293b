"""What a page says about the end of a referral: outcomes, reports, what its school says."""

from __future__ import annotations

from dataclasses import dataclass

from s2s_portal.models.codes import GIVEN, Status
from s2s_portal.models.end_report import EndReport
from s2s_portal.models.impact import SchoolEvaluation, Stage
from s2s_portal.models.referral import Referral
from s2s_portal.services import (
    case_studies,
    closing,
    concluding,
    confidence,
    end_reports,
    lasting,
    outcome_scores,
    school_asks,
    school_evaluations,
)
from s2s_portal.services.confidence import Said
from s2s_portal.services.outcome_scores import Standing


@dataclass(frozen=True)
class Ending:
    """What has been said of what support achieved, and what can still be said."""

    standings: list[Standing]
    said: list[Said]
    reports: list[EndReport]
    evaluation: SchoolEvaluation | None
    conclusion: str
    meaning: str
    report_due: bool
    start_missing: bool
    may_add_view: bool
    may_evaluate: bool
    may_be_told: bool
    achieved = closing.ACHIEVED_WORDS
    stage_words = staticmethod(school_asks.stage_words)

    @property
    def evaluation_words(self) -> str:
        """What the school thought of the support, in words."""
        if self.evaluation is None:
            return ""
        return ". ".join(
            (
                school_evaluations.USEFUL_WORDS[self.evaluation.useful],
                school_evaluations.TIMELY_WORDS[self.evaluation.timely],
                "Staff use what was recommended: "
                + confidence.USING_WORDS[self.evaluation.still_using].lower(),
            )
        )

    @property
    def lasted(self) -> str:
        """Whether it has lasted, in words; empty before that is asked."""
        if not any(one.stage is Stage.LATER and one.ask.asked_at for one in self.said):
            return ""
        return lasting.WORDS[lasting.altogether(one.lasted for one in self.standings)]

    @property
    def to_answer(self) -> list[Said]:
        """What the school is asked now and has not answered."""
        return [one for one in self.said if one.may_answer and one.answer is None]

    @property
    def is_scored(self) -> bool:
        """Whether anybody has given a score yet."""
        return any(one.start is not None or one.end is not None for one in self.standings)


def of(referral: Referral) -> Ending | None:
    """What there is to say, for whoever may see the referral; None before a practitioner has it."""
    if referral.status not in GIVEN:
        return None
    found = outcome_scores.rows(referral)
    standings = outcome_scores.standings(referral)
    how = referral.conclusion
    evaluation = school_evaluations.of(referral)
    ask = school_asks.open_ask(referral, Stage.EVALUATION)
    return Ending(
        standings=standings,
        said=confidence.of(referral),
        reports=end_reports.issued(referral),
        evaluation=evaluation,
        conclusion=concluding.WORDS[how] if how else "",
        meaning=concluding.MEANS[how] if how else "",
        report_due=referral.status is Status.ALLOCATED and concluding.report_is_due(referral),
        start_missing=any(one.start is None for one in standings)
        and not any(one.end is not None for one in standings),
        may_add_view=outcome_scores.may_add_view(referral, found),
        may_evaluate=ask is not None
        and school_asks.is_answerable(referral, ask)
        and (evaluation is None or evaluation.ask_id != ask.id),
        may_be_told=case_studies.may_be_told(referral),
    )
