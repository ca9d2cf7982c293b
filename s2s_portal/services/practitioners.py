"""Practitioners as records: what their school's lead and the administrator keep of them (F34, F37).

Every change is an event with the part before and after. Who saves a part that somebody else has
saved since the page was drawn is told so (Stale) and sees both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import NamedTuple

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import joinedload, selectinload

from s2s_portal import audit
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, Refused, Stale
from s2s_portal.identity import Actor, Role
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import (
    WEEK,
    Level,
    Practitioner,
    PractitionerEvent,
    Release,
    Skill,
)
from s2s_portal.services import invitations, practitioner_words
from s2s_portal.services.practitioner_choices import need_types, providers
from s2s_portal.services.practitioner_words import Pairs

MOST_CASES = 100
LONGEST_DAY = 600  # minutes on one day of a release pattern
SHOWN = 500  # records on one page
ALL = (Role.OFFICER, Role.ADMINISTRATOR, Role.SYSTEM)  # who may read every record
# What the database says of a lead whose account is tied, and of a practitioner (0017).
KEPT = select(func.s2s.kept_practitioners())
OWN = select(func.s2s.own_practitioner()).scalar_subquery()
OPEN_CASES = text("SELECT s2s.open_cases(:number)")


class SkillGiven(NamedTuple):
    """One need as somebody says it of a practitioner."""

    code: str
    level: Level
    expires_on: date | None = None


def keeps(by: Actor, row: Practitioner) -> bool:
    """Whether `by` keeps this record: an administrator, or the lead of the practitioner's school.

    That a lead's own account is tied at that school is the database's to say (`KEPT`).
    """
    if by.has(Role.ADMINISTRATOR, Role.SYSTEM):
        return True
    return by.has(Role.LEAD) and row.provider_urn == by.provider and not row.is_lead


def reads(by: Actor, row: Practitioner) -> bool:
    """Whether `by` may read this record: who keeps it, an officer, the practitioner."""
    return by.has(Role.OFFICER) or keeps(by, row) or row.account_id == by.id


def reads_conflicts(by: Actor, row: Practitioner) -> bool:
    """Whether `by` may read conflicts of interest and the history: not the practitioner."""
    return by.has(Role.OFFICER) or keeps(by, row)


def listing(by: Actor) -> list[Practitioner]:
    """The records that `by` may read, by school and name, leads excepted; the first 500.

    Two statements. Of somebody who is neither officer nor administrator, those of their school.
    """
    query = (
        select(Practitioner)
        .join(Practitioner.provider)
        .where(Practitioner.is_lead.is_(False))
        .options(joinedload(Practitioner.provider), selectinload(Practitioner.skills))
        .order_by(Establishment.name, Practitioner.name, Practitioner.id)
        .limit(SHOWN)
    )
    if not by.has(*ALL):
        query = query.where(Practitioner.id.in_(KEPT))
    return list(session().scalars(query))


def get(number: int, by: Actor) -> Practitioner:
    """The record `number` with its school and needs. Raises NotFound unless `by` reads it."""
    query = (
        select(Practitioner)
        .where(Practitioner.id == number)
        .options(joinedload(Practitioner.provider), selectinload(Practitioner.skills))
    )
    if not by.has(*ALL):
        query = query.where(or_(Practitioner.id.in_(KEPT), Practitioner.id == OWN))
    row = session().scalars(query).one_or_none()
    if row is None or row.is_lead or not reads(by, row):
        raise NotFound()
    return row


def to_keep(number: int, by: Actor) -> Practitioner:
    """The record numbered `number`. Raises NotFound unless `by` keeps it."""
    row = get(number, by)
    if not keeps(by, row):
        raise NotFound()
    return row


def releases(number: int) -> list[Release]:
    """The release patterns of a practitioner, the one that counts or will count last at the top."""
    return list(
        session().scalars(
            select(Release)
            .where(Release.practitioner_id == number)
            .order_by(Release.valid_from.desc(), Release.id.desc())
        )
    )


def release_on(rows: Iterable[Release], day: date) -> Release | None:
    """The pattern that counts on `day`, of `rows` in the order of `releases`; None if none does."""
    for row in rows:
        if row.valid_from <= day:
            return row if row.until is None or day <= row.until else None
    return None


def history(number: int) -> list[PractitionerEvent]:
    """Every change of a record, newest first."""
    return list(
        session().scalars(
            select(PractitionerEvent)
            .where(PractitionerEvent.practitioner_id == number)
            .order_by(PractitionerEvent.id.desc())
        )
    )


def changed_since(number: int, part: str, version: int) -> list[PractitionerEvent]:
    """The changes of a part that came after `version` of the record, newest first."""
    return [
        event
        for event in history(number)
        if event.part in {part, "record"} and event.version > version
    ]


def open_cases(number: int) -> int:
    """How many open referrals a practitioner has, also for who may see none of them."""
    return int(session().scalar(OPEN_CASES, {"number": number}) or 0)


# Changes ------------------------------------------------------------------------------------------


def add(work: UnitOfWork, *, name: str, email: str, provider_urn: int, by: Actor) -> Practitioner:
    """Add a practitioner to the staff of a Complex Needs School; who they can be sent to, later.

    Raises Refused for a school that `by` may not add to, and for an address that is there already.
    """
    if provider_urn not in providers(by):
        raise Refused("Choose the school that they work at", field="provider")
    check_address(email, None)
    row = Practitioner(name=name, email=email, provider_urn=provider_urn, phases=[], skills=[])
    work.session.add(row)
    work.flush()
    _note(work, row, "record", [], practitioner_words.details(row), by)
    audit.wrote(work, "added", "practitioner", row.id)
    return row


def check_address(email: str, own: int | None) -> None:
    """Raise Refused when somebody else who is active has this address."""
    found = session().scalars(
        select(Practitioner.name).where(
            func.lower(Practitioner.email) == email.lower(),
            Practitioner.active,
            Practitioner.is_lead.is_(False),
            Practitioner.id != (own or 0),
        )
    )
    name = found.first()
    if email and name is not None:
        raise Refused(f"{name} has this email address already", field="email")


def save_details(
    work: UnitOfWork,
    number: int,
    *,
    seen: int,
    name: str,
    email: str,
    leaving_on: date | None,
    by: Actor,
) -> bool:
    """Change name, address and leaving date; whether anything changed."""

    def change(row: Practitioner) -> None:
        check_address(email, row.id)
        row.name, row.email, row.leaving_on = name, email, leaving_on

    return _change(work, number, "details", seen, practitioner_words.details, change, by)


def save_cover(
    work: UnitOfWork,
    number: int,
    *,
    seen: int,
    phases: list[str],
    areas: list[str],
    capacity: int,
    by: Actor,
) -> bool:
    """Change the phases, the areas (none: the whole county) and the open cases at once."""

    def change(row: Practitioner) -> None:
        row.phases, row.areas, row.capacity = sorted(set(phases)), sorted(set(areas)), capacity

    return _change(work, number, "cover", seen, practitioner_words.cover, change, by)


def save_needs(
    work: UnitOfWork, number: int, *, seen: int, needs: list[SkillGiven], by: Actor
) -> bool:
    """Say which needs somebody knows, how well, and until when; needs left out are taken off."""
    labels = need_types()

    def words(row: Practitioner) -> Pairs:
        return practitioner_words.needs(row.skills, labels)

    def change(row: Practitioner) -> None:
        had = {skill.code: skill for skill in row.skills}
        for code in had.keys() - {need.code for need in needs}:
            row.skills.remove(had[code])
        for need in needs:
            skill = had.get(need.code)
            if skill is None:
                row.skills.append(Skill(**need._asdict()))
            else:
                skill.level, skill.expires_on = need.level, need.expires_on

    return _change(work, number, "needs", seen, words, change, by)


def save_release(
    work: UnitOfWork,
    number: int,
    *,
    seen: int,
    valid_from: date,
    until: date | None,
    minutes: list[int],
    by: Actor,
) -> bool:
    """Say for how many minutes on each of Monday to Friday somebody is released, from a day on.

    What applied before stays. Raises Refused for an end before the start and a day too long.
    """
    if until is not None and until < valid_from:
        raise Refused("The last day must not be before the first", field="until")
    if len(minutes) != WEEK or not all(0 <= one <= LONGEST_DAY for one in minutes):
        raise Refused("A day must be from 0 to 10 hours", field="monday")

    def words(row: Practitioner) -> Pairs:
        rows = releases(row.id)
        return practitioner_words.release(rows[0] if rows else None)

    def change(row: Practitioner) -> None:
        rows = releases(row.id)
        if rows and (rows[0].valid_from, rows[0].until, rows[0].minutes) == (
            valid_from,
            until,
            minutes,
        ):
            return
        work.session.add(
            Release(
                practitioner_id=row.id,
                valid_from=valid_from,
                until=until,
                minutes=minutes,
                by_id=by.id,
                by_name=by.name,
            )
        )

    return _change(work, number, "release", seen, words, change, by)


def switch(work: UnitOfWork, number: int, *, active: bool, by: Actor) -> None:
    """Say that somebody is no longer active, or is again. Open referrals stay with them.

    An invitation that has not been used ends. Raises OutOfOrder when they are so already.
    """
    row = hold(work, number, by)
    if row.active is active:
        raise OutOfOrder(
            f"{row.name} is already {'active' if active else 'no longer active'}."
            " Nothing has been changed."
        )
    before = practitioner_words.state(row)
    if active:
        check_address(row.email, row.id)
    row.active = active
    if by.has(Role.ADMINISTRATOR, Role.SYSTEM):  # a lead sees no invitation; inactive, none ties
        invitations.withdraw(work, row)
    note(work, row, "state", before, practitioner_words.state(row), by)


def hold(work: UnitOfWork, number: int, by: Actor) -> Practitioner:
    """Lock the record numbered `number` for a change. Raises NotFound unless `by` keeps it."""
    to_keep(number, by)
    row = work.session.get(Practitioner, number, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound()
    work.session.refresh(row, ["skills"])
    return row


def note(
    work: UnitOfWork, row: Practitioner, part: str, before: Pairs, after: Pairs, by: Actor
) -> None:
    """Write a change down: the next version of the record, the event, the audit row."""
    keep_event(work, row, part, before, after, by)
    audit.wrote(work, f"changed {part}", "practitioner", row.id)


def keep_event(
    work: UnitOfWork, row: Practitioner, part: str, before: Pairs, after: Pairs, by: Actor
) -> None:
    """Write the next version of the record down, for a caller who audits in its own words."""
    row.version += 1
    work.flush()
    _note(work, row, part, before, after, by)


def check_seen(row: Practitioner, part: str, seen: int) -> None:
    """Raise Stale when somebody has saved this part since version `seen` was shown."""
    newer = changed_since(row.id, part, seen)
    if newer:
        raise Stale(
            f"{newer[0].by_name} has changed this since you opened the page. Nothing of yours has"
            " been saved. Look at what changed, then save yours or leave it."
        )


def _change(
    work: UnitOfWork,
    number: int,
    part: str,
    seen: int,
    words: Callable[[Practitioner], Pairs],
    change: Callable[[Practitioner], None],
    by: Actor,
) -> bool:
    row = hold(work, number, by)
    check_seen(row, part, seen)
    before = words(row)
    change(row)
    held = work.session
    if not (held.new or held.deleted or any(held.is_modified(one) for one in held.dirty)):
        for one in list(held.dirty):  # set to what it was: else it would count as a change
            held.expire(one)
        return False
    work.flush()
    after = words(row)
    note(work, row, part, before, after, by)
    return True


def _note(
    work: UnitOfWork, row: Practitioner, part: str, before: Pairs, after: Pairs, by: Actor
) -> None:
    work.session.add(
        PractitionerEvent(
            practitioner_id=row.id,
            version=row.version,
            part=part,
            before=before,
            after=after,
            by_id=by.id,
            by_name=by.name,
        )
    )
    work.flush()
