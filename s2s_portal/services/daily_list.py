"""One mail a working day with what is due and overdue (W2).

To the officers' mailbox, and to each officer who asked for it. It has references, dates and a link;
nothing about a child or a school.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import make_msgid

from sqlalchemy import select

from s2s_portal import audit, clock, jobs
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.models.terms import Step
from s2s_portal.models.worklist import Officer, WorklistEntry
from s2s_portal.rendering import fragment
from s2s_portal.services import bodies, notices, officers, worklist
from s2s_portal.services.service_levels import STEP_WORDS
from s2s_portal.services.terms import written
from s2s_portal.state import setting

LISTED = 20  # references in one mail; the link leads to the rest


def send_out() -> int:
    """What the job of the morning does: how many mails it asked for.

    None on a day off, and none to somebody for whom nothing is due.
    """
    today, dates = clock.today(), worklist.office()
    if not dates.is_working_day(today) or not setting("S2S_DAILY_LIST"):
        return 0
    sent = 0
    with unit_of_work() as work:
        mailbox = setting("S2S_OFFICER_MAILBOX")
        if mailbox:
            sent += _ask(work, str(mailbox), _lines(None), "overdue")
        for officer in session().scalars(
            select(Officer).where(
                Officer.digest, Officer.email != "", Officer.seen_on > today - officers.STILL_HERE
            )
        ):
            sent += _ask(work, officer.email, _lines(officer.account_id), "mine")
        if sent:
            audit.wrote(work, "sent", "daily list", f"{today}, {sent} mails")
    return sent


def _lines(officer: str | None) -> list[str]:
    """What is due by today, longest overdue first; of one officer, or of all."""
    entry, today = WorklistEntry, clock.today()
    query = (
        select(entry.reference, entry.due_on, entry.due_step)
        .where(entry.due_sort <= today)
        .order_by(entry.due_sort, entry.submitted_at, entry.referral_id)
        .limit(LISTED + 1)
    )
    if officer is not None:
        # Whoever has left a team no longer reads of its referrals, though some are still theirs.
        query = query.where(
            entry.officer_id == officer, entry.open, entry.body.in_(bodies.of_account(officer))
        )
    return [
        f"{row.reference}: {STEP_WORDS[Step(row.due_step)]}, "
        + ("due today" if row.due_on == today else f"was due by {written(row.due_on)}")
        for row in session().execute(query)
    ]


def _ask(work: UnitOfWork, address: str, lines: Sequence[str], pile: str) -> int:
    if not lines:
        return 0
    jobs.defer(
        work.session,
        jobs.SEND_DAILY_LIST,
        address=address,
        lines=list(lines[:LISTED]),
        more=len(lines) > LISTED,
        day=written(clock.today()),
        link=notices.link_to("s2s.triage.index", status=pile, sort="due"),
        message_id=make_msgid(domain="s2s.invalid"),
    )
    return 1


def send(address: str, lines: list[str], more: bool, day: str, link: str, message_id: str) -> None:
    """Render and send one: what the worker runs."""
    body = fragment("s2s/mail/daily_list.txt", lines=lines, more=more, day=day, link=link)
    notices.deliver(f"Referrals due and overdue on {day}", body, [address], message_id)
