"""The marks of all referrals, made anew: after `S2S_MATCH_KEY` was set, or changed.

Run as the service itself. What is marked is read here, and nothing of it is kept or printed.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from s2s_portal import audit, likeness
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.models.answer import Subject
from s2s_portal.models.match import MatchMark
from s2s_portal.models.referral import Referral
from s2s_portal.services import repeats
from s2s_portal.state import setting

AT_ONCE = 500  # referrals in one transaction


def rebuild() -> int:
    """Mark every referral under the key of today; how many were marked.

    In transactions of their own, each held against whoever changes the same referral meanwhile.
    Run twice it changes nothing more. Raises Refused without a key.
    """
    if not repeats.looked_for():
        raise Refused("set S2S_MATCH_KEY first: without it repeats are not looked for")
    marked, last = 0, 0
    while True:
        with unit_of_work() as work:
            held = _held(work, last)
            for subject, referral in held:
                found = repeats.words_of(referral.kind, referral.urn, subject)
                repeats.set_marks(work, referral.id, found)
                marked += bool(found)
            if not held:
                audit.wrote(work, "marked anew", "referrals", marked)
                return marked
            last = held[-1][1].id
            work.session.expunge_all()


def _held(work: UnitOfWork, last: int) -> list[tuple[Subject, Referral]]:
    """The next subjects after referral `last`, locked: who saves one waits, or is waited for."""
    rows = work.session.execute(
        select(Subject, Referral)
        .join(Referral, Referral.id == Subject.referral_id)
        .where(Subject.referral_id > last)
        .order_by(Subject.referral_id)
        .limit(AT_ONCE)
        .with_for_update(of=Subject)
        .execution_options(populate_existing=True)
    )
    return [(subject, referral) for subject, referral in rows]


def with_another_key() -> int:
    """How many referrals are marked under a key that is not today's."""
    key = likeness.key_id(setting("S2S_MATCH_KEY"))
    count = select(func.count(MatchMark.referral_id.distinct())).where(MatchMark.key_id != key)
    return session().scalar(count) or 0


def some_unmarked() -> bool:
    """Whether there is a pupil or group that should be marked and is not: from before the key."""
    return any(True for _ in _unmarked())


def _unmarked() -> Iterator[int]:
    marked = select(MatchMark.referral_id).where(MatchMark.referral_id == Referral.id).exists()
    rows = session().execute(
        select(Subject, Referral)
        .join(Referral, Referral.id == Subject.referral_id)
        .where(~marked)
        .execution_options(yield_per=AT_ONCE)
    )
    for subject, referral in rows:
        if repeats.words_of(referral.kind, referral.urn, subject):
            yield referral.id
