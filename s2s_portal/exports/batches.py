"""Pulls as Finance holds them, in files: their manifests, and the proof that nothing is missing.

`check` needs the files alone: no database, no app, no setting; so a machine of Finance's own, with
this wheel on it, can prove the service wrong. Each pull's digest covers its control totals, its
files and the digest of the pull before it, so a file that was changed, a pull that is missing and
one that was made anew all show.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FORMAT = "s2s-pull-manifest/1"
NO_DIGEST = "0" * 64
"""What the first pull has for the digest of the pull before it."""

_OF_PULL = re.compile(r"s2s-pull-(\d+)-.+")
_COPY = re.compile(r"-copy-\d+(?=\.[a-z0-9]+$)")
_MANIFEST = re.compile(r"s2s-pull-\d+-manifest(-copy-\d+)?\.json")
_FIELDS: dict[str, type] = {
    "pull": int,
    "cutoff": str,
    "first_entry": int,
    "last_entry": int,
    "entry_count": int,
    "total_pence": int,
    "previous_digest": str,
    "digest": str,
    "files": list,
}


@dataclass(frozen=True)
class Totals:
    """What a pull's digest covers besides its files. `cutoff` is in UTC, with microseconds."""

    number: int
    cutoff: str
    first_entry: int
    last_entry: int
    entry_count: int
    total_pence: int
    previous_digest: str


@dataclass
class Report:
    """What was found: the pulls looked at, how many entries and pence, what is wrong in sentences.

    `last_digest` is the digest of the last pull: nothing after it vouches for it, so whoever checks
    compares it with the one on that pull's page.
    """

    pulls: list[int] = field(default_factory=list)
    entries: int = 0
    total_pence: int = 0
    last_digest: str = NO_DIGEST
    problems: list[str] = field(default_factory=list)


