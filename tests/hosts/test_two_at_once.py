"""Two councils' apps in one process, each with its own database, users and settings, at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy import text

from s2s_portal import clock
from tests.conftest import NOON
from tests.hosts import path
from tests.hosts.conftest import Post, Server
from tests.hosts.towns import Town, modern

Settled = Callable[[str], Town]


def count(town: Town, table: str) -> int:
    """How many rows are committed."""
    with town.app.extensions["s2s"].engine.connect() as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM s2s.{table}")) or 0)


def test_two_paths_walked_at_once_never_meet(settled: Settled, post: Post) -> None:
    towns = [settled("legacy"), settled("elsewhere")]
    start = threading.Barrier(len(towns))

    def walk(town: Town) -> path.Walked:
        with clock.frozen(datetime.fromisoformat(NOON)):
            start.wait(timeout=30)
            return path.walk(town.signed_on)

    with ThreadPoolExecutor(len(towns)) as threads:
        walked = list(threads.map(walk, towns))
    for town, own, other in zip(towns, walked, reversed(walked), strict=True):
        assert count(town, "referral") == count(town, "visit_record") == 1
        officer = town.signed_on("officer")
        officer.front(f"/triage/{own.reference}/").sees(own.reference)
        if own.reference != other.reference:
            officer.front(f"/triage/{other.reference}/", status=404)
        post.subjects.clear()
        ran = town.app.test_cli_runner().invoke(args=["s2s", "worker", "--once"])
        assert ran.exit_code == 0
        assert {own.reference in subject for _, subject in post.subjects} == {True}


def test_requests_of_two_apps_interleaved_keep_to_their_own(
    council: Server, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One module's app made twice: a page of each names its own council, prefix and person."""
    towns = [
        modern(
            {
                "SQLALCHEMY_DATABASE_URI": council.make(),
                "S2S_SERVICE_NAME": f"Support of {name}",
                "S2S_URL_PREFIX": f"/{name}",
            }
        )
        for name in ("north", "south")
    ]
    for town, name in zip(towns, ("north", "south"), strict=True):
        town.ours = f"/{name}"

    def read(number: int) -> None:
        town, key = towns[number % 2], ("officer", "senco")[number // 2 % 2]
        name = town.ours.strip("/")
        other = "south" if name == "north" else "north"
        visitor = town.signed_on(key)
        for _ in range(5):
            visitor.front().sees(f"Support of {name}", "Triage" if key == "officer" else "Start a")
            assert f"Support of {other}" not in visitor.page.text
            assert f'href="/{other}' not in visitor.page.text

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(read, range(8)))
