"""The demonstration: every state, through the real services, once, and on any day of the year."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.orm import Session

from s2s_portal import clock, upn
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.answer import Need, Subject
from s2s_portal.models.clocks import ClockBreach
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.ledger import EntryKind, LedgerEntry, Pull
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.visit import Acknowledgement, Addendum, RecordDocument, Visit, VisitRecord
from s2s_portal.models.worklist import WorklistEntry
from s2s_portal.reference_portal import create_app, demonstration
from s2s_portal.reference_portal.demonstration_schools import NURSERY, PRIMARY, establishments
from s2s_portal.reference_portal.demonstration_stories import CAST, PATHS, steps, working_day
from s2s_portal.reference_portal.personas import PERSONAS
from s2s_portal.services import referrals, verification
from s2s_portal.state import state
from tests.conftest import Demonstrated
from tests.shared import GIAS, needs_shared_files

ADDRESS = "http://127.0.0.1:5999"


@pytest.fixture(scope="module")
def shown(
    server_url: str,
    worker_id: str,
    demonstrated: Demonstrated,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Session]:
    """A session, acting as the service, on a database with the demonstration in it."""
    name = f"s2s_demonstration_{os.getpid()}_{worker_id}"
    place = tmp_path_factory.mktemp("instance")
    url = demonstrated.copy(server_url, name, place)
    app = create_app({"DATABASE_URL": url, "S2S_DATA_DIR": str(place)})
    with app.app_context():
        with acting_as(SYSTEM):
            yield state().session()
            state().session.remove()
        state().engine.dispose()
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    server.dispose()


def count(session: Session, what: Any, *where: Any) -> int:
    return session.scalar(select(func.count()).select_from(what).where(*where)) or 0


def test_every_state_is_there_and_the_history_leads_to_it(shown: Session) -> None:
    found = shown.scalars(select(Referral)).all()
    assert len(found) == len(CAST) >= 40
    assert {referral.status for referral in found} == set(Status)
    mine = {referral.status for referral in found if referral.urn == PRIMARY}
    assert mine == set(Status)
    for referral in found:
        events = shown.scalars(
            select(ReferralEvent)
            .where(ReferralEvent.referral_id == referral.id)
            .order_by(ReferralEvent.id)
        ).all()
        assert referrals.derived_status(events) is referral.status
        assert [event.at for event in events] == sorted(event.at for event in events)
        assert events[-1].at < clock.now()


def test_everything_happened_by_people_who_may_and_was_audited(shown: Session) -> None:
    people = set(shown.scalars(select(ReferralEvent.by_id).distinct()))
    assert {"senco", "other-senco", "officer", "practitioner", "other-practitioner"} <= people
    by_itself = select(ReferralEvent.action).where(ReferralEvent.by_id == "system").distinct()
    assert shown.scalars(by_itself).all() == [Action.EXPIRED, Action.UNANSWERED]
    audited = set(shown.scalars(text("SELECT DISTINCT action FROM s2s.audit_entry")))
    assert {"looked at", "accepted", "record issued", "closed", "reopened"} <= audited


def test_the_worklist_has_something_on_every_tile(shown: Session) -> None:
    states = set(shown.scalars(select(WorklistEntry.state)))
    assert {"new", "resubmitted", "returned", "accepted", "ready"} <= states
    today = clock.today()
    assert count(shown, WorklistEntry, WorklistEntry.due_on < today) >= 2
    mine = (WorklistEntry.officer_id == "officer", WorklistEntry.open)
    assert count(shown, WorklistEntry, *mine) >= 2
    assert count(shown, WorklistEntry, *mine, WorklistEntry.unopened) >= 1
    assert count(shown, ClockBreach) >= 3


def test_visits_are_booked_owed_drafted_issued_read_and_added_to(shown: Session) -> None:
    recorded = select(VisitRecord.visit_id)
    assert count(shown, Visit, Visit.starts_at > clock.now()) >= 2
    owed = (Visit.ends_at < clock.now(), Visit.id.not_in(recorded))
    assert count(shown, Visit, *owed) >= 2
    assert count(shown, VisitRecord, VisitRecord.issued_at.is_(None)) >= 2
    issued = count(shown, VisitRecord, VisitRecord.issued_at.is_not(None))
    assert issued > count(shown, Acknowledgement) >= 10
    assert count(shown, Addendum) == 2
    documents = shown.scalars(select(RecordDocument.content)).all()
    assert len(documents) == issued + 2
    assert all(content.startswith(b"%PDF-") for content in documents)


def test_the_ledger_is_sound_and_finance_has_collected_one_pull(shown: Session) -> None:
    assert verification.verify().problems == ()
    kinds = Counter(shown.scalars(select(LedgerEntry.kind)))
    pulls = shown.scalars(select(Pull).order_by(Pull.number)).all()
    assert [pull.number for pull in pulls] == [1, 2]
    assert kinds[EntryKind.COLLECTION] == pulls[0].entry_count > 0
    assert kinds[EntryKind.REVERSAL] == 2, "waived, and a decision that was taken back"
    pulled = sum(pull.entry_count for pull in pulls)
    assert kinds[EntryKind.CHARGE] + kinds[EntryKind.REVERSAL] > pulled  # the rest is due
    assert set(shown.scalars(select(Referral.fee_pence).where(Referral.urn == NURSERY))) == {0}


def test_personas_are_tied_to_their_own_rows(shown: Session) -> None:
    for key in ("practitioner", "other-practitioner", "lead"):
        row = shown.scalars(select(Practitioner).where(Practitioner.account_id == key)).one()
        assert (row.name, row.provider_urn) == (PERSONAS[key].name, PERSONAS[key].provider)
    mine = (Practitioner.account_id == "practitioner", Allocation.ended_at.is_(None))
    open_cases = shown.scalar(
        select(func.count()).select_from(Allocation).join(Allocation.practitioner).where(*mine)
    )
    assert open_cases is not None
    assert open_cases >= 5


def test_pupils_are_invented_and_plausible(shown: Session) -> None:
    subjects = shown.scalars(select(Subject)).all()
    assert any(subject.surname == "O'Brien-Łukasz" for subject in subjects)
    assert any(subject.group_name for subject in subjects)
    assert all(upn.problem(subject.upn) is None for subject in subjects if subject.upn)
    needs = Counter(shown.scalars(select(Need.code).where(Need.rank == 1)))
    assert {need for need, _ in needs.most_common(3)} == {"SEMH", "ASD", "SLCN"}


def test_only_the_newest_mail_waits_with_links_to_the_portal(shown: Session) -> None:
    waiting = shown.execute(
        text("SELECT args->>'link' FROM s2s.procrastinate_jobs WHERE task_name = 's2s.send_mail'")
    ).scalars()
    links = list(waiting)
    assert len(links) == demonstration.MAIL_KEPT
    assert all(link.startswith(f"{ADDRESS}/s2s/") for link in links)


def test_a_second_time_does_nothing(shown: Session) -> None:
    before = count(shown, ReferralEvent)
    assert demonstration.seed(ADDRESS).startswith("There are referrals already")
    assert count(shown, ReferralEvent) == before


def test_no_step_is_out_of_turn_on_any_day_of_two_years() -> None:
    day = date(2026, 1, 1)
    while day < date(2028, 1, 1):
        told = steps(day, Random(demonstration.SEED))
        assert told[-1].at < clock.from_local(day)
        assert len(told) == sum(len(PATHS[path][0]) for path, *_ in CAST) + 3
        day += timedelta(days=5)


def test_the_same_day_gives_the_same_demonstration() -> None:
    day = date(2026, 3, 4)
    first, second = (steps(day, Random(demonstration.SEED)) for _ in range(2))
    assert [(step.at, step.by) for step in first] == [(step.at, step.by) for step in second]


def test_working_days_leave_out_weekends_and_holidays() -> None:
    monday = date(2026, 9, 7)
    assert working_day(monday, 1) == date(2026, 9, 4)
    assert working_day(monday, 4) == date(2026, 9, 1)
    assert working_day(monday, 5) == date(2026, 7, 31)
    assert working_day(date(2026, 9, 1), 1) == date(2026, 7, 31)
    assert working_day(date(2026, 12, 18), -1) == date(2027, 1, 6)


def test_every_school_has_a_number_that_the_register_does_not_use() -> None:
    rows = establishments()
    assert all(900_000 <= row.urn < 901_000 and row.local_authority == 926 for row in rows)
    assert sum(row.is_provider for row in rows) >= 2


@needs_shared_files
def test_no_invented_school_has_the_name_or_number_of_a_real_one() -> None:
    real = Path(GIAS).read_text(encoding="cp1252").lower()
    for row in establishments():
        assert str(row.urn) not in real
        assert row.name.lower() not in real
        assert isinstance(row, Establishment)
