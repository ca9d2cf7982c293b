"""Before a referral: for which school, whether it may, what it costs, how long schools now wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, text

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.errors import NotFound
from s2s_portal.identity import Actor
from s2s_portal.models.establishment import Establishment
from s2s_portal.services import intake, screening, terms
from s2s_portal.services.intake import Standing
from s2s_portal.state import setting

LONGEST_URN = 7  # figures; a URN has six


WAITS_OVER = 90  # days that the waits are taken from
TODAY = text(
    "SELECT i.*, w.* FROM s2s.intake_standing(:kind, :day) AS i, s2s.recent_waits(:since) AS w"
)


@dataclass(frozen=True)
class Waits:
    """How long schools waited lately, in days (the middle value); None when too few to say."""

    decision_days: int | None
    visit_days: int | None

    @property
    def decision_words(self) -> str:
        """From sending a referral to the council's decision."""
        return _wait_words(self.decision_days)

    @property
    def visit_words(self) -> str:
        """From sending a referral to the first visit."""
        return _wait_words(self.visit_days)


def _wait_words(days: int | None) -> str:
    if days is None:
        return f"Too few in the last {WAITS_OVER} days to say"
    if days == 0:
        return "Half of schools heard on the same day"
    return f"Half of schools waited {days:,} day{'' if days == 1 else 's'} or less"


@dataclass(frozen=True)
class Offer:
    """What a school can expect today: `why_not` when it may not refer and `instead` what it can do
    then; else the fee in words, how intake stands, and how long schools now wait.
    """

    establishment: Establishment
    why_not: str | None = None
    instead: str = ""
    fee_pence: int = 0
    fee_words: str = ""
    intake: Standing | None = None
    waits: Waits | None = None

    @property
    def can_start(self) -> bool:
        """Whether a draft can be begun today."""
        return self.why_not is None and self.intake is not None and self.intake.is_open


def urn_of(text: str | None) -> int:
    """The URN in `text`. Raises NotFound when it is none."""
    if not text or not text.isascii() or not text.isdecimal() or len(text) > LONGEST_URN:
        raise NotFound()
    return int(text)


def schools(*, by: Actor) -> list[Establishment]:
    """The schools that `by` acts for and the register knows, by name."""
    return list(
        session().scalars(
            select(Establishment)
            .where(Establishment.urn.in_(by.establishments))
            .order_by(Establishment.name, Establishment.urn)
        )
    )


def offer(among: list[Establishment], chosen: str | None) -> Offer | None:
    """What the chosen school can expect; None while one of several is still to be chosen.

    Raises NotFound when `chosen` is not `among` the person's own schools.
    """
    if chosen is None and len(among) != 1:
        return None
    urn = among[0].urn if chosen is None else urn_of(chosen)
    found = next((school for school in among if school.urn == urn), None)
    if found is None:
        raise NotFound()
    return _offer(found)


def _offer(school: Establishment) -> Offer:
    here = setting("S2S_LOCAL_AUTHORITY")
    why_not = school.why_not_refer(here)
    if why_not:
        return Offer(school, why_not, screening.alternative(school, here))
    today = clock.today()
    verdict = terms.verdict(school, today)
    row = session().execute(
        TODAY,
        {
            "kind": school.setting_kind.value,
            "day": today,
            "since": clock.from_local(today - timedelta(days=WAITS_OVER)),
        },
    )
    found = row.one()
    return Offer(
        school,
        fee_pence=verdict.amount_pence,
        fee_words=verdict.words,
        intake=intake.from_row(school.setting_kind, today, found),
        waits=Waits(found.decision_days, found.visit_days),
    )
