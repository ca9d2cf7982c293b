"""A colleague without a part in the service is asked to fill in one section of a draft (W20).

The school asks; the colleague opens the link in their mail, signs on and sees that section alone.
What they write stays in a row of its own (`contributions`) until somebody who may refer has looked
at it and saved it as the school's answer: so the colleague needs to read no row of the referral,
and the database lets them read none (decision 20).
"""

from __future__ import annotations

import secrets
from email.utils import make_msgid

from sqlalchemy import select

from s2s_portal import audit, clock, jobs
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.errors import Refused, Stale
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Kind, Status
from s2s_portal.models.colleague import Contribution, Ending
from s2s_portal.models.referral import Referral
from s2s_portal.rendering import fragment
from s2s_portal.services import contributions, drafting, notices, sections
from s2s_portal.services.invitations import TOKEN, VALID, digest
from s2s_portal.services.terms import written

# What a class teacher can know. Not whom it is about, agreement, the declaration, files or the fee:
# those name the child in full, or bind the school.
OFFERED = ("needs", "criteria", "tried", "outcomes", "support", "practicalities")
# What cannot be answered without knowing for whom; by the name used in class and no other.
ABOUT = frozenset(OFFERED) - {"practicalities"}


def may_ask(referral: Referral, section: str) -> bool:
    """Whether a colleague can be asked to fill in `section` of this referral."""
    return (
        referral.status is Status.DRAFT
        and section in OFFERED
        and section in sections.keys(referral)
        and not sections.cannot_start(referral, section)
    )


def latest(referral: Referral) -> dict[str, Contribution]:
    """The last request for each section of a draft, by section: but for those taken back."""
    if referral.status is not Status.DRAFT:
        return {}
    found = session().scalars(
        select(Contribution)
        .where(
            Contribution.referral_id == referral.id,
            Contribution.ending.is_distinct_from(Ending.WITHDRAWN),
        )
        .order_by(Contribution.id)
    )
    return {row.section: row for row in found}


def open_ones(referral: Referral) -> list[Contribution]:
    """The requests of a draft that have neither ended nor been used, in the order of the form."""
    found = latest(referral)
    return [found[key] for key in OFFERED if key in found and found[key].is_open]


def open_for(referral: Referral, section: str) -> Contribution | None:
    """The request for `section` that has neither ended nor been used, or None."""
    return next((row for row in open_ones(referral) if row.section == section), None)


def handed_back(referral: Referral, section: str, number: str) -> Contribution | None:
    """The request `number` for `section` if it was handed back and waits to be used, or None."""
    row = open_for(referral, section) if number else None
    return row if row is not None and row.handed_back_at and str(row.id) == number else None


def ask(
    work: UnitOfWork,
    reference: str,
    section: str,
    *,
    name: str,
    email: str,
    message: str = "",
    by: Actor,
) -> Contribution:
    """Ask a colleague by mail to fill in `section`; the link holds for `VALID`.

    They are shown what the section says now. Raises NotFound and Stale as `drafting.in_hand` does,
    Refused for a section that cannot be asked for, Stale when somebody is asked for it already.
    """
    referral = drafting.in_hand(reference, by=by)
    if not may_ask(referral, section):
        raise Refused("A colleague cannot be asked to fill in this section.")
    if open_for(referral, section) is not None:
        raise Stale("A colleague has already been asked for this section.")
    made = Contribution(
        referral_id=referral.id,
        reference=referral.reference,
        urn=referral.urn,
        school_name=referral.establishment.name,
        section=section,
        kind=referral.kind,
        form_version=referral.form_version,
        about=about(referral, section),
        colleague_name=name,
        colleague_email=email,
        message=message,
        seen=drafting.seen_mark(referral, section),
        answers=contributions.encoded(contributions.shown(referral, section))
        if section in referral.answered
        else None,
        expires_at=clock.now() + VALID,
        by_id=by.id,
        by_name=by.name,
        by_email=by.email,
    )
    work.session.add(made)
    audit.wrote(work, f"asked a colleague for {section} of", "referral", referral.reference)
    _mail(work, made)
    return made


def about(referral: Referral, section: str) -> str:
    """Whom a section is about, as far as a colleague must know to answer it.

    A pupil by the name used in class, never the surname; a group by its name; else nothing.
    """
    subject = referral.subject
    if section not in ABOUT or subject is None:
        return ""
    if referral.kind is Kind.PUPIL:
        return subject.known_as or subject.forenames.split(" ")[0]
    return subject.group_name if referral.kind is Kind.GROUP else ""


