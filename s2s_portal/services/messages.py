"""Messages about a referral or a request for advice: reading them, writing one (F20).

A school and the officers write to each other once a referral is sent; while it is with a
practitioner, they and their lead join. Whose turn it is and who is told by mail, the database works
out (`0015_conversations.sql`): at most one mail for each side until it has read (W2).
"""

from __future__ import annotations

import re
import secrets
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from s2s_portal import audit, clock, references
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Refused, Stale
from s2s_portal.identity import Actor, Role
from s2s_portal.models.conversation import (
    LONGEST,
    AdviceRequest,
    Conversation,
    Message,
    MessageSeen,
    Side,
)
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral
from s2s_portal.services import notices, referrals, standing, visits
from s2s_portal.services.threads import About, Thread, entity_of

TOKEN = re.compile(r"[\w-]{1,64}", re.ASCII)
CAME_SINCE = (
    "A message has been written since you opened this page. It is shown above. What you typed is"
    " still below and has not been sent. Send it if it still fits."
)
SENT_ALREADY = (
    "You have already sent a message from this page. What you typed now is below and has not been"
    " sent. Send it if it is a second message."
)


def about(reference: str) -> About:
    """The referral, or the request for advice, that `reference` names, if the acting person may see
    it. Raises NotFound otherwise."""
    if references.parse_advice(reference) is None:
        return referrals.get(reference)
    found = session().scalars(
        select(AdviceRequest).where(AdviceRequest.reference == references.parse_advice(reference))
    )
    advice = found.one_or_none()
    if advice is None:
        raise NotFound()
    return advice


def thread(one: About, *, by: Actor) -> Thread:
    """The messages about `one`, oldest first, as `by` may read them: a read of pupil data.

    A referral that came of a request for advice has that one's messages first. Two statements.
    """
    audit.looked_at(entity_of(one), one.reference)
    conversation, up_to, advice = _found(one, by)
    written = _written(one, advice)
    allocation = _allocation(one)
    return Thread(
        about=one,
        advice=advice,
        side=_side(one, allocation, by),
        given=allocation is not None,
        messages=written,
        conversation=conversation,
        seen=up_to or 0,
        reader=by.id,
    )


def _found(one: About, by: Actor) -> tuple[Conversation | None, int | None, AdviceRequest | None]:
    """The conversation about `one`, how far `by` has read it, and the request it is or came of."""
    mark = and_(MessageSeen.conversation_id == Conversation.id, MessageSeen.person_id == by.id)
    if isinstance(one, AdviceRequest):
        found = session().execute(
            select(Conversation, MessageSeen.up_to)
            .outerjoin(MessageSeen, mark)
            .where(Conversation.advice_id == one.id)
        )
        conversation, up_to = found.one_or_none() or (None, None)
        return conversation, up_to, one
    row = session().execute(
        select(Conversation, MessageSeen.up_to, AdviceRequest)
        .select_from(Referral)
        .outerjoin(Conversation, Conversation.referral_id == Referral.id)
        .outerjoin(MessageSeen, mark)
        .outerjoin(AdviceRequest, AdviceRequest.referral_id == Referral.id)
        .where(Referral.id == one.id)
    )
    conversation, up_to, advice = row.one()
    return conversation, up_to, advice


def _written(one: About, advice: AdviceRequest | None) -> list[Message]:
    places: list[Any] = [Message.advice_id == advice.id] if advice is not None else []
    if isinstance(one, Referral):
        places.append(Message.referral_id == one.id)
    return list(session().scalars(select(Message).where(or_(*places)).order_by(Message.id)))


def _allocation(one: About) -> Allocation | None:
    """To whom a referral is given, without the practitioner's own row, which is not for schools."""
    return standing.practitioner(one) if isinstance(one, Referral) else None


def _side(one: About, allocation: Allocation | None, by: Actor) -> Side | None:
    """On whose side `by` reads `one`: whoever has several roles, the one that is nearest to it."""
    if by.has(Role.REFERRER) and one.urn in by.establishments:
        return Side.SCHOOL
    if allocation is not None and isinstance(one, Referral):
        if by.has(Role.PRACTITIONER) and _is_theirs(one, by):
            return Side.PRACTITIONER
        if by.has(Role.LEAD) and _is_of_school(one, allocation, by):
            return Side.LEAD
    return Side.COUNCIL if by.has(Role.OFFICER) else None


def _is_theirs(referral: Referral, by: Actor) -> bool:
    place = visits.place_of(referral, by)
    return place is not None and place.writes  # who shadows reads only


def _is_of_school(referral: Referral, allocation: Allocation, by: Actor) -> bool:
    """Whether the school that `by` leads has the case, or supports it."""
    if allocation.provider_urn == by.provider:
        return True
    return any(one.provider_urn == by.provider for one in referrals.supporters(referral))


