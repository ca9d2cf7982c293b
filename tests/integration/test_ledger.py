"""The ledger: what is posted, how it is put right, and that no tampering goes unseen."""

from __future__ import annotations

from datetime import date

import pytest
from flask import Flask
from sqlalchemy import Connection, func, select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.errors import AlreadyDecided, NotAllowed, NotFound, Refused
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.ledger import (
    EntryKind,
    LedgerEntry,
    LedgerVerification,
    Posting,
    Route,
)
from s2s_portal.services import ledger, pulls, verification
from tests import fees
from tests.world import ACADEMY, ACTORS, OTHER_SCHOOL, SCHOOL

APPROVER = ACTORS["finance-approver"]


@pytest.fixture
def work(session: Session, may_2019: None) -> UnitOfWork:
    """A transaction on 14 May 2019."""
    return UnitOfWork(session)


def entries(session: Session) -> int:
    """How many entries there are."""
    return session.scalar(select(func.count()).select_from(LedgerEntry)) or 0


def test_what_a_charge_freezes(session: Session, work: UnitOfWork) -> None:
    entry = fees.charged(session, 1)
    assert (entry.number, entry.amount_pence, entry.kind) == (1, 10_000, EntryKind.CHARGE)
    assert (entry.financial_year, entry.period, entry.event_date) == (
        "2019/20",
        2,
        date(2019, 5, 14),
    )
    assert entry.verdict == fees.VERDICT
    assert (entry.route, entry.vat_code) == (Route.INTERNAL, "OS")
    assert entry.dfe_number == "926/0101"
    assert ledger.balance(SCHOOL) == 10_000


def test_an_academy_is_invoiced_through_its_trust(session: Session, work: UnitOfWork) -> None:
    entry = fees.charged(session, 1, urn=ACADEMY)
    assert (entry.route, entry.vat_code) == (Route.INVOICE, "S")
    assert entry.payer_name == "Invented Learning Trust"


def test_a_charge_is_double_entry(session: Session, work: UnitOfWork) -> None:
    fees.charged(session, 1)
    lines = session.execute(
        select(Posting.account_code, Posting.amount_pence).order_by(Posting.line)
    ).all()
    assert [tuple(line) for line in lines] == [
        (f"receivable:{SCHOOL}", 10_000),
        ("income:engagement-fee", -10_000),
    ]


def test_the_same_charge_twice_is_one_entry(session: Session, work: UnitOfWork) -> None:
    first = fees.charge_alone(work, 1)
    assert fees.charge_alone(work, 1).number == first.number
    assert entries(session) == 1


def test_the_same_key_with_other_content_is_refused(session: Session, work: UnitOfWork) -> None:
    fees.charge_alone(work, 1)
    with pytest.raises(Refused, match="with other content"):
        fees.charge_alone(work, 1, urn=OTHER_SCHOOL)
    assert entries(session) == 1


def test_lines_that_do_not_sum_to_nothing_are_refused(work: UnitOfWork) -> None:
    with pytest.raises(Refused, match="sum to nothing"):
        ledger.post(work, [ledger.Line(ledger.INCOME, 1)], by=SYSTEM, idempotency_key="x")


def test_a_reversal_undoes_a_charge_and_says_why(session: Session, work: UnitOfWork) -> None:
    charge = fees.charged(session, 1)
    undone = ledger.reverse(work, charge.number, reason=" Charged in error ", by=APPROVER)
    assert (undone.kind, undone.amount_pence) == (EntryKind.REVERSAL, -10_000)
    assert (undone.reverses_number, undone.reason) == (charge.number, "Charged in error")
    assert undone.recorded_by_name == APPROVER.name
    assert undone.referral_reference == charge.referral_reference
    assert ledger.balance(SCHOOL) == 0
    assert verification.verify().sound


def test_a_charge_is_reversed_once(session: Session, work: UnitOfWork) -> None:
    fees.charged(session, 1)
    ledger.reverse(work, 1, reason="Charged in error", by=APPROVER)
    with pytest.raises(AlreadyDecided, match="Entry 1 has already been reversed"):
        ledger.reverse(work, 1, reason="Again", by=APPROVER)
    assert entries(session) == 2


def test_what_cannot_be_reversed(session: Session, work: UnitOfWork) -> None:
    fees.charged(session, 1)
    with pytest.raises(NotAllowed, match="approves for Finance"):
        ledger.reverse(work, 1, reason="x", by=ACTORS["finance"])
    with pytest.raises(Refused, match="Enter why"):
        ledger.reverse(work, 1, reason="  ", by=APPROVER)
    with pytest.raises(NotFound):
        ledger.reverse(work, 99, reason="x", by=APPROVER)
    ledger.reverse(work, 1, reason="x", by=APPROVER)
    with pytest.raises(Refused, match="not a charge"):
        ledger.reverse(work, 2, reason="x", by=APPROVER)


def test_a_reversed_fee_is_not_charged_again(session: Session, work: UnitOfWork) -> None:
    fees.charge_alone(work, 1)
    ledger.reverse(work, 1, reason="x", by=APPROVER)
    assert fees.charge_alone(work, 1).number == 1
    assert ledger.balance(SCHOOL) == 0


