"""Signals to the host: once, after the transaction stands, not on a rollback, not of a child."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, time
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from s2s_portal import signals
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.database import session as session_of_the_page
from s2s_portal.identity import SYSTEM, Actor, acting_as
from s2s_portal.models.codes import Achieved, Closure, Status, Way, Withdrawal
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Recommendation, VisitKind, VisitRecord
from s2s_portal.services import (
    allocation,
    changes,
    closing,
    drafting,
    ledger,
    pulls,
    records,
    referrals,
    returning,
    submission,
    triage,
    visits,
    withdrawing,
)
from tests import answers, fees, rows
from tests.client import Client
from tests.deciding import LEVEL, NO
from tests.world import ACTORS, PROVIDER, SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"
OFFICER, PRACTITIONER, SENCO = ACTORS["officer"], ACTORS["practitioner"], ACTORS["senco"]
OF = {"reference": REF, "urn": SCHOOL}
HUNDRED = 10_000

Act = Callable[[UnitOfWork], Any]


class Case:
    """How one signal comes about: what must be there before, who does what, what is brought."""

    def __init__(self, before: Callable[[Session], Any], by: Actor, act: Act, **brings: Any):
        self.before, self.by, self.act = before, by, act
        self.brings = {"by": by.id, **brings}


def referral(status: Status) -> Callable[[Session], Referral]:
    return lambda session: rows.referral(session, REF, status=status)


def allocated(session: Session) -> Referral:
    row = rows.referral(session, REF, status=Status.ALLOCATED)
    rows.allocation(session, row, "practitioner")
    return row


def visited(*, issued: bool) -> Callable[[Session], Any]:
    def before(session: Session) -> None:
        row = rows.referral(session, REF, status=Status.ALLOCATED)
        made = rows.allocation(session, row, "practitioner")
        record = rows.visit(session, row, made, 0, issued=False)
        record.people_met, record.pupil_seen = "Class teacher", True
        session.execute(update(Recommendation).values(by_when=date(2019, 6, 14)))
        session.flush()
        if issued:
            record.issued_at = record.saved_at
            session.flush()

    return before


def charged(session: Session) -> None:
    fees.charged(session, 1)


def pulled(session: Session) -> None:
    charged(session)
    fees.pulled(session)


def seen() -> int:
    return referrals.get(REF).version


def the_record(work: UnitOfWork) -> VisitRecord:
    return work.session.scalars(select(VisitRecord)).one()


def practitioner_id(work: UnitOfWork) -> int:
    query = select(Practitioner.id).where(Practitioner.account_id == "practitioner")
    return work.session.scalars(query).one()


def collect(work: UnitOfWork) -> None:
    pulls.collect(work, 1, finance_reference="FIN 1", collected_on=date(2019, 5, 14), by=SYSTEM)


CASES: dict[str, Case] = {
    "referral_returned": Case(
        referral(Status.SUBMITTED),
        OFFICER,
        lambda work: returning.return_for_information(
            work, REF, seen=seen(), questions={"needs": "When?"}, by=OFFICER
        ),
        **OF,
    ),
    "referral_amended": Case(
        referral(Status.SUBMITTED),
        SENCO,
        lambda work: changes.amend(
            work,
            changes.held(REF, by=SENCO),
            "needs",
            drafting.save_needs,
            given={"primary": "ASD"},
            reason="A new report",
            by=SENCO,
        ),
        **OF,
        section="needs",
    ),
    "referral_withdrawn": Case(
        referral(Status.SUBMITTED),
        SENCO,
        lambda work: withdrawing.withdraw(
            work, REF, reason=Withdrawal.MISTAKE, seen=seen(), by=SENCO
        ),
        **OF,
        withdrawal="SENT_BY_MISTAKE",
    ),
    "referral_decided": Case(
        referral(Status.SUBMITTED),
        OFFICER,
        lambda work: triage.decide(
            work,
            REF,
            way=Way.DECLINE,
            code="DECLINE_CAPACITY",
            seen=seen(),
            message="No",
            by=OFFICER,
        ),
        **OF,
        decision="declined",
        reason="DECLINE_CAPACITY",
    ),
    "allocation_made": Case(
        referral(Status.ACCEPTED),
        OFFICER,
        lambda work: allocation.allocate(
            work,
            REF,
            practitioner_id=practitioner_id(work),
            reason="Near",
            seen=seen(),
            by=OFFICER,
        ),
        **OF,
        provider_urn=PROVIDER,
    ),
    "visit_booked": Case(
        allocated,
        PRACTITIONER,
        lambda work: visits.book(
            work,
            REF,
            kind=VisitKind.OBSERVATION,
            day=date(2019, 5, 20),
            starts=time(9),
            ends=time(10),
            by=PRACTITIONER,
        ),
        **OF,
        visit=1,
        kind=str(VisitKind.OBSERVATION),
    ),
    "visit_recorded": Case(
        visited(issued=False),
        PRACTITIONER,
        lambda work: records.issue(
            work, visits.get(REF, 0), seen=the_record(work).version, by=PRACTITIONER
        ),
        **OF,
        visit=0,
    ),
    "addendum_written": Case(
        visited(issued=True),
        PRACTITIONER,
        lambda work: records.add_addendum(work, the_record(work), text="And", by=PRACTITIONER),
        **OF,
        visit=0,
        addendum=1,
    ),
    "record_acknowledged": Case(
        visited(issued=True),
        SENCO,
        lambda work: records.acknowledge(work, the_record(work), by=SENCO),
        **OF,
        visit=0,
    ),
    "outcomes_recorded": Case(
        allocated,
        PRACTITIONER,
        lambda work: closing.record_outcomes(
            work, REF, results={1: (Achieved.YES, "Often")}, by=PRACTITIONER
        ),
        **OF,
    ),
    "referral_closed": Case(
        allocated,
        OFFICER,
        lambda work: closing.close(
            work, REF, closure=Closure.MOVED_SCHOOL, message="Bye", seen=seen(), by=OFFICER
        ),
        **OF,
        closure=str(Closure.MOVED_SCHOOL),
    ),
    "referral_reopened": Case(
        lambda session: rows.allocation(
            session, rows.referral(session, REF, status=Status.CLOSED), "practitioner"
        ),
        OFFICER,
        lambda work: closing.reopen(work, REF, reason="More", seen=seen(), by=OFFICER),
        **OF,
    ),
    "charge_posted": Case(
        referral(Status.SUBMITTED),
        OFFICER,
        lambda work: triage.accept(work, REF, seen=seen(), **LEVEL, by=OFFICER),
        **OF,
        entry=1,
        amount_pence=HUNDRED,
        route="INTERNAL",
    ),
    "charge_reversed": Case(
        charged,
        SYSTEM,
        lambda work: ledger.reverse(work, 1, reason="Twice", by=SYSTEM),
        reference=fees.reference(1),
        urn=SCHOOL,
        entry=2,
        reverses=1,
        amount_pence=-HUNDRED,
        route="INTERNAL",
    ),
    "pull_made": Case(
        charged,
        SYSTEM,
        lambda work: pulls.make(work, idempotency_key="k", by=SYSTEM),
        pull=1,
        entry_count=1,
        total_pence=HUNDRED,
    ),
    "charge_collected": Case(
        pulled,
        SYSTEM,
        collect,
        reference=fees.reference(1),
        urn=SCHOOL,
        entry=2,
        settles=1,
        amount_pence=-HUNDRED,
        route="INTERNAL",
    ),
    "pull_collected": Case(pulled, SYSTEM, collect, pull=1, finance_reference="FIN 1"),
}


@contextmanager
def hearing(name: str, app: Flask) -> Iterator[list[dict[str, Any]]]:
    """All that is brought by the signal `name` of `app` meanwhile."""
    heard: list[dict[str, Any]] = []

    def listener(_app: Flask, **brought: Any) -> None:
        heard.append(brought)

    with signals.everything()[name].connected_to(listener, app):
        yield heard


def test_every_signal_has_its_case_here_and_each_word_its_meaning() -> None:
    assert set(signals.everything()) == CASES.keys() | {"referral_submitted"}
    brought = {word for words in signals.BRINGS.values() for word in words}
    assert signals.MEANINGS.keys() == brought


@pytest.mark.parametrize("name", CASES)
def test_it_is_sent_once_after_the_commit_and_not_on_a_rollback(
    app: Flask, session: Session, name: str
) -> None:
    case = CASES[name]
    case.before(session)
    session.commit()
    with hearing(name, app) as heard, acting_as(case.by):
        with pytest.raises(KeyboardInterrupt), unit_of_work() as work:
            case.act(work)
            work.flush()
            raise KeyboardInterrupt
        session.rollback()
        assert heard == []
        with unit_of_work() as work:
            case.act(work)
            work.flush()
            assert heard == []
        assert heard == [case.brings]


def test_sending_a_referral_is_told_once_however_often_the_button_is_pressed(
    client: Client, app: Flask, session: Session
) -> None:
    reference = answers.complete(client.sign_on("senco"))
    token = answers.token(client, reference)
    with hearing("referral_submitted", app) as heard:
        for _ in range(3):
            client.post("referrals.submit", {"token": token}, reference=reference)
    assert heard == [{"reference": reference, "urn": SCHOOL, "by": "senco", "again": False}]


def test_sending_it_again_says_so_and_nothing_on_a_rollback(
    client: Client, app: Flask, session: Session
) -> None:
    reference = answers.submitted(client.sign_on("senco"))
    session.commit()
    with acting_as(OFFICER):
        session.commit()
        with unit_of_work() as work:
            returning.return_for_information(
                work,
                reference,
                seen=referrals.get(reference).version,
                questions={"needs": "?"},
                by=OFFICER,
            )
    with hearing("referral_submitted", app) as heard, acting_as(SENCO):
        session.commit()
        with pytest.raises(KeyboardInterrupt), unit_of_work() as work:
            submission.submit(work, reference, token="t" * 20, by=SENCO)
            raise KeyboardInterrupt
        assert heard == []
        with unit_of_work() as work:
            submission.submit(work, reference, token="t" * 20, by=SENCO)
    assert [brought["again"] for brought in heard] == [True]


def test_an_accepted_referral_is_told_as_such(app: Flask, session: Session) -> None:
    rows.referral(session, REF)
    session.commit()
    with hearing("referral_decided", app) as heard, acting_as(OFFICER), unit_of_work() as work:
        triage.accept(work, REF, seen=seen(), **LEVEL, by=OFFICER)
    assert [(brought["decision"], brought["reason"]) for brought in heard] == [("accepted", "")]


def test_the_same_visit_booked_twice_is_told_once(app: Flask, session: Session) -> None:
    case = CASES["visit_booked"]
    case.before(session)
    session.commit()
    with hearing("visit_booked", app) as heard, acting_as(case.by):
        for _ in range(2):
            with unit_of_work() as work:
                case.act(work)
    assert len(heard) == 1


def test_a_listener_that_fails_is_logged_and_breaks_neither_the_page_nor_the_others(
    client: Client, app: Flask, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    rows.referral(session, REF)
    session.commit()

    def broken(_app: Flask, **brought: Any) -> None:
        session_of_the_page().execute(select(Referral).where(Referral.id == "no number"))

    with (
        signals.referral_decided.connected_to(broken, app),
        hearing("referral_decided", app) as heard,
        caplog.at_level(logging.ERROR),
    ):
        page = client.sign_on("officer").get("triage.decline", reference=REF)
        form = {**NO, "seen": page.value("seen")}
        answered = client.post("triage.decline", form, reference=REF)
        client.follow(answered)
    assert len(heard) == 1
    assert "a listener to referral_decided failed" in caplog.text


def test_another_app_in_the_process_hears_nothing(app: Flask, session: Session) -> None:
    rows.referral(session, REF)
    session.commit()
    another = Flask("another")
    with hearing("referral_decided", another) as heard, acting_as(OFFICER), unit_of_work() as work:
        triage.accept(work, REF, seen=seen(), **LEVEL, by=OFFICER)
    assert heard == []


def test_what_was_not_promised_is_not_sent(app: Flask, session: Session) -> None:
    with pytest.raises(TypeError, match="pull_made brings"):
        signals.tell(UnitOfWork(session), signals.pull_made, pull=1, surname="Canary")
