"""What the doctor says of files: a scanner away, a full disk, a host that lets none by."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from s2s_portal import clock, storage
from s2s_portal.models.codes import Status
from s2s_portal.services.doctor import files
from s2s_portal.services.doctor.findings import Look
from tests import rows
from tests.files import made
from tests.files.clamd import needs_clamd
from tests.files.conftest import names_in

pytestmark = needs_clamd
SCANNER, STORED, SIZE = files.LOOKS


def said(look: Look) -> tuple[str, str]:
    """What one look found: how it is, and what to do."""
    (found,) = look.findings()
    return found.state, found.says


def test_all_is_well_and_nothing_stays(
    scanned: Flask, session: Session, kept: storage.Folder
) -> None:
    assert [said(look)[0] for look in files.LOOKS] == ["ok"] * 3
    assert names_in(kept) == set()


def test_a_scanner_that_is_away_fails(
    scanned: Flask, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in ("127.0.0.1:9", "/nowhere/clamd.sock", "nonsense"):
        monkeypatch.setitem(scanned.config, "S2S_CLAMD", address)
        state, says = said(SCANNER)
        assert (state, address in says) == ("fail", True)


def test_a_file_that_waits_too_long_is_said(scanned: Flask, session: Session) -> None:
    rows.referral(session, "S2S-19-3334", status=Status.DRAFT)
    assert said(SCANNER)[0] == "ok"
    with clock.frozen(clock.now() + timedelta(hours=2)):
        assert "flask s2s files scan" in said(SCANNER)[1]


def test_a_folder_that_takes_nothing_fails(
    scanned: Flask, session: Session, kept: storage.Folder
) -> None:
    kept.place.write_bytes(b"a file where the folder should be")
    state, says = said(STORED)
    assert (state, "S2S_STORAGE_FOLDER" in says) == ("fail", True)


@pytest.mark.parametrize("limit", [1, 10])
def test_a_host_that_lets_no_large_file_by_is_warned(
    scanned: Flask, session: Session, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setitem(scanned.config, "MAX_CONTENT_LENGTH", limit * made.MEGABYTE)
    state, says = said(SIZE)
    assert state == "warn"
    assert re.search(rf"MAX_CONTENT_LENGTH is {limit}.0 MB", says)
    monkeypatch.setitem(scanned.config, "MAX_CONTENT_LENGTH", 21 * made.MEGABYTE)
    assert said(SIZE)[0] == "ok"