# Tampering: each is done with every guard of the database switched off, as only somebody with the
# superuser's rights could; the verification must still see it.

# Entry 6 once more as entry 7: all columns but the first three, and two that are unique.
COPIED = (
    "fee_kind, event_date, recorded_at, recorded_by_id, recorded_by_name, financial_year, period,"
    " urn, dfe_number, establishment_name, payer_name, route, terms_id, terms_name, verdict,"
    " amount_pence, fingerprint, previous_hash, hash"
)
TAMPERINGS = {
    "change an amount": (
        "UPDATE s2s.ledger_entry SET amount_pence = 1 WHERE number = 2",
        "Entry 2 has been changed",
    ),
    "change who pays": (
        "UPDATE s2s.ledger_entry SET payer_name = 'Somebody else' WHERE number = 3",
        "Entry 3 has been changed",
    ),
    "delete a row": (
        "DELETE FROM s2s.posting WHERE entry_number = 2;"
        " DELETE FROM s2s.ledger_entry WHERE number = 2",
        "Entry 2 is missing",
    ),
    "delete some rows": (
        "DELETE FROM s2s.posting WHERE entry_number IN (2, 3);"
        " DELETE FROM s2s.ledger_entry WHERE number IN (2, 3)",
        "Entries 2 to 3 are missing",
    ),
    "swap two rows": (
        "UPDATE s2s.ledger_entry SET number = -2 WHERE number = 2;"
        " UPDATE s2s.ledger_entry SET number = 2 WHERE number = 3;"
        " UPDATE s2s.ledger_entry SET number = 3 WHERE number = -2;",
        "Entry 2 has been changed",
    ),
    "delete the last two": (
        "DELETE FROM s2s.posting WHERE entry_number > 4;"
        " DELETE FROM s2s.ledger_entry WHERE number > 4",
        "Entries 5 to 6 are missing",
    ),
    "delete all": (
        "DELETE FROM s2s.posting; DELETE FROM s2s.ledger_entry",
        "Entries 1 to 6 are missing",
    ),
    "insert a row": (
        "INSERT INTO s2s.ledger_entry (number, reverses_number, kind, referral_reference,"
        f" idempotency_key, {COPIED})"
        f" SELECT 7, 1, 'reversal', 'S2S-19-ZZZZ', 'forged', {COPIED}"
        " FROM s2s.ledger_entry WHERE number = 6",
        "goes on to entry 7, past its head at entry 6",
    ),
    "change a posting": (
        "UPDATE s2s.posting SET amount_pence = 1 WHERE entry_number = 4 AND line = 1",
        "postings of entry 4 do not sum to nothing",
    ),
    "change both postings": (
        "UPDATE s2s.posting SET amount_pence = sign(amount_pence) WHERE entry_number = 4",
        "postings of entry 4 do not match its amount",
    ),
    "move a debt to another school": (
        f"UPDATE s2s.posting SET account_code = 'receivable:{OTHER_SCHOOL}'"
        " WHERE entry_number = 4 AND line = 1",
        "Entry 4 has been changed",
    ),
    "leave postings behind": (
        "DELETE FROM s2s.ledger_entry WHERE number = 6",
        "postings of entry 6, which does not exist",
    ),
    "move the head": (
        "UPDATE s2s.ledger_head SET hash = repeat('f', 64)",
        "head of the ledger does not match its last entry",
    ),
    "lose the head": ("DELETE FROM s2s.ledger_head", "head of the ledger is missing"),
    "charge a referral twice": (
        "UPDATE s2s.ledger_entry SET referral_reference ="
        " (SELECT referral_reference FROM s2s.ledger_entry WHERE number = 1) WHERE number = 2",
        "has been charged more than once",
    ),
    "reverse another school's charge": (
        "UPDATE s2s.ledger_entry SET reverses_number = 3 WHERE kind = 'reversal'",
        "Entry 5 does not reverse a charge by its whole amount",
    ),
    "settle what was not pulled": (
        "UPDATE s2s.ledger_entry SET settles_number = 5 WHERE kind = 'collection'",
        "Entry 6 does not settle an entry of a pull by its whole amount",
    ),
    "settle nothing": (
        "UPDATE s2s.ledger_entry SET settles_number = NULL WHERE kind = 'collection'",
        "Entry 6 does not settle an entry of a pull by its whole amount",
    ),
    "change a pull's total": (
        "UPDATE s2s.pull SET total_pence = 1",
        "Pull 1 has been changed",
    ),
    "change a pull's file": (
        "UPDATE s2s.pull_file SET content = content || '\\x20'::bytea WHERE name LIKE '%csv'",
        "Pull 1 has been changed",
    ),
    "take an entry out of a pull": (
        "DELETE FROM s2s.pull_line WHERE entry_number = 1",
        "entries of pull 1 are not those of its control totals",
    ),
    "lose a pull": (
        "UPDATE s2s.pull SET number = 2; UPDATE s2s.pull_line SET pull_number = 2;"
        " UPDATE s2s.pull_file SET pull_number = 2",
        "Pull 1 is missing",
    ),
    "forge the pull before": (
        "UPDATE s2s.pull SET previous_digest = repeat('f', 64)",
        "Pull 1 does not follow the pull before it",
    ),
}


