"""Requests for advice: free, about a setting or a pupil who is not named (F19).

Asking counts in no figure and no limit of referrals, and is possible while no request is taken. The
question and the answers are messages; what happens to a request is only ever added as an event, and
the database keeps from these where it stands. It becomes a referral at most once.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from s2s_portal import audit, clock, references
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import MayNotRefer, NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.conversation import (
    AdviceAction,
    AdviceEvent,
    AdviceOutcome,
    AdviceRequest,
    AdviceStatus,
    Conversation,
    Message,
    Side,
)
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import NeedType, Step
from s2s_portal.services import drafting, establishments, messages, service_levels
from s2s_portal.services.threads import About
from s2s_portal.state import setting

ATTEMPTS = 5  # at a reference that nobody has yet
UPN = re.compile(r"(?<![A-Z0-9])[A-Z]\d{11}[A-Z0-9](?![A-Z0-9])")

OUTCOME_WORDS = {
    AdviceOutcome.ANSWERED: "Answered",
    AdviceOutcome.TRY_THIS: "Answered: try this first",
    AdviceOutcome.REFER: "Please make a referral",
    AdviceOutcome.REDIRECT: "Another service suits it better",
    AdviceOutcome.BECAME_REFERRAL: "Became a referral",
}
# What an officer can say came of one; that it became a referral is the school's doing.
OUTCOMES = [outcome for outcome in AdviceOutcome if outcome is not AdviceOutcome.BECAME_REFERRAL]
# The status that an event leaves behind; an action that is not here changes none.
STATUS_AFTER = {
    AdviceAction.CLOSED: AdviceStatus.CLOSED,
    AdviceAction.CONVERTED: AdviceStatus.CLOSED,
    AdviceAction.REOPENED: AdviceStatus.OPEN,
}
HAPPENED = {
    AdviceAction.ASKED: "Advice asked for",
    AdviceAction.CLOSED: "Answered and closed",
    AdviceAction.REOPENED: "Opened again",
    AdviceAction.CONVERTED: "Became a referral",
    AdviceAction.HELPED: "The school said that it helped",
    AdviceAction.NOT_HELPED: "The school said that it did not help",
}


def may_ask(urn: int, *, by: Actor) -> str:
    """Why the school `urn` may not ask, in a sentence; empty when it may: as with referrals.

    Raises NotFound unless `by` acts for that school.
    """
    if urn not in by.establishments:
        raise NotFound()
    return establishments.get(urn).why_not_refer(setting("S2S_LOCAL_AUTHORITY")) or ""


def needs_today() -> list[NeedType]:
    """The types of need that can be chosen today, in their order."""
    today = clock.today()
    query = select(NeedType).where(
        NeedType.valid_from <= today,
        (NeedType.valid_to.is_(None)) | (NeedType.valid_to >= today),
    )
    return list(session().scalars(query.order_by(NeedType.position)))


def ask(
    work: UnitOfWork,
    urn: int,
    *,
    topic: str,
    question: str,
    contact_name: str,
    contact_email: str,
    need_code: str | None = None,
    may_become_referral: bool = False,
    token: str,
    by: Actor,
) -> AdviceRequest:
    """Ask for advice; the officers are told. `token` gives one request, however often it comes.

    Raises NotFound unless `by` acts for the school, MayNotRefer when it may not ask, Refused for a
    question with a pupil's number in it or a need that is not in use today.
    """
    reason = may_ask(urn, by=by)
    if reason:
        raise MayNotRefer(reason)
    check_no_pupil(topic, "topic")
    check_no_pupil(question, "question")
    if need_code and need_code not in {need.code for need in needs_today()}:
        raise Refused("Choose a type of need from the list", "need_code")
    now = clock.now()
    given = {
        "urn": urn,
        "school_name": establishments.get(urn).name,
        "contact_name": contact_name,
        "contact_email": contact_email,
        "topic": topic,
        "need_code": need_code or None,
        "may_become_referral": may_become_referral,
        "asked_at": now,
        "asked_by_id": by.id,
        "asked_by_name": by.name,
        "due_on": service_levels.promised(Step.ADVICE, now),
    }
    token = token if messages.TOKEN.fullmatch(token) else secrets.token_urlsafe(18)
    made, is_new = _begin(work, given, token)
    if is_new:
        record(work, made, AdviceAction.ASKED, by=by)
        messages.send(work, made, text=question, to=Side.COUNCIL, token=f"ask-{token}"[:64], by=by)
    return made


def check_no_pupil(text: str, field: str) -> None:
    """Raise Refused for no text, or one with a pupil's number in it: a name nobody can tell."""
    if not text.strip():
        raise Refused(f"Enter your {field}", field)
    if UPN.search(text.upper()):
        raise Refused(
            "Take the unique pupil number (UPN) out: it says who the pupil is. For a named pupil,"
            " start a referral.",
            field,
        )


def _begin(work: UnitOfWork, given: dict[str, Any], token: str) -> tuple[AdviceRequest, bool]:
    # Row-level security hides other schools' references: only the unique key knows them all.
    for _attempt in range(ATTEMPTS):
        begun = session().scalars(select(AdviceRequest).where(AdviceRequest.token == token)).first()
        if begun is not None:
            return begun, False
        made = AdviceRequest(
            reference=references.new(clock.today(), references.ADVICE), token=token, **given
        )
        wrote = work.wrote
        try:
            with work.session.begin_nested():
                work.session.add(made)
                work.flush()
        except IntegrityError:
            work.wrote = wrote  # what was flushed has been taken back
            continue
        return made, True
    raise RuntimeError("No free reference was found.")


