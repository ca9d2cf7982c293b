"""How long a draft is kept, and what is left of it afterwards.

A draft that nobody has saved for `S2S_DRAFT_DAYS` expires. A week before, the contact and whoever
began it are told by mail. Neither falls in a school holiday: both wait for the next school day. Run
daily; run twice it does nothing more; after days without it, it catches up, and there is always a
week between the mail and the end.

What an expired draft said is deleted (data minimisation: domain.md 5): every answer, of a child or
not. What stays is that there was one: reference, school, who began it, when, and its events.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from sqlalchemy import delete, select

from s2s_portal import audit, clock
from s2s_portal.database import Base, UnitOfWork, session, unit_of_work
from s2s_portal.identity import SYSTEM
from s2s_portal.models.answer import (
    Agreement,
    DraftCopy,
    Need,
    OutcomeWanted,
    StrategyTried,
    Subject,
)
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.colleague import Contribution, HeadRemark
from s2s_portal.models.match import MatchMark
from s2s_portal.models.referral import Referral
from s2s_portal.services import attachments, calendar, notices, referrals
from s2s_portal.services.terms import written
from s2s_portal.state import setting

NOTICE_DAYS = 7  # between the reminder and the end, at least

# Tables that hang on a referral: those whose rows go with an expired draft, and those that stay or
# that no draft has. A test holds the two to the tables there are.
FORGOTTEN: tuple[type[Base], ...] = (
    Subject,
    Need,
    StrategyTried,
    OutcomeWanted,
    Agreement,
    DraftCopy,
    MatchMark,
    Contribution,
    HeadRemark,
)
KEPT_TABLES = frozenset(
    {
        "referral_event",
        "referral",  # a draft that was copied from another stays so
        "head_decision",  # that a head was asked, or agreed: no word of what the draft said
        "section_opening",  # of what has been sent
        "decision",
        "decision_check",
        "internal_note",
        "flag",
        "offer",  # of what has been accepted
        "case_request",
        "section_change",
        "agreement_withdrawal",
        "worklist_entry",  # of what has been sent
        "officer_assignment",
        "triage_handover",
        "panel_item",
        "referral_clock",
        "clock_change",
        "clock_breach",
        "attachment",  # its own service lets go of the file and its label
        "message",  # of what has been sent
        "conversation",
        "advice_request",  # which had been sent before it became a draft
        "advice_event",
        "allocation",
        "allocation_ending",
        "hand_over_note",
        "supporter",
        "visit",
        "visit_record",
        "recommendation",
        "addendum",
        "acknowledgement",
        "record_document",
    }
)
# Columns of the referral itself that a draft fills in, and what they are afterwards.
BLANKED: dict[str, object] = {
    **dict.fromkeys(
        (
            "contact_name",
            "contact_role",
            "contact_email",
            "contact_phone",
            "leader_name",
            "reason",
            "preferred_days",
            "visit_notes",
            "safety_notes",
            "purchase_order",
            "declared_by",
            "declaration",
            "created_by_email",
            "fewer_cycles",
            "repeat_reason",
        ),
        "",
    ),
    "leader_agreed_on": None,
    "answered": {},
    "support": [],
    "criteria": [],
    "repeats": [],
}


@dataclass(frozen=True)
class Done:
    """What one run did: how many drafts it gave notice of, and how many it let expire."""

    reminded: int
    expired: int

    def __str__(self) -> str:
        return f"Drafts: {self.reminded} reminded of, {self.expired} expired."


def kept_words(referral: Referral) -> str:
    """How long a draft is kept, in a sentence for its school."""
    if referral.expires_on is not None:
        return (
            f"This draft will be deleted on {written(referral.expires_on)}, because nobody has"
            f" changed it since {written(referral.saved_on)}. Save any section to keep it."
        )
    kept = referral.saved_on + timedelta(days=setting("S2S_DRAFT_DAYS"))
    return (
        f"We keep this draft until {written(kept)} at least. Each time that somebody saves a"
        " section, it is kept for longer. We send an email a week before it is deleted."
    )


def upkeep() -> Done:
    """Give notice of drafts, and let those expire whose time has come: what the daily job runs.

    Each draft is a transaction of its own, so one that fails keeps none of the others waiting.
    """
    today = clock.today()
    least = today - timedelta(days=_days() - NOTICE_DAYS)
    due = session().execute(
        select(Referral.reference, Referral.urn)
        .where(Referral.status == Status.DRAFT, Referral.saved_on <= least)
        .order_by(Referral.saved_on, Referral.id)
    )
    found = due.all()
    calendars = calendar.of_several(urn for _, urn in found)
    done = [_take(reference, calendars[urn], today) for reference, urn in found]
    return Done(done.count("reminded"), done.count("expired"))


def _days() -> int:
    return max(int(setting("S2S_DRAFT_DAYS")), NOTICE_DAYS)


def _take(
    reference: str, terms: calendar.Calendar, today: date
) -> Literal["reminded", "expired", "left"]:
    """One draft, locked and looked at again: somebody may have saved it meanwhile."""
    with unit_of_work() as work:
        referral = work.session.scalars(
            select(Referral)
            .where(Referral.reference == reference)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).one()
        if referral.status is not Status.DRAFT or not terms.is_school_day(today):
            return "left"
        if referral.expires_on is None:
            if today < referral.saved_on + timedelta(days=_days() - NOTICE_DAYS):
                return "left"
            _remind(work, referral, terms, today)
            return "reminded"
        if today < referral.expires_on:
            return "left"
        _expire(work, referral)
        return "expired"


def _remind(work: UnitOfWork, referral: Referral, terms: calendar.Calendar, today: date) -> None:
    """Tell the contact and whoever began the draft when it will go; fix that day."""
    end = max(referral.saved_on + timedelta(days=_days()), today + timedelta(days=NOTICE_DAYS))
    referral.reminded_on = today
    referral.expires_on = terms.school_day_from(end)
    link = notices.link_to("s2s.referrals.show", reference=referral.reference)
    for address in sorted({referral.contact_email, referral.created_by_email}):
        notices.tell_address(
            work, "draft_expires", address, referral, link, day=written(referral.expires_on)
        )
    audit.wrote(work, "gave notice of the end of", "referral", referral.reference)


def _expire(work: UnitOfWork, referral: Referral) -> None:
    """Delete what the draft said, and write down that it has expired."""
    attachments.dispose(work, referral, by=SYSTEM)
    for part in FORGOTTEN:
        work.session.execute(
            delete(part).where(part.referral_id == referral.id)  # type: ignore[attr-defined]
        )
    for name, nothing in BLANKED.items():
        setattr(referral, name, nothing)
    referrals.record(work, referral, Action.EXPIRED, by=SYSTEM)
