"""When requests are taken, how many are left, and when they will be used up (F88, 3.15).

A request counts from the day it is sent. One that is declined, or withdrawn before the council
accepts it, gives its place back. The last word is the database's: it locks a window with a limit
and counts, so that two schools cannot take the last place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil

from sqlalchemy import Row, func, select, text
from sqlalchemy.exc import IntegrityError

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import IntakeClosed, NotFound, Refused
from s2s_portal.identity import Actor
from s2s_portal.models.establishment import SettingKind
from s2s_portal.models.intake import IntakeClosing, IntakeWindow
from s2s_portal.services.terms import written
from s2s_portal.state import setting

KIND_WORDS = {
    SettingKind.MAINSTREAM: "mainstream schools",
    SettingKind.EARLY_YEARS: "early years settings",
}
COUNTED = (
    "A request counts from the day it is sent. One that is declined, or withdrawn before the"
    " council accepts it, gives its place back."
)
# Before so many requests and days a pace would be a guess.
LEAST_REQUESTS, LEAST_DAYS = 5, 7

STANDING = text("SELECT * FROM s2s.intake_standing(:kind, :day)")


@dataclass(frozen=True)
class Standing:
    """How intake stands for a kind of setting on the day `on`; `window_id` None when closed.

    `used` is counted only where there is a `quota`.
    """

    kind: SettingKind
    on: date
    window_id: int | None
    opens: date | None = None
    closes: date | None = None
    quota: int | None = None
    used: int | None = None
    next_opens: date | None = None
    source: str = ""

    @property
    def left(self) -> int | None:
        """How many requests may still be sent; None when there is no limit."""
        return None if self.quota is None else max(self.quota - (self.used or 0), 0)

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent today."""
        return self.window_id is not None and self.left != 0

    @property
    def fills_on(self) -> date | None:
        """The day on which the last request is used if schools go on as they have since the window
        opened; None without a limit, or while there is too little to go by."""
        if not self.quota or not self.used or self.opens is None or not self.left:
            return None
        if self.used < LEAST_REQUESTS or self._days < LEAST_DAYS:
            return None
        return self.on + timedelta(days=self._days_left)

    @property
    def _days(self) -> int:
        return (self.on - (self.opens or self.on)).days + 1

    @property
    def _days_left(self) -> int:
        return ceil((self.left or 0) * self._days / (self.used or 1))

    @property
    def why_closed(self) -> str | None:
        """Why nothing can be sent today, in a sentence; None when it can."""
        schools = KIND_WORDS[self.kind]
        if self.window_id is None:
            return f"The council is not taking requests from {schools} at the moment."
        if self.left == 0:
            until = f" until {written(self.closes)}" if self.closes else ""
            return (
                f"All {self.quota:,} requests that the council commissioned for {schools}{until}"
                " have been used."
            )
        return None

    @property
    def words(self) -> str:
        """How intake stands, in sentences for a school."""
        if self.window_id is None:
            return f"{self.why_closed} {self.next_words}".strip()
        closing = (
            f"Requests are taken until {written(self.closes)}."
            if self.closes
            else "There is no closing date."
        )
        if self.quota is None:
            return f"There is no limit on the number of requests. {closing}"
        return (
            f"{self.used:,} of {self.quota:,} requests are used, so {self.left:,}"
            f" {'is' if self.left == 1 else 'are'} left for {KIND_WORDS[self.kind]}. {closing}"
        )

    @property
    def next_words(self) -> str:
        """When requests are next taken, as far as that is known."""
        if self.next_opens is None:
            return "No date for the next intake has been set."
        return f"The next intake opens on {written(self.next_opens)}."

    @property
    def pace_words(self) -> str:
        """When the requests will be used up, in a sentence; empty without a limit or any left."""
        if self.quota is None or not self.left:
            return ""
        if self.fills_on is None:
            return "It is too early to say when they will be used up."
        if self.closes and self.fills_on > self.closes:
            return "At today’s pace they will not be used up before then."
        return f"At today’s pace they will be used up about {written(self.fills_on)}."

    @property
    def sum_words(self) -> str:
        """How the day in `pace_words` was worked out; empty when there is none."""
        if self.fills_on is None or self.opens is None or self.used is None:
            return ""
        return (
            f"{self.used:,} requests in the {self._days:,} days since {written(self.opens)} is"
            f" about {self.used / self._days:.1f} a day. At that pace the {self.left:,} that"
            f" {'is' if self.left == 1 else 'are'} left will take about {self._days_left:,} days."
        )


def standing(kind: SettingKind, day: date) -> Standing:
    """How intake stands for `kind` on `day`."""
    row = session().execute(STANDING, {"kind": kind.value, "day": day}).one()
    return from_row(kind, day, row)


def from_row(kind: SettingKind, day: date, row: Row[tuple[object, ...]]) -> Standing:
    """A standing from a row of the database's function `intake_standing`."""
    found = row._mapping
    names = ("window_id", "opens", "closes", "quota", "used", "next_opens")
    return Standing(
        kind, day, **{name: found[name] for name in names}, source=found["source"] or ""
    )


