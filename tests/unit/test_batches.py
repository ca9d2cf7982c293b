"""Pulls proved from their files alone: what is whole, and a sentence for each thing that is not.

The files here are written by this test by hand, as Finance would hold them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from s2s_portal.exports import batches
from s2s_portal.exports.batches import NO_DIGEST, Totals

HEADER = "pull_number,line_number,entry_number,amount_pence,reverses_entry\r\n"
Entry = tuple[int, int, int | None]


def write(folder: Path, number: int, entries: list[Entry], previous: str) -> str:
    """A pull's ledger, journal and manifest in `folder`; its digest."""
    ledger = HEADER + "".join(
        f"{number},{line},{entry},{pence},{undone or ''}\r\n"
        for line, (entry, pence, undone) in enumerate(entries, start=1)
    )
    journal = "source_ref,debit,credit\r\n" + "".join(
        f"S2S-{entry},1.00,\r\nS2S-{entry},,1.00\r\n" for entry, _, _ in entries
    )
    files = []
    for kind, content in (("ledger", ledger), ("journal", journal)):
        name = f"s2s-pull-{number:04d}-{kind}.csv"
        (folder / name).write_bytes(content.encode())
        files.append((name, hashlib.sha256(content.encode()).hexdigest()))
    totals = Totals(
        number=number,
        cutoff="2019-05-14T11:00:00.000000+00:00",
        first_entry=entries[0][0],
        last_entry=entries[-1][0],
        entry_count=len(entries),
        total_pence=sum(pence for _, pence, _ in entries),
        previous_digest=previous,
    )
    digest = batches.seal(totals, files)
    made = batches.manifest(totals, files, digest, "2019-05-14T11:00:00.000000+00:00")
    (folder / f"s2s-pull-{number:04d}-manifest.json").write_bytes(made)
    (folder / f"s2s-pull-{number:04d}.sha256").write_bytes(batches.sums(totals, files, digest))
    return digest


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """Four pulls that follow each other; entry 3 is reversed by entry 7."""
    digest = write(tmp_path, 1, [(1, 10_000, None), (2, 10_000, None)], NO_DIGEST)
    digest = write(tmp_path, 2, [(3, 10_000, None), (5, 10_000, None)], digest)
    digest = write(tmp_path, 3, [(6, 10_000, None)], digest)
    write(tmp_path, 4, [(7, -10_000, 3)], digest)
    return tmp_path