def send_again(work: UnitOfWork, reference: str, section: str, *, by: Actor) -> Contribution:
    """Mail the link once more, to hold for `VALID` from now; the earlier link no longer counts."""
    made = _held(work, reference, section, by)
    if made.handed_back_at is not None:
        raise Stale(f"{made.who} has already handed this back.")
    made.expires_at = clock.now() + VALID
    audit.wrote(work, f"asked a colleague again for {section} of", "referral", made.reference)
    _mail(work, made)
    return made


def withdraw(work: UnitOfWork, reference: str, section: str, *, by: Actor) -> Contribution:
    """Ask no longer: the colleague sees nothing any more, and what they wrote is deleted."""
    made = _held(work, reference, section, by)
    _end(made, Ending.WITHDRAWN)
    audit.wrote(work, f"asked no longer for {section} of", "referral", made.reference)
    return made


def _held(work: UnitOfWork, reference: str, section: str, by: Actor) -> Contribution:
    referral = drafting.in_hand(reference, by=by)
    found = work.session.scalars(
        select(Contribution)
        .where(
            Contribution.referral_id == referral.id,
            Contribution.section == section,
            Contribution.ended_at.is_(None),
            Contribution.taken_at.is_(None),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise Stale("No colleague is asked for this section any more.")
    return found


def _end(row: Contribution, how: Ending) -> None:
    row.ended_at, row.ending = clock.now(), how
    _empty(row)


def _empty(row: Contribution) -> None:
    row.answers, row.about, row.message = None, "", ""


def end_unasked(work: UnitOfWork, referral: Referral, asked: tuple[str, ...]) -> None:
    """End what colleagues were asked for that the referral does not ask any more."""
    for row in open_ones(referral):
        if row.section not in asked:
            _end(row, Ending.WITHDRAWN)
    work.flush()


def take(work: UnitOfWork, referral: Referral, row: Contribution, *, by: Actor) -> None:
    """Note that what a colleague handed back has been looked at and saved as the school's answer.

    `referral` is locked. One that a colleague of `by` has used or ended meanwhile is left alone.
    """
    row = work.session.get_one(Contribution, row.id, populate_existing=True)
    if row.referral_id != referral.id or not row.is_open:
        return
    row.taken_at, row.taken_by_name = clock.now(), by.name
    _empty(row)
    audit.wrote(work, f"used what a colleague wrote in {row.section} of", "referral", row.reference)


def _mail(work: UnitOfWork, row: Contribution) -> None:
    work.flush()
    jobs.defer(
        work.session,
        jobs.SEND_CONTRIBUTION,
        number=row.id,
        link=notices.link_to("s2s.contributions.link", token=TOKEN),
        message_id=make_msgid(domain="s2s.invalid"),
    )


def send(number: int, link: str, message_id: str) -> None:
    """Make the token, keep its digest, and mail the link: what the worker runs.

    As `invitations.send`: tried again it makes another token, and only the last one counts.
    """
    token = secrets.token_urlsafe(32)
    with unit_of_work() as work:
        row = work.session.get(Contribution, number)
        if row is None or not row.is_open:
            return
        row.digest = digest(token)
        body = fragment(
            "s2s/mail/colleague_asked.txt",
            asked_by=row.by_name,
            school=row.school_name,
            reference=row.reference,
            until=written(clock.local(row.expires_at).date()),
            link=link.replace(TOKEN, token),
        )
        address = row.colleague_email
        audit.wrote(work, "sent a link to a colleague for", "referral", row.reference)
    notices.deliver(notices.SUBJECTS["colleague_asked"], body, [address], message_id)


def end_expired() -> None:
    """End the requests whose time is over and that were not handed back: what the daily job runs.

    From its day on such a link already opens nothing; here goes what was written behind it.
    """
    over = (
        select(Contribution)
        .where(
            Contribution.ended_at.is_(None),
            Contribution.taken_at.is_(None),
            Contribution.handed_back_at.is_(None),
            Contribution.expires_at <= clock.now(),
        )
        .with_for_update()
    )
    with unit_of_work() as work:
        for row in work.session.scalars(over):
            _end(row, Ending.EXPIRED)
            audit.wrote(work, f"ended a colleague's {row.section} of", "referral", row.reference)
