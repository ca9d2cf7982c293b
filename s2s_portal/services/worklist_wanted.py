"""What an officer asks of the worklist: all of it stands in the address, and only this is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlencode

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLACE = re.compile(r"(?:(\d{1,7})\.)?(\d{1,17})-(\d{1,18})")
NOBODY = 0  # as an officer: those that nobody looks after
TEAM = re.compile(r"[a-z_]{1,40}")
LONGEST = 100  # characters of one answer in the address
LONGEST_QUERY = 1_000

One = TypeVar("One", bound=StrEnum)


class Pile(StrEnum):
    """What a list holds: by where referrals stand, by when they are due, or by whose they are."""

    NEW = "new"
    RETURNED = "returned"
    RESUBMITTED = "resubmitted"
    DUE = "due"
    OVERDUE = "overdue"
    MINE = "mine"
    NEW_TO_ME = "new-to-me"
    ACCEPTED = "accepted"
    SUBMITTED = "submitted"
    ALLOCATED = "allocated"
    READY = "ready"
    CLOSED = "closed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    WAITING = "waiting"
    ADVISED = "advised"
    REDIRECTED = "redirected"
    UNANSWERED = "unanswered"
    ALL = "all"


PILE_WORDS = {
    Pile.NEW: "New",
    Pile.RETURNED: "Back with the school",
    Pile.RESUBMITTED: "Sent again",
    Pile.DUE: "Due today",
    Pile.OVERDUE: "Overdue",
    Pile.MINE: "Mine",
    Pile.NEW_TO_ME: "New to me",
    Pile.ACCEPTED: "To allocate",
    Pile.SUBMITTED: "To decide",
    Pile.ALLOCATED: "With a practitioner",
    Pile.READY: "Ready to close",
    Pile.CLOSED: "Closed",
    Pile.DECLINED: "Declined",
    Pile.WITHDRAWN: "Withdrawn",
    Pile.WAITING: "On the waiting list",
    Pile.ADVISED: "Advised, no visit",
    Pile.REDIRECTED: "Sent on",
    Pile.UNANSWERED: "Not answered",
    Pile.ALL: "All",
}
# Where a pile is one status, in the stored words; the others are one `state`, or a rule.
STATUSES = frozenset(
    {
        Pile.SUBMITTED,
        Pile.RETURNED,
        Pile.ACCEPTED,
        Pile.ALLOCATED,
        Pile.CLOSED,
        Pile.DECLINED,
        Pile.WITHDRAWN,
        Pile.WAITING,
        Pile.ADVISED,
        Pile.REDIRECTED,
        Pile.UNANSWERED,
    }
)
STATES = frozenset({Pile.NEW, Pile.RESUBMITTED, Pile.READY})


class Sort(StrEnum):
    """In which order."""

    OLDEST = "oldest"
    DUE = "due"
    NEWEST = "newest"


SORT_WORDS = {
    Sort.OLDEST: "Oldest first",
    Sort.DUE: "Due soonest first",
    Sort.NEWEST: "Newest first",
}


class When(StrEnum):
    """By when something is due, as a filter of any list."""

    OVERDUE = "overdue"
    TODAY = "today"
    SOON = "soon"


WHEN_WORDS = {When.OVERDUE: "Overdue", When.TODAY: "Due today", When.SOON: "Due soon"}


class Place(NamedTuple):
    """A row's place in the list: when it was sent, and its id where two were sent at once.

    Where the list goes by what is due, `due` is in front.
    """

    submitted_at: datetime
    id: int
    due: date | None = None

    def __str__(self) -> str:
        microseconds = (self.submitted_at - EPOCH) // timedelta(microseconds=1)
        first = f"{self.due.toordinal()}." if self.due else ""
        return f"{first}{microseconds}-{self.id}"

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """The place that `text` (from a URL) means, or None when it means none."""
        found = PLACE.fullmatch(text)
        if found is None:
            return None
        due = int(found[1]) if found[1] else 0
        if due > date.max.toordinal():
            return None
        return cls(
            EPOCH + timedelta(microseconds=int(found[2])),
            int(found[3]),
            date.fromordinal(due) if due else None,
        )


@dataclass(frozen=True)
class Wanted:
    """A list: which pile, in which order, searched for and filtered by what, from where on.

    `team` is a body's code, without one all queues of the asking officer are meant; `need` is a
    census code, `window` and `officer` are our own numbers (0 for an officer: nobody),
    `school` a URN, `area` a district. Nonsense in an address is as good as nothing.
    """

    pile: Pile = Pile.SUBMITTED
    team: str = ""
    sort: Sort = Sort.OLDEST
    search: str = ""
    school: int | None = None
    area: str = ""
    phase: int | None = None
    need: str = ""
    kind: str = ""
    officer: int | None = None
    window: int | None = None
    when: When | None = None
    after: Place | None = None
    before: Place | None = None

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> Wanted:
        """What the parameters of an address ask for."""

        def said(name: str) -> str:
            return asked.get(name, "").replace("\x00", "").strip()[:LONGEST]

        search = said("q")
        pile = _member(Pile, said("status"), Pile.ALL if search else Pile.SUBMITTED)
        sort = _member(Sort, said("sort"), Sort.OLDEST)
        return cls(
            pile=pile,
            team=said("team") if TEAM.fullmatch(said("team")) else "",
            # What is overdue is read from the longest on: another order would read it all.
            sort=Sort.DUE if pile is Pile.OVERDUE else sort,
            search=search,
            school=_number(said("school")),
            area=said("area"),
            phase=_number(said("phase")),
            need=said("need"),
            kind=said("kind"),
            officer=_number(said("officer")),
            window=_number(said("window")),
            when=When(said("due")) if said("due") in set(When) else None,
            after=Place.parse(said("after")),
            before=Place.parse(said("before")),
        )

    @classmethod
    def parse(cls, query: str) -> Wanted:
        """What the query of one of our own addresses asks for."""
        return cls.of(dict(parse_qsl(query[:LONGEST_QUERY])))

    @property
    def filters(self) -> dict[str, str]:
        """What narrows the list, by its names in an address."""
        values = {
            "q": self.search,
            "school": self.school,
            "area": self.area,
            "phase": self.phase,
            "need": self.need,
            "kind": self.kind,
            "officer": self.officer,
            "window": self.window,
            "due": self.when,
        }
        return {name: str(value) for name, value in values.items() if value not in {None, ""}}

    @property
    def values(self) -> dict[str, str]:
        """The whole list by its names in an address, from its beginning."""
        sort = {} if self.sort is Sort.OLDEST else {"sort": self.sort.value}
        team = {"team": self.team} if self.team else {}
        return {"status": self.pile.value, **team, **sort, **self.filters}

    @property
    def query(self) -> str:
        """The list as the query of an address, from its beginning."""
        return urlencode(self.values)

    @property
    def here(self) -> str:
        """The same, from the page that is shown: what a way back leads to."""
        place = {
            name: str(at) for name, at in (("after", self.after), ("before", self.before)) if at
        }
        return urlencode({**self.values, **place})

    def narrowed(self, **more: object) -> Wanted:
        """The same list with other answers, from its beginning."""
        return replace(self, after=None, before=None, **more)  # type: ignore[arg-type]


def _member(kind: type[One], text: str, otherwise: One) -> One:
    return kind(text) if text in set(kind) else otherwise


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