def utc(instant: datetime) -> str:
    """An instant as a digest and a manifest have it: UTC, with microseconds."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def seal(totals: Totals, files: Iterable[tuple[str, str]]) -> str:
    """The hex SHA-256 of a pull: control totals, files as (name, SHA-256), the pull before."""
    content = [
        totals.number,
        totals.cutoff,
        totals.first_entry,
        totals.last_entry,
        totals.entry_count,
        totals.total_pence,
        totals.previous_digest,
        sorted(list(file) for file in files),
    ]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def manifest(totals: Totals, files: Sequence[tuple[str, str]], digest: str, made_at: str) -> bytes:
    """The manifest of a pull, to lie beside its files: the same pull gives the same bytes."""
    content = {
        "format": FORMAT,
        "pull": totals.number,
        "made_at": made_at,
        "cutoff": totals.cutoff,
        "first_entry": totals.first_entry,
        "last_entry": totals.last_entry,
        "entry_count": totals.entry_count,
        "total_pence": totals.total_pence,
        "previous_digest": totals.previous_digest,
        "digest": digest,
        "files": [{"name": name, "sha256": sha256} for name, sha256 in sorted(files)],
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def sums(totals: Totals, files: Sequence[tuple[str, str]], digest: str) -> bytes:
    """The files of a pull as `sha256sum --check` reads them, with the chain in comments."""
    lines = [
        f"# Pull {totals.number}: {totals.entry_count} entries, {totals.total_pence} pence,"
        f" entry {totals.first_entry} to {totals.last_entry}",
        f"# digest of this pull      {digest}",
        f"# digest of the one before {totals.previous_digest}",
        *(f"{sha256}  {name}" for name, sha256 in sorted(files)),
    ]
    return ("\n".join(lines) + "\n").encode()


def check(given: Sequence[Path]) -> Report:
    """Prove from files alone that pulls are whole, follow each other, and share no entry.

    `given` are folders of pulls, or files of them (any file of a pull stands for the pull); their
    order does not matter. A copy (`...-copy-2.csv`) is as good as the first.
    """
    report = Report()
    batches: dict[int, _Batch] = {}
    for path in given:
        for found in _manifests(path, report.problems):
            _take(found, batches, report.problems)
    seen: dict[int, int] = {}
    before: _Batch | None = None
    whole = sorted(batches) == list(range(1, len(batches) + 1))
    for number in sorted(batches):
        batch = batches[number]
        report.problems += _chain(before, batch)
        report.problems += batch.problems()
        report.problems += _entries(batch, seen, whole=whole)
        report.pulls.append(number)
        report.entries += batch.totals.entry_count
        report.total_pence += batch.totals.total_pence
        report.last_digest = batch.digest
        before = batch
    if not batches and not report.problems:
        report.problems.append("There is no pull to check.")
    return report


def _manifests(path: Path, problems: list[str]) -> list[Path]:
    """The manifests that `path` stands for."""
    if path.is_dir():
        found = sorted(one for one in path.iterdir() if _MANIFEST.fullmatch(one.name))
        if not found:
            problems.append(f"{path} holds no manifest of a pull.")
        return found
    if not path.exists():
        problems.append(f"{path} does not exist.")
        return []
    if path.suffix == ".json":
        return [path]
    of_pull = _OF_PULL.fullmatch(path.name)
    found = sorted(path.parent.glob(f"s2s-pull-{of_pull[1]}-manifest*.json")) if of_pull else []
    if not found:
        problems.append(f"There is no manifest beside {path.name}.")
    return found


def _take(path: Path, batches: dict[int, _Batch], problems: list[str]) -> None:
    try:
        batch = _read(path)
    except ValueError as error:
        problems.append(f"{path.name} is no manifest of a pull: {error}.")
        return
    known = batches.setdefault(batch.totals.number, batch)
    if known.digest != batch.digest:
        problems.append(f"Pull {batch.totals.number} is there twice, with different digests.")


def _read(path: Path) -> _Batch:
    """The pull of a manifest. Raises ValueError, saying what is wrong with it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError("it cannot be read") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"it does not say {FORMAT}")
    for name, kind in _FIELDS.items():
        if type(content.get(name)) is not kind:
            raise ValueError(f"it has no good {name}")
    try:
        files = {str(file["name"]): str(file["sha256"]) for file in content["files"]}
    except (TypeError, KeyError) as error:
        raise ValueError("it does not name its files") from error
    if any(Path(name).name != name for name in files):
        raise ValueError("it names files elsewhere")
    totals = Totals(content["pull"], *(content[name] for name in list(_FIELDS)[1:7]))
    return _Batch(path.parent, totals, files, content["digest"])


@dataclass
class _Batch:
    """One pull as its manifest has it, and the folder that it lies in."""

    folder: Path
    totals: Totals
    files: dict[str, str]
    digest: str

    def problems(self) -> Iterator[str]:
        """What is wrong with the pull by itself: its digest, its files, its journal."""
        number = self.totals.number
        if seal(self.totals, self.files.items()) != self.digest:
            yield f"The manifest of pull {number} has been changed: its digest does not match."
        there = self.there()
        for name, sha256 in sorted(self.files.items()):
            if not there[name]:
                yield f"{name} of pull {number} is missing."
            for path in there[name]:
                if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
                    yield f"{path.name} has been changed since pull {number} was made."
        for name in sorted(there.keys() - self.files.keys()):
            yield f"{name} is no file of pull {number}."
        yield from self._against_ledger()

    def there(self) -> dict[str, list[Path]]:
        """The files in the folder that are called as files of this pull are, by their own name."""
        found: dict[str, list[Path]] = defaultdict(list)
        for path in sorted(self.folder.glob(f"s2s-pull-{self.totals.number:04d}-*")):
            if path.suffix != ".sha256" and not _MANIFEST.fullmatch(path.name):
                found[_COPY.sub("", path.name)].append(path)
        return found

    def rows(self, kind: str) -> list[dict[str, Any]] | None:
        """The rows of the pull's CSV of one kind (`ledger`); None when it cannot be read."""
        name = f"s2s-pull-{self.totals.number:04d}-{kind}.csv"
        paths = self.there()[name]
        if name not in self.files or not paths:
            return None
        try:
            with paths[0].open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file, strict=True))
        except (UnicodeDecodeError, csv.Error):
            return None

    def _against_ledger(self) -> Iterator[str]:
        number, rows = self.totals.number, self.rows("journal")
        if rows is None:
            return
        owed: Counter[str] = Counter()
        try:
            for row in rows:
                owed[row["source_ref"]] += _pence(row["debit"]) - _pence(row["credit"])
        except (KeyError, ValueError):
            yield f"The journal of pull {number} cannot be read."
            return
        for reference in sorted(name for name, pence in owed.items() if pence):
            yield f"In the journal of pull {number}, debits are not credits for {reference}."


