"""Practitioners beside the one who leads a case: joint visits, shadowing, specialist advice (F46).

They see the case as its lead does. Who makes joint visits or advises books visits and writes their
records; who shadows reads; who only finishes records books none. Outcomes, and the hand-over, are
the lead's.
"""

from __future__ import annotations

from sqlalchemy import exists, select

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.reallocation import Supporter, SupportRole
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit, VisitRecord
from s2s_portal.services import allocation, notices, practitioners, referrals, standing
from s2s_portal.services.candidate import Candidate
from s2s_portal.services.candidates import ranked
from s2s_portal.services.terms import written

ROLE_WORDS = {
    SupportRole.JOINT: "Joint visits",
    SupportRole.SHADOWING: "Shadowing, to learn",
    SupportRole.SPECIALIST: "Specialist advice",
    SupportRole.WRITING: "Finishing records of visits made before",
}
OFFERED = (SupportRole.JOINT, SupportRole.SHADOWING, SupportRole.SPECIALIST)
FINISHED = "The last record has been issued"


def check_open(referral: Referral) -> None:
    """Raise OutOfOrder unless the referral is with a practitioner whom somebody can support."""
    if referral.status is not Status.ALLOCATED:
        raise OutOfOrder("Only a referral that is with a practitioner can have somebody beside.")


def may_join(referral: Referral, by: Actor) -> list[Candidate]:
    """Who could support `referral`, best first: a lead's own staff, or anybody for an officer.

    Not whoever leads it or supports it already.
    """
    given = standing.practitioner(referral)
    there = {one.practitioner_id for one in referrals.supporters(referral)}
    found = [
        one
        for one in ranked(referral)
        if (given is None or one.practitioner_id != given.practitioner_id)
        and one.practitioner_id not in there
    ]
    if by.has(Role.OFFICER):
        return found
    own = set(session().scalars(practitioners.KEPT))
    return [one for one in found if one.practitioner_id in own]


def add(
    work: UnitOfWork,
    reference: str,
    *,
    practitioner_id: int,
    role: SupportRole,
    reason: str,
    by: Actor,
) -> Supporter:
    """Add a supporter to a case; they, its practitioner and the school are told.

    For an officer, or the lead for their own staff. Twice the same is one. Raises NotFound, Refused
    without a reason, for whoever leads it or supports it already, is excluded from that school or
    at a limit; OutOfOrder when it is with nobody.
    """
    if not reason.strip():
        raise Refused("Enter why they join in", field="reason")
    if role not in OFFERED:
        raise Refused("Choose what they do", field="role")
    referral = referrals.get(reference, lock=True)
    check_open(referral)
    for one in referrals.supporters(referral):
        if one.practitioner_id == practitioner_id:
            if (one.role, one.reason, one.by_id) == (role, reason, by.id):
                return one
            raise Refused(
                f"{one.practitioner_name} supports this referral already, since"
                f" {written(clock.local(one.at).date())}. End that first.",
                field="practitioner",
            )
    person = _chosen(work, referral, practitioner_id, by)
    made = row(referral, person, role, reason, by)
    work.session.add(made)
    referrals.record(
        work,
        referral,
        Action.SUPPORT_ADDED,
        by=by,
        message=f"{person.name} of {person.provider.name}: {ROLE_WORDS[role].lower()}.",
        note=reason if by.has(Role.OFFICER) else "",
    )
    _tell(work, referral, made, "support_added", "support_asked_of_you")
    return made


def row(
    referral: Referral, person: Practitioner, role: SupportRole, reason: str, by: Actor
) -> Supporter:
    """A supporter by the names of today; the provider must be loaded."""
    return Supporter(
        referral_id=referral.id,
        practitioner_id=person.id,
        practitioner_name=person.name,
        provider_urn=person.provider_urn,
        provider_name=person.provider.name,
        role=role,
        reason=reason,
        at=clock.now(),
        by_id=by.id,
        by_name=by.name,
    )


