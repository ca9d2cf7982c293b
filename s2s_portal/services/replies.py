"""The school's right of reply: it disputes a fact of a record, and the matter is settled (3.8).

A reply is attached to the record, never merged into it. It is written by the service in the
person's name (`database.in_the_name_of`), as the PDF that tells of it is the service's: a school
adds no document of its own. Whoever calls has looked first, with the person's eyes, whether the
record is theirs to read.
"""

from __future__ import annotations

import re

from sqlalchemy import select

from s2s_portal import signals
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.codes import Action
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral
from s2s_portal.models.reply import RecordPart, RecordReply, ReplySettlement, SettledBy
from s2s_portal.models.visit import Visit, VisitRecord
from s2s_portal.services import notices, record_documents, records, referrals, reply_reading
from s2s_portal.services.reply_reading import Disputable
from s2s_portal.services.terms import written

OF_ADDENDUM = re.compile(r"addendum-([1-9][0-9]{0,3})", re.ASCII)
INSTEAD = (
    "If something is wrong all the same, write to the practitioner and the SEND officer in the"
    " messages of this referral: they read them there."
)


def dispute(
    work: UnitOfWork, reference: str, number: int, *, part: str, text: str, by: Actor
) -> RecordReply:
    """Attach to the record of visit `number` what `by`, of its school, says is wrong in a part.

    `part` is a value of `reply_reading.disputable`. The same sent twice is one reply. Raises
    NotFound for anybody but the school it is for, Refused for a part that there is not or no words,
    OutOfOrder when it is too late or that part is disputed already.
    """
    referral = _its_school_s(reference, by)
    record = records.get(reference, number)
    chosen = _chosen(record, referral, part)
    if not text.strip():
        raise Refused("Enter what is wrong, and what is right", field="text")
    open_now = {reply_reading.value_of(one): one for one in reply_reading.open_replies(record)}
    before = open_now.get(part)
    if before is not None and (before.text, before.by_id) == (text, by.id):
        return before
    if chosen.is_over:
        raise OutOfOrder(
            f"The last day to dispute this was {written(chosen.until)}. {INSTEAD} What you typed is"
            " still below: copy it from there."
        )
    if before is not None:
        raise OutOfOrder(
            f"{before.by_name} has already disputed this part (reply {before.number}), and it is"
            " not settled yet. What you typed is below and has not been sent. Write it in the"
            f" messages of this referral, or say first that reply {before.number} is settled."
        )
    reply = _reply(record, part, text, by)
    work.session.add(reply)
    _made_anew(work, record, referral)
    _tell_of_dispute(work, referral, record.visit, reply, by)
    return reply


def settle(
    work: UnitOfWork, reference: str, number: int, reply_number: int, *, words: str, by: Actor
) -> None:
    """Say that a dispute is settled: its school, or an officer with words why.

    Raises NotFound when there is none or `by` is neither, Refused when an officer says nothing,
    OutOfOrder when it is settled already.
    """
    referral = referrals.get(reference, lock=True)
    side = _side(referral, by)
    record = records.get(reference, number)
    reply = next((one for one in record.replies if one.number == reply_number), None)
    if reply is None:
        raise NotFound()
    if reply.settlement is not None:
        raise OutOfOrder(
            f"{reply.settlement.by_name} has already said that this is settled."
            " What you typed is below and has not been kept."
        )
    if side is SettledBy.COUNCIL and not words.strip():
        raise Refused("Enter how it was settled", field="words")
    work.session.add(
        ReplySettlement(
            reply_id=reply.id,
            referral_id=referral.id,
            side=side,
            words=words,
            by_id=by.id,
            by_name=by.name,
        )
    )
    _made_anew(work, record, referral)
    _tell_of_settlement(work, referral, record.visit, reply, side, by)


def _its_school_s(reference: str, by: Actor) -> Referral:
    """The referral, locked. Raises NotFound unless `by` is of its school."""
    referral = referrals.get(reference, lock=True)
    if not by.has(Role.REFERRER) or referral.urn not in by.establishments:
        raise NotFound()
    return referral


def _side(referral: Referral, by: Actor) -> SettledBy:
    if by.has(Role.REFERRER) and referral.urn in by.establishments:
        return SettledBy.SCHOOL
    if by.has(Role.OFFICER):
        return SettledBy.COUNCIL
    raise NotFound()


def _chosen(record: VisitRecord, referral: Referral, part: str) -> Disputable:
    for one in reply_reading.disputable(record, referral.urn):
        if one.value == part:
            return one
    raise Refused("Select which part is wrong", field="part")


def _reply(record: VisitRecord, part: str, text: str, by: Actor) -> RecordReply:
    of_addendum = OF_ADDENDUM.fullmatch(part)
    return RecordReply(
        referral_id=record.referral_id,
        record_id=record.id,
        number=len(record.replies) + 1,
        part=RecordPart.ADDENDUM if of_addendum else RecordPart(part),
        addendum_number=int(of_addendum[1]) if of_addendum else None,
        text=text,
        by_id=by.id,
        by_name=by.name,
    )


def _made_anew(work: UnitOfWork, record: VisitRecord, referral: Referral) -> None:
    """The PDF with what has just been added to the record."""
    work.flush()
    whole = records.of_visit(record.visit)
    if whole is None:
        raise NotFound()
    record_documents.store(work, whole, referral, record_documents.made_by(record.visit))


def _tell_of_dispute(
    work: UnitOfWork, referral: Referral, visit: Visit, reply: RecordReply, by: Actor
) -> None:
    """Write it down, and tell whoever has the case; the officers, where nobody has it."""
    message = f"A fact in the record of visit {visit.number} is disputed (reply {reply.number})."
    referrals.record(work, referral, Action.RECORD_DISPUTED, by=by, message=message)
    link = _link(referral, visit)
    given = _practitioner_of(referral)
    if given is not None:
        notices.tell_practitioner(work, "record_disputed", given, referral, link)
    else:
        notices.tell_officer_mailbox(work, "record_disputed", referral, link)
    signals.tell(work, signals.record_disputed, reply=reply.number, **_of(referral, visit, by))


def _tell_of_settlement(
    work: UnitOfWork,
    referral: Referral,
    visit: Visit,
    reply: RecordReply,
    side: SettledBy,
    by: Actor,
) -> None:
    message = f"Reply {reply.number} to the record of visit {visit.number} is settled."
    referrals.record(work, referral, Action.DISPUTE_SETTLED, by=by, message=message)
    link = _link(referral, visit)
    given = _practitioner_of(referral)
    if given is not None:
        notices.tell_practitioner(work, "dispute_settled", given, referral, link)
    if side is SettledBy.COUNCIL:
        notices.tell_school(work, "dispute_settled", referral, link)
    signals.tell(work, signals.dispute_settled, reply=reply.number, **_of(referral, visit, by))


def _practitioner_of(referral: Referral) -> int | None:
    return session().scalar(
        select(Allocation.practitioner_id).where(
            Allocation.referral_id == referral.id, Allocation.ended_at.is_(None)
        )
    )


def _link(referral: Referral, visit: Visit) -> str:
    return notices.link_to("s2s.visits.read", reference=referral.reference, number=visit.number)


def _of(referral: Referral, visit: Visit, by: Actor) -> dict[str, str | int]:
    return {
        "reference": referral.reference,
        "urn": referral.urn,
        "by": by.id,
        "visit": visit.number,
    }
