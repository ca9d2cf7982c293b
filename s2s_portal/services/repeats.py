"""Repeats: a school has asked about the same pupil or class before (F14).

They are found through keyed marks (`likeness`), not by reading names across schools. A school is
told of its own referrals alone: that another has asked about a child is not its to know. It may go
on, with a reason. Officers see every repeat (`earlier`). Without `S2S_MATCH_KEY` there are none.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ARRAY, BigInteger, DateTime, Select, Text, bindparam, column, func, select

from s2s_portal import audit, clock, likeness
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import Refused, RepeatFound
from s2s_portal.identity import Actor
from s2s_portal.models.answer import Subject
from s2s_portal.models.codes import Kind
from s2s_portal.models.referral import Referral
from s2s_portal.services import drafting, form_versions, openings, sections
from s2s_portal.state import setting

TEXTS, INSTANT = ARRAY(Text), DateTime(timezone=True)
SET = select(
    func.s2s.set_match(
        bindparam("id"),
        bindparam("key"),
        bindparam("bases", type_=TEXTS),
        bindparam("marks", type_=TEXTS),
    )
)


def looked_for() -> bool:
    """Whether repeats are looked for here: only with a key to do so."""
    return bool(setting("S2S_MATCH_KEY"))


def note(work: UnitOfWork, referral: Referral) -> dict[str, bool]:
    """Mark what `referral` is about, and note which of the school's own are about the same.

    For whoever has just changed whom it is about, who notes the answer with the section: whether
    there are others, drafts too, so that pages look for them. A reason that was given for others is
    forgotten when there is no repeat any more.
    """
    work.flush()
    set_marks(work, referral.id, of(referral))
    if not openings.is_open(referral, form_versions.REPEAT):
        return {}
    own = _own(referral)
    referral.repeats = [reference for reference, sent in own if sent]
    if not referral.repeats:
        referral.repeat_reason = ""
        drafting.forget(referral, [form_versions.REPEAT])
    return {"alike": True} if own else {}


def are_known(referral: Referral) -> bool:
    """Whether the school's own about the same were found when whom it is about was last saved."""
    return bool(referral.repeats) or any("alike" in entry for entry in referral.answered.values())


def set_marks(work: UnitOfWork, referral_id: int, found: list[likeness.Words]) -> None:
    """Replace the marks of a referral by those of `found` (kind, words), under today's key."""
    key = setting("S2S_MATCH_KEY") or ""
    values = {
        "id": referral_id,
        "key": likeness.key_id(key) if key else "",
        "bases": [basis for basis, _ in found] if key else [],
        "marks": [likeness.mark(key, words) for _, words in found] if key else [],
    }
    work.session.execute(SET, values)


def of(referral: Referral) -> list[likeness.Words]:
    """What is compared of `referral`, which is loaded whole."""
    return words_of(referral.kind, referral.urn, referral.subject)


def words_of(kind: Kind | None, urn: int, subject: Subject | None) -> list[likeness.Words]:
    """What is compared of a referral of `kind` of the school `urn`; of training nothing."""
    if subject is None or kind not in {Kind.PUPIL, Kind.GROUP}:
        return []
    if kind is Kind.GROUP:
        return likeness.of_group(urn, name=subject.group_name, years=subject.group_years)
    return likeness.of_pupil(
        surname=subject.surname,
        forenames=subject.forenames,
        known_as=subject.known_as,
        born=subject.date_of_birth,
        upn=subject.upn,
    )


def save_reason(
    work: UnitOfWork,
    referral: Referral,
    *,
    repeat_reason: str,
    by: Actor,
    seen: str | None = None,
) -> None:
    """Why the school asks again, though it has asked about the same before.

    Raises Refused without a reason, SectionClosed and Stale as other sections do.
    """
    if not repeat_reason.strip():
        raise Refused("Enter why you are asking again", "repeat_reason")
    given = {"repeat_reason": repeat_reason}
    openings.check_open(referral, form_versions.REPEAT)
    outdated = referral.repeat_reason and not sections.repeat_stands(referral)
    if not outdated and drafting.settled(referral, form_versions.REPEAT, given, seen):
        return
    referral.repeat_reason = repeat_reason
    drafting.note(work, referral, form_versions.REPEAT, by, of=list(referral.repeats))


def check_again(work: UnitOfWork, referral: Referral) -> None:
    """Look once more as `referral` is sent: a colleague may have sent one since it was saved.

    Raises RepeatFound when there is a repeat that the school has given no reason for.
    """
    if not openings.is_open(referral, form_versions.REPEAT):
        return
    note(work, referral)
    if referral.repeats and not sections.repeat_stands(referral):
        raise RepeatFound


def note_found(work: UnitOfWork, referral: Referral) -> None:
    """Keep that `check_again` found a repeat, so that the school is asked why it goes on."""
    note(work, referral)
    audit.wrote(work, "found a repeat for", "referral", referral.reference)


def since(referral: Referral) -> datetime:
    """From when on an earlier referral that has ended is a repeat for this one."""
    day = referral.received_on or clock.today()
    return clock.from_local(months_before(day, int(setting("S2S_REPEAT_MONTHS"))))


def months_before(day: date, months: int) -> date:
    """So many months before `day`; the last of the month where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    for last in range(day.day, 27, -1):
        try:
            return date(year, month + 1, last)
        except ValueError:
            continue
    return date(year, month + 1, day.day)


def found_by() -> Select[int, str]:
    """A statement for the ids of the repeats of a referral that the acting person may know of.

    Its parameters are `referral_id` and `since`.
    """
    referral_id, day = bindparam("referral_id", type_=BigInteger), bindparam("since", type_=INSTANT)
    found = func.s2s.repeats_of(referral_id, day).table_valued(
        column("referral_id", BigInteger), column("basis", Text)
    )
    return select(found.c.referral_id, found.c.basis)


def _own(referral: Referral) -> list[tuple[str, bool]]:
    """The school's own referrals about the same, oldest first: reference, and whether it was sent.

    Of the same school, whatever else the acting person may see.
    """
    found = found_by().subquery()
    rows = session().execute(
        select(Referral.reference, Referral.submitted_at.is_not(None))
        .join(found, found.c.referral_id == Referral.id)
        .where(Referral.urn == referral.urn)
        .order_by(Referral.id),
        {"referral_id": referral.id, "since": since(referral)},
    )
    return [(reference, sent) for reference, sent in rows]
