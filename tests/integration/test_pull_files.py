"""What a pull hands to Finance: journal, invoices, workbook, manifest; copies; never a child."""

from __future__ import annotations

import csv
import hashlib
import http.client
import io
import json
import logging
import re
import threading
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.errors import LedgerBroken, NotFound, Refused, TooMany
from s2s_portal.exports import batches
from s2s_portal.identity import SYSTEM
from s2s_portal.models.finance_files import PullDownload
from s2s_portal.services import ledger, pull_downloads, pull_files, pulls
from tests import fees
from tests.client import Client
from tests.world import ACADEMY, ACTORS, OTHER_SCHOOL, SCHOOL

FINANCE = ACTORS["finance"]
NAME = "s2s-pull-0001"


@pytest.fixture
def work(session: Session, may_2019: None) -> UnitOfWork:
    """A transaction on 14 May 2019."""
    return UnitOfWork(session)


@pytest.fixture
def made(work: UnitOfWork) -> UnitOfWork:
    """A pull of two internal charges, one of them taken back, and two invoices."""
    fees.charge_alone(work, 1)
    fees.charge_alone(work, 2, urn=OTHER_SCHOOL)
    fees.charge_alone(work, 3, urn=ACADEMY)
    fees.charge_alone(work, 4, urn=ACADEMY)
    ledger.reverse(work, 2, reason="=1+1", by=SYSTEM)
    ledger.reverse(work, 4, reason="x", by=SYSTEM)
    pulls.make(work, idempotency_key="once", by=FINANCE)
    return work


def content(work: UnitOfWork, name: str) -> bytes:
    """A file of pull 1, downloaded."""
    return pull_downloads.take(work, 1, name, by=FINANCE).content


def rows(work: UnitOfWork, kind: str) -> list[dict[str, str]]:
    """The rows of one of the CSVs of pull 1."""
    text = content(work, f"{NAME}-{kind}.csv").decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def set_to(monkeypatch: pytest.MonkeyPatch, work: UnitOfWork, **settings: object) -> None:
    """Set settings of the current app."""
    from s2s_portal.state import state

    for name, value in settings.items():
        monkeypatch.setitem(state().config, name, value)


