"""What a colleague who was asked to fill in a section sees and writes: one row, and nothing else.

The row holds what the section said when it was asked for, and then what they wrote. It is drawn and
checked by the section's own form and rules, on a referral that is in no session and says nothing
else (decision 20).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Select,
    SmallInteger,
    Text,
    bindparam,
    column,
    func,
    select,
    text,
)
from sqlalchemy.orm.attributes import set_committed_value

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Refused, Stale
from s2s_portal.identity import Actor
from s2s_portal.models.codes import Kind, Status
from s2s_portal.models.colleague import Contribution
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import NeedType
from s2s_portal.services import answers, drafting, evidence, form_versions, notices
from s2s_portal.services.invitations import INSTANT, LONGEST_TOKEN, digest

SAVE: dict[str, Callable[..., None]] = {
    "needs": drafting.save_needs,
    "criteria": evidence.save_criteria,
    "tried": evidence.save_tried,
    "outcomes": evidence.save_outcomes,
    "support": drafting.save_support,
    "practicalities": drafting.save_practicalities,
}

WHY_NOT: dict[str, str] = {
    "withdrawn": "The school no longer asks you to fill this in. You do not have to do anything.",
    "expired": "This link has expired. Ask the person who sent it to send it again.",
    "sent": "The referral is no longer a draft, so nothing can be added to it. You do not have to"
    " do anything.",
    "taken": "What you wrote is now part of the school's draft. You do not have to do anything.",
    "used": "This link has already been used with another account. If that was you, sign in with"
    " that account and open it again. If not, tell the person who sent it.",
    "school": "You signed in for another school than the one that asks you. Sign out, sign in for"
    " the right school and open the link again.",
}
CURABLE = {"school"}  # by signing in differently: the link itself still counts

OFFER = select(
    func.s2s.contribution_offer(
        bindparam("digest", type_=Text), bindparam("at", type_=INSTANT)
    ).table_valued(
        column("number", BigInteger),
        column("is_tied", Boolean),
        column("colleague_name", Text),
        column("school_name", Text),
        column("section", Text),
        column("kind", Text),
        column("form_version", SmallInteger),
        column("by_name", Text),
        column("expires_at", INSTANT),
        column("why_not", Text),
    )
)
TIE = text("SELECT number, reference, why_not FROM s2s.tie_contribution(:digest, :at, :name)")


@dataclass(frozen=True)
class Offer:
    """What a link is for: who asks whom for which section, until when."""

    number: int
    is_tied: bool
    colleague_name: str
    school_name: str
    title: str
    by_name: str
    until: datetime


def offer(token: str) -> Offer:
    """What the link with `token` is for, if the acting person can use it now.

    Raises NotFound for a token that is none, OutOfOrder or Refused with the reason why not.
    """
    asked = {"digest": digest(token[:LONGEST_TOKEN]), "at": clock.now()}
    row = session().execute(OFFER, asked).one_or_none()
    if row is None:
        raise NotFound()
    _check(row.why_not)
    return Offer(
        row.number,
        row.is_tied,
        row.colleague_name,
        row.school_name,
        _title(row.form_version, row.kind, row.section),
        row.by_name,
        row.expires_at,
    )


def _title(form_version: int, kind: str | None, section: str) -> str:
    return form_versions.VERSIONS[form_version].title(Kind(kind) if kind else None, section)


def title(row: Contribution) -> str:
    """What the section is called that a colleague was asked for."""
    return _title(row.form_version, row.kind, row.section)


def tie(work: UnitOfWork, token: str, *, by: Actor) -> int:
    """Let the account of `by`, who is acting, fill in what `token` is for; the request's number.

    Raises as `offer` does. From then on the link is for this account alone.
    """
    row = work.session.execute(
        TIE, {"digest": digest(token[:LONGEST_TOKEN]), "at": clock.now(), "name": by.name}
    ).one_or_none()
    if row is None:
        raise NotFound()
    _check(row.why_not)
    audit.wrote(work, "opened a section of", "referral", row.reference)
    return int(row.number)


def _check(why_not: str | None) -> None:
    if why_not is None:
        return
    kind = Refused if why_not in CURABLE else OutOfOrder
    raise kind(WHY_NOT[why_not])


def mine(number: int, *, by: Actor) -> Contribution:
    """The request that the account of `by` was tied to, whether handed back or not.

    A read of pupil data, and audited. Raises NotFound for another's or one that has ended,
    OutOfOrder for one that has expired, Refused for an account that is now of another school.
    """
    return _opened(select(Contribution).where(Contribution.id == number), by)


def _opened(query: Select[Any], by: Actor) -> Contribution:
    row = session().scalars(query.where(Contribution.account_id == by.id)).one_or_none()
    if row is None or not row.is_open:
        raise NotFound()
    if row.handed_back_at is None and row.expires_at <= clock.now():
        _check("expired")
    elsewhere = by.establishments and row.urn not in by.establishments
    if elsewhere or by.provider not in {None, row.urn}:
        _check("school")
    audit.looked_at("referral", row.reference)
    return row  # type: ignore[no-any-return]


def as_asked(row: Contribution) -> Referral:
    """A referral, in no session, of which a colleague is shown one section and nothing else."""
    made = _sketch(row, {}, type_code=1)  # as of a maintained school: no purchase order is asked
    if row.saved_at is not None:
        saved = {"at": row.saved_at.isoformat(), "by": row.who}
        made.answered = {row.section: saved}
    return made


def save(
    work: UnitOfWork, number: int, *, seen: str | None, by: Actor, **given: Any
) -> Contribution:
    """Keep what a colleague wrote, by the rules of the section as far as they can be asked here.

    Rules that need the rest of the draft (a birth, a provision) are asked when the school uses it.
    Raises what the section's own `save_` function does, and as `mine` does; Stale when it was
    handed back.
    """
    query = select(Contribution).where(Contribution.id == number).with_for_update()
    try:
        row = _opened(query.execution_options(populate_existing=True), by)
    except NotFound:
        mine(number, by=by)  # the database lets nobody lock what was handed back
        raise Stale("You have already handed this back, so it can no longer be changed.") from None
    draft = as_asked(row)
    _saver(row)(work, draft, seen=seen, by=by, **given)
    row.answers = encoded(shown(draft, row.section))
    row.saved_at = datetime.fromisoformat(draft.answered[row.section]["at"])
    audit.wrote(work, f"wrote {row.section} for", "referral", row.reference)
    return row


def _saver(row: Contribution) -> Callable[..., None]:
    first = row.form_version == 1 and row.section == "tried"
    return evidence.save_first_tried if first else SAVE[row.section]


def hand_back(work: UnitOfWork, row: Contribution) -> None:
    """Say that it is done: whoever asked is told by mail, and the colleague changes it no more."""
    row.handed_back_at = clock.now()
    audit.wrote(work, f"handed back {row.section} of", "referral", row.reference)
    link = notices.link_to("s2s.referrals.show", reference=row.reference)
    notices.tell_address(work, "colleague_handed_back", row.by_email, as_asked(row), link)


def as_filled_in(referral: Referral, row: Contribution) -> Referral:
    """A referral, in no session, that says in the section what the colleague wrote.

    A purchase order is not a colleague's to see, so it is as the school has it.
    """
    own = {"purchase_order": referral.purchase_order} if row.section == "practicalities" else {}
    made = _sketch(row, own, referral.establishment.type_code)
    made.answered = {row.section: {"at": row.seen}}
    return made


def shown(referral: Referral, section: str) -> dict[str, Any]:
    """The answers of a section, without what a colleague is not asked."""
    found = answers.of(referral, section)
    return {name: value for name, value in found.items() if name != "purchase_order"}


def _sketch(row: Contribution, own: dict[str, Any], type_code: int) -> Referral:
    made = Referral(
        reference=row.reference,
        urn=row.urn,
        status=Status.DRAFT,
        kind=Kind(row.kind) if row.kind else None,
        form_version=row.form_version,
        school_name=row.school_name,
        answered={},
        support=[],
        criteria=[],
        fewer_cycles="",
        purchase_order="",
        establishment=Establishment(urn=row.urn, name=row.school_name, type_code=type_code),
    )
    if row.answers is not None:
        answers.put(made, row.section, {**_decoded(row.answers), **own})
    for need in made.needs:  # in no session, so what it is called does not come by itself
        set_committed_value(need, "type", session().get(NeedType, need.code))
    return made


def encoded(value: Any) -> Any:
    """Answers as JSON has them: a date as `{"day": ISO}`."""
    if isinstance(value, date):
        return {"day": value.isoformat()}
    if isinstance(value, dict):
        return {name: encoded(inner) for name, inner in value.items()}
    return [encoded(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"day"}:
            return date.fromisoformat(value["day"])
        return {name: _decoded(inner) for name, inner in value.items()}
    return [_decoded(inner) for inner in value] if isinstance(value, list) else value
