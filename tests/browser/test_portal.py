"""The running portal, looked at by its own doctor."""

from __future__ import annotations

import pytest

from tests.browser.person import Portal

pytestmark = pytest.mark.xdist_group("browser")


def test_the_doctor_finds_nothing_wrong(portal: Portal) -> None:
    said = portal.flask("check")
    assert not [line for line in said.splitlines() if line.startswith("fail")], said
    assert "row-level security: It is on" in said


def test_its_ledger_verifies(portal: Portal) -> None:
    assert "sound" in portal.flask("ledger", "verify")
