"""One mail a week at most to a school that has not said what became of recommendations (F56).

On a school day of its own: in its holidays nobody is asked, and the mail goes on the first day
after. It says how many and of which referrals, and nothing of what was recommended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from email.utils import make_msgid

from sqlalchemy import exists, func, or_, select

from s2s_portal import audit, clock, jobs
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.models.follow_up import FollowUp, FollowUpReminder
from s2s_portal.models.referral import Referral
from s2s_portal.rendering import fragment
from s2s_portal.services import calendar, notices
from s2s_portal.services.follow_up_lists import SPOKEN, UNDER_WAY
from s2s_portal.services.follow_ups import silence_since

EVERY = timedelta(days=7)
LISTED = 20  # referrals in one mail; the link leads to the rest
SUBJECT = "Recommendations that wait for a word from your school"


@dataclass
class Due:
    """What waits at one school: how many, by the referral's reference, and whom to write to."""

    urn: int
    school_name: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)

    @property
    def number(self) -> int:
        """How many in all."""
        return sum(self.counts.values())


def send_out() -> int:
    """What the job of the morning does: how many mails it asked for."""
    today, sent = clock.today(), 0
    with unit_of_work() as work:
        due = _due(today)
        calendars = calendar.of_several(one.urn for one in due)
        for one in due:
            if one.addresses and calendars[one.urn].is_school_day(today):
                _ask(work, one, today)
                sent += 1
        if sent:
            audit.wrote(work, "sent", "reminders of recommendations", f"{today}, {sent} mails")
    return sent


def _due(today: date) -> list[Due]:
    """The schools for which something is due or overdue, and that had no mail this week.

    What a school said it is trying is asked about again only some weeks later.
    """
    quiet = clock.from_local(silence_since(today))
    lately = exists().where(
        FollowUpReminder.urn == FollowUp.urn, FollowUpReminder.sent_on > today - EVERY
    )
    rows = session().execute(
        select(
            FollowUp.urn,
            Referral.reference,
            Referral.school_name,
            Referral.contact_email,
            func.count().label("number"),
        )
        .join(Referral, Referral.id == FollowUp.referral_id)
        .where(
            UNDER_WAY,
            SPOKEN,
            FollowUp.due_on <= today,
            or_(FollowUp.said_at.is_(None), FollowUp.said_at < quiet),
            ~lately,
        )
        .group_by(FollowUp.urn, Referral.id)
        .order_by(FollowUp.urn, Referral.id)
    )
    found: dict[int, Due] = {}
    for row in rows:
        one = found.setdefault(row.urn, Due(row.urn, row.school_name))
        one.counts[row.reference] = row.number
        if row.contact_email and row.contact_email not in one.addresses:
            one.addresses.append(row.contact_email)
    return list(found.values())


def _ask(work: UnitOfWork, one: Due, today: date) -> None:
    work.session.add(FollowUpReminder(urn=one.urn, sent_on=today, number=one.number))
    work.flush()
    lines = [f"{reference}: {_recommendations(number)}" for reference, number in one.counts.items()]
    jobs.defer(
        work.session,
        jobs.SEND_FOLLOW_UPS,
        addresses=one.addresses,
        school=one.school_name,
        lines=lines[:LISTED],
        more=len(lines) > LISTED,
        link=notices.link_to("s2s.referrals.follow_ups_due"),
        message_id=make_msgid(domain="s2s.invalid"),
    )


def _recommendations(number: int) -> str:
    return "1 recommendation" if number == 1 else f"{number} recommendations"


def send(
    addresses: Sequence[str],
    school: str,
    lines: list[str],
    more: bool,
    link: str,
    message_id: str,
) -> None:
    """Render and send one: what the worker runs."""
    body = fragment("s2s/mail/follow_ups_due.txt", school=school, lines=lines, more=more, link=link)
    notices.deliver(SUBJECT, body, list(addresses), message_id)
