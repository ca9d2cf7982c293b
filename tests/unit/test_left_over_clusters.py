"""Clusters that tests and clones left behind are thrown away once, however many starts see them."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from s2s_portal.reference_portal import postgres_home


def left_over(clusters: Path) -> Path:
    """The note of a cluster whose data folder, a temporary one, is gone."""
    cluster = clusters / "x1"
    cluster.mkdir(parents=True)
    note = cluster / "kept-for"
    gone = Path(tempfile.gettempdir()).resolve() / "s2s-test-that-is-gone" / "postgres"
    note.write_text(str(gone))
    return note


def test_of_many_starts_at_once_one_throws_it_away(tmp_path: Path) -> None:
    for attempt in range(20):
        note = left_over(tmp_path / str(attempt))
        together = Barrier(8)

        def start(note: Path = note, together: Barrier = together) -> bool:
            together.wait()
            return postgres_home._claimed(note, Path("/elsewhere"))

        with ThreadPoolExecutor(8) as pool:
            claimed = list(pool.map(lambda _n, start=start: start(), range(8)))
        assert claimed.count(True) == 1


def test_one_that_may_come_back_is_left_alone(tmp_path: Path) -> None:
    note = left_over(tmp_path)
    note.write_text("/media/not-mounted-today/postgres")
    assert not postgres_home._claimed(note, Path("/elsewhere"))
    assert note.exists()