def _chosen(work: UnitOfWork, referral: Referral, number: int, by: Actor) -> Practitioner:
    """The practitioner, their school's staff held; what is against them is counted anew."""
    person = allocation.available(work, number)
    found = next((one for one in may_join(referral, by) if one.practitioner_id == number), None)
    if found is None:
        raise Refused("This practitioner cannot join in", field="practitioner")
    against = [*found.caps, *(found.warnings[:1] if found.excluded else [])]
    if against:
        raise Refused(f"{found.name} cannot join in. {'. '.join(against)}.", field="practitioner")
    return person


def get(reference: str, number: int, by: Actor) -> Supporter:
    """The open row `number` of a case, which `by` may end. Raises NotFound otherwise."""
    referral = referrals.get(reference)
    found = next((one for one in referrals.supporters(referral) if one.id == number), None)
    own = found is not None and by.has(Role.LEAD) and found.provider_urn == by.provider
    if found is None or not (by.has(Role.OFFICER) or own):
        raise NotFound()
    return found


def end(work: UnitOfWork, reference: str, number: int, *, reason: str, by: Actor) -> Supporter:
    """End the support of row `number`, with the reason; its planned visits must be none.

    Raises NotFound, Refused without a reason, OutOfOrder with a visit booked or a record owed.
    """
    if not reason.strip():
        raise Refused("Enter why they no longer join in", field="reason")
    referral = referrals.get(reference, lock=True)
    found = get(reference, number, by)
    if owes(referral, found.practitioner_id):
        raise OutOfOrder(
            f"{found.practitioner_name} has a visit booked, or a record to finish. Let them finish,"
            " or reallocate the referral, where every visit can be handed over or cancelled."
        )
    close(found, reason, by)
    referrals.record(
        work,
        referral,
        Action.SUPPORT_ENDED,
        by=by,
        message=f"{found.practitioner_name} of {found.provider_name}.",
        note=reason if by.has(Role.OFFICER) else "",
    )
    _tell(work, referral, found, "support_ended", "support_ended_for_you")
    return found


def close(one: Supporter, reason: str, by: Actor) -> None:
    """Let a row end now; the caller writes down what happened."""
    one.ended_at, one.ended_reason = clock.now(), reason
    one.ended_by_id, one.ended_by_name = by.id, by.name


def owes(referral: Referral, practitioner_id: int) -> bool:
    """Whether somebody has a visit to make, or a record to issue, in this case."""
    issued = exists().where(VisitRecord.visit_id == Visit.id, VisitRecord.issued_at.is_not(None))
    theirs = exists().where(
        Visit.referral_id == referral.id,
        Visit.practitioner_id == practitioner_id,
        Visit.writer_id.is_(None),
        Visit.cancelled_at.is_(None),
        ~issued,
    )
    return bool(session().scalar(select(theirs)))


def end_writing(work: UnitOfWork, referral: Referral, practitioner_id: int, *, by: Actor) -> None:
    """End the row of somebody who only finishes records, once the last has been issued."""
    for one in referrals.supporters(referral) if by.has(Role.PRACTITIONER) else []:
        mine = one.practitioner_id == practitioner_id and one.role is SupportRole.WRITING
        if mine and not owes(referral, practitioner_id):
            close(one, FINISHED, by)
            audit.wrote(work, "ended support", "referral", referral.reference)
            work.flush()


def _tell(work: UnitOfWork, referral: Referral, one: Supporter, to_all: str, to_them: str) -> None:
    school = notices.link_to("s2s.referrals.show", reference=referral.reference)
    notices.tell_school(work, to_all, referral, school)
    case = notices.link_to("s2s.visits.show", reference=referral.reference)
    notices.tell_practitioner(work, to_them, one.practitioner_id, referral, case)
    given = standing.practitioner(referral)
    if given is not None:
        notices.tell_practitioner(work, to_all, given.practitioner_id, referral, case)