def _pence(pounds: str) -> int:
    """Pounds with two decimals as pence; an empty cell is nothing."""
    if not pounds:
        return 0
    if not re.fullmatch(r"-?\d+\.\d\d", pounds):
        raise ValueError(pounds)
    return int(pounds.replace(".", ""))


def _chain(before: _Batch | None, batch: _Batch) -> Iterator[str]:
    """What is wrong with where a pull stands in the chain."""
    number, previous = batch.totals.number, batch.totals.previous_digest
    if before is None:
        if (number == 1) != (previous == NO_DIGEST):
            begins = "does not begin" if number == 1 else "begins"
            yield f"Pull {number} says that it {begins} the chain."
        return
    last = before.totals.number
    if number > last + 1:
        missing = (
            f"Pull {last + 1} is" if number == last + 2 else f"Pulls {last + 1} to {number - 1} are"
        )
        yield f"{missing} missing."
    elif previous != before.digest:
        yield f"Pull {number} does not follow pull {last}: it names another digest."


def _entries(batch: _Batch, seen: dict[int, int], *, whole: bool) -> Iterator[str]:
    """What is wrong with the entries of a pull, after those `seen` before (entry to pull).

    `whole` says that no earlier pull is missing, so what is reversed must have been seen.
    """
    number, rows = batch.totals.number, batch.rows("ledger")
    if rows is None:
        return
    try:
        lines = [_Line.read(row) for row in rows]
    except (KeyError, TypeError, ValueError):
        yield f"The ledger file of pull {number} cannot be read."
        return
    entries = [line.entry for line in lines]
    yield from _against_totals(batch.totals, lines)
    for entry in entries:
        if entry in seen:
            yield f"Entry {entry} is in pull {seen[entry]} and again in pull {number}."
    seen |= dict.fromkeys(entries, number)
    for line in lines if whole else ():
        if line.reverses and line.reverses not in seen:
            yield f"Pull {number} reverses entry {line.reverses}, which is in no pull before."


def _against_totals(totals: Totals, lines: list[_Line]) -> Iterator[str]:
    """What is wrong with the lines of a pull, held against its control totals."""
    number, entries = totals.number, [line.entry for line in lines]
    ordered = [(number, place) for place in range(1, len(lines) + 1)]
    if [line.place for line in lines] != ordered or entries != sorted(set(entries)):
        yield f"The lines of pull {number} are not in order."
    found = (len(lines), sum(line.pence for line in lines), *_ends(entries))
    if found != (totals.entry_count, totals.total_pence, totals.first_entry, totals.last_entry):
        yield f"The entries of pull {number} are not those of its control totals."


@dataclass(frozen=True)
class _Line:
    """One line of a ledger file."""

    place: tuple[int, int]
    entry: int
    pence: int
    reverses: int

    @classmethod
    def read(cls, row: dict[str, Any]) -> _Line:
        """The line in a row of the CSV. Raises KeyError, TypeError or ValueError."""
        return cls(
            (int(row["pull_number"]), int(row["line_number"])),
            int(row["entry_number"]),
            int(row["amount_pence"]),
            int(row["reverses_entry"] or 0),
        )


def _ends(entries: list[int]) -> tuple[int, int]:
    return min(entries, default=0), max(entries, default=0)
