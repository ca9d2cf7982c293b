"""What each reviewer of a panel thinks of a referral: written apart, and shown together (F32)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import func, select

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotAllowed, Refused, Stale
from s2s_portal.identity import Actor
from s2s_portal.models.panel import PanelComment, PanelItem, PanelMeeting, Recommends
from s2s_portal.services import decision_lists, panels, referrals

RECOMMENDS_WORDS = {
    Recommends.ACCEPT: "Accept it",
    Recommends.RETURN: "Ask the school for more information",
    Recommends.ADVISE: "Advise without a visit",
    Recommends.REDIRECT: "Send it on to another service",
    Recommends.DECLINE: "Decline it",
    Recommends.UNSURE: "Not sure",
}


def written_by(items: Sequence[PanelItem]) -> dict[int, list[str]]:
    """Who has written about each of these, without what: one statement."""
    if not items:
        return {}
    found = session().execute(
        select(PanelItem.id, func.s2s.panel_written(PanelItem.id)).where(
            PanelItem.id.in_([item.id for item in items])
        )
    )
    return {number: list(names) for number, names in found}


def is_open(item: PanelItem, who_wrote: Collection[str], on: PanelMeeting) -> bool:
    """Whether the comments are shown together: all are there, the chair has opened them, or the
    meeting has ended."""
    return (
        item.opened_at is not None or on.ended_at is not None or len(who_wrote) >= len(on.reviewers)
    )


def is_reviewer(one: PanelMeeting, by: Actor) -> bool:
    """Whether `by` writes a comment on each referral of this meeting."""
    return any(reviewer.account_id == by.id for reviewer in one.reviewers)


def own(item: PanelItem, by: Actor) -> PanelComment | None:
    """What `by` has written."""
    return next((comment for comment in item.comments if comment.by_id == by.id), None)


def comment(
    work: UnitOfWork,
    number: int,
    *,
    recommends: Recommends,
    level: str = "",
    text: str,
    by: Actor,
) -> PanelComment:
    """Write what one thinks, once. `level` is a code of `decision_lists.levels`, to accept at.

    Raises NotFound, NotAllowed for whoever is no reviewer, Refused without words or a level,
    OutOfOrder when the meeting has ended, Stale for a second comment.
    """
    item = panels.get(number)
    referrals.get(item.referral.reference, lock=True)
    item = panels.get(number)
    check_may_write(item, by)
    if not text.strip():
        raise Refused("Enter why", field="text")
    chosen = None
    if recommends is Recommends.ACCEPT:
        if not level:
            raise Refused("Choose at which level to accept it", field="level")
        chosen = decision_lists.level(level).id
    made = PanelComment(
        item_id=item.id,
        recommends=recommends,
        level_id=chosen,
        text=text,
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(made)
    audit.wrote(work, "wrote a comment for the panel on", "referral", item.referral.reference)
    return made


def check_may_write(item: PanelItem, by: Actor) -> None:
    """Raise unless `by` is a reviewer who has not written yet, and the meeting goes on."""
    panels.check_on_agenda(item)
    if not is_reviewer(item.meeting, by):
        raise NotAllowed("Only those who were asked write a comment for this meeting.")
    if own(item, by) is not None:
        raise Stale("You have written your comment on this referral already.")


def open_comments(work: UnitOfWork, number: int, *, by: Actor) -> PanelItem:
    """Show the comments together though not all are there: for the chair. Twice is once."""
    item = panels.get(number)
    referrals.get(item.referral.reference, lock=True)
    item = panels.get(number)
    panels.check_chair(item.meeting, by)
    if item.opened_at is not None:
        return item
    panels.check_on_agenda(item)
    item.opened_at, item.opened_by_name = clock.now(), by.name
    work.flush()
    audit.wrote(work, "opened the comments on", "referral", item.referral.reference)
    return item


def may_be_recommended() -> dict[str, str]:
    """The levels at which to accept, by code."""
    return {row.code: row.label for row in decision_lists.levels()}
