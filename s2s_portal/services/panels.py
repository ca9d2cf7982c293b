"""Panels: a meeting with an agenda, what each reviewer thinks, and the record of it (F32).

Each reviewer writes without having read the others: the database shows their comments together once
every reviewer has written, or the chair opens them. A panel advises; a referral is decided on its
own page, as ever. Nothing here is for a school to read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload, selectinload

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotAllowed, NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor
from s2s_portal.models.codes import UNDECIDED, Action
from s2s_portal.models.panel import (
    PanelComment,
    PanelItem,
    PanelMeeting,
    PanelReviewer,
)
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.worklist import Officer
from s2s_portal.services import bodies, officers, referrals, triage
from s2s_portal.services.terms import written

LISTED = 50  # meetings that have been held, on the list of meetings


def meetings() -> tuple[list[PanelMeeting], list[PanelMeeting]]:
    """The meetings to come, the next first, and those that have been held, the last first."""
    found = select(PanelMeeting).options(selectinload(PanelMeeting.reviewers))
    ahead = found.where(PanelMeeting.ended_at.is_(None)).order_by(
        PanelMeeting.meets_on, PanelMeeting.id
    )
    held = (
        found.where(PanelMeeting.ended_at.is_not(None))
        .order_by(PanelMeeting.meets_on.desc(), PanelMeeting.id.desc())
        .limit(LISTED)
    )
    return list(session().scalars(ahead)), list(session().scalars(held))


def on_agenda(found: Iterable[PanelMeeting]) -> dict[int, int]:
    """How many referrals are on the agenda of each of these meetings: one statement."""
    counted = session().execute(
        select(PanelItem.meeting_id, func.count())
        .where(PanelItem.meeting_id.in_([one.id for one in found]), PanelItem.removed_at.is_(None))
        .group_by(PanelItem.meeting_id)
    )
    return {number: count for number, count in counted}


def meeting(number: int) -> PanelMeeting:
    """A meeting with its reviewers. Raises NotFound, also for one of another body's."""
    found = session().scalar(
        select(PanelMeeting)
        .where(PanelMeeting.id == number)
        .options(selectinload(PanelMeeting.reviewers))
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound()
    return found


def offered(body: str) -> dict[int, str]:
    """The meetings of a body that a referral can still be put on the agenda of."""
    found = session().scalars(
        select(PanelMeeting)
        .where(PanelMeeting.body == body, PanelMeeting.ended_at.is_(None))
        .order_by(PanelMeeting.meets_on, PanelMeeting.id)
    )
    return {one.id: called(one) for one in found}


def called(one: PanelMeeting) -> str:
    """What a meeting is called: `Panel on 14 May 2019, chaired by Ola Officer`."""
    return f"Panel on {written(one.meets_on)}, chaired by {one.chair_name}"


def call(
    work: UnitOfWork,
    *,
    body: str,
    meets_on: date,
    chair: int,
    reviewers: Collection[int],
    by: Actor,
) -> PanelMeeting:
    """Call a meeting. `chair` and `reviewers` are numbers of officers who act for `body`.

    Raises Refused for a day that is past, for nobody, or somebody of another body.
    """
    if body not in bodies.of_account(by.id):
        raise Refused("Choose a team that you are in", field="body")
    if meets_on < clock.today():
        raise Refused("The day must be today or later", field="meets_on")
    known = {one.id: one for one in officers.offered([body])}
    if chair not in known:
        raise Refused("Choose who chairs it, from that team", field="chair")
    if not reviewers or not set(reviewers) <= known.keys():
        raise Refused("Choose who writes a comment on each referral", field="reviewers")
    made = PanelMeeting(
        body=body,
        meets_on=meets_on,
        chair_id=known[chair].account_id,
        chair_name=known[chair].name,
        present="",
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(made)
    work.flush()
    work.session.add_all(_reviewers(made, [known[number] for number in sorted(set(reviewers))]))
    audit.wrote(work, "called", "panel", made.id)
    return made


def _reviewers(made: PanelMeeting, chosen: Sequence[Officer]) -> list[PanelReviewer]:
    return [
        PanelReviewer(meeting_id=made.id, account_id=one.account_id, name=one.name)
        for one in chosen
    ]


def agenda(of: PanelMeeting) -> list[PanelItem]:
    """What is, or was, on the agenda of a meeting, with its referrals and the comments that the
    reader may see by now: two statements."""
    found = session().scalars(
        select(PanelItem)
        .where(PanelItem.meeting_id == of.id)
        .options(
            joinedload(PanelItem.referral),
            selectinload(PanelItem.comments).joinedload(PanelComment.level),
        )
        .order_by(PanelItem.id)
        .execution_options(populate_existing=True)
    )
    return list(found)


def of(referral: Referral) -> list[PanelItem]:
    """The agendas that `referral` is or was on, the newest first, each with its meeting and what
    the reader may see of the comments."""
    found = session().scalars(
        select(PanelItem)
        .where(PanelItem.referral_id == referral.id, PanelItem.removed_at.is_(None))
        .options(
            joinedload(PanelItem.meeting),
            joinedload(PanelItem.comments).joinedload(PanelComment.level),
        )
        .order_by(PanelItem.id.desc())
        .execution_options(populate_existing=True)
    )
    return list(found.unique())


def check_listable(referral: Referral) -> None:
    """Raise OutOfOrder unless the referral waits for a decision."""
    if referral.status not in UNDECIDED:
        raise OutOfOrder(
            "Only a referral that waits for a decision goes before a panel."
            " Nothing has been changed now."
        )


def put_on(
    work: UnitOfWork, reference: str, *, meeting_id: int, why: str, seen: int, by: Actor
) -> PanelItem:
    """Put a referral on the agenda of a meeting; `why` it needs a panel is for officers.

    Raises NotFound, Refused without `why` or for no such meeting, OutOfOrder once it is decided or
    where it is on an agenda already, Stale when it changed.
    """
    if not why.strip():
        raise Refused("Enter why it needs a panel", field="why")
    referral = referrals.get(reference, lock=True)
    check_listable(referral)
    referrals.check_seen(referral, seen)
    if meeting_id not in offered(referral.body):
        raise Refused("Choose a meeting from the list", field="meeting")
    there = [item for item in of(referral) if item.meeting.ended_at is None]
    if there:
        raise OutOfOrder(f"It is on an agenda already: {called(there[0].meeting)}.")
    item = PanelItem(
        meeting_id=meeting_id, referral_id=referral.id, why=why, by_id=by.id, by_name=by.name
    )
    work.session.add(item)
    work.flush()
    note = f"{offered(referral.body)[meeting_id]}. Why: {why}"
    referrals.record(work, referral, Action.PANEL_LISTED, by=by, note=note)
    return item


def take_off(work: UnitOfWork, number: int, *, why: str, by: Actor) -> PanelItem:
    """Take a referral off an agenda. Raises NotFound, Refused without `why`, OutOfOrder."""
    if not why.strip():
        raise Refused("Enter why it is taken off", field="why")
    item = get(number)
    referral = referrals.get(item.referral.reference, lock=True)
    item = get(number)
    check_on_agenda(item)
    _take_off(work, referral, item, why, by)
    return item


def clear(work: UnitOfWork, referral: Referral, *, why: str, by: Actor) -> None:
    """Take a referral, which is locked, off the agenda that it is on, if it is on one."""
    for item in of(referral):
        if item.meeting.ended_at is None:
            _take_off(work, referral, item, why, by)


def _take_off(work: UnitOfWork, referral: Referral, item: PanelItem, why: str, by: Actor) -> None:
    item.removed_at, item.removed_by_name, item.removed_why = clock.now(), by.name, why
    work.flush()
    note = f"{called(item.meeting)}. Why: {why}"
    referrals.record(work, referral, Action.PANEL_REMOVED, by=by, note=note)
    work.flush()


def get(number: int) -> PanelItem:
    """One referral on an agenda, with its meeting. Raises NotFound."""
    found = session().scalar(
        select(PanelItem)
        .where(PanelItem.id == number)
        .options(
            joinedload(PanelItem.referral),
            joinedload(PanelItem.meeting).selectinload(PanelMeeting.reviewers),
            selectinload(PanelItem.comments).joinedload(PanelComment.level),
        )
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound()
    return found


def check_on_agenda(item: PanelItem) -> None:
    """Raise OutOfOrder, saying what happened, unless the item is on the agenda of a meeting that
    has not ended."""
    if item.removed_at is not None:
        raise OutOfOrder(f"{item.removed_by_name} has taken this off the agenda.")
    if item.meeting.ended_at is not None:
        raise OutOfOrder("This meeting has ended, so its record is not changed.")


def end(work: UnitOfWork, number: int, *, present: str, by: Actor) -> PanelMeeting:
    """End a meeting with who was there: for its chair, once. Raises Refused without anybody."""
    work.session.execute(select(func.pg_advisory_xact_lock(func.hashtext("s2s.panel"), number)))
    found = meeting(number)
    check_may_end(found, by)
    if not present.strip():
        raise Refused("Enter who was there", field="present")
    found.present = present
    found.ended_at, found.ended_by_id, found.ended_by_name = clock.now(), by.id, by.name
    work.flush()
    audit.wrote(work, "ended", "panel", found.id)
    return found


def check_may_end(one: PanelMeeting, by: Actor) -> None:
    """Raise NotAllowed for anybody but the chair, OutOfOrder once the meeting has ended."""
    check_chair(one, by)
    if one.ended_at is not None:
        raise OutOfOrder(f"{one.ended_by_name} has ended this meeting already.")


def check_chair(one: PanelMeeting, by: Actor) -> None:
    """Raise NotAllowed, saying who, for anybody but the chair."""
    if one.chair_id != by.id:
        raise NotAllowed(f"Only {one.chair_name}, who chairs this meeting, does that.")


def decided(items: Sequence[PanelItem]) -> dict[int, ReferralEvent]:
    """What was decided on each of these referrals since it was put on the agenda, by item."""
    found = session().scalars(
        select(ReferralEvent)
        .where(
            ReferralEvent.referral_id.in_([item.referral_id for item in items]),
            ReferralEvent.action.in_(triage.DECIDED),
        )
        .order_by(ReferralEvent.id.desc())
    )
    last: dict[int, ReferralEvent] = {}
    for event in found:
        last.setdefault(event.referral_id, event)
    return {
        item.id: last[item.referral_id]
        for item in items
        if item.referral_id in last and last[item.referral_id].at >= item.at
    }