def test_the_journal_balances_in_all_and_for_each_reference(
    work: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to(
        monkeypatch,
        work,
        S2S_SCHOOL_COST_CENTRES={SCHOOL: "AB1234", str(OTHER_SCHOOL): "CD1234"},
        S2S_SERVICE_COST_CENTRE="HN0001",
        S2S_INCOME_SUBJECTIVE="9500",
    )
    fees.charge_alone(work, 1)
    fees.charge_alone(work, 2, urn=OTHER_SCHOOL)
    ledger.reverse(work, 2, reason="x", by=SYSTEM)
    pulls.make(work, idempotency_key="once", by=FINANCE)
    found = rows(work, "journal")
    assert tuple(found[0]) == pull_files.JOURNAL
    sides = [(row["cost_centre"], row["subjective"], row["debit"], row["credit"]) for row in found]
    assert sides == [
        ("AB1234", "E27", "100.00", ""),
        ("HN0001", "9500", "", "100.00"),
        ("CD1234", "E27", "100.00", ""),
        ("HN0001", "9500", "", "100.00"),
        ("HN0001", "9500", "100.00", ""),  # what was taken back goes the other way
        ("CD1234", "E27", "", "100.00"),
    ]
    first = found[0]
    assert (first["batch_id"], first["line_no"], first["entity"]) == ("INT-0001", "1", "NCC")
    assert (first["journal_date"], first["financial_year"], first["period"]) == (
        "2019-05-14",
        "2019/20",
        "02",
    )
    assert (first["vat_code"], first["narrative"]) == (
        "OS",
        f"S2S engagement fee {fees.reference(1)}",
    )
    for reference in {row["source_ref"] for row in found}:
        mine = [row for row in found if row["source_ref"] == reference]
        assert sum(Decimal(row["debit"] or 0) for row in mine) == sum(
            Decimal(row["credit"] or 0) for row in mine
        )


def test_a_journal_that_does_not_balance_stops_the_pull(
    work: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = fees.charge_alone(work, 1)
    good = pull_files.journal_rows(1, [entry])
    pull_files.check_journal(good, [entry])
    with pytest.raises(LedgerBroken, match=f"does not balance for {fees.reference(1)}"):
        pull_files.check_journal(good[:1], [entry])
    with pytest.raises(LedgerBroken, match="does not move what the ledger says"):
        pull_files.check_journal([], [entry])
    usual = pull_files.journal_rows
    monkeypatch.setattr(pull_files, "journal_rows", lambda *args: usual(*args)[1:])
    with pytest.raises(LedgerBroken):
        pulls.make(work, idempotency_key="once", by=FINANCE)
    assert pulls.listing(size=9) == []


def test_the_invoice_request_names_the_trust_and_the_site(
    made: UnitOfWork,
) -> None:
    charge, other, back = rows(made, "invoices")
    assert tuple(charge) == pull_files.INVOICES
    assert (charge["customer_name"], charge["site_name"], charge["site_urn"]) == (
        "Invented Learning Trust",
        "Acle Invented Academy",
        str(ACADEMY),
    )
    assert charge["address_1"] == charge["postcode"] == "", "the school is not where the trust is"
    assert (charge["net"], charge["vat_rate"], charge["vat"], charge["gross"]) == (
        "83.33",
        "20",
        "16.67",
        "100.00",
    )
    assert charge["source_ref"] != other["source_ref"] == back["source_ref"]
    assert (back["quantity"], back["unit_price"], back["gross"]) == ("-1", "83.33", "-100.00")


@pytest.mark.parametrize(
    ("includes", "rate", "net", "vat", "gross"),
    [
        (True, 20, "83.33", "16.67", "100.00"),
        (False, 20, "100.00", "20.00", "120.00"),
        (True, 0, "100.00", "0.00", "100.00"),
        (False, "17.5", "100.00", "17.50", "117.50"),
    ],
)
def test_vat_by_the_settings(
    work: UnitOfWork,
    monkeypatch: pytest.MonkeyPatch,
    includes: bool,
    rate: object,
    net: str,
    vat: str,
    gross: str,
) -> None:
    set_to(
        monkeypatch,
        work,
        S2S_FEE_INCLUDES_VAT=includes,
        S2S_VAT_RATES={"S": rate},
        S2S_CUSTOMERS={
            "Invented Learning Trust": {
                "number": "C7",
                "address": ["1 Way"],
                "postcode": "NR1 1AA",
                "email": "pay@trust.example",
            }
        },
    )
    fees.charge_alone(work, 1, urn=ACADEMY)
    ledger.reverse(work, 1, reason="x", by=SYSTEM)
    pulls.make(work, idempotency_key="once", by=FINANCE)
    charge, back = rows(work, "invoices")
    assert (charge["net"], charge["vat"], charge["gross"]) == (net, vat, gross)
    assert (back["net"], back["gross"]) == (f"-{net}", f"-{gross}")
    assert (back["quantity"], back["unit_price"]) == ("-1", net)
    assert (charge["customer_no"], charge["address_1"], charge["postcode"]) == (
        "C7",
        "1 Way",
        "NR1 1AA",
    )
    assert charge["contact_email"] == "pay@trust.example"


def test_a_vat_code_without_a_rate_is_said_before_anything_is_pulled(
    work: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to(monkeypatch, work, S2S_VAT_RATES={})
    fees.charge_alone(work, 1, urn=ACADEMY)
    with pytest.raises(Refused, match="The VAT code S has no rate: add it to S2S_VAT_RATES"):
        pulls.make(work, idempotency_key="once", by=FINANCE)


def test_invoices_that_ask_for_something_else_stop_the_pull(work: UnitOfWork) -> None:
    entry = fees.charge_alone(work, 1, urn=ACADEMY)
    pull = pulls.make(work, idempotency_key="once", by=FINANCE)
    good = pull_files.invoice_rows(pull, [entry])
    pull_files.check_invoices(good, [entry])
    for wrong in ([], [*good, *good]):
        with pytest.raises(LedgerBroken, match="does not ask for what the ledger says"):
            pull_files.check_invoices(wrong, [entry])


def test_the_workbook_has_a_sheet_for_each_file_with_the_same_rows(made: UnitOfWork) -> None:
    book = openpyxl.load_workbook(io.BytesIO(content(made, f"{NAME}-ledger.xlsx")))
    assert book.sheetnames == ["Pull 1", "Journal", "Invoices"]
    kinds = {"Pull 1": "ledger", "Journal": "journal", "Invoices": "invoices"}
    for sheet in book:
        header, *lines = sheet.iter_rows()
        names = [cell.value for cell in header]
        assert {cell.data_type for line in lines for cell in line} <= {"s", "n", "d", "inlineStr"}
        of_csv = rows(made, kinds[sheet.title])
        assert len(of_csv) == len(lines)
        for line, row in zip(lines, of_csv, strict=True):
            for name, cell in zip(names, line, strict=True):
                assert _same(cell.value, row[name]), (sheet.title, name)
    day = book["Journal"].cell(2, pull_files.JOURNAL.index("journal_date") + 1)
    assert (day.value.date(), day.is_date) == (date(2019, 5, 14), True)
    assert book["Journal"].cell(2, pull_files.JOURNAL.index("debit") + 1).value == 100


def _same(cell: object, text: str) -> bool:
    if isinstance(cell, datetime):
        return cell.date() == date.fromisoformat(text)
    if isinstance(cell, int | float):
        return Decimal(str(cell)) == Decimal(text)
    return (cell or "") == text.removeprefix("'")


def test_a_pull_of_one_route_has_no_empty_file_for_the_other(work: UnitOfWork) -> None:
    fees.charge_alone(work, 1)
    pulls.make(work, idempotency_key="once", by=FINANCE)
    assert [file.name for file in pull_downloads.listed(1)] == [
        f"{NAME}-journal.csv",
        f"{NAME}-ledger.csv",
        f"{NAME}-ledger.xlsx",
        f"{NAME}-manifest.json",
        f"{NAME}.sha256",
    ]


def test_what_is_downloaded_proves_itself(made: UnitOfWork, tmp_path: Path) -> None:
    fees.charge_alone(made, 5)
    pulls.make(made, idempotency_key="again", by=FINANCE)
    for number in (1, 2):
        for file in pull_downloads.listed(number):
            taken = pull_downloads.take(made, number, file.name, by=FINANCE)
            (tmp_path / taken.saved_as).write_bytes(taken.content)
    report = batches.check([tmp_path])
    assert (report.problems, report.pulls) == ([], [1, 2])
    assert report.last_digest == pulls.get(2).digest
    manifest = json.loads((tmp_path / "s2s-pull-0002-manifest.json").read_text())
    assert manifest["previous_digest"] == pulls.get(1).digest


# Copies


def test_a_repeat_is_the_same_bytes_and_says_that_it_is_a_copy(
    made: UnitOfWork, session: Session
) -> None:
    name = f"{NAME}-ledger.csv"
    first, second, third = (
        pull_downloads.take(made, 1, name, by=ACTORS[who])
        for who in ("finance", "finance-approver", "finance")
    )
    assert first.content == second.content == third.content
    assert [one.saved_as for one in (first, second, third)] == [
        name,
        f"{NAME}-ledger-copy-2.csv",
        f"{NAME}-ledger-copy-3.csv",
    ]
    listed = {file.name: file for file in pull_downloads.listed(1)}
    assert (listed[name].times, listed[name].last_by) == (3, "Fay Finance")
    assert listed[f"{NAME}-journal.csv"].times == 0


def test_the_page_and_the_headers_say_which_copy_it_is(
    client: Client, session: Session, made: UnitOfWork
) -> None:
    session.commit()
    client.sign_on("finance")
    path = client.url("finance.file", number=1, name=f"{NAME}-manifest.json")
    answers = [client.open(path, method="GET") for _ in range(2)]
    assert answers[0].data == answers[1].data
    assert [answer.headers["Content-Disposition"] for answer in answers] == [
        f"attachment; filename={NAME}-manifest.json",
        f"attachment; filename={NAME}-manifest-copy-2.json",
    ]
    assert answers[1].headers["S2S-Copy"] == (
        "copy 2; downloaded by Fay Finance on 2019-05-14T11:00:00Z"
    )
    page = client.get("finance.pull", number=1)
    assert (
        "Downloaded 2 times, last by Fay Finance on 14 May 2019 at midday. The next is copy 3."
        in page.words
    )


def test_who_takes_too_many_files_waits_a_minute(
    client: Client, session: Session, made: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to(monkeypatch, made, S2S_DOWNLOADS_A_MINUTE=2)
    for _ in range(2):
        content(made, f"{NAME}-ledger.csv")
    with pytest.raises(TooMany):
        content(made, f"{NAME}-ledger.csv")
    pull_downloads.take(made, 1, f"{NAME}-ledger.csv", by=ACTORS["finance-approver"])
    session.commit()
    page = client.sign_on("finance").get(
        "finance.file", number=1, name=f"{NAME}-ledger.csv", status=429
    )
    assert "Wait a minute, then go on." in page.words
    with clock.frozen(datetime.fromisoformat("2019-05-14T12:01:01+01:00")):
        content(made, f"{NAME}-ledger.csv")


@pytest.mark.parametrize("name", ["", "..", "a/b", "x" * 99, f"{NAME}-LEDGER.csv", "s2s\x00"])
def test_a_name_that_is_no_file(made: UnitOfWork, name: str) -> None:
    with pytest.raises(NotFound):
        content(made, name)


def test_a_download_that_was_refused_is_not_counted(made: UnitOfWork, session: Session) -> None:
    with pytest.raises(NotFound):
        content(made, "s2s-pull-0009-ledger.csv")
    assert session.query(PullDownload).count() == 0


def test_a_download_that_is_cut_half_way_is_the_same_bytes_afterwards(
    app: Flask, session: Session, work: UnitOfWork
) -> None:
    """Over a real connection, closed with half of the file unread; then the whole of it."""
    for position in range(150):
        fees.charge_alone(work, position)
    pulls.make(work, idempotency_key="once", by=FINANCE)
    digest = {file.name: file.sha256 for file in pull_downloads.listed(1)}
    session.commit()
    browser = app.test_client()
    with browser.session_transaction() as kept:
        kept["_user_id"], kept["_fresh"] = "finance", True
    cookie = browser.get_cookie("session", domain="portal.example")
    assert cookie is not None
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    name = f"{NAME}-journal.csv"
    headers = {"Host": "portal.example", "Cookie": f"session={cookie.value}"}
    try:
        for whole in (False, True):
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
            connection.request("GET", f"/s2s/finance/pulls/1/files/{name}", headers=headers)
            answer = connection.getresponse()
            size = int(answer.headers["Content-Length"])
            found = answer.read() if whole else answer.read(size // 2)
            connection.close()
            assert len(found) == (size if whole else size // 2)
    finally:
        server.shutdown()
        thread.join()
    assert hashlib.sha256(found).hexdigest() == digest[name]
    assert "-copy-2.csv" in answer.headers["Content-Disposition"]


# A child


def test_no_file_says_anything_about_a_child(session: Session, work: UnitOfWork) -> None:
    """Referrals full of canaries, in a class of names; and every file of their pull."""
    for position in range(3):
        fees.charged(session, position, urn=(SCHOOL, ACADEMY)[position % 2])
    pulls.make(work, idempotency_key="once", by=FINANCE)
    for file in pull_downloads.listed(1):
        found = content(work, file.name)
        if file.name.endswith(".xlsx"):
            book = openpyxl.load_workbook(io.BytesIO(found))
            found = repr([[c.value for c in line] for s in book for line in s]).encode()
        assert not re.search("canary|zosia|semh|now and next|parent", found.decode(), re.I)
        assert not re.search("canary|zosia", file.name, re.I)


def test_no_log_line_error_or_command_says_anything_about_a_child(
    app: Flask,
    client: Client,
    session: Session,
    work: UnitOfWork,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A month of Finance's, with mistakes in it, over referrals full of canaries."""
    caplog.set_level(logging.DEBUG)
    for position in range(3):
        fees.charged(session, position, urn=(SCHOOL, ACADEMY)[position % 2])
    session.commit()
    said = []
    for command in ("pull", "pull", "ledger verify", "ledger export", "check"):
        result = app.test_cli_runner().invoke(args=["s2s", *command.split()])
        said.append(result.output + result.stderr)
    assert "Pull 1: 3 entries" in said[0]
    assert "Nothing is due to be pulled" in said[1]
    client.sign_on("finance")
    wrong = "entry_number,outcome,date,amount_pounds\n1,paid,x,1\n"
    for page in (
        client.get("finance.pull", number=1),
        client.get("finance.response", number=1),
        client.post("finance.response", {"content": wrong}, number=1, status=422),
        client.get("finance.file", number=1, name="absent.csv", status=404),
        client.get("finance.pull", number=9, status=404),
        client.get("finance.export"),
    ):
        said.append(page.text)
    for text in (*said, caplog.text):
        assert not re.search("canary|zosia|semh|now and next", text, re.IGNORECASE)
