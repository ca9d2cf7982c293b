"""What a financial year's referrals came to, in figures with written definitions (F90).

Counted from the view `referral_measure`, which holds no child and no free text, and from the
ledger. Where figures are broken down, small numbers are not shown: they could point to a child.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    Boolean,
    Date,
    DateTime,
    Integer,
    Text,
    and_,
    case,
    column,
    func,
    or_,
    select,
    table,
)

from s2s_portal import clock, money
from s2s_portal.database import session
from s2s_portal.models.codes import Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.ledger import EntryKind, LedgerEntry
from s2s_portal.models.terms import NeedType

SMALLEST_SHOWN = 5
FEWER = f"fewer than {SMALLEST_SHOWN}"
WITHHELD = "not shown"

MEASURE = table(
    "referral_measure",
    column("urn", Integer),
    column("status", Text),
    column("received_on", Date),
    column("decided_at", DateTime(timezone=True)),
    column("first_visit_at", DateTime(timezone=True)),
    column("primary_need", Text),
    column("outcomes_judged", Integer),
    column("outcomes_achieved", Integer),
    schema="s2s",
)
RECORDS = table(
    "record_measure",
    column("issued_on", Date),
    column("disputed", Boolean),
    column("open", Boolean),
    schema="s2s",
)
ACCEPTED = (Status.ACCEPTED.value, Status.ALLOCATED.value, Status.CLOSED.value)
WAITING = (Status.SUBMITTED.value, Status.WAITING.value, Status.RETURNED.value)


@dataclass(frozen=True)
class Figure:
    """One figure: what it is called, its value in words, and exactly what is counted."""

    name: str
    value: str
    definition: str


@dataclass(frozen=True)
class Share:
    """One line of a breakdown: the group, and how many referrals, or that they are few."""

    name: str
    value: str


@dataclass(frozen=True)
class Evaluation:
    """A financial year in figures. `year` is as the ledger writes it, `2019/20`."""

    year: str
    figures: list[Figure]
    by_need: list[Share]
    by_phase: list[Share]


def years() -> list[str]:
    """The financial years in which referrals were received, newest first; this year at least."""
    first = session().scalar(select(func.min(MEASURE.c.received_on)))
    this = _first_year(clock.today())
    oldest = min(this, _first_year(first)) if first else this
    return [_written(year) for year in range(this, oldest - 1, -1)]


def of_year(year: str) -> Evaluation:
    """The figures of the referrals received in a financial year, 1 April to 31 March."""
    first = int(year[:4])
    within = MEASURE.c.received_on.between(date(first, 4, 1), date(first + 1, 3, 31))
    return Evaluation(
        year=year,
        figures=[*_counted(within), *_records(first), _fees(year)],
        by_need=_by_need(within),
        by_phase=_by_phase(within),
    )


def _first_year(day: date) -> int:
    return int(money.financial_year(day)[:4])


def _written(first: int) -> str:
    return money.financial_year(date(first, 4, 1))


def _counted(within: Any) -> list[Figure]:
    decided_on = func.date(func.timezone("Europe/London", MEASURE.c.decided_at))
    wait = decided_on - MEASURE.c.received_on
    withdrawn_since = and_(
        MEASURE.c.status == Status.WITHDRAWN.value, MEASURE.c.decided_at.is_not(None)
    )
    row = (
        session()
        .execute(
            select(
                func.count().label("received"),
                _count_if(or_(MEASURE.c.status.in_(ACCEPTED), withdrawn_since)).label("accepted"),
                _count_if(MEASURE.c.status == Status.WITHDRAWN.value).label("withdrawn"),
                _count_if(MEASURE.c.status == Status.DECLINED.value).label("declined"),
                _count_if(MEASURE.c.status == Status.ADVISED.value).label("advised"),
                _count_if(MEASURE.c.status == Status.REDIRECTED.value).label("redirected"),
                _count_if(MEASURE.c.status == Status.UNANSWERED.value).label("unanswered"),
                _count_if(MEASURE.c.status.in_(WAITING)).label("waiting"),
                func.percentile_cont(0.5).within_group(wait).label("days"),
                _count_if(MEASURE.c.first_visit_at.is_not(None)).label("visited"),
                func.coalesce(func.sum(MEASURE.c.outcomes_judged), 0).label("judged"),
                func.coalesce(func.sum(MEASURE.c.outcomes_achieved), 0).label("achieved"),
            ).where(within)
        )
        .one()
    )
    return [
        Figure("Referrals received", f"{row.received:,}", "Sent by a school in this year."),
        Figure(
            "Accepted",
            f"{row.accepted:,}",
            "Of those, accepted so far, also if since closed or withdrawn.",
        ),
        Figure("Declined", f"{row.declined:,}", "Of those, declined."),
        Figure(
            "Advised without a visit",
            f"{row.advised:,}",
            "Of those, answered with advice; no visit was arranged and nothing charged.",
        ),
        Figure(
            "Sent on to another service",
            f"{row.redirected:,}",
            "Of those, told of a service that suits better, and how to reach it.",
        ),
        Figure(
            "Not answered",
            f"{row.unanswered:,}",
            "Of those, closed because the school did not answer what was asked in time.",
        ),
        Figure(
            "Withdrawn",
            f"{row.withdrawn:,}",
            "Of those, withdrawn by the school, or because a parent no longer agreed.",
        ),
        Figure(
            "Still waiting",
            f"{row.waiting:,}",
            "Of those, not decided yet: with the service, on its waiting list, or with the"
            " school for information.",
        ),
        Figure(
            "Median time to a decision",
            _days(row.days),
            "Calendar days from the day of receipt to the first acceptance, refusal, advice or"
            " sending on that stands; half took this long or less. Undecided ones are left out.",
        ),
        Figure(
            "Visited at least once",
            f"{row.visited:,}",
            "Of those received, how many have had a visit with an issued record.",
        ),
        Figure(
            "Outcomes achieved",
            _percentage(int(row.achieved), int(row.judged)),
            "Of the outcomes that the schools wanted and the practitioners have judged, the share"
            " that was fully achieved.",
        ),
    ]


def _count_if(condition: Any) -> Any:
    return func.count(case((condition, 1)))


def _days(median: float | None) -> str:
    if median is None:
        return "No decision yet"
    number = f"{median:g}"
    return f"{number} day" if number == "1" else f"{number} days"


def _percentage(part: int, whole: int) -> str:
    if not whole:
        return "None judged yet"
    return f"{part * 100 / whole:.0f}% ({part:,} of {whole:,})"


def _records(first: int) -> list[Figure]:
    """Records issued in the financial year that begins in April `first`, and those disputed."""
    within = RECORDS.c.issued_on.between(date(first, 4, 1), date(first + 1, 3, 31))
    query = select(func.count(), _count_if(RECORDS.c.disputed), _count_if(RECORDS.c.open))
    issued, disputed, unsettled = session().execute(query.where(within)).one()
    stands = f", of which {unsettled:,} not settled" if unsettled else ", all settled"
    return [
        Figure(
            "Visit records issued",
            f"{issued:,}",
            "Issued in this year, whenever the referral was received.",
        ),
        Figure(
            "Disputed by the school",
            f"{disputed:,}{stands if disputed else ''}",
            "Of those records, in how many the school has disputed a fact; settled when the school"
            " or an officer has said so. A disputed record is counted like any other.",
        ),
    ]


def _fees(year: str) -> Figure:
    pence = session().scalar(
        select(func.coalesce(func.sum(LedgerEntry.amount_pence), 0)).where(
            LedgerEntry.financial_year == year, LedgerEntry.kind != EntryKind.COLLECTION
        )
    )
    return Figure(
        "Fees charged",
        money.pounds(int(pence or 0)),
        "Engagement fees charged in this year less those reversed in it, from the fee ledger,"
        " whenever the referral was received.",
    )


def _by_need(within: Any) -> list[Share]:
    rows = session().execute(
        select(
            func.coalesce(NeedType.label, "Not given"), func.count(), func.min(NeedType.position)
        )
        .select_from(MEASURE)
        .outerjoin(NeedType, NeedType.code == MEASURE.c.primary_need)
        .where(within)
        .group_by(NeedType.label)
        .order_by(func.min(NeedType.position).nulls_last())
    )
    return suppressed([(name, number) for name, number, _ in rows])


def _by_phase(within: Any) -> list[Share]:
    rows = session().execute(
        select(Establishment.phase_name, func.count())
        .select_from(MEASURE)
        .join(Establishment, Establishment.urn == MEASURE.c.urn)
        .where(within)
        .group_by(Establishment.phase_name)
        .order_by(func.min(Establishment.phase_code), Establishment.phase_name)
    )
    return suppressed([(name, number) for name, number in rows])


def suppressed(counts: list[tuple[str, int]]) -> list[Share]:
    """A breakdown in which small numbers are not shown.

    Counts of 1 to 4 become "fewer than 5". Where that hides one line only, the next smallest is not
    shown either: else the total would give the hidden one away.
    """
    small = [name for name, number in counts if 0 < number < SMALLEST_SHOWN]
    others = sorted((number, name) for name, number in counts if number >= SMALLEST_SHOWN)
    withheld = others[0][1] if len(small) == 1 and others else None
    return [Share(name, _shown(name, number, small, withheld)) for name, number in counts]


def _shown(name: str, number: int, small: list[str], withheld: str | None) -> str:
    if name in small:
        return FEWER
    return WITHHELD if name == withheld else f"{number:,}"
