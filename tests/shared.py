"""Real public files beside the checkout, for tests that want more than invented rows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("S2S_SHARED", Path(__file__).resolve().parents[2] / "shared"))
GIAS = SHARED / "data" / "gias_norfolk.csv"

# In CI the files are there and the tests must run: an absent file is then a failure, not a skip.
needs_shared_files = pytest.mark.skipif(
    not GIAS.exists() and not os.environ.get("CI"),
    reason="the shared folder with real register files is not beside this checkout",
)
