"""The officers' worklist: piles, orders, filters and search, a page at a time (F21, F22).

Pages go by the row they begin after, not by number, and every list and count is read from an index
in its order, so the last page of a million costs what the first of a thousand does. Nothing here
names a child.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from s2s_portal import clock, references
from s2s_portal.database import session
from s2s_portal.identity import current_actor
from s2s_portal.models.codes import Status
from s2s_portal.models.terms import NeedType, Step
from s2s_portal.models.worklist import Officer, WorklistEntry
from s2s_portal.services import calendar, clock_dates, promises
from s2s_portal.services.calendar import Calendar
from s2s_portal.services.labels import SHORT_KINDS
from s2s_portal.services.service_levels import STEP_WORDS
from s2s_portal.services.worklist_wanted import (
    NOBODY,
    PILE_WORDS,
    STATES,
    STATUSES,
    Pile,
    Place,
    Sort,
    Wanted,
    When,
)
from s2s_portal.state import setting

COUNTED = 1_000  # counting stops here: the tile says "1,000+"
NEW_FOR = 10  # working days for which what was given to an officer is new to them (W1)
COUNTED_PILES = (
    Pile.NEW,
    Pile.RESUBMITTED,
    Pile.RETURNED,
    Pile.DUE,
    Pile.OVERDUE,
    Pile.MINE,
    Pile.NEW_TO_ME,
    Pile.ACCEPTED,
)
COUNTS = select(
    func.s2s.worklist_counts(
        bindparam("most"), bindparam("day"), bindparam("lately"), bindparam("team")
    ).table_valued("pile", "number")
)
WAITING = {Status.SUBMITTED, Status.WAITING, Status.RETURNED, Status.ACCEPTED}


class Line(NamedTuple):
    """One referral in a list. `days` have passed since it was received, None once it is decided.

    `due_on` is the next promise, `due` what it is about, `tag` and `colour` how it stands; `late`
    is for how many working days it has been broken. `waiting` are the working days since the
    promise was made, or since the referral was received. `team` is the code of the body whose queue
    it is in, `panel_on` the day of the panel that it goes before.
    """

    reference: str
    school_name: str
    phase: str
    need: str
    kind: str
    received_on: date
    days: int | None
    status: str
    officer: str
    due_on: date | None
    due: str
    tag: str
    colour: str
    late: int
    waiting: int
    team: str
    panel_on: date | None

    @property
    def words(self) -> str:
        """Where the referral stands, for an officer."""
        return stands(self.status)


@dataclass(frozen=True)
class Listing:
    """One page of a list: its lines, and where the pages before and after it begin, if any."""

    lines: list[Line] = field(default_factory=list)
    previous: Place | None = None
    next: Place | None = None


def stands(status: str) -> str:
    """Where a referral with this status stands, for an officer."""
    return (
        PILE_WORDS[Pile(status)] if status in set(Pile) else status.replace("_", " ").capitalize()
    )


def listing(
    wanted: Wanted, *, dates: Calendar | None = None, needs: dict[str, str] | None = None
) -> Listing:
    """The page of the list that is wanted: one statement.

    One more each for the days of the `office` and the labels of `needs`, where they are not given.
    Drafts are never in a list.
    """
    size = int(setting("S2S_PAGE_SIZE"))
    dates = dates or office()
    rows = session().execute(statement(wanted, size + 1), _values(dates)).all()
    more, rows = len(rows) > size, rows[:size]
    if wanted.before is not None:
        rows = rows[::-1]
    if not rows:
        return Listing()
    by_due = wanted.sort is Sort.DUE
    first, last = (
        Place(row.submitted_at, row.referral_id, row.due_sort if by_due else None)
        for row in (rows[0], rows[-1])
    )
    back = wanted.before is not None
    return Listing(
        lines=_read(rows, dates, needs if needs is not None else _needs()),
        previous=first if (more if back else wanted.after is not None) else None,
        next=last if (more or back) else None,
    )


def statement(wanted: Wanted, limit: int) -> Select[Any]:
    """The statement behind a list: one table, read in the order of an index, `limit` rows."""
    query = _lines().where(*_in(wanted.pile), *_narrowed(wanted), *_found(wanted.search))
    entry = WorklistEntry
    order: tuple[Any, ...] = (entry.submitted_at, entry.referral_id)
    if wanted.sort is Sort.DUE:
        order = (entry.due_sort, *order)
    backwards = (wanted.sort is Sort.NEWEST) is not (wanted.before is not None)
    place = wanted.before or wanted.after
    if place is not None:
        at: tuple[Any, ...] = (place.submitted_at, place.id)
        if wanted.sort is Sort.DUE:
            at = (place.due or date.min, *at)
        here = tuple_(*order)
        query = query.where(here < tuple_(*at) if backwards else here > tuple_(*at))
    query = query.order_by(*(column.desc() if backwards else column for column in order))
    # A number, not a parameter: PostgreSQL plans for a tenth of the table where it does not know.
    return query.limit(literal_column(str(int(limit))))


def counts(dates: Calendar | None = None, team: str = "") -> dict[Pile, str]:
    """How many referrals each tile stands for, in words (`1,000+` from there on): one statement.

    Of one body's queue, or of all of the acting officer's.
    """
    values = {
        "most": COUNTED + 1,
        "day": clock.today(),
        "lately": lately(dates or office()),
        "team": team,
    }
    found: dict[str, int] = dict(session().execute(COUNTS, values).all())
    return {pile: _count_words(found.get(pile.value, 0)) for pile in COUNTED_PILES}


def lately(dates: Calendar) -> datetime:
    """Since when what was given to an officer is still new to them."""
    day, left = clock.today(), NEW_FOR
    while left:
        day -= timedelta(days=1)
        left -= dates.is_working_day(day)
    return clock.from_local(day)


def office() -> Calendar:
    """The days on which the council works: one statement."""
    return Calendar(None, (), calendar.closures())


def _needs() -> dict[str, str]:
    rows = session().execute(select(NeedType.code, NeedType.label))
    return dict(rows.all())


def _count_words(count: int) -> str:
    return f"{COUNTED:,}+" if count > COUNTED else f"{count:,}"


@cache
def _lines() -> Select[*tuple[Any, ...]]:
    entry = WorklistEntry
    return select(
        entry.referral_id,
        entry.reference,
        entry.school_name,
        entry.phase_name,
        entry.need,
        entry.kind,
        entry.received_on,
        entry.submitted_at,
        entry.status,
        entry.officer_name,
        entry.due_step,
        entry.due_on,
        entry.warn_on,
        entry.waiting_since,
        entry.answer_by,
        entry.due_sort,
        entry.body,
        entry.panel_on,
    )


def _in(pile: Pile) -> list[ColumnElement[bool]]:
    entry = WorklistEntry
    if pile in STATUSES:
        return [entry.status == pile.value]
    if pile in STATES:
        return [entry.state == pile.value]
    mine: list[Any] = [entry.officer_id == bindparam("me"), entry.open]
    rules: dict[Pile, list[Any]] = {
        Pile.DUE: [entry.due_sort == bindparam("today")],
        Pile.OVERDUE: [entry.due_sort < bindparam("today")],
        Pile.MINE: mine,
        Pile.NEW_TO_ME: [*mine, entry.unopened, entry.assigned_at >= bindparam("lately")],
        Pile.ALL: [],
    }
    return rules[pile]


def _values(dates: Calendar) -> dict[str, Any]:
    """What the rules of a pile are told about now and about who asks."""
    return {"me": current_actor().id, "today": clock.today(), "lately": lately(dates)}


def _narrowed(wanted: Wanted) -> list[ColumnElement[bool]]:
    entry = WorklistEntry
    rules: list[Any] = []
    for column, value in (
        (entry.urn, wanted.school),
        (entry.district, wanted.area or None),
        (entry.phase_code, wanted.phase),
        (entry.need, wanted.need or None),
        (entry.kind, wanted.kind or None),
        (entry.window_id, wanted.window),
    ):
        if value is not None:
            rules.append(column == value)
    if wanted.team:
        rules.append(entry.body == _team(wanted))
    if wanted.officer == NOBODY:
        rules.append(entry.officer_id.is_(None))
    elif wanted.officer is not None:
        account = select(Officer.account_id).where(Officer.id == wanted.officer)
        rules.extend((entry.officer_id == account.scalar_subquery(), entry.open))
    return rules + _when(wanted.when)


def _team(wanted: Wanted) -> Any:
    """The team that is wanted: by its name, not as a parameter, as PostgreSQL has to know of a team
    that it has few referrals. What one officer looks after is read by the officer first."""
    if wanted.pile in {Pile.MINE, Pile.NEW_TO_ME}:
        return wanted.team
    return literal_column(f"'{wanted.team}'")


def _when(when: When | None) -> list[ColumnElement[bool]]:
    entry, today = WorklistEntry, bindparam("today", type_=Date)
    rules: dict[When | None, list[ColumnElement[bool]]] = {
        When.OVERDUE: [entry.due_sort < today],
        When.TODAY: [entry.due_sort == today],
        When.SOON: [entry.due_sort > today, entry.warn_on <= today],
    }
    return rules.get(when, [])


def _found(search: str) -> list[ColumnElement[bool]]:
    if not search:
        return []
    reference = references.parse(search)
    if reference is not None:
        return [WorklistEntry.reference == reference]
    return [
        or_(
            WorklistEntry.school_name.icontains(search, autoescape=True),
            WorklistEntry.reference.icontains(search, autoescape=True),
        )
    ]


def _read(rows: Any, dates: Calendar, needs: dict[str, str]) -> list[Line]:
    today = clock.today()
    return [_line(row, today, dates, needs) for row in rows]


def _line(row: Any, today: date, dates: Calendar, needs: dict[str, str]) -> Line:
    due_on, due = row.due_on, row.due_step
    tag = colour = ""
    if due_on is not None:
        tag, colour = promises.tag(due_on, row.warn_on, today)
    elif row.answer_by is not None:
        due_on, due = row.answer_by, Step.ANSWER
        tag, colour = ("Answer overdue", "yellow") if due_on < today else ("", "")
    since = clock.local(row.waiting_since).date() if row.waiting_since else row.received_on
    return Line(
        reference=row.reference,
        school_name=row.school_name,
        phase=row.phase_name,
        need=needs.get(row.need, ""),
        kind=SHORT_KINDS.get(row.kind, "Not given"),
        received_on=row.received_on,
        days=(today - row.received_on).days if row.status in WAITING else None,
        status=row.status,
        officer=row.officer_name or "",
        due_on=due_on,
        due=STEP_WORDS[Step(due)] if due else "",
        tag=tag,
        colour=colour,
        late=clock_dates.days_late(due_on, today, dates) if due_on and row.due_on else 0,
        waiting=clock_dates.days_late(since, today, dates),
        team=row.body,
        panel_on=row.panel_on,
    )
