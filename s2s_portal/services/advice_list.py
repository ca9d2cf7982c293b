"""Lists of requests for advice, and whose turn it is in each."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.identity import Actor, Role
from s2s_portal.models.conversation import AdviceRequest, AdviceStatus, Conversation, Side
from s2s_portal.services import advice as advice_requests
from s2s_portal.services.terms import written
from s2s_portal.services.threads import Turn, turn_of
from s2s_portal.state import setting

FEW = 5


@dataclass(frozen=True)
class Line:
    """One request in a list, and whose turn it is."""

    advice: AdviceRequest
    turn: Turn
    due: str

    @property
    def stands(self) -> str:
        """Where it stands, in words."""
        if self.advice.outcome is not None:
            return advice_requests.OUTCOME_WORDS[self.advice.outcome]
        return self.turn.words

    @property
    def colour(self) -> str:
        """The colour of the tag that says so."""
        return "green" if self.advice.outcome is not None else self.turn.colour


@dataclass(frozen=True)
class AdvicePage:
    """One page of requests; `next_after` is the reference that the next page begins after."""

    rows: list[Line]
    next_after: str | None


def listed(
    *,
    by: Actor,
    status: AdviceStatus | None = None,
    after: str | None = None,
    most: int | None = None,
) -> AdvicePage:
    """The requests that `by` may see, newest first, a page or `most` at a time; one statement.

    `after` is a reference from a page before; NotFound when it is none of theirs.
    """
    size = most or int(setting("S2S_PAGE_SIZE"))
    query = (
        select(AdviceRequest, Conversation)
        .outerjoin(Conversation, Conversation.advice_id == AdviceRequest.id)
        .order_by(AdviceRequest.id.desc())
        .limit(size + 1)
    )
    if not by.has(Role.OFFICER):
        query = query.where(AdviceRequest.urn.in_(by.establishments))
    if status is not None:
        query = query.where(AdviceRequest.status == status)
    if after is not None:
        query = query.where(AdviceRequest.id < advice_requests.get(after, by=by).id)
    found = session().execute(query).all()
    rows = found[:size]
    return AdvicePage(
        [_line(row.AdviceRequest, row.Conversation, by) for row in rows],
        rows[-1].AdviceRequest.reference if len(found) > size else None,
    )


def open_of_school(*, by: Actor) -> list[Line]:
    """The newest open requests of the schools `by` acts for: a few, for a page about more."""
    return listed(by=by, status=AdviceStatus.OPEN, most=FEW).rows


def _line(advice: AdviceRequest, conversation: Conversation | None, by: Actor) -> Line:
    side = Side.SCHOOL if advice_requests.is_own(advice, by) else Side.COUNCIL
    waits_for = conversation.waits_for if conversation else None
    since = conversation.waits_since if conversation else None
    return Line(advice, turn_of(waits_for, since, side), due_words(advice, conversation))


def due_words(advice: AdviceRequest, conversation: Conversation | None) -> str:
    """By when the first answer is promised, as long as it has not come; else nothing."""
    unanswered = (
        advice.status is AdviceStatus.OPEN
        and conversation is not None
        and conversation.waits_for is Side.COUNCIL
        and conversation.waits_since == advice.asked_at
    )
    if not unanswered or advice.due_on is None:
        return ""
    late = clock.today() > advice.due_on
    return f"Answer {'was ' if late else ''}due by {written(advice.due_on)}"