@pytest.fixture
def six(session: Session, connection: Connection, work: UnitOfWork) -> Connection:
    """Entries 1 to 4 charged, 1 pulled, 5 reverses 4, 6 collects 1. The guards are off."""
    fees.charge_alone(work, 1)
    fees.pulled(session)
    for position in (2, 3):
        fees.charge_alone(work, position, urn=OTHER_SCHOOL)
    fees.charge_alone(work, 4)
    ledger.reverse(work, 4, reason="x", by=SYSTEM)
    pulls.collect(work, 1, finance_reference="J1", collected_on=clock.today(), by=SYSTEM)
    session.commit()
    assert verification.verify() == verification.Verification(6, ())
    session.expire_all()
    connection.execute(text("RESET ROLE"))
    connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    connection.execute(text("SET session_replication_role = replica"))
    return connection


@pytest.mark.parametrize("deed", TAMPERINGS)
def test_tampering_is_found(session: Session, six: Connection, deed: str) -> None:
    statements, says = TAMPERINGS[deed]
    for statement in statements.split(";"):
        if statement.strip():
            six.execute(text(statement.replace(":9", r"\:9")))
    six.execute(text("SET session_replication_role = origin"))
    session.expire_all()
    found = verification.verify()
    assert not found.sound
    assert says in " ".join(found.problems)


def test_an_empty_ledger_is_sound(session: Session) -> None:
    assert verification.verify() == verification.Verification(0, ())


def test_a_long_list_of_problems_is_cut_short(
    session: Session, six: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    six.execute(text("UPDATE s2s.ledger_entry SET recorded_by_name = 'Somebody'"))
    assert len(verification.verify().problems) == 6
    monkeypatch.setattr(verification, "MOST_PROBLEMS", 3)
    assert len(verification.verify().problems) == 3


def test_the_outcome_is_kept_and_audited(session: Session, six: Connection) -> None:
    six.execute(text("SET session_replication_role = origin"))
    assert verification.verify_and_note().sound
    six.execute(text("RESET ROLE"))
    six.execute(text("SET session_replication_role = replica"))
    six.execute(text("UPDATE s2s.ledger_entry SET amount_pence = 1 WHERE number = 2"))
    six.execute(text("SET session_replication_role = origin"))
    assert not verification.verify_and_note().sound
    kept = session.scalars(select(LedgerVerification).order_by(LedgerVerification.id)).all()
    assert [row.sound for row in kept] == [True, False]
    assert "Entry 2 has been changed" in kept[1].problems
    audits = select(func.count()).select_from(AuditEntry).where(AuditEntry.action == "verified")
    assert session.scalar(audits) == 2


def test_a_school_reads_its_own_balance_only(session: Session, work: UnitOfWork) -> None:
    fees.charge_alone(work, 1)
    fees.charge_alone(work, 2, urn=OTHER_SCHOOL)
    session.commit()
    with acting_as(ACTORS["senco"]):
        assert (ledger.balance(SCHOOL), ledger.balance(OTHER_SCHOOL)) == (10_000, 0)


def test_only_an_approver_gets_a_reversal_past_the_database(
    session: Session, work: UnitOfWork
) -> None:
    charge = fees.charge_alone(work, 1)
    fields = {
        "kind": EntryKind.REVERSAL,
        "event_date": clock.today(),
        "verdict": "x",
        "reason": "x",
        "reverses_number": 1,
        "idempotency_key": "reversal:1",
        **ledger.carried(charge),
    }
    lines = [ledger.Line(ledger.INCOME, 10_000), ledger.Line(ledger.receivable(SCHOOL), -10_000)]
    session.commit()
    with acting_as(ACTORS["finance"]), pytest.raises(Exception, match="row-level security"):
        ledger.post(UnitOfWork(session), lines, by=ACTORS["finance"], **fields)
    session.rollback()
    with acting_as(APPROVER):
        assert ledger.post(UnitOfWork(session), lines, by=APPROVER, **fields).number == 2


def test_the_command_says_that_the_ledger_is_sound(app: Flask, six: Connection) -> None:
    six.execute(text("SET session_replication_role = origin"))
    ran = app.test_cli_runner().invoke(args=["s2s", "ledger", "verify"])
    assert (ran.exit_code, ran.output) == (0, "The ledger is sound: 6 entries.\n")


def test_the_command_says_what_is_wrong_and_fails(app: Flask, six: Connection) -> None:
    six.execute(text("UPDATE s2s.ledger_entry SET amount_pence = 1 WHERE number = 2"))
    six.execute(text("SET session_replication_role = origin"))
    ran = app.test_cli_runner().invoke(args=["s2s", "ledger", "verify"])
    assert ran.exit_code == 1
    assert "s2s: Entry 2 has been changed" in ran.stderr
    assert "Traceback" not in ran.output
