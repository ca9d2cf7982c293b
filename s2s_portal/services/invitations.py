"""Invitations by which a practitioner or lead ties their own account, once, within 14 days.

The token in the link is made by the worker as the mail goes out and kept nowhere: not in the
queue, and in the table as a digest alone. Who holds it may read neither table; two functions of the
database (`0006_people.sql`) answer and tie for them, in one transaction.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from email.utils import make_msgid
from hashlib import sha256

from sqlalchemy import Boolean, DateTime, Text, bindparam, column, func, select, text, update
from sqlalchemy.orm import joinedload

from s2s_portal import audit, clock, jobs
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.errors import NotAllowed, NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.invitation import PractitionerInvitation
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.rendering import fragment
from s2s_portal.services import notices
from s2s_portal.services.terms import written
from s2s_portal.state import setting

VALID = timedelta(days=14)
NOTICE = "practitioner_invited"
TOKEN = "TOKEN"  # noqa: S105  (where the token goes in the address that a job carries)
LONGEST_TOKEN = 100
INSTANT = DateTime(timezone=True)

WHY_NOT: dict[str, str] = {
    "used": "This invitation has already been used. If it was you, your account is linked and you"
    " can go on to Visits.",
    "withdrawn": "This invitation no longer counts, because a newer one has been sent or your"
    " account has been linked otherwise. Look for a later email.",
    "expired": "This invitation has expired. Ask for a new one.",
    "role": "You signed in with an account that does not have the role which this invitation is"
    " for. Ask whoever looks after sign-in at your school to give it to you, then open the link"
    " again.",
    "provider": "You signed in for another school than the one this invitation is for. Sign out,"
    " sign in for the right school and open the link again.",
    "tied": "An account has already been linked to the person this invitation is for.",
    "inactive": "The person this invitation is for is no longer active in this service.",
    "account": "Your account has already been linked to somebody else, so it cannot be linked to a"
    " second person.",
}
CURABLE = {"role", "provider"}  # by signing in differently: the invitation itself still counts

INVITED = select(
    func.s2s.invited(bindparam("digest", type_=Text), bindparam("at", type_=INSTANT)).table_valued(
        column("name", Text),
        column("is_lead", Boolean),
        column("provider_name", Text),
        column("why_not", Text),
    )
)
TIE = text("SELECT practitioner_id, why_not FROM s2s.tie_by_invitation(:digest, :at, :name)")


@dataclass(frozen=True)
class Invited:
    """Whom an invitation is for."""

    name: str
    is_lead: bool
    provider_name: str


def invite(work: UnitOfWork, number: int, *, by: Actor) -> PractitionerInvitation:
    """Invite a practitioner or lead without an account by mail; an earlier invitation ends.

    Raises NotAllowed for anybody but an administrator, NotFound, OutOfOrder when they have an
    account or are no longer active, Refused without an address to write to.
    """
    check_administrator(by)
    row = work.session.get(Practitioner, number, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound()
    check_free(row)
    if not row.email:
        raise Refused("There is no email address to send an invitation to.")
    withdraw(work, row)
    now = clock.now()
    made = PractitionerInvitation(
        practitioner_id=number, at=now, by_id=by.id, by_name=by.name, expires_at=now + VALID
    )
    work.session.add(made)
    audit.wrote(work, "invited", "practitioner", number)
    jobs.defer(
        work.session,
        jobs.SEND_INVITATION,
        invitation_id=made.id,
        link=notices.link_to("s2s.invitations.show", token=TOKEN),
        message_id=make_msgid(domain="s2s.invalid"),
    )
    return made


def check_administrator(by: Actor) -> None:
    """Raise NotAllowed for anybody but an administrator."""
    if not by.has(Role.ADMINISTRATOR, Role.SYSTEM):
        raise NotAllowed()


def check_free(row: Practitioner) -> None:
    """Raise OutOfOrder unless a practitioner is active and has no account."""
    if row.account_id is not None:
        raise OutOfOrder(f"An account has already been linked to {row.name}.")
    if not row.active:
        raise OutOfOrder(f"{row.name} is no longer active. Make them active first.")


def withdraw(work: UnitOfWork, row: Practitioner) -> None:
    """End every invitation of a practitioner that has not been used."""
    work.session.execute(
        update(PractitionerInvitation)
        .where(
            PractitionerInvitation.practitioner_id == row.id,
            PractitionerInvitation.used_at.is_(None),
            PractitionerInvitation.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=clock.now())
    )


def waiting() -> dict[int, PractitionerInvitation]:
    """The invitations that can still be used, by the practitioner's number."""
    found = session().scalars(
        select(PractitionerInvitation).where(
            PractitionerInvitation.used_at.is_(None),
            PractitionerInvitation.withdrawn_at.is_(None),
            PractitionerInvitation.expires_at > clock.now(),
        )
    )
    return {row.practitioner_id: row for row in found}


def send(invitation_id: int, link: str, message_id: str) -> None:
    """Make the token, keep its digest, and mail the link: what the worker runs.

    Tried again after a failure it makes another token, so that only the last mail's link counts.
    """
    token = secrets.token_urlsafe(32)
    with unit_of_work() as work:
        made = work.session.get(
            PractitionerInvitation,
            invitation_id,
            options=[
                joinedload(PractitionerInvitation.practitioner).joinedload(Practitioner.provider)
            ],
        )
        if made is None or made.used_at is not None or made.withdrawn_at is not None:
            return
        made.digest = digest(token)
        person = made.practitioner
        body = fragment(
            "s2s/mail/practitioner_invited.txt",
            provider=person.provider.name,
            work="lead" if person.is_lead else "practitioner",
            invited_by=made.by_name,
            until=written(clock.local(made.expires_at).date()),
            link=link.replace(TOKEN, token),
            contact=setting("S2S_CONTACT"),
        )
        address = person.email
        audit.wrote(work, "sent invitation", "practitioner", person.id)
    notices.deliver(notices.SUBJECTS[NOTICE], body, [address], message_id)


def digest(token: str) -> str:
    """What is kept of a token."""
    return sha256(token.encode()).hexdigest()


def invited(token: str) -> Invited:
    """Whom the invitation with `token` is for, if the acting person can use it now.

    Raises NotFound for a token that is none, OutOfOrder or Refused with the reason why not.
    """
    asked = {"digest": digest(token[:LONGEST_TOKEN]), "at": clock.now()}
    row = session().execute(INVITED, asked).one_or_none()
    if row is None:
        raise NotFound()
    _check(row.why_not)
    return Invited(row.name, row.is_lead, row.provider_name)


def accept(work: UnitOfWork, token: str, *, by: Actor) -> None:
    """Tie the account of `by`, who is acting, to the practitioner that `token` invites.

    Raises as `invited` does; of two who come at once the second finds it used.
    """
    row = work.session.execute(
        TIE, {"digest": digest(token[:LONGEST_TOKEN]), "at": clock.now(), "name": by.name}
    ).one_or_none()
    if row is None:
        raise NotFound()
    _check(row.why_not)
    audit.wrote(work, "tied", "practitioner", row.practitioner_id)
    audit.wrote(work, "tied", "account", by.id)


def _check(why_not: str | None) -> None:
    if why_not is None:
        return
    kind = Refused if why_not in CURABLE else OutOfOrder
    raise kind(WHY_NOT[why_not])