def note_seen(work: UnitOfWork, shown: Thread, *, by: Actor) -> None:
    """Note that `by` has read the thread up to its last message; a later mark never goes back."""
    if shown.conversation is None or shown.side is None:
        return
    mark = insert(MessageSeen).values(
        conversation_id=shown.conversation.id,
        person_id=by.id,
        side=shown.side,
        up_to=shown.last,
    )
    work.session.execute(
        mark.on_conflict_do_update(
            index_elements=["conversation_id", "person_id"],
            set_={"side": mark.excluded.side, "up_to": mark.excluded.up_to},
            where=MessageSeen.up_to < mark.excluded.up_to,
        )
    )


def send(
    work: UnitOfWork,
    one: About,
    *,
    text: str,
    to: Side | None = None,
    needs_answer: bool = True,
    token: str = "",
    seen: int | None = None,
    notice: str = "message_waiting",
    by: Actor,
) -> Message:
    """Write a message about `one`; whom it is for is told by mail unless they have one unread.

    `to` is the side it is for, None where there is only one. `token` names the page it was written
    on: the same text from it gives one message. `seen` is the last message that page showed; None
    skips the question. Raises Refused for no text or too much, OutOfOrder when nobody can write
    now, Stale when another message has come since or the page has sent another text. `notice` is
    the mail that tells of it.
    """
    words = _words(text)
    before = thread(one, by=by)
    _check_may_write(before)
    token = token if TOKEN.fullmatch(token) else secrets.token_urlsafe(18)
    sent = _sent(token, words, by)
    if sent is not None:
        return sent
    if seen is not None and seen != before.last:
        raise Stale(CAME_SINCE)
    to = to or before.usual
    if to not in before.to:
        raise Refused("Choose whom the message is for", "to")
    message = _add(work, before, words, to, needs_answer, token, by)
    if message is None:  # a second press of the button, a moment earlier
        return _sent(token, words, by) or _lost()
    if message.mailed:
        tell(work, one, to, notice)
    return message


def _words(text: str) -> str:
    words = text.strip()
    if not words:
        raise Refused("Enter your message", "text")
    if len(words) > LONGEST:
        raise Refused(f"Your message must be {LONGEST:,} characters or fewer", "text")
    return words


def _check_may_write(shown: Thread) -> None:
    if shown.side is None:
        raise NotFound()
    if shown.why_not_write:
        raise OutOfOrder(shown.why_not_write)


def _lost() -> Message:
    raise Stale(SENT_ALREADY)


def _sent(token: str, text: str, by: Actor) -> Message | None:
    """The message that the page `token` has sent already. Raises Stale if it was another text."""
    found = session().scalars(select(Message).where(Message.token == token)).one_or_none()
    if found is not None and (found.by_id, found.text) != (by.id, text):
        raise Stale(SENT_ALREADY)
    return found


def settle(work: UnitOfWork, one: About, *, seen: int, by: Actor) -> None:
    """Say, for the side whose turn it is, that no answer is needed; once, however often it is said.

    Raises OutOfOrder when it is not their turn, Stale when a message has come since `seen`.
    """
    before = thread(one, by=by)
    if before.conversation is None or before.side is None or before.side is Side.LEAD:
        raise OutOfOrder("There is no message that waits for you.")
    if before.turn is not before.side:
        last = before.messages[-1]
        if last.side is before.side and not last.text:
            return  # said already
        raise OutOfOrder("No message waits for your answer any more. Nothing has been changed now.")
    if seen != before.last:
        raise Stale("A message has been written since you opened this page. Read it first.")
    asked = next(m for m in reversed(before.messages) if m.to_side is before.side)
    to = Side.PRACTITIONER if asked.side is Side.LEAD else asked.side
    token = f"settled-{before.conversation.id}-{before.last}"
    _add(work, before, "", to, needs_answer=False, token=token, by=by)


def _add(
    work: UnitOfWork,
    before: Thread,
    text: str,
    to: Side,
    needs_answer: bool,
    token: str,
    by: Actor,
) -> Message | None:
    """The new message, or None when its token is there already."""
    one, side = before.about, before.side
    message = Message(
        **{"referral_id" if isinstance(one, Referral) else "advice_id": one.id},
        side=side,
        to_side=to,
        needs_answer=needs_answer,
        text=text,
        token=token,
        at=clock.now(),
        by_id=by.id,
        by_name=by.name,
    )
    wrote = work.wrote
    try:
        with work.session.begin_nested():
            work.session.add(message)
            work.flush()
    except IntegrityError:
        work.wrote = wrote  # what was flushed has been taken back
        return None
    done = "wrote a message about" if text else "said that no answer is needed about"
    audit.wrote(work, done, entity_of(one), one.reference)
    return message


def tell(work: UnitOfWork, one: About, to: Side, notice: str) -> None:
    """Tell the side `to` that something is there to read: reference and link, and no content."""
    link = notices.link_to("s2s.messages.show", reference=one.reference)
    if to is Side.SCHOOL:
        notices.tell_address(work, notice, one.contact_email, one, link)
    elif to is Side.COUNCIL:
        notices.tell_officer_mailbox(work, notice, one, link)
    elif isinstance(one, Referral):
        allocation = standing.practitioner(one)
        if allocation is not None:
            notices.tell_practitioner(work, notice, allocation.practitioner_id, one, link)
