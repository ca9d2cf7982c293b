"""No file that is or may be committed gives away the machine it was written on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from build_support.links import TOP
from tests.packaging.checkout import git

pytestmark = pytest.mark.skipif(
    not (TOP / ".git").exists(),
    reason="not a git checkout: git cannot say which files are committed",
)

# A class of one letter in each keeps this file from matching itself.
FORBIDDEN = {
    "a folder of somebody's machine": re.compile(
        r"(?<![\w.<>}])/(?:wor[k]|roo[t]|hom[e]/\w+|User[s]/\w+|tm[p])/"
    ),
    "a package registry": re.compile(
        r"\b(?:pypi|pythonhosted|npmjs|npmmirror|yarnpkg)\.(?:org|com)\b|\bartifactory\b"
    ),
    "a secret": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY|_auth[T]oken|\bAKI[A][0-9A-Z]{16}\b"),
}


def _committed_files() -> list[Path]:
    listing = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    assert listing.returncode == 0, listing.stderr
    paths = (TOP / name for name in listing.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_committed_file_holds(what: str) -> None:
    found = []
    for path in _committed_files():
        text = path.read_text(encoding="utf-8", errors="replace")
        for match in FORBIDDEN[what].finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path.relative_to(TOP)}:{line}: {match[0]}")
    assert found == []


def test_this_checkouts_own_folder_is_in_no_committed_file() -> None:
    here = str(TOP)
    found = [
        str(path.relative_to(TOP))
        for path in _committed_files()
        if here in path.read_text(encoding="utf-8", errors="replace")
    ]
    assert found == []


@pytest.mark.parametrize(
    ("what", "example"),
    [
        ("a folder of somebody's machine", "cd " + "/".join(("", "root", "s2s"))),
        ("a folder of somebody's machine", "'" + "/".join(("", "home", "ann", "s2s")) + "'"),
        ("a package registry", "https://registry." + "npmjs" + ".org/sass"),
        ("a secret", "-----BEGIN " + "RSA PRIVATE KEY-----"),
    ],
)
def test_the_patterns_find_what_they_are_for(what: str, example: str) -> None:
    assert FORBIDDEN[what].search(example)
