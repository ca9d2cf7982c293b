"""Practitioners who ask for a referral that is with nobody yet (F47).

What they see of it is the school, the need and how far it is: nothing about a child. An officer
gives it to them as any other (`allocation`), or says no.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import SmallInteger, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import joinedload

from s2s_portal import clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Action
from s2s_portal.models.establishment import miles_between
from s2s_portal.models.offer import AskedEnded, CaseRequest
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.services import notices, practitioners, referrals
from s2s_portal.services.candidate import covers
from s2s_portal.services.terms import written
from s2s_portal.services.triage import who

SHOWN = 50  # those that have waited longest
REMEMBERED = timedelta(days=28)  # for how long an answer stays on the page of who asked
PHASES = range(8)  # codes of the register
FOUND = select(
    func.s2s.cases_to_ask_for(
        bindparam("phases", type_=ARRAY(SmallInteger)), bindparam("day"), bindparam("most")
    ).table_valued(
        "reference",
        "school_name",
        "phase_name",
        "easting",
        "northing",
        "need",
        "level",
        "received_on",
    )
)


class Case(NamedTuple):
    """A referral with nobody yet, as somebody sees it who could ask for it."""

    reference: str
    school_name: str
    phase: str
    need: str
    level: str
    distance: str
    received_on: date


def cases() -> list[Case]:
    """What suits the acting practitioner in need, phase and area, longest waiting first."""
    person = _self()
    if person is None:
        return []
    phases = [code for code in PHASES if covers(person.phases, code)]
    values = {"phases": phases, "day": clock.today(), "most": SHOWN}
    return [_case(row, person) for row in session().execute(FOUND, values)]


def case(reference: str) -> Case:
    """One of `cases`. Raises NotFound for any other."""
    for one in cases():
        if one.reference == reference:
            return one
    raise NotFound()


def mine() -> list[CaseRequest]:
    """What the acting practitioner asks for, and what was answered lately, newest first."""
    lately = clock.from_local(clock.today() - REMEMBERED)
    found = session().scalars(
        select(CaseRequest)
        .where(
            CaseRequest.practitioner_id == practitioners.OWN,
            or_(CaseRequest.ended_at.is_(None), CaseRequest.ended_at >= lately),
        )
        .order_by(CaseRequest.id.desc())
    )
    return list(found)


def asked_already(reference: str) -> bool:
    """Whether the acting practitioner asks for it now."""
    return any(one.reference == reference and one.ended is None for one in mine())


def ask(work: UnitOfWork, reference: str, *, why: str, by: Actor) -> CaseRequest:
    """Ask to be given a referral, in a transaction of `database.in_the_name_of`.

    The officers are told. Raises Refused without a word why, OutOfOrder when it has gone to
    somebody meanwhile, or was never one of theirs to ask for.
    """
    if not why.strip():
        raise Refused("Enter why you would like to take it", field="why")
    referral = referrals.get(reference, lock=True)
    person = _self()
    if person is None or all(one.reference != reference for one in cases()):
        raise OutOfOrder(
            "This referral can no longer be asked for: it is with somebody, on offer or on hold."
            " Nothing has been changed now."
        )
    made = CaseRequest(
        referral_id=referral.id,
        practitioner_id=person.id,
        practitioner_name=person.name,
        reference=referral.reference,
        school_name=referral.school_name,
        why=why,
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(made)
    referrals.record(work, referral, Action.TAKING_ASKED, by=by, note=why)
    notices.tell_officers(work, "taking_asked", referral)
    return made


def of(referral: Referral, number: int) -> CaseRequest:
    """The request numbered `number`, which is for `referral`. Raises NotFound."""
    found = session().get(CaseRequest, number, populate_existing=True)
    if found is None or found.referral_id != referral.id:
        raise NotFound()
    return found


def check_open(asked: CaseRequest) -> None:
    """Raise OutOfOrder, saying what became of it, unless the request waits for an answer."""
    if asked.ended is None or asked.ended_at is None:
        return
    done = "said no" if asked.ended is AskedEnded.REFUSED else "gave the referral to somebody"
    raise OutOfOrder(
        f"{who(asked.ended_by_id or '', asked.ended_by_name or '')} {done} on"
        f" {written(clock.local(asked.ended_at).date())}. Nothing has been changed now."
    )


def refuse(
    work: UnitOfWork, reference: str, number: int, *, comment: str, by: Actor
) -> CaseRequest:
    """Say no to somebody who asks for a referral, with the reason, which they read.

    Raises Refused without one, OutOfOrder when it has been answered already.
    """
    if not comment.strip():
        raise Refused("Enter why not", field="comment")
    referral = referrals.get(reference, lock=True)
    asked = of(referral, number)
    check_open(asked)
    asked.ended, asked.ended_at = AskedEnded.REFUSED, clock.now()
    asked.ended_by_id, asked.ended_by_name, asked.comment = by.id, by.name, comment
    note = f"{asked.practitioner_name}: {comment}"
    referrals.record(work, referral, Action.TAKING_REFUSED, by=by, note=note)
    link = notices.link_to("s2s.visits.cases")
    notices.tell_practitioner(work, "taking_refused", asked.practitioner_id, referral, link)
    return asked


def _self() -> Practitioner | None:
    """The acting practitioner, with their school."""
    return (
        session()
        .scalars(
            select(Practitioner)
            .where(Practitioner.id == practitioners.OWN)
            .options(joinedload(Practitioner.provider))
        )
        .one_or_none()
    )


def _case(row: Any, person: Practitioner) -> Case:
    miles = miles_between(row, person.provider)
    return Case(
        reference=row.reference,
        school_name=row.school_name,
        phase=row.phase_name,
        need=row.need,
        level=row.level,
        distance="Distance not known" if miles is None else f"{miles:.1f} miles",
        received_on=row.received_on,
    )
