"""Notes and flags on a referral: for officers alone, never for its school (F28, F29)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import joinedload

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor
from s2s_portal.models.decision import Decision
from s2s_portal.models.note import Flag, FlagResolution, InternalNote, NoteLabel
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import bodies, referrals

LABEL_WORDS = {
    NoteLabel.GENERAL: "General",
    NoteLabel.CALL: "A call or visit",
    NoteLabel.EVIDENCE: "Evidence",
    NoteLabel.CAPACITY: "Who could take it",
    NoteLabel.PANEL: "For the panel",
}
TEAM = "All officers"
LISTED = 100  # open flags on the list: more than anybody keeps open


def of(referral: Referral) -> Sequence[InternalNote]:
    """The notes on `referral`, newest first."""
    return (
        session()
        .scalars(
            select(InternalNote)
            .where(InternalNote.referral_id == referral.id)
            .order_by(InternalNote.id.desc())
        )
        .all()
    )


def add(work: UnitOfWork, reference: str, *, label: NoteLabel, text: str, by: Actor) -> None:
    """Write a note, in whatever state the referral is. Raises NotFound, Refused without words."""
    if not text.strip():
        raise Refused("Enter the note", "text")
    referral = referrals.get(reference)
    work.session.add(
        InternalNote(
            referral_id=referral.id,
            label=label,
            text=text,
            at=clock.now(),
            by_id=by.id,
            by_name=by.name,
        )
    )
    audit.wrote(work, "wrote a note on", "referral", referral.reference)


def flags_of(referral: Referral) -> Sequence[Flag]:
    """The flags on `referral`, open and resolved, the newest first."""
    return (
        session()
        .scalars(
            select(Flag)
            .where(Flag.referral_id == referral.id)
            .options(joinedload(Flag.resolution))
            .order_by(Flag.id.desc())
        )
        .all()
    )


def open_flags(by: Actor) -> Sequence[Flag]:
    """The open flags for `by` or for the whole team, the first due first, with their referrals."""
    return (
        session()
        .scalars(
            select(Flag)
            .where(
                or_(Flag.to_id == by.id, Flag.to_id == ""),
                ~exists().where(FlagResolution.flag_id == Flag.id),
            )
            .options(joinedload(Flag.referral))
            .order_by(Flag.due_on, Flag.id)
            .limit(LISTED)
        )
        .all()
    )


def officers(by: Actor) -> dict[str, str]:
    """Whom a flag can be addressed to, by id: the team (empty), `by`, and who has decided here.

    The host keeps no list of people for us, so these are the officers whom the service has seen.
    """
    seen = session().execute(
        select(ReferralEvent.by_id, ReferralEvent.by_name)
        .join(Decision, Decision.event_id == ReferralEvent.id)
        .order_by(ReferralEvent.id)
    )
    known = {key: name for key, name in seen} | {by.id: by.name}
    return {"": TEAM} | dict(sorted(known.items(), key=lambda pair: pair[1]))


def flag(
    work: UnitOfWork,
    reference: str,
    *,
    message: str,
    to: str,
    due_on: date,
    known: Mapping[str, str] | None = None,
    by: Actor,
) -> None:
    """Flag a referral for an officer (an id of `officers`) or the team, to be seen to by a day.

    `known` is what `officers` says, where it has been asked already.
    Raises NotFound, Refused without words, for nobody we know, or a day that is past.
    """
    if not message.strip():
        raise Refused("Enter what is to be done", "message")
    known = known or officers(by)
    if to not in known:
        raise Refused("Choose whom the flag is for", "to")
    if due_on < clock.today():
        raise Refused("The day must be today or later", "due_on")
    referral = referrals.get(reference)
    if to and referral.body not in bodies.of_account(to):
        raise Refused(f"{known[to]} is not in the team that has this referral", "to")
    work.session.add(
        Flag(
            referral_id=referral.id,
            message=message,
            to_id=to,
            to_name=known[to],
            due_on=due_on,
            at=clock.now(),
            by_id=by.id,
            by_name=by.name,
        )
    )
    audit.wrote(work, "flagged", "referral", referral.reference)


def get(number: int) -> Flag:
    """The flag `number` with its referral. Raises NotFound."""
    found = (
        session()
        .scalars(
            select(Flag)
            .where(Flag.id == number)
            .options(joinedload(Flag.referral), joinedload(Flag.resolution))
        )
        .one_or_none()
    )
    if found is None:
        raise NotFound()
    return found


def check_open(found: Flag) -> None:
    """Raise OutOfOrder, saying who, when the flag has been resolved."""
    if found.resolution is not None:
        raise OutOfOrder(f"{found.resolution.by_name} has resolved this flag already.")


def resolve(work: UnitOfWork, number: int, *, comment: str, by: Actor) -> Flag:
    """Say what became of a flag, once. Raises NotFound, Refused without words, OutOfOrder."""
    if not comment.strip():
        raise Refused("Enter what became of it", "comment")
    found = get(number)
    referrals.get(found.referral.reference, lock=True)  # two at once: the second reads the first
    session().expire(found)
    found = get(number)
    check_open(found)
    work.session.add(
        FlagResolution(
            flag_id=found.id, comment=comment, at=clock.now(), by_id=by.id, by_name=by.name
        )
    )
    audit.wrote(work, "resolved a flag on", "referral", found.referral.reference)
    return found