def place(kind: SettingKind, day: date) -> int:
    """The window in which a request of `day` counts. Raises IntakeClosed, saying what to do."""
    here = standing(kind, day)
    if here.window_id is None or not here.is_open:
        raise IntakeClosed(refusal(here))
    return here.window_id


def refusal(here: Standing) -> str:
    """Why nothing was sent, what became of it, and what to do."""
    free = " A place may come free before then: look again later." if here.left == 0 else ""
    return (
        f"{here.why_closed} Nothing has been sent, and your draft is kept. {here.next_words}{free}"
        f" If the pupil cannot wait, ask {setting('S2S_CONTACT')} what other help there is."
    )


@dataclass(frozen=True)
class WindowLine:
    """One window as the administrator sees it: `until` its last day as it now stands."""

    window: IntakeWindow
    until: date | None
    used: int
    closings: list[IntakeClosing]

    @property
    def state(self) -> str:
        """Whether it is still to come, open, over, or was called off."""
        today = clock.today()
        if self.until and self.until < self.window.opens:
            return "Called off"
        if self.window.opens > today:
            return "Not open yet"
        return "Over" if self.until and self.until < today else "Open"

    def __str__(self) -> str:
        until = f"to {self.until}" if self.until else "with no closing date"
        limit = "no limit" if self.window.quota is None else f"of {self.window.quota:,}"
        return (
            f"{self.window.id}  {self.window.setting_kind}  from {self.window.opens} {until},"
            f" {self.used:,} used, {limit}: {self.state}"
        )

    @property
    def can_close(self) -> bool:
        """Whether its last day can still be moved forward."""
        return self.state in {"Open", "Not open yet"} and self.until != clock.today()


def windows() -> list[WindowLine]:
    """Every window, newest first, with what it has used and how it was closed early."""
    rows = session().execute(
        select(IntakeWindow, func.s2s.intake_used(IntakeWindow.id)).order_by(
            IntakeWindow.opens.desc(), IntakeWindow.setting_kind.desc()
        )
    )
    closings: dict[int, list[IntakeClosing]] = {}
    for closing in session().scalars(select(IntakeClosing).order_by(IntakeClosing.id)):
        closings.setdefault(closing.window_id, []).append(closing)
    return [
        WindowLine(window, last_day(window), used, closings.get(window.id, []))
        for window, used in rows
    ]


def last_day(window: IntakeWindow) -> date | None:
    """The last day on which `window` takes requests, as it now stands; None while open-ended."""
    if window.open_during.isempty:
        return window.opens - timedelta(days=1)
    upper = window.open_during.upper
    return upper - timedelta(days=1) if upper else None


def get(number: int) -> IntakeWindow:
    """The window with the id `number`. Raises NotFound."""
    window = session().get(IntakeWindow, number)
    if window is None:
        raise NotFound()
    return window


def open_window(
    work: UnitOfWork,
    kind: SettingKind,
    *,
    opens: date,
    closes: date | None,
    quota: int | None,
    source: str,
    by: Actor,
) -> IntakeWindow:
    """Add a window. Raises Refused for one in the past, backwards, or over another of its kind."""
    if opens < clock.today():
        raise Refused("The first day must be today or later", "opens")
    if closes is not None and closes < opens:
        raise Refused("The last day must not be before the first", "closes")
    if quota is not None and quota < 1:
        raise Refused("The number of requests must be 1 or more", "quota")
    window = IntakeWindow(
        setting_kind=kind,
        opens=opens,
        closes=closes,
        quota=quota,
        source=source,
        by_id=by.id,
        by_name=by.name,
    )
    try:
        with work.session.begin_nested():
            work.session.add(window)
            work.flush()
    except IntegrityError as error:
        raise Refused(
            f"Another window for {KIND_WORDS[kind]} is open on some of these days."
            " Close that one first, or choose other days",
            "opens",
        ) from error
    audit.wrote(work, "opened", "intake window", window.id)
    return window


def close_window(
    work: UnitOfWork, number: int, *, closes: date, reason: str, by: Actor
) -> IntakeClosing:
    """Close a window earlier than it was set to: `closes` is its new last day.

    The day before it opens calls it off. Raises NotFound, and Refused for a day in the past or not
    earlier.
    """
    window = get(number)
    was = last_day(window)
    earliest = max(clock.today(), window.opens - timedelta(days=1))
    if closes < earliest:
        raise Refused(f"The last day must be {written(earliest)} or later", "closes")
    if was is not None and closes >= was:
        raise Refused(f"The last day must be before {written(was)}, when it closes now", "closes")
    closing = IntakeClosing(
        window_id=window.id, closes=closes, reason=reason, by_id=by.id, by_name=by.name
    )
    work.session.add(closing)
    audit.wrote(work, "closed early", "intake window", window.id)
    return closing
