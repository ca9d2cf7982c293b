"""What a referral costs, by date (F70): rules to be added after a look at what they would do.

A rule is never changed: a later one takes its place from its first day on, which is tomorrow at the
earliest, so nothing that was received moves. A slip that has not begun is put right by another rule
of the same first day.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import func, select

from s2s_portal import audit, clock, money
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotAllowed, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.codes import Kind
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.fees import DueEvent, FeeRule, FeeSetting

SAMPLE = 50  # recent referrals that a rule is tried on
MOST_PENCE = 10_000_000
LONGEST_REASON = 100

SETTING_WORDS = {
    FeeSetting.MAINTAINED: "Maintained mainstream schools",
    FeeSetting.ACADEMY: "Academies and free schools",
    FeeSetting.EARLY_YEARS: "Early years settings",
    FeeSetting.OTHER: "Other settings: alternative provision, pupil referral units",
}
KIND_WORDS = {
    Kind.PUPIL: "About a pupil",
    Kind.GROUP: "About a group",
    Kind.WHOLE: "For the whole school",
    Kind.TRAINING: "For training",
}
DUE_WORDS = {
    DueEvent.SUBMISSION: "When the referral is sent",
    DueEvent.ACCEPTANCE: "When the council accepts it",
    DueEvent.FIRST_VISIT: "When the first visit has taken place",
}
MAINSTREAM = (FeeSetting.MAINTAINED, FeeSetting.ACADEMY, FeeSetting.OTHER)


@dataclass(frozen=True)
class Proposal:
    """A rule as it would be, for several kinds of setting and of referral at once."""

    settings: tuple[FeeSetting, ...]
    kinds: tuple[Kind, ...]
    valid_from: date
    amount_pence: int
    due: DueEvent
    reason: str
    source: str

    def covers(self, setting: FeeSetting, kind: Kind) -> bool:
        """Whether it says what such a referral costs."""
        return setting in self.settings and kind in self.kinds


# What Norfolk did in September 2024, for an administrator to enact (domain.md 1.1).
EXAMPLE = Proposal(
    settings=MAINSTREAM,
    kinds=tuple(Kind),
    valid_from=date(2024, 9, 1),
    amount_pence=0,
    due=DueEvent.ACCEPTANCE,
    reason="no fee for mainstream schools",
    source="Norfolk Schools, September 2024",
)


@dataclass(frozen=True)
class Preview:
    """What the last referrals cost, and what they would: pence to how many."""

    count: int
    before: Counter[int]
    after: Counter[int]

    @property
    def words(self) -> str:
        """In words, as "Tried on the last 50 referrals: £0 for 2 and £100 for 48. It was …"."""
        if not self.count:
            return "No referral has been sent yet, so there is nothing to try it on."
        what = "the last referral" if self.count == 1 else f"the last {self.count} referrals"
        now = _shares(self.after)
        if self.before == self.after:
            return f"Tried on {what}, nothing changes: {now}."
        return f"Tried on {what}: {now}. It was {_shares(self.before)}."


def _shares(found: Counter[int]) -> str:
    parts = [f"{money.pounds(pence)} for {count}" for pence, count in sorted(found.items())]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def propose(
    *,
    settings: tuple[FeeSetting, ...],
    kinds: tuple[Kind, ...],
    valid_from: date,
    amount_pence: int,
    due: DueEvent,
    reason: str,
    source: str,
    by: Actor,
) -> Proposal:
    """A rule as it would be; not yet kept. Raises NotAllowed, Refused (naming the field)."""
    if not by.has(Role.ADMINISTRATOR, Role.SYSTEM):
        raise NotAllowed("Only an administrator can add a fee rule.")
    if valid_from <= clock.today():
        raise Refused(
            "The first day must be tomorrow or later: what was received keeps its fee", "valid_from"
        )
    if not 0 <= amount_pence <= MOST_PENCE:
        raise Refused(f"The fee must be from £0 to {money.pounds(MOST_PENCE)}", "amount")
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise Refused("Enter why, in a few words for the school", "reason")
    if not source.strip():
        raise Refused("Enter where this was decided", "source")
    return Proposal(settings, kinds, valid_from, amount_pence, due, reason.strip(), source.strip())


def add(work: UnitOfWork, rule: Proposal, *, by: Actor) -> int:
    """Keep a rule; how many cells it took. Sent twice, it is kept once.

    The database ends the rules that it takes the place of, and holds that no two overlap.
    """
    added = 0
    for setting in rule.settings:
        for kind in rule.kinds:
            if _holds_already(rule, setting, kind):
                continue
            work.session.add(
                FeeRule(
                    setting=setting,
                    kind=kind,
                    valid_from=rule.valid_from,
                    amount_pence=rule.amount_pence,
                    due=rule.due,
                    reason=rule.reason,
                    source=rule.source,
                    by_id=by.id,
                    by_name=by.name,
                )
            )
            work.flush()
            added += 1
    if added:
        words = f"{money.pounds(rule.amount_pence)} from {rule.valid_from}: {rule.reason}"
        audit.wrote(work, "added", "fee rule", words)
    return added


def _holds_already(rule: Proposal, setting: FeeSetting, kind: Kind) -> bool:
    held = select(FeeRule.id).where(
        FeeRule.setting == setting,
        FeeRule.kind == kind,
        FeeRule.valid_from == rule.valid_from,
        FeeRule.amount_pence == rule.amount_pence,
        FeeRule.due == rule.due,
        FeeRule.reason == rule.reason,
        FeeRule.source == rule.source,
        ~func.isempty(FeeRule.during),
    )
    return session().scalar(held) is not None


def preview(rule: Proposal) -> Preview:
    """What the rule would have asked of the last 50 referrals, and what they were asked.

    A referral that it does not cover keeps what it cost.
    """
    sample = (
        session()
        .execute(
            select(
                func.s2s.recent_fees(SAMPLE).table_valued("urn", "kind", "received_on", "fee_pence")
            )
        )
        .all()
    )
    wanted = {row.urn for row in sample}
    schools = session().scalars(select(Establishment).where(Establishment.urn.in_(wanted)))
    settings = {school.urn: FeeSetting.of(school) for school in schools}
    before: Counter[int] = Counter(row.fee_pence for row in sample)
    after: Counter[int] = Counter(
        rule.amount_pence if rule.covers(settings[row.urn], Kind(row.kind)) else row.fee_pence
        for row in sample
    )
    return Preview(len(sample), before, after)


@dataclass(frozen=True)
class Line:
    """Rules of one first day that say the same, for the kinds of setting and referral in words."""

    rule: FeeRule
    settings: str
    kinds: str
    until: date | None
    replaced: bool

    @property
    def in_force(self) -> bool:
        """Whether it holds today."""
        return clock.today() in self.rule.during if not self.replaced else False


def listing() -> list[Line]:
    """Every rule there was, newest first, those that say the same in one line; one statement."""
    rows = session().scalars(select(FeeRule).order_by(FeeRule.valid_from.desc(), FeeRule.id.desc()))
    grouped: dict[tuple[object, ...], list[FeeRule]] = {}
    for row in rows:
        same = (row.valid_from, row.amount_pence, row.due, row.reason, row.source, row.at)
        grouped.setdefault((*same, str(row.during)), []).append(row)
    return [_line(rows) for rows in grouped.values()]


def _line(rows: list[FeeRule]) -> Line:
    first = rows[-1]
    settings, kinds = {row.setting for row in rows}, {row.kind for row in rows}
    ends = first.during.upper
    return Line(
        rule=first,
        settings="; ".join(words for one, words in SETTING_WORDS.items() if one in settings),
        kinds="Every kind"
        if kinds == set(Kind)
        else ", ".join(words for one, words in KIND_WORDS.items() if one in kinds),
        until=ends - timedelta(days=1) if ends else None,
        replaced=first.during.isempty,
    )
