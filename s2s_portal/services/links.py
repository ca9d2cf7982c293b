"""Which account is which practitioner: never by name, always by somebody who knows (F114).

A provider's word that somebody is a practitioner of a school does not say which of its
practitioners. An administrator says so, or the person who holds an invitation (`invitations`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import joinedload

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.invitation import Newcomer
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.services import invitations, practitioner_words, practitioners

SHOWN = 200  # newcomers on one page


class Link(StrEnum):
    """How an account with the role of a practitioner or lead stands here."""

    TIED = "tied"
    NONE = "none"
    INACTIVE = "inactive"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class NewcomerLine:
    """An account that is nobody yet, its school's name, and who of that school has no account."""

    newcomer: Newcomer
    provider_name: str
    could_be: list[Practitioner]


def of(actor: Actor) -> Link | None:
    """How `actor` stands; None for somebody who is neither practitioner nor lead."""
    if not actor.has(Role.PRACTITIONER, Role.LEAD):
        return None
    own = session().execute(
        select(Practitioner.active, Practitioner.provider_urn).where(
            Practitioner.account_id == actor.id
        )
    )
    row = own.one_or_none()
    if row is None:
        return Link.NONE
    if not row.active:
        return Link.INACTIVE
    return Link.TIED if row.provider_urn == actor.provider else Link.ELSEWHERE


def note_newcomer(work: UnitOfWork, *, by: Actor) -> None:
    """Keep that this account came and is nobody here; only the first time is written down."""
    added = work.session.execute(
        insert(Newcomer)
        .values(
            account_id=by.id,
            name=by.name,
            email=by.email,
            provider_urn=by.provider,
            is_practitioner=by.has(Role.PRACTITIONER),
            is_lead=by.has(Role.LEAD),
            at=clock.now(),
        )
        .on_conflict_do_nothing(),
        execution_options={"preserve_rowcount": True},
    )
    if added.rowcount:  # type: ignore[attr-defined]
        audit.wrote(work, "first signed on", "account", by.id)


NOBODY_YET = (
    select(Newcomer)
    .where(~exists().where(Practitioner.account_id == Newcomer.account_id))
    .order_by(Newcomer.at.desc(), Newcomer.account_id)
    .limit(SHOWN)
)


def newcomers() -> list[NewcomerLine]:
    """Accounts that are nobody yet, latest first; two statements."""
    rows = session().execute(
        NOBODY_YET.add_columns(Establishment.name).outerjoin(
            Establishment, Establishment.urn == Newcomer.provider_urn
        )
    )
    untied = list(
        session().scalars(
            select(Practitioner)
            .where(Practitioner.account_id.is_(None), Practitioner.active)
            .order_by(Practitioner.name, Practitioner.id)
        )
    )
    return [
        NewcomerLine(newcomer, name or "", [one for one in untied if fits(newcomer, one)])
        for newcomer, name in rows
    ]


def who_could_be(row: Practitioner) -> list[Newcomer]:
    """Accounts that are nobody yet, of the school and role of a practitioner, latest first."""
    found = session().scalars(NOBODY_YET.where(Newcomer.provider_urn == row.provider_urn))
    return [newcomer for newcomer in found if fits(newcomer, row)]


def fits(newcomer: Newcomer, practitioner: Practitioner) -> bool:
    """Whether an account's school and role are those of a practitioner."""
    has_role = newcomer.is_lead if practitioner.is_lead else newcomer.is_practitioner
    return has_role and newcomer.provider_urn == practitioner.provider_urn


def practitioner(number: int) -> Practitioner:
    """The practitioner numbered `number`, with their school. Raises NotFound."""
    found = session().scalars(
        select(Practitioner)
        .where(Practitioner.id == number)
        .options(joinedload(Practitioner.provider))
    )
    row = found.one_or_none()
    if row is None:
        raise NotFound()
    return row


def tie(work: UnitOfWork, number: int, *, account_id: str, by: Actor) -> None:
    """Tie a newcomer's account to a practitioner of the same school and role.

    For an administrator, as `untie` and `switch` are: NotAllowed for anybody else. Raises Refused
    for an account that does not fit, OutOfOrder when the practitioner has one or is
    no longer active; a race for the account ends at its unique index, as Stale.
    """
    row = _locked(work, number, by)
    invitations.check_free(row)
    newcomer = work.session.get(Newcomer, account_id)
    if newcomer is None or not fits(newcomer, row):
        raise Refused("Choose the account of this person", field="account")
    row.account_id = newcomer.account_id
    invitations.withdraw(work, row)
    _note(work, "tied", number, newcomer.account_id)


def untie(work: UnitOfWork, number: int, *, by: Actor) -> None:
    """Take the account off a practitioner: from the next request on it opens nothing of theirs."""
    row = _locked(work, number, by)
    if row.account_id is None:
        raise OutOfOrder("No account is linked to this practitioner, so there is none to unlink.")
    account_id, row.account_id = row.account_id, None
    _note(work, "untied", number, account_id)


def switch(work: UnitOfWork, number: int, *, active: bool, by: Actor) -> None:
    """Say that a practitioner is no longer active, or is again; open invitations are withdrawn."""
    row = _locked(work, number, by)
    if row.active is active:
        raise OutOfOrder(
            "This practitioner is already active."
            if active
            else "This practitioner is already no longer active."
        )
    before = practitioner_words.state(row)
    row.active = active
    invitations.withdraw(work, row)
    practitioners.keep_event(work, row, "state", before, practitioner_words.state(row), by)
    audit.wrote(work, "switched on" if active else "switched off", "practitioner", number)


def _note(work: UnitOfWork, action: str, number: int, account_id: str) -> None:
    audit.wrote(work, action, "practitioner", number)
    audit.wrote(work, action, "account", account_id)


def _locked(work: UnitOfWork, number: int, by: Actor) -> Practitioner:
    invitations.check_administrator(by)
    row = work.session.get(Practitioner, number, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound()
    return row
