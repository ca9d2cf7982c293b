"""Sending a referral back to its school for information, and what becomes of it there (F24).

The school has `S2S_ANSWER_SCHOOL_DAYS` of its own school days, holidays apart. It is reminded five
of them before. A referral that is not answered is closed as such; an officer can open it to
the school again. It comes back to the officer who asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from sqlalchemy import select

from s2s_portal import audit, clock, signals
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.errors import OutOfOrder, Refused
from s2s_portal.identity import SYSTEM, Actor
from s2s_portal.models.codes import Action, Status, Way
from s2s_portal.models.decision import Decision
from s2s_portal.models.referral import Referral
from s2s_portal.services import (
    calendar,
    changes,
    decision_lists,
    notices,
    openings,
    referrals,
    sections,
    triage,
)
from s2s_portal.services.terms import written
from s2s_portal.state import setting

REMINDER = 5  # school days before the end


def return_for_information(
    work: UnitOfWork,
    reference: str,
    *,
    seen: int,
    questions: Mapping[str, str],
    codes: Mapping[str, str] | None = None,
    message: str = "",
    by: Actor,
) -> Referral:
    """Give a referral back to the school to answer `questions`; nothing is charged (F24).

    `questions` has, for each section to be opened, what is needed there: the school can change
    those sections and no other. `codes` has for each the code of the reason (`Way.RETURN`). Raises
    Refused without a question, for one without words, or a code that is not in the list,
    AlreadyDecided or Stale as `triage.accept` does.
    """
    codes = codes or {}
    _check_questions(questions)
    referral = triage.held(work, reference, seen)
    whole = referrals.get(reference, whole=True)
    if not questions.keys() <= sections.may_be_asked(whole).keys():
        raise Refused("Choose sections from the list", field="sections")
    reasons = {
        section: _reason(section, codes[section]) for section in questions if codes.get(section)
    }
    event = referrals.record(work, referral, Action.RETURNED, by=by, message=message)
    work.flush()
    work.session.add(Decision(event_id=event.id, referral_id=referral.id, officer_email=by.email))
    _give_time(referral)
    changes.open_sections(work, whole, event, _with_what_follows(whole, questions), reasons)
    triage.tell(work, "referral_returned", referral)
    signals.tell(
        work,
        signals.referral_returned,
        reference=referral.reference,
        urn=referral.urn,
        by=by.id,
    )
    return referral


def reopen(work: UnitOfWork, reference: str, *, reason: str, seen: int, by: Actor) -> Referral:
    """Open a referral that was not answered to its school again, for as many school days anew.

    Raises Refused without a `reason`, OutOfOrder when it is not closed for that, Stale when it
    changed.
    """
    if not reason.strip():
        raise Refused("Enter why the school can answer after all", field="reason")
    referral = referrals.get(reference, lock=True)
    check_unanswered(referral)
    referrals.check_seen(referral, seen)
    referrals.record(work, referral, Action.RETURN_REOPENED, by=by, message=reason)
    _give_time(referral)
    triage.tell(work, "referral_return_reopened", referral)
    return referral


def check_unanswered(referral: Referral) -> None:
    """Raise OutOfOrder unless the referral was closed because nobody answered."""
    if referral.status is not Status.UNANSWERED:
        raise OutOfOrder("Only a referral that was closed without an answer can be opened again.")


def close_unanswered(
    work: UnitOfWork, reference: str, *, message: str, seen: int, by: Actor
) -> Referral:
    """Close a referral that its school has not answered in time, without waiting for the job of the
    day (F31). Raises Refused without a `message` to the school, OutOfOrder while it still has time,
    Stale when it changed.
    """
    if not message.strip():
        raise Refused("Enter what you want to tell the school", field="message")
    referral = referrals.get(reference, lock=True)
    check_late(referral)
    referrals.check_seen(referral, seen)
    _close(work, referral, message=message, by=by)
    return referral


def check_late(referral: Referral) -> None:
    """Raise OutOfOrder unless the school's time to answer is over."""
    if referral.status is not Status.RETURNED:
        raise OutOfOrder("Only a referral that is back with its school is closed as not answered.")
    if referral.answer_by is None or referral.answer_by >= clock.today():
        until = f" until {written(referral.answer_by)}" if referral.answer_by else ""
        raise OutOfOrder(f"The school has time to answer{until}.")


