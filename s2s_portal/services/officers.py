"""Who the officers are, which of them looks after a referral, and the lists that each keeps.

An officer is known by having come: the host holds the accounts, and does not tell us of others.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert

from s2s_portal import audit, clock, references
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder, Refused, Stale
from s2s_portal.identity import Actor
from s2s_portal.models.body import OfficerBody
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.referral import Referral
from s2s_portal.models.worklist import Officer, OfficerAssignment, SavedList
from s2s_portal.services import bodies, referrals
from s2s_portal.services.worklist_wanted import Wanted

SEEN_AGAIN = timedelta(days=7)  # how often it is written down that an officer has been here
STILL_HERE = timedelta(days=90)  # who has not come for so long is offered no more
ENDED = frozenset({Status.CLOSED, Status.DECLINED, Status.WITHDRAWN})
MOST_LISTS = 20


def note(by: Actor) -> Officer:
    """The row of the officer who is here; written the first time, each week, and when a name or
    address has changed. Nothing is pending in the session."""
    here = session().scalar(select(Officer).where(Officer.account_id == by.id))
    if here is not None and _is_current(here, by):
        return here
    with unit_of_work() as work:
        keep(work, by)
    return session().scalars(select(Officer).where(Officer.account_id == by.id)).one()


def at_work(by: Actor) -> tuple[Officer, list[SavedList]]:
    """The row of the officer who is here, as `note` gives it, and the lists they keep, by name.

    One statement, but on the few days on which something is written down.
    """
    rows = session().execute(
        select(Officer, SavedList)
        .outerjoin(SavedList, SavedList.officer_id == Officer.account_id)
        .where(Officer.account_id == by.id)
        .order_by(func.lower(SavedList.name))
    )
    found = rows.all()
    if found and _is_current(found[0].Officer, by):
        return found[0].Officer, [row.SavedList for row in found if row.SavedList is not None]
    return note(by), lists(by)


def _is_current(here: Officer, by: Actor) -> bool:
    is_named_so = (here.name, here.email) == (by.name, by.email)
    return is_named_so and here.seen_on > clock.today() - SEEN_AGAIN


def keep(work: UnitOfWork, by: Actor) -> int:
    """Write down that the officer `by` is here today; the number of their row."""
    values = {"name": by.name, "email": by.email, "seen_on": clock.today()}
    kept = work.session.execute(
        insert(Officer)
        .values(account_id=by.id, **values)
        .on_conflict_do_update(index_elements=[Officer.account_id], set_=values)
        .returning(Officer.id)
    )
    audit.wrote(work, "was here as", "officer", by.id)
    return kept.scalar_one()


def offered(of: Collection[str] = ()) -> list[Officer]:
    """The officers to whom a referral can be given: those who have been here lately, by name.

    Only those who act for all of these bodies.
    """
    query = select(Officer).where(Officer.seen_on > clock.today() - STILL_HERE)
    for body in of:
        query = query.where(acts_for(body))
    return list(session().scalars(query.order_by(Officer.name, Officer.id)))


def acts_for(body: str, *, said_so: bool = False) -> ColumnElement[bool]:
    """Whether an officer acts for a body: they are told to, or nothing is said of them.

    With `said_so` only the former.
    """
    said = exists().where(OfficerBody.account_id == Officer.account_id)
    named = said.where(OfficerBody.body == body)
    return named if said_so else named | ~said


def of(referral: Referral) -> OfficerAssignment | None:
    """Who looks after `referral` now."""
    return session().scalar(
        select(OfficerAssignment).where(
            OfficerAssignment.referral_id == referral.id, OfficerAssignment.ended_at.is_(None)
        )
    )


def assign(
    work: UnitOfWork, reference: str, *, officer: int, seen: int, note: str = "", by: Actor
) -> OfficerAssignment:
    """Give the referral to an officer (`Officer.id`), who then looks after it.

    `seen` is the assignment that the page showed, 0 for none. Twice to the same officer is once.
    Raises Stale when somebody else has been chosen since, OutOfOrder when the referral has ended,
    Refused for an officer who is not known, or does not act for the body it is with.
    """
    referral = referrals.get(reference, lock=True)
    if referral.status in ENDED:
        raise OutOfOrder("This referral has ended, so nobody needs to look after it.")
    chosen = work.session.get(Officer, officer)
    if chosen is None:
        raise Refused("Choose an officer from the list", field="officer")
    if referral.body not in bodies.of_account(chosen.account_id):
        raise Refused(f"{chosen.name} is not in the team that has this referral", field="officer")
    held = of(referral)
    if held is not None and held.officer_id == chosen.account_id:
        return held
    if (held.id if held else 0) != seen:
        name = held.officer_name if held else "Nobody"
        raise Stale(f"{name} now looks after this referral. Nothing has been changed by you.")
    if held is not None:
        held.ended_at = clock.now()
        work.flush()
    made = OfficerAssignment(
        referral_id=referral.id,
        officer_id=chosen.account_id,
        officer_name=chosen.name,
        opened_at=clock.now() if chosen.account_id == by.id else None,
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(made)
    message = f"{chosen.name} looks after this referral."
    referrals.record(work, referral, Action.ASSIGNED, by=by, message=message, note=note)
    return made


def is_new_to(by: Actor, held: OfficerAssignment | None) -> bool:
    """Whether `held` was given to `by`, who has not opened it yet."""
    return held is not None and held.officer_id == by.id and held.opened_at is None


def note_opened(reference: str, by: Actor) -> None:
    """The officer reads for the first time what they were given: it is no longer new to them.

    In a transaction of its own; what was read before is read again.
    """
    number = session().scalar(
        select(OfficerAssignment.id)
        .join(Referral, Referral.id == OfficerAssignment.referral_id)
        .where(
            Referral.reference == (references.parse(reference) or ""),
            OfficerAssignment.officer_id == by.id,
            OfficerAssignment.ended_at.is_(None),
            OfficerAssignment.opened_at.is_(None),
        )
    )
    if number is None:
        return
    with unit_of_work() as work:
        work.session.execute(
            update(OfficerAssignment)
            .where(OfficerAssignment.id == number, OfficerAssignment.opened_at.is_(None))
            .values(opened_at=clock.now())
        )
        audit.wrote(work, "first opened", "assignment", number)


def lists(by: Actor) -> list[SavedList]:
    """The lists that `by` keeps, by name."""
    return list(
        session().scalars(
            select(SavedList)
            .where(SavedList.officer_id == by.id)
            .order_by(func.lower(SavedList.name))
        )
    )


def keep_list(work: UnitOfWork, *, name: str, wanted: Wanted, by: Actor) -> SavedList:
    """Keep a list under `name`. Raises Refused for no name, one that is taken, or too many."""
    mine = lists(by)
    if not name:
        raise Refused("Enter a name for this list", field="name")
    if any(one.name.lower() == name.lower() for one in mine):
        raise Refused(f"You already keep a list called “{name}”. Enter another name", field="name")
    if len(mine) >= MOST_LISTS:
        raise Refused(f"You keep {MOST_LISTS} lists. Delete one before you add another")
    made = SavedList(officer_id=by.id, name=name, query=wanted.query)
    work.session.add(made)
    work.flush()
    audit.wrote(work, "kept", "list", made.id)
    return made


def delete_list(work: UnitOfWork, number: int, *, by: Actor) -> None:
    """Delete a list. Raises NotFound when it is not one of theirs."""
    _mine(number, by)
    work.session.execute(delete(SavedList).where(SavedList.id == number))
    audit.wrote(work, "deleted", "list", number)


def begin_with(work: UnitOfWork, number: int, *, by: Actor) -> None:
    """Begin with this list from now on; the one that it was already, and there is none."""
    chosen = _mine(number, by)
    was = chosen.is_default
    work.session.execute(
        update(SavedList).where(SavedList.officer_id == by.id).values(is_default=False)
    )
    if not was:
        work.session.execute(
            update(SavedList).where(SavedList.id == number).values(is_default=True)
        )
    audit.wrote(work, "no longer begins with" if was else "begins with", "list", number)


def _mine(number: int, by: Actor) -> SavedList:
    found = session().scalar(
        select(SavedList).where(SavedList.id == number, SavedList.officer_id == by.id)
    )
    if found is None:
        raise NotFound()
    return found


def switch_digest(work: UnitOfWork, *, wanted: bool, by: Actor) -> None:
    """Whether `by` gets the daily list by mail. Raises Refused without an address to send it to."""
    if wanted and not by.email:
        raise Refused("The council’s portal has no email address for you, so nothing can be sent.")
    work.session.execute(update(Officer).where(Officer.account_id == by.id).values(digest=wanted))
    audit.wrote(work, "asked for" if wanted else "ended", "daily list", by.id)
