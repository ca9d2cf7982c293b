"""`next` never leads off the portal: by a table of payloads, and by a browser's own reading."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2s_portal.reference_portal.local_paths import LONGEST, local_path

HOST = "https://portal.example"

LEAD_AWAY = [
    "https://evil.example",
    "https://evil.example/",
    "HTTPS://EVIL.EXAMPLE/",
    "http:evil.example",
    "https:evil.example",
    "http:/evil.example",
    "https:///evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "//evil.example/s2s/",
    "//portal.example@evil.example",
    "//portal.example.evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "/\\\\evil.example",
    "\\evil.example",
    "/s2s\\..\\..\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "\t//evil.example",
    " //evil.example",
    "\n//evil.example",
    "\x00//evil.example",
    "/\x00/evil.example",
    "/\x7f/evil.example",
    "/\x0b/evil.example",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "ftp://evil.example",
    "mailto:a@evil.example",
    "evil.example",
    "www.evil.example/s2s",
    "@evil.example",
    ":evil.example",
    "?next=//evil.example",
    "#//evil.example",
    ".",
    "..//evil.example",
    "/ok\r\nSet-Cookie: a=b",
    "/ok\r\n\r\n<script>alert(1)</script>",
    "https://[::1",
    "//[evil",
    "/" + "a" * LONGEST,
    "",
]
STAY = [
    "/",
    "/s2s/",
    "/s2s/referrals/S2S-26-7K4P/?page=2#top",
    "/s2s/?next=https://evil.example/",
    "/s2s//evil.example",
    "/./evil.example",
    "/@evil.example",
    "/:evil.example",
    "/%2F%2Fevil.example",
    "/%5Cevil.example",
    "/https://evil.example",
    "/;//evil.example",
    "/é",
]


def as_a_browser_reads(targets: list[str]) -> list[str]:
    """The origin that a browser on the portal would go to for each target (WHATWG URL)."""
    script = (
        f"const there = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        f"console.log(JSON.stringify(there.map((t) => new URL(t, '{HOST}/sign-in').origin)))"
    )
    done = subprocess.run(
        [str(Path(sys.executable).parent / "node"), "-e", script],
        input=json.dumps(targets),
        capture_output=True,
        text=True,
        check=True,
    )
    return list(json.loads(done.stdout))


def test_there_are_forty_payloads_at_least() -> None:
    assert len(set(LEAD_AWAY)) >= 40


@pytest.mark.parametrize("target", [*LEAD_AWAY, None], ids=repr)
def test_what_could_lead_away_is_refused(target: str | None) -> None:
    assert local_path(target) is None


@pytest.mark.parametrize("target", STAY)
def test_a_path_of_the_portal_is_kept(target: str) -> None:
    assert local_path(target) == target


def test_a_browser_stays_on_the_portal_for_all_that_is_kept() -> None:
    assert set(as_a_browser_reads(STAY)) == {HOST}


def test_whatever_is_kept_a_browser_stays_on_the_portal() -> None:
    tried: set[str] = set()
    bits = ["/", "\\", "//", "evil.example", "@", ":", "?", "#", ".", "..", "%2F", "http", "é", "["]
    pieces = st.sampled_from([*bits, "\t", "\n", "\x00", " ", "\u2028"])

    @settings(max_examples=600, deadline=None, database=None)
    @given(st.lists(pieces | st.characters(codec="utf-8"), max_size=7).map("".join))
    def collect(target: str) -> None:
        for one in (target, f"/{target}"):
            if local_path(one) is not None:
                tried.add(one)

    collect()
    assert len(tried) > 50
    kept = sorted(tried)
    wrong = [t for t, found in zip(kept, as_a_browser_reads(kept), strict=True) if found != HOST]
    assert wrong == []
