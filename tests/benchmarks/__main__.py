"""`make bench`: print every ratio, on a PostgreSQL of its own.

`S2S_TEST_DATABASE_URL` names another server to measure on.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from s2s_portal.reference_portal.postgres import EmbeddedPostgres
from tests.benchmarks import forms, pages, plans, register, worklist


def main() -> None:
    """Measure everything on one server."""
    given = os.environ.get("S2S_TEST_DATABASE_URL")
    if given:
        measure(given)
        return
    with tempfile.TemporaryDirectory(prefix="s2s-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        try:
            measure(server.start())
        finally:
            server.remove()


def measure(server_url: str) -> None:
    """Run each part."""
    pages.run(server_url)
    forms.run(server_url)
    register.run(server_url)
    worklist.run(server_url)
    plans.run()


if __name__ == "__main__":
    main()