def test_whole_pulls_are_whole_in_any_order_and_by_any_file(held: Path) -> None:
    report = batches.check([held])
    assert report.problems == []
    assert (report.pulls, report.entries, report.total_pence) == ([1, 2, 3, 4], 6, 40_000)
    by_file = [held / f"s2s-pull-000{number}-ledger.csv" for number in (3, 1, 4, 2)]
    assert batches.check(by_file) == report
    later = batches.check([held / "s2s-pull-0004-manifest.json"])
    assert (later.problems, later.pulls) == ([], [4])


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Change one file."""

    def change(folder: Path) -> None:
        path = folder / name
        text = path.read_bytes().decode()
        assert old in text
        path.write_bytes(text.replace(old, new, 1).encode())

    return change


def remove(*names: str) -> Callable[[Path], None]:
    """Lose files."""

    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def anew(number: int, entries: list[Entry], previous: str | None = None) -> Callable[[Path], None]:
    """Make a pull again, with a digest that matches: by somebody who knows how."""

    def change(folder: Path) -> None:
        old = json.loads((folder / f"s2s-pull-{number:04d}-manifest.json").read_text())
        write(folder, number, entries, previous or old["previous_digest"])

    return change


def add(name: str) -> Callable[[Path], None]:
    """Slip in a file."""
    return lambda folder: (folder / name).write_text("x") and None


P2 = "s2s-pull-0002"


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (
            edit(f"{P2}-ledger.csv", "10000", "10001"),
            "s2s-pull-0002-ledger.csv has been changed since pull 2 was made.",
        ),
        (edit(f"{P2}-journal.csv", "1.00", "9.00"), f"{P2}-journal.csv has been changed"),
        (edit(f"{P2}-manifest.json", "20000", "20001"), "The manifest of pull 2 has been changed"),
        (edit(f"{P2}-manifest.json", "s2s-pull-manifest", "x"), "is no manifest of a pull"),
        (edit(f"{P2}-manifest.json", "{", "["), "is no manifest of a pull: it cannot be read."),
        (edit(f"{P2}-manifest.json", '"pull": 2', '"pull": "2"'), "it has no good pull."),
        (edit(f"{P2}-manifest.json", f"{P2}-ledger", f"../{P2}-ledger"), "names files elsewhere"),
        (remove(f"{P2}-ledger.csv"), "s2s-pull-0002-ledger.csv of pull 2 is missing."),
        (remove(f"{P2}-manifest.json"), "Pull 2 is missing."),
        (
            remove(f"{P2}-manifest.json", "s2s-pull-0003-manifest.json"),
            "Pulls 2 to 3 are missing.",
        ),
        (add(f"{P2}-invoices.csv"), "s2s-pull-0002-invoices.csv is no file of pull 2."),
        (
            anew(2, [(3, 10_000, None), (5, 9_000, None)]),
            "Pull 3 does not follow pull 2: it names another digest.",
        ),
        (anew(4, [(6, 10_000, None)]), "Entry 6 is in pull 3 and again in pull 4."),
        (anew(4, [(8, 10_000, None), (7, 10_000, None)]), "The lines of pull 4 are not in order."),
        (anew(4, [(9, -10_000, 4)]), "Pull 4 reverses entry 4, which is in no pull before."),
        (anew(1, [(1, 10_000, None)], "1" * 64), "Pull 1 says that it does not begin the chain."),
    ],
)
def test_what_is_not_whole_is_said(held: Path, tamper: Callable[[Path], None], says: str) -> None:
    tamper(held)
    assert says in " ".join(batches.check([held]).problems)


def test_a_journal_that_does_not_balance_is_said_even_if_its_digest_matches(held: Path) -> None:
    edit("s2s-pull-0004-journal.csv", "1.00,\r\n", "2.00,\r\n")(held)
    content = (held / "s2s-pull-0004-journal.csv").read_bytes()
    manifest = held / "s2s-pull-0004-manifest.json"
    old = json.loads(manifest.read_text())
    old["files"][0]["sha256"] = hashlib.sha256(content).hexdigest()
    totals = Totals(4, *(old[name] for name in list(batches._FIELDS)[1:7]))
    files = [(file["name"], file["sha256"]) for file in old["files"]]
    manifest.write_bytes(
        batches.manifest(totals, files, batches.seal(totals, files), old["made_at"])
    )
    assert batches.check([held]).problems == [
        "In the journal of pull 4, debits are not credits for S2S-7."
    ]


def test_a_copy_is_as_good_as_the_first_and_checked_as_hard(held: Path) -> None:
    first, copy = held / f"{P2}-ledger.csv", held / f"{P2}-ledger-copy-2.csv"
    shutil.copy(first, copy)
    (held / f"{P2}-manifest.json").rename(held / f"{P2}-manifest-copy-3.json")
    assert batches.check([held]).problems == []
    first.unlink()
    assert batches.check([held]).problems == []
    copy.write_text("x")
    assert f"{P2}-ledger-copy-2.csv has been changed" in batches.check([held]).problems[0]


def test_nothing_to_check_is_no_success(tmp_path: Path) -> None:
    assert batches.check([]).problems == ["There is no pull to check."]
    assert "holds no manifest" in batches.check([tmp_path]).problems[0]
    assert "does not exist" in batches.check([tmp_path / "absent.csv"]).problems[0]
    (tmp_path / "notes.csv").write_text("x")
    assert "no manifest beside" in batches.check([tmp_path / "notes.csv"]).problems[0]


def test_two_pulls_of_one_number_are_told_apart(
    held: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    write(other, 3, [(6, 10_000, None)], "2" * 64)
    assert "Pull 3 is there twice, with different digests." in batches.check([held, other]).problems


def test_the_command_needs_neither_app_nor_database(held: Path) -> None:
    """`flask s2s ledger verify --file`, in an empty folder, on a machine without a setting."""
    away = {"PATH": os.environ["PATH"], "HOME": str(held)}
    command = [str(Path(sys.executable).with_name("flask")), "s2s", "ledger", "verify", "--file"]

    def run(*files: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *map(str, files)],
            check=False,
            cwd=held,
            env=away,
            capture_output=True,
            text=True,
        )

    whole = run(held)
    assert (whole.returncode, whole.stderr) == (0, "")
    assert "Pulls 1 to 4 are whole: 6 entries, £400." in whole.stdout
    assert batches.check([held]).last_digest in whole.stdout
    remove(f"{P2}-manifest.json")(held)
    broken = run(*(held / f"s2s-pull-000{number}-manifest.json" for number in (1, 3, 4)))
    assert broken.returncode == 1
    assert broken.stderr == "s2s: Pull 2 is missing.\n"


def test_the_digests_are_those_that_sha256sum_reads(held: Path) -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum on this machine")
    found = subprocess.run(
        ["sha256sum", "--check", "--strict", f"{P2}.sha256"],
        check=False,
        cwd=held,
        capture_output=True,
        text=True,
    )
    assert (found.returncode, found.stdout.count(": OK")) == (0, 2)
