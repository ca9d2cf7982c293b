"""What a school is asked about a referral, when, and the one reminder (3.5, F67; decision 35).

| what | when | how |
| --- | --- | --- |
| how sure staff feel before | as a practitioner is allocated | a mail with a link to one form |
| the same after | as it is closed, if support was given | the same |
| the same later, and whether it lasted | so many school weeks after that | the same |
| what they thought of it | as it is closed, if support was given | in the mail that says so |

No mail goes in a school holiday: it waits for the school's next school day. The next stage ends the
one before, and reopening ends all that follow closing.
"""

from __future__ import annotations

import secrets
from datetime import date, datetime, timedelta
from email.utils import make_msgid

from sqlalchemy import exists, select, update

from s2s_portal import audit, clock, jobs
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.impact import (
    AskLink,
    ConfidenceAnswer,
    MailTo,
    SchoolAsk,
    SchoolEvaluation,
    Stage,
)
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import Unit
from s2s_portal.rendering import fragment
from s2s_portal.services import calendar, clock_dates, concluding, notices
from s2s_portal.services.calendar import Calendar
from s2s_portal.services.invitations import TOKEN, digest
from s2s_portal.services.terms import written
from s2s_portal.state import setting

BY_LINK = (Stage.BEFORE, Stage.AFTER, Stage.LATER)
AFTER_CLOSING = (Stage.AFTER, Stage.LATER, Stage.EVALUATION)
LATER_STAYS = 8  # school weeks for which the last of them can be answered
WORDS = {
    Stage.BEFORE: "Before the support",
    Stage.AFTER: "After the support",
    Stage.LATER: "Twelve school weeks later",
    Stage.EVALUATION: "What the school thought of it",
}


def stage_words(stage: Stage) -> str:
    """What a stage is called; the last says how long after."""
    if stage is Stage.LATER:
        weeks = int(setting("S2S_LATER_SCHOOL_WEEKS"))
        return "Twelve school weeks later" if weeks == 12 else f"{weeks} school weeks later"
    return WORDS[stage]


def follow(work: UnitOfWork, referral: Referral, action: Action) -> None:
    """Ask, or ask no longer: `action` has just happened to `referral`."""
    if action is Action.ALLOCATED:
        if open_ask(referral, Stage.BEFORE) is None:
            _ask(work, referral, Stage.BEFORE, calendar.of(referral.urn))
    elif action is Action.CLOSED:
        end(work, referral, Stage.BEFORE)
        if concluding.has_started(referral):
            dates = calendar.of(referral.urn)
            for stage in AFTER_CLOSING:
                _ask(work, referral, stage, dates)
    elif action is Action.REOPENED:
        end(work, referral, *AFTER_CLOSING)


def _ask(work: UnitOfWork, referral: Referral, stage: Stage, dates: Calendar) -> None:
    today = clock.today()
    due = dates.school_day_from(today)
    if stage is Stage.LATER:
        due = _later(today, dates)
    ask = SchoolAsk(referral_id=referral.id, stage=stage, due_on=due)
    work.session.add(ask)
    work.flush()
    if stage is Stage.EVALUATION:
        ask.asked_at = ask.opened_at  # the mail that says it is closed asks for it
    elif due == today:
        mail(work, referral, ask)
    work.flush()


def _later(day: date, dates: Calendar) -> date:
    """So many school weeks after `day`."""
    weeks = max(int(setting("S2S_LATER_SCHOOL_WEEKS")), 1)
    return clock_dates.due(day, weeks, Unit.SCHOOL_WEEKS, dates)


def end(work: UnitOfWork, referral: Referral, *stages: Stage) -> None:
    """Ask no longer: what was answered stays, and is not changed any more."""
    work.session.execute(
        update(SchoolAsk)
        .where(
            SchoolAsk.referral_id == referral.id,
            SchoolAsk.stage.in_(stages),
            SchoolAsk.ended_at.is_(None),
        )
        .values(ended_at=clock.now())
    )


def open_ask(referral: Referral, stage: Stage) -> SchoolAsk | None:
    """What is asked of the school at `stage` and has not ended; None when nothing is."""
    return session().scalar(
        select(SchoolAsk).where(
            SchoolAsk.referral_id == referral.id,
            SchoolAsk.stage == stage,
            SchoolAsk.ended_at.is_(None),
        )
    )


def of(referral: Referral) -> list[SchoolAsk]:
    """Everything that its school was asked, in order: one statement."""
    found = select(SchoolAsk).where(SchoolAsk.referral_id == referral.id).order_by(SchoolAsk.id)
    return list(session().scalars(found))


def is_answerable(referral: Referral, ask: SchoolAsk) -> bool:
    """Whether the school can answer `ask` now, for the first time or anew."""
    status = Status.ALLOCATED if ask.stage is Stage.BEFORE else Status.CLOSED
    return ask.ended_at is None and referral.status is status and ask.due_on <= clock.today()