def get(reference: str, *, by: Actor) -> AdviceRequest:
    """The request `reference` for its school or an officer, as a read of it that is audited.

    Raises NotFound for everybody else: a practitioner reads it with the referral it became.
    """
    tidy = references.parse_advice(reference)
    found = session().scalars(
        select(AdviceRequest)
        .where(AdviceRequest.reference == (tidy or ""))
        .options(joinedload(AdviceRequest.need))
        .execution_options(populate_existing=True)
    )
    advice = found.one_or_none()
    if advice is None or not (by.has(Role.OFFICER) or is_own(advice, by)):
        raise NotFound()
    audit.looked_at("advice request", advice.reference)
    return advice


def is_own(advice: AdviceRequest, by: Actor) -> bool:
    return by.has(Role.REFERRER) and advice.urn in by.establishments


def events(advice: AdviceRequest) -> list[AdviceEvent]:
    """What has happened to it, oldest first."""
    query = select(AdviceEvent).where(AdviceEvent.advice_id == advice.id).order_by(AdviceEvent.id)
    return list(session().scalars(query))


def derived_status(happened: Iterable[AdviceEvent]) -> AdviceStatus:
    """The status that a history leads to: what the stored one must equal."""
    status = AdviceStatus.OPEN
    for event in happened:
        status = STATUS_AFTER.get(event.action, status)
    return status


def record(
    work: UnitOfWork,
    advice: AdviceRequest,
    action: AdviceAction,
    *,
    outcome: AdviceOutcome | None = None,
    referral: Referral | None = None,
    by: Actor,
) -> None:
    """Write down that `action` happened, and audit it; the database moves the request on."""
    work.session.add(
        AdviceEvent(
            advice_id=advice.id,
            action=action,
            outcome=outcome,
            referral_id=referral.id if referral else None,
            at=clock.now(),
            by_id=by.id,
            by_name=by.name,
        )
    )
    audit.wrote(work, action.value.replace("_", " "), "advice request", advice.reference)
    work.session.refresh(advice)


def write(work: UnitOfWork, one: About, *, by: Actor, **message: Any) -> Message:
    """Write a message about `one`, as `messages.send` does; a closed request is opened again."""
    sent = messages.send(work, one, by=by, **message)
    if isinstance(one, AdviceRequest) and one.outcome is not None and sent.id == _last(one):
        record(work, one, AdviceAction.REOPENED, by=by)
    return sent


def _last(advice: AdviceRequest) -> int | None:
    return session().scalar(
        select(Conversation.last_message_id).where(Conversation.advice_id == advice.id)
    )


def close(
    work: UnitOfWork,
    reference: str,
    *,
    outcome: AdviceOutcome,
    text: str,
    token: str,
    seen: int,
    by: Actor,
) -> AdviceRequest:
    """Answer a request for the last time, say what came of it, and tell the school.

    Raises Refused without a `text`, OutOfOrder when it is closed, Stale when another message has
    come since the message `seen`.
    """
    advice = get(reference, by=by)
    if outcome not in OUTCOMES:
        raise Refused("Choose what came of it", "outcome")
    check_open(advice)
    answer = messages.send(
        work,
        advice,
        text=text,
        to=Side.SCHOOL,
        needs_answer=False,
        token=token,
        seen=seen,
        by=by,
        notice="advice_answered",
    )
    if answer.id == _last(advice):
        record(work, advice, AdviceAction.CLOSED, outcome=outcome, by=by)
    return advice


def check_open(advice: AdviceRequest) -> None:
    """Raise OutOfOrder when the request is closed."""
    if advice.status is not AdviceStatus.OPEN:
        raise OutOfOrder("This request for advice is closed already. Nothing has been changed now.")


def say_whether_it_helped(
    work: UnitOfWork, reference: str, *, helped: bool, by: Actor
) -> AdviceRequest:
    """Note what the school says of the answer; the same said twice is noted once.

    Raises NotFound for anybody but its school, OutOfOrder while there is no last answer.
    """
    advice = _own(reference, by)
    if advice.status is not AdviceStatus.CLOSED or advice.referral_id is not None:
        raise OutOfOrder("You can say whether it helped once the council has answered and closed.")
    if advice.helped is not helped:
        action = AdviceAction.HELPED if helped else AdviceAction.NOT_HELPED
        record(work, advice, action, by=by)
    return advice


def convert(work: UnitOfWork, reference: str, *, by: Actor) -> Referral:
    """Make the draft of a referral out of a request, with its contact and question; once.

    Pressed again, by whomever, it gives the same draft. Raises NotFound for anybody but its school,
    and MayNotRefer or IntakeClosed as starting a referral does.
    """
    advice = _own(reference, by)
    made = became(advice)
    if made is not None:
        return made
    referral = drafting.start(work, advice.urn, token=f"advice {advice.reference}", by=by)
    work.session.refresh(advice)
    if advice.referral_id is not None:  # somebody else's press of the button, a moment earlier
        return referral
    referral.contact_name = advice.contact_name
    referral.contact_email = advice.contact_email
    referral.reason = _question(advice)
    record(work, advice, AdviceAction.CONVERTED, referral=referral, by=by)
    return referral


def _own(reference: str, by: Actor) -> AdviceRequest:
    advice = get(reference, by=by)
    if not is_own(advice, by):
        raise NotFound()
    return advice


def _question(advice: AdviceRequest) -> str:
    first = select(Message.text).where(Message.advice_id == advice.id).order_by(Message.id).limit(1)
    return session().scalar(first) or ""


def became(advice: AdviceRequest) -> Referral | None:
    """The referral that a request became, if the acting person may see it."""
    if advice.referral_id is None:
        return None
    return (
        session().scalars(select(Referral).where(Referral.id == advice.referral_id)).one_or_none()
    )
