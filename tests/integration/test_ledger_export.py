"""The whole ledger taken away: CSV by COPY, and a journal that beancount itself finds balanced."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from decimal import Decimal

import pytest
from beancount import loader
from beancount.core.data import Balance, Open, Transaction
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.ledger import LedgerEntry, Posting
from s2s_portal.services import ledger, ledger_export, pulls
from s2s_portal.services.ledger_export import Form
from tests import fees
from tests.client import Client
from tests.world import ACADEMY, OTHER_SCHOOL, SCHOOL


@pytest.fixture
def kept(session: Session, may_2019: None) -> Session:
    """Seven entries: charges, one taken back with a hostile reason, a pull, its collection."""
    work = UnitOfWork(session)
    for position, urn in enumerate((SCHOOL, OTHER_SCHOOL, ACADEMY)):
        fees.charge_alone(work, position, urn=urn)
    pulls.make(work, idempotency_key="one", by=SYSTEM)
    pulls.collect(work, 1, finance_reference="J1", collected_on=clock.today(), by=SYSTEM)
    fees.charge_alone(work, 4)
    ledger.reverse(work, 2, reason='=1+1 "quoted" \\ <b> ẞ عائشہ 🎈\nline', by=SYSTEM)
    session.commit()
    return session


def beancount(session: Session) -> str:
    """The ledger as beancount reads it."""
    return b"".join(ledger_export.pieces(Form.BEANCOUNT)).decode("utf-8")


def test_beancount_finds_the_ledger_balanced_to_the_penny(kept: Session) -> None:
    entries, errors, _ = loader.load_string(beancount(kept))
    assert errors == []
    moved: Counter[str] = Counter()
    transactions = [entry for entry in entries if isinstance(entry, Transaction)]
    for transaction in transactions:
        assert sum(posting.units.number for posting in transaction.postings) == 0
        for posting in transaction.postings:
            moved[posting.account] += int(posting.units.number * 100)
    ours = kept.execute(
        select(Posting.account_code, func.sum(Posting.amount_pence)).group_by(Posting.account_code)
    )
    assert moved == {ledger_export.account(code): pence for code, pence in ours}
    assert len(transactions) == kept.scalar(select(func.count()).select_from(LedgerEntry)) == 8
    assert len([entry for entry in entries if isinstance(entry, Balance)]) == len(moved) == 5
    assert len([entry for entry in entries if isinstance(entry, Open)]) >= 5
    assert [t.meta["entry"] for t in transactions] == [str(n) for n in range(1, 9)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("100.00 GBP", "100.01 GBP"),  # one leg of one entry
        ("balance Income:Income:Engagement-fee -", "balance Income:Income:Engagement-fee -1"),
        ("balance Assets:Receivable:900101 ", "balance Assets:Receivable:900101 9"),
        ("open Assets:Collected:Finance GBP", "open Assets:Elsewhere GBP"),
    ],
)
def test_beancount_would_see_it_if_it_were_not(kept: Session, old: str, new: str) -> None:
    text = beancount(kept)
    assert old in text
    _, errors, _ = loader.load_string(text.replace(old, new, 1))
    assert errors != []


def test_an_empty_ledger_is_a_ledger(session: Session) -> None:
    _, errors, _ = loader.load_string(beancount(session))
    assert errors == []


def test_the_command_writes_it(kept: Session, app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["s2s", "ledger", "export", "--format", "beancount"])
    assert result.exit_code == 0
    _, errors, _ = loader.load_string(result.stdout)
    assert errors == []


# CSV


def rows(content: bytes) -> list[dict[str, str]]:
    """The rows of the ledger as CSV."""
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""), strict=True))


def test_the_csv_has_every_entry_and_nothing_runs(kept: Session) -> None:
    found = rows(b"".join(ledger_export.pieces()))
    assert [row["entry_number"] for row in found] == [str(number) for number in range(1, 9)]
    kinds = ["charge"] * 3 + ["collection"] * 3 + ["charge", "reversal"]
    assert [row["kind"] for row in found] == kinds
    last = found[-1]
    assert last["reason"].startswith("'=1+1")
    assert (last["amount_pence"], last["amount_pounds"], last["reverses_entry"]) == (
        "-10000",
        "-100.00",
        "2",
    )
    assert (found[0]["pull_number"], found[3]["settles_entry"]) == ("1", "1")
    assert (found[0]["recorded_at"], last["pull_number"]) == ("2019-05-14T11:00:00Z", "")
    total = sum(Decimal(row["amount_pounds"]) for row in found)
    assert total == Decimal(sum(int(row["amount_pence"]) for row in found)) / 100


def test_finance_downloads_it_and_that_is_audited(client: Client, kept: Session) -> None:
    client.sign_on("finance")
    answer = client.open(client.url("finance.export"), method="GET")
    assert answer.headers["Content-Disposition"] == "attachment; filename=s2s-ledger-2019-05-14.csv"
    assert answer.mimetype == "text/csv"
    assert len(rows(answer.data)) == 8
    kept.commit()
    taken = select(AuditEntry.by_id).where(
        AuditEntry.action == "downloaded", AuditEntry.entity == "ledger"
    )
    assert kept.scalars(taken).all() == ["finance"]


def test_nothing_in_it_is_about_a_child(session: Session, may_2019: None) -> None:
    for position in range(2):
        fees.charged(session, position, urn=(SCHOOL, ACADEMY)[position])
    session.commit()
    with acting_as(SYSTEM):
        for form in Form:
            said = b"".join(ledger_export.pieces(form)).decode()
            assert not re.search("canary|zosia|semh|now and next|parent", said, re.IGNORECASE)