def officer_email(referral: Referral) -> str:
    """Where the officer who last returned `referral` is reached; empty when that is not known."""
    event = openings.last_return(referral)
    return event.decision.officer_email if event and event.decision else ""


def upkeep() -> str:
    """Remind schools, and close what was not answered: what the daily job runs, in words.

    Each referral is a transaction of its own. Run twice it does nothing more.
    """
    today = clock.today()
    due = session().execute(
        select(Referral.reference, Referral.urn)
        .where(Referral.status == Status.RETURNED, Referral.answer_by.is_not(None))
        .order_by(Referral.answer_by, Referral.id)
    )
    found = due.all()
    calendars = calendar.of_several(urn for _, urn in found)
    done = [_take(reference, calendars[urn], today) for reference, urn in found]
    return f"Questions: {done.count('reminded')} reminded of, {done.count('closed')} closed."


def _take(reference: str, terms: calendar.Calendar, today: date) -> str:
    with unit_of_work() as work:
        referral = referrals.get(reference, lock=True)
        if referral.status is not Status.RETURNED or referral.answer_by is None:
            return "left"
        if today > referral.answer_by and terms.is_school_day(today):
            _close(work, referral, message=_not_answered(referral), by=SYSTEM)
            return "closed"
        left = _school_days_left(terms, today, referral.answer_by)
        if referral.answer_reminded_on is None and left <= REMINDER:
            referral.answer_reminded_on = today
            link = notices.link_to("s2s.referrals.show", reference=referral.reference)
            day = written(referral.answer_by)
            notices.tell_address(
                work, "answer_due", referral.contact_email, referral, link, day=day
            )
            audit.wrote(work, "reminded the school of", "referral", referral.reference)
            return "reminded"
    return "left"


def _school_days_left(terms: calendar.Calendar, today: date, end: date) -> int:
    """How many school days there are after `today`, up to `end`, as far as `REMINDER` goes."""
    day, left = today, 0
    while left <= REMINDER:
        day = terms.add_school_days(day, 1)
        if day > end:
            break
        left += 1
    return left


def _not_answered(referral: Referral) -> str:
    day = written(referral.answer_by) if referral.answer_by else ""
    return (
        f"We asked for more information and had no answer by {day}, so this referral is closed."
        " Nothing is charged. Ask us if you still want to answer: it can be opened again."
    )


def _close(work: UnitOfWork, referral: Referral, *, message: str, by: Actor) -> None:
    referrals.record(work, referral, Action.UNANSWERED, by=by, message=message)
    link = notices.link_to("s2s.referrals.show", reference=referral.reference)
    notices.tell_school(work, "referral_unanswered", referral, link)
    notices.tell_officers(work, "referral_unanswered", referral)


def _give_time(referral: Referral) -> None:
    days = max(int(setting("S2S_ANSWER_SCHOOL_DAYS")), 1)
    referral.answer_by = calendar.add_school_days(clock.today(), days, referral.urn)
    referral.answer_reminded_on = None


def _check_questions(questions: Mapping[str, str]) -> None:
    if not questions:
        raise Refused("Choose at least one section that the school is to change", field="sections")
    for section, question in questions.items():
        if section not in sections.ASKABLE:
            raise Refused("Choose sections from the list", field="sections")
        if not question.strip():
            raise Refused(
                f"Enter what you need in “{sections.ASKABLE[section]}”",
                field=f"question_{section}",
            )


def _reason(section: str, code: str) -> int:
    try:
        return decision_lists.reason(Way.RETURN, code).id
    except Refused as error:
        raise Refused(str(error), field=f"code_{section}") from None


def opened_too(referral: Referral) -> list[str]:
    """The sections that are opened with the agreement, as they stand or fall with it."""
    return [key for key in ("sharing", "own") if key in sections.keys(referral)]


def _with_what_follows(referral: Referral, questions: Mapping[str, str]) -> dict[str, str]:
    """The questions, and with one about the agreement the sections that stand or fall with it."""
    follows = opened_too(referral) if "consent" in questions else ()
    return {**{key: questions["consent"] for key in follows}, **questions}
