"""Closed work that others may learn from, with consent, in words that name nobody (F91, 3.12).

The school agrees, and of a named pupil the parent or carer, as the school attests; either takes it
back at any time, and in that moment the case study ends (the database sees to that). An officer
writes what may be told; the names that the referral itself holds are not let through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import Actor, Role
from s2s_portal.models.answer import Subject
from s2s_portal.models.case_study import CaseStudy, CaseStudyConsent, ConsentHow, Party
from s2s_portal.models.codes import Conclusion, Kind
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral
from s2s_portal.services import referrals

PARTY_WORDS = {Party.SCHOOL: "The school", Party.PARENT: "A parent or carer"}
HOW_WORDS = {
    ConsentHow.SIGNED: "By a signed form",
    ConsentHow.EMAIL: "By email",
    ConsentHow.VERBAL: "In a conversation",
}
TOLD = {Conclusion.COMPLETED, Conclusion.ENDED_EARLY}
SHORTEST_NAME = 3  # letters: a shorter name is too often part of other words


@dataclass(frozen=True)
class Consents:
    """Who must agree and whether they do, and what is told, if anything."""

    needed: tuple[Party, ...]
    newest: dict[Party, CaseStudyConsent]
    study: CaseStudy | None
    agreed: bool


def needed(referral: Referral) -> tuple[Party, ...]:
    """Who has to agree: the school, and the parent where it is about one pupil."""
    if referral.kind in {Kind.PUPIL, None}:
        return (Party.SCHOOL, Party.PARENT)
    return (Party.SCHOOL,)


def of(reference: str) -> tuple[Referral, Consents]:
    """The referral with who agreed, for its school and for officers. Raises NotFound."""
    referral = referrals.get(reference)
    audit.looked_at("case study", referral.reference)
    return referral, _of(referral)


def _of(referral: Referral) -> Consents:
    rows = session().scalars(
        select(CaseStudyConsent)
        .where(CaseStudyConsent.referral_id == referral.id)
        .order_by(CaseStudyConsent.id)
    )
    study = session().scalar(
        select(CaseStudy)
        .where(CaseStudy.referral_id == referral.id, CaseStudy.ended_at.is_(None))
        .execution_options(populate_existing=True)
    )
    agreed = bool(session().scalar(select(func.s2s.case_study_agreed(referral.id))))
    return Consents(needed(referral), {row.party: row for row in rows}, study, agreed)


def may_be_told(referral: Referral) -> bool:
    """Whether support was given and is over, so that there is something to tell."""
    return referral.conclusion in TOLD


def say(
    work: UnitOfWork,
    reference: str,
    *,
    party: Party,
    given: bool,
    who: str,
    how: ConsentHow,
    on: date,
    by: Actor,
) -> CaseStudyConsent:
    """Write down that somebody agrees to a case study, or no longer does; that ends it at once.

    For the school; an officer may write down that it is taken back. Raises NotFound for anybody
    else, OutOfOrder before there is anything to tell, Refused for what cannot be.
    """
    referral = referrals.get(reference)
    is_school = by.has(Role.REFERRER) and referral.urn in by.establishments
    if not is_school and not (by.has(Role.OFFICER) and not given):
        raise NotFound()
    if given and not may_be_told(referral):
        raise OutOfOrder("Only support that was given and has ended can be told as a case study.")
    if party not in needed(referral):
        raise Refused("No one parent agrees for a group or a training", "party")
    if not who.strip():
        raise Refused("Enter who said so", "who")
    if on > clock.today():
        raise Refused("The day must be today or in the past", "on")
    made = CaseStudyConsent(
        referral_id=referral.id,
        party=party,
        given=given,
        who=who,
        how=how,
        on=on,
        at=clock.now(),
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(made)
    verb = "agreed to a case study of" if given else "took back consent to a case study of"
    audit.wrote(work, verb, "referral", referral.reference)
    return made


def mark(work: UnitOfWork, reference: str, *, text: str, by: Actor) -> CaseStudy:
    """Mark a referral as a case study, in `text` that names nobody; an officer has checked that.

    Raises OutOfOrder without consent, or when it is one already, Refused without words, or when
    they hold a name that the referral does.
    """
    referral = referrals.get(reference)
    consents = _of(referral)
    if consents.study is not None:
        raise OutOfOrder("This is a case study already. End it first to write another.")
    if not consents.agreed or not may_be_told(referral):
        raise OutOfOrder("Nobody can be made a case study without the consent of all concerned.")
    if not text.strip():
        raise Refused("Enter what may be told", "text")
    named = sorted(set(_named(text, referral)))
    if named:
        raise Refused(f"Take out what points to somebody: {', '.join(named)}", "text")
    made = CaseStudy(
        referral_id=referral.id, text=text, at=clock.now(), by_id=by.id, by_name=by.name
    )
    work.session.add(made)
    audit.wrote(work, "marked as a case study", "referral", referral.reference)
    return made


def end(work: UnitOfWork, reference: str, *, by: Actor) -> None:
    """Tell it no longer. Raises OutOfOrder when it is not told."""
    referral = referrals.get(reference)
    study = _of(referral).study
    if study is None:
        raise OutOfOrder("This is no case study any more.")
    study.ended_at, study.ended_by_id, study.ended_by_name = clock.now(), by.id, by.name
    audit.wrote(work, "ended the case study of", "referral", referral.reference)


def _named(text: str, referral: Referral) -> Iterator[str]:
    """The names in `text` that the referral knows, and its reference."""
    subject = session().get(Subject, referral.id)
    audit.looked_at("referral", referral.reference)
    people = session().scalars(
        select(Allocation.practitioner_name).where(Allocation.referral_id == referral.id)
    )
    phrases = [referral.school_name, referral.reference, *(p for p in [subject and subject.upn])]
    names = [referral.contact_name, referral.leader_name, *people]
    if subject is not None:
        names += [subject.surname, subject.forenames, subject.known_as]
    words = {word for name in names for word in re.split(r"[\s,.]+", name or "")}
    for part in [*phrases, *(word for word in words if len(word) >= SHORTEST_NAME)]:
        if part and re.search(rf"(?<!\w){re.escape(part)}(?!\w)", text, re.IGNORECASE):
            yield part
