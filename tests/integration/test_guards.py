"""What the database refuses to anybody, the superuser that tests run as included."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from s2s_portal.database import UnitOfWork
from s2s_portal.identity import SYSTEM
from s2s_portal.models.codes import Status
from s2s_portal.models.conversation import AdviceAction, AdviceEvent
from s2s_portal.services import ledger, referrals
from tests import rows

ONLY_ADDED_TO = (
    "referral_event",
    "addendum",
    "acknowledgement",
    "record_document",
    "ledger_entry",
    "posting",
    "account",
    "pull",
    "pull_line",
    "pull_file",
    "ledger_verification",
    "audit_entry",
    "import_run",
    "service_terms",
    "fee",
    "support_level",
    "decision_reason",
    "other_service",
    "decision",
    "decision_check",
    "internal_note",
    "flag",
    "flag_resolution",
    "message",
    "advice_event",
)


@pytest.fixture
def superuser(session: Session, connection: Connection, may_2019: None) -> Connection:
    """The connection with a charged referral and an issued record on it, with every right."""
    referral = rows.referral(session, "S2S-19-3334", status=Status.ALLOCATED)
    made = rows.allocation(session, referral, "practitioner")
    rows.visit(session, referral, made, 1, issued=True)
    rows.decision(session, referral)
    rows.note_and_flag(session, referral)
    rows.message(session, referral)
    session.add(
        AdviceEvent(
            advice_id=rows.advice(session, "ADV-19-3334").id,
            action=AdviceAction.ASKED,
            by_id="senco",
            by_name="Sam",
        )
    )
    ledger.post_charge(UnitOfWork(session), referrals.get("S2S-19-3334", whole=True), by=SYSTEM)
    session.flush()
    connection.execute(text("RESET ROLE"))
    connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))  # what commit would check, now
    connection.execute(text("SET CONSTRAINTS ALL DEFERRED"))
    return connection


def refused(connection: Connection, sql: str, says: str) -> None:
    """Assert that the database refuses `sql` in words that contain `says`."""
    with pytest.raises(DBAPIError, match=says):
        connection.execute(text(sql))


@pytest.mark.parametrize("table", ONLY_ADDED_TO)
def test_rows_are_only_ever_added(superuser: Connection, table: str) -> None:
    for sql in (f"DELETE FROM s2s.{table}", f"TRUNCATE s2s.{table} CASCADE"):
        with superuser.begin_nested() as savepoint:
            if "DELETE" in sql and not superuser.scalar(text(f"SELECT count(*) FROM s2s.{table}")):
                continue  # a row trigger has nothing to fire on; TRUNCATE is still tried
            refused(superuser, sql, "only ever added")
            savepoint.rollback()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE s2s.referral_event SET message = 'x'",
        "UPDATE s2s.ledger_entry SET amount_pence = 1",
        "UPDATE s2s.posting SET amount_pence = 1",
        "UPDATE s2s.audit_entry SET by_name = 'x'",
        "UPDATE s2s.fee SET amount_pence = 1",
        "UPDATE s2s.service_terms SET name = 'x'",
        "UPDATE s2s.message SET text = 'x'",
        "UPDATE s2s.advice_event SET by_name = 'x'",
    ],
)
def test_what_is_written_is_not_rewritten(superuser: Connection, sql: str) -> None:
    refused(superuser, sql, "only ever added")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE s2s.visit_record SET observed = 'x' WHERE issued_at IS NOT NULL",
        "UPDATE s2s.visit_record SET issued_at = NULL WHERE issued_at IS NOT NULL",
        "DELETE FROM s2s.visit_record WHERE issued_at IS NOT NULL",
        "UPDATE s2s.recommendation SET strategy = 'x'",
        "DELETE FROM s2s.recommendation",
        "INSERT INTO s2s.recommendation (referral_id, record_id, position, strategy)"
        " SELECT referral_id, id, 9, 'x' FROM s2s.visit_record",
    ],
)
def test_an_issued_record_never_changes(superuser: Connection, sql: str) -> None:
    refused(superuser, sql, "never change")


def entry(number: int, **columns: object) -> str:
    """An INSERT of a ledger entry like the first, with other columns."""
    changed = {"number": number, "idempotency_key": f"'forged {number}'", "kind": "'collection'"}
    listed = {name: str(value) for name, value in (changed | columns).items()}
    names = (
        "kind, fee_kind, event_date, recorded_at, recorded_by_id, recorded_by_name, financial_year,"
        " period, referral_reference, urn, dfe_number, establishment_name, payer_name, route,"
        " vat_code, purchase_order, terms_id, terms_name, verdict, amount_pence, idempotency_key,"
        " fingerprint, previous_hash, hash, number"
    )
    values = ", ".join(listed.get(name.strip(), name.strip()) for name in names.split(","))
    return f"INSERT INTO s2s.ledger_entry ({names}) SELECT {values} FROM s2s.ledger_entry"


@pytest.mark.parametrize("number", [2, 3, 7])
def test_an_entry_must_be_the_one_the_head_announces(superuser: Connection, number: int) -> None:
    refused(superuser, entry(number), "does not follow the head")


def test_an_entry_with_a_wrong_link_is_refused(superuser: Connection) -> None:
    superuser.execute(text("UPDATE s2s.ledger_head SET number = 2, hash = repeat('a', 64)"))
    forged = entry(2, hash="repeat('a', 64)", previous_hash="repeat('b', 64)")
    refused(superuser, forged, "does not follow the head")


def test_an_entry_without_postings_does_not_commit(superuser: Connection) -> None:
    superuser.execute(text("UPDATE s2s.ledger_head SET number = 2, hash = repeat('a', 64)"))
    superuser.execute(text(entry(2, hash="repeat('a', 64)", previous_hash="hash")))
    refused(superuser, "SET CONSTRAINTS ALL IMMEDIATE", "does not balance: 0 postings")


def test_a_lopsided_entry_does_not_commit(superuser: Connection) -> None:
    superuser.execute(text("INSERT INTO s2s.posting SELECT 1, 3, 'income:engagement-fee', -5"))
    refused(superuser, "SET CONSTRAINTS ALL IMMEDIATE", "does not balance: 3 postings, sum -5")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE s2s.ledger_head SET number = number + 2",
        "UPDATE s2s.ledger_head SET number = number - 1",
        "DELETE FROM s2s.ledger_head",
    ],
)
def test_the_head_moves_by_one(superuser: Connection, sql: str) -> None:
    refused(superuser, sql, "one entry at a time")


def test_terms_never_overlap(superuser: Connection) -> None:
    with pytest.raises(IntegrityError, match="ex_service_terms_overlap"):
        superuser.execute(
            text(
                "INSERT INTO s2s.service_terms (name, during, access, funding, source) VALUES"
                " ('x', '[2019-08-31,2019-09-02)', 'existing', 'traded', 'x')"
            )
        )


def test_one_open_allocation_for_a_referral(session: Session, superuser: Connection) -> None:
    with pytest.raises(IntegrityError, match="uq_allocation_open"):
        superuser.execute(
            text(
                "INSERT INTO s2s.allocation (referral_id, practitioner_id, practitioner_name,"
                " provider_urn, provider_name, reason, at, by_id, by_name, ended_reason)"
                " SELECT referral_id, practitioner_id, practitioner_name, provider_urn,"
                " provider_name, reason, at, by_id, by_name, '' FROM s2s.allocation"
            )
        )


def test_one_primary_need(superuser: Connection) -> None:
    with pytest.raises(IntegrityError, match="uq_referral_need_referral_id_rank"):
        superuser.execute(
            text(
                "INSERT INTO s2s.referral_need SELECT referral_id, 'ASD', 1 FROM s2s.referral_need"
            )
        )


def test_one_charge_for_a_referral(session: Session, superuser: Connection) -> None:
    superuser.execute(text("UPDATE s2s.ledger_head SET number = 2, hash = repeat('a', 64)"))
    again = entry(2, hash="repeat('a', 64)", previous_hash="hash", kind="'charge'")
    with pytest.raises(IntegrityError, match="uq_ledger_entry_one_charge"):
        superuser.execute(text(again))