def mail(work: UnitOfWork, referral: Referral, ask: SchoolAsk, *, again: bool = False) -> None:
    """Mail a link to the contact that the school named, once the transaction stands."""
    if again:
        ask.reminded_at = clock.now()
    else:
        ask.asked_at = clock.now()
    work.flush()
    if not referral.contact_email:
        return
    notice = "confidence_due" if again else "confidence_asked"
    notices.note(work, notice, referral, MailTo.SCHOOL)
    jobs.defer(
        work.session,
        jobs.SEND_ASK,
        number=ask.id,
        notice=notice,
        link=notices.link_to("s2s.asked.answer", token=TOKEN),
        page=notices.link_to(
            "s2s.closing.confidence_asked", reference=referral.reference, stage=ask.stage.value
        ),
        message_id=make_msgid(domain="s2s.invalid"),
    )


def send(number: int, notice: str, link: str, page: str, message_id: str) -> None:
    """Make a token, keep its digest, and mail the link: what the worker runs.

    Tried again after a failure it makes another; each opens the form until one has answered it.
    """
    token = secrets.token_urlsafe(32)
    with unit_of_work() as work:
        ask = work.session.get(SchoolAsk, number)
        if ask is None or ask.ended_at is not None or _is_answered(ask):
            return
        referral = work.session.get_one(Referral, ask.referral_id)
        until = clock.now() + timedelta(days=max(int(setting("S2S_ASK_LINK_DAYS")), 1))
        work.session.add(AskLink(digest=digest(token), ask_id=ask.id, expires_at=until))
        body = _body(notice, referral, ask.stage, until, link.replace(TOKEN, token), page)
        address, subject = referral.contact_email, notices.SUBJECTS[notice]
        audit.wrote(work, "sent a link to the school of", "referral", referral.reference)
    notices.deliver(subject.format(reference=referral.reference), body, [address], message_id)


def _body(
    notice: str, referral: Referral, stage: Stage, until: datetime, link: str, page: str
) -> str:
    if notice == "confidence_due":
        return fragment(
            "s2s/mail/confidence_due.txt",
            reference=referral.reference,
            school=referral.school_name,
            stage=stage.value,
            until=written(clock.local(until).date()),
            link=link,
            page=page,
        )
    return fragment(
        "s2s/mail/confidence_asked.txt",
        reference=referral.reference,
        school=referral.school_name,
        stage=stage.value,
        until=written(clock.local(until).date()),
        link=link,
        page=page,
    )


def _is_answered(ask: SchoolAsk) -> bool:
    kind = SchoolEvaluation if ask.stage is Stage.EVALUATION else ConfidenceAnswer
    return bool(session().scalar(select(exists().where(kind.ask_id == ask.id))))


def upkeep() -> dict[str, int]:
    """What the daily job does: ask what is due, remind once, end what was asked long ago.

    Each in a transaction of its own; run twice it does nothing more.
    """
    done = {"asked": 0, "reminded": 0, "ended": 0, "left": 0}
    today = clock.today()
    due = session().execute(
        select(SchoolAsk.id, Referral.urn)
        .join(Referral, Referral.id == SchoolAsk.referral_id)
        .where(SchoolAsk.ended_at.is_(None), SchoolAsk.due_on <= today)
        .order_by(SchoolAsk.id)
    )
    found = due.all()
    dates = calendar.of_several({row.urn for row in found}) if found else {}
    session().end_reading()
    for row in found:
        if dates[row.urn].is_school_day(today):
            done[_take(row.id, dates[row.urn], today)] += 1
    return done


def _take(number: int, dates: Calendar, today: date) -> str:
    with unit_of_work() as work:
        ask = work.session.get_one(SchoolAsk, number, with_for_update=True, populate_existing=True)
        referral = work.session.get_one(Referral, ask.referral_id)
        what = _next(ask, referral, dates, today)
        if what == "asked":
            if ask.stage is Stage.LATER:
                end(work, referral, Stage.AFTER)
            mail(work, referral, ask)
        elif what == "reminded":
            _remind(work, referral, ask)
        elif what == "ended":
            ask.ended_at = clock.now()
        if what != "left" or work.session.dirty:
            audit.wrote(
                work,
                f"followed up what the school was asked ({what}) of",
                "referral",
                referral.reference,
            )
    return what


def _next(ask: SchoolAsk, referral: Referral, dates: Calendar, today: date) -> str:
    """What is to be done about `ask` on the school day `today`."""
    if ask.ended_at is not None or not is_answerable(referral, ask):
        return "left"
    if ask.asked_at is None:
        if ask.stage is Stage.LATER:  # term dates may have changed since it was closed
            ask.due_on = _later(clock.local(ask.opened_at).date(), dates)
        return "asked" if ask.due_on <= today else "left"
    asked_on = clock.local(ask.asked_at).date()
    if ask.stage is Stage.LATER and today > clock_dates.due(
        asked_on, LATER_STAYS, Unit.SCHOOL_WEEKS, dates
    ):
        return "ended"
    days = max(int(setting("S2S_ASK_REMINDER_SCHOOL_DAYS")), 1)
    late = today >= dates.add_school_days(asked_on, days)
    return "reminded" if late and ask.reminded_at is None and not _is_answered(ask) else "left"


def _remind(work: UnitOfWork, referral: Referral, ask: SchoolAsk) -> None:
    if ask.stage is not Stage.EVALUATION:
        mail(work, referral, ask, again=True)
        return
    ask.reminded_at = clock.now()
    link = notices.link_to("s2s.closing.evaluate", reference=referral.reference)
    notices.tell_school(work, "evaluation_due", referral, link)
