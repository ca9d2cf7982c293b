"""The national register: read whole or not at all, the same twice, nothing ever deleted."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from s2s_portal.errors import Refused
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.establishment import Establishment, ImportRun, SettingKind
from s2s_portal.services import establishments
from tests.shared import GIAS, needs_shared_files

HEADER = [
    "URN",
    "LA (code)",
    "EstablishmentNumber",
    "EstablishmentName",
    "TypeOfEstablishment (code)",
    "EstablishmentStatus (code)",
    "OpenDate",
    "CloseDate",
    "PhaseOfEducation (code)",
    "Easting",
    "HeadLastName",
]
ROW = [
    "900301",
    "926",
    "2033",
    "Caf\xe9 Junior",
    "1",
    "1",
    "01-01-1900",
    "",
    "2",
    "652500",
    "Smith",
]


def write(
    path: Path, *rows: list[str], header: list[str] = HEADER, encoding: str = "cp1252"
) -> Path:
    """A register file with these rows."""
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def changed(**cells: str) -> list[str]:
    """ROW with some cells different, by column name without spaces or brackets."""
    plain = {name.replace(" (code)", ""): name for name in HEADER}
    row = dict(zip(HEADER, ROW, strict=True))
    row.update({plain[name]: value for name, value in cells.items()})
    return list(row.values())


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig"])
def test_adds_what_is_new_in_either_encoding(
    session: Session, tmp_path: Path, encoding: str
) -> None:
    report = establishments.import_file(write(tmp_path / "gias.csv", ROW, encoding=encoding))
    assert report.added == ["900301 Caf\xe9 Junior"]
    school = session.get(Establishment, 900301)
    assert school is not None
    assert (school.name, school.dfe_number, school.open_date) == (
        "Caf\xe9 Junior",
        "926/2033",
        None,
    )


def test_the_same_file_twice_changes_nothing(session: Session, tmp_path: Path) -> None:
    path = write(tmp_path / "gias.csv", ROW, changed(URN="900302"))
    establishments.import_file(path)
    runs = session.scalar(select(func.count()).select_from(ImportRun))
    report = establishments.import_file(path)
    assert (report.added, report.changed, report.closed, report.unchanged) == ([], [], [], 2)
    assert session.scalar(select(func.count()).select_from(ImportRun)) == runs


def test_says_what_changed_and_what_closed_and_keeps_what_is_gone(
    session: Session, tmp_path: Path
) -> None:
    gone, renamed, closed = changed(URN="900303"), changed(URN="900304"), changed(URN="900305")
    establishments.import_file(write(tmp_path / "first.csv", gone, renamed, closed))
    report = establishments.import_file(
        write(
            tmp_path / "second.csv",
            changed(URN="900304", EstablishmentName="New Name"),
            changed(URN="900305", EstablishmentStatus="2", CloseDate="31-08-2019"),
        )
    )
    assert report.changed == ["900304 New Name (name)"]
    assert report.closed == ["900305 Caf\xe9 Junior"]
    assert session.get(Establishment, 900303) is not None
    session.expire_all()
    after = session.get(Establishment, 900305)
    assert after is not None
    assert after.is_closed
    assert str(after.close_date) == "2019-08-31"


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"URN": ""}, "URN is empty"),
        ({"URN": "12x"}, "URN is '12x', not a whole number"),
        ({"EstablishmentName": ""}, "EstablishmentName is empty"),
        ({"OpenDate": "2019-08-31"}, "OpenDate is '2019-08-31', not a date like 31-08-2019"),
        ({"Easting": "99999999999"}, "Easting is '99999999999', not a whole number"),
    ],
)
def test_a_bad_row_is_passed_over_and_named(
    session: Session, tmp_path: Path, cells: dict[str, str], why: str
) -> None:
    report = establishments.import_file(write(tmp_path / "gias.csv", ROW, changed(**cells)))
    assert report.skipped == [f"line 3: {why}"]
    assert len(report.added) == 1


def test_a_urn_that_comes_twice_is_taken_once(session: Session, tmp_path: Path) -> None:
    report = establishments.import_file(write(tmp_path / "gias.csv", ROW, ROW))
    assert report.skipped == ["line 3: URN 900301 comes twice"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no column 'URN'"),
        (b"name,colour\nx,red\n", "no column 'URN'"),
        (b"\x00\x01\x02\xff\xd8 not text at all", "no column 'URN'"),
        (",".join(HEADER).encode() + b"\n", "no establishment in it"),
        (",".join(HEADER).encode() + b'\n900301,"unended', "damaged after line"),
    ],
)
def test_a_wrong_file_is_refused_whole(
    session: Session, tmp_path: Path, content: bytes, why: str
) -> None:
    path = tmp_path / "wrong.csv"
    path.write_bytes(content)
    before = session.scalar(select(func.count()).select_from(Establishment))
    with pytest.raises(Refused, match=why):
        establishments.import_file(path)
    assert session.scalar(select(func.count()).select_from(Establishment)) == before


def test_the_command_refuses_a_wrong_file_in_one_line(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text("name\nx\n")
    result = app.test_cli_runner().invoke(args=["s2s", "import", "establishments", str(path)])
    assert result.exit_code == 1
    assert result.stderr.strip().count("\n") == 0
    assert "no column 'URN'" in result.stderr
    absent = app.test_cli_runner().invoke(args=["s2s", "import", "establishments", "absent.csv"])
    assert absent.exit_code == 1
    assert "absent.csv" in absent.stderr
    assert "Traceback" not in absent.stderr


def test_an_import_is_audited_and_noted(session: Session, tmp_path: Path) -> None:
    establishments.import_file(write(tmp_path / "gias.csv", ROW))
    run = session.scalars(select(ImportRun).order_by(ImportRun.id.desc())).first()
    assert run is not None
    assert (run.file_name, run.added) == ("gias.csv", 1)
    entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.action, entry.entity_key) == ("imported", "gias.csv")


@needs_shared_files
def test_the_real_norfolk_file_comes_in_whole(session: Session) -> None:
    report = establishments.import_file(GIAS)
    assert (report.read, len(report.added), report.skipped) == (82, 82, [])
    nursery = session.get(Establishment, 120767)
    assert nursery is not None
    assert nursery.setting_kind is SettingKind.EARLY_YEARS
    junior = session.get(Establishment, 120795)
    assert junior is not None
    assert junior.why_not_refer(926) is None
    providers = [
        urn
        for urn in (121254, 121256, 121257, 121258, 121260, 121261, 121262, 121264, 121265, 145529)
        if (found := session.get(Establishment, urn)) is not None and found.is_provider
    ]
    assert len(providers) == 10
    assert establishments.import_file(GIAS).unchanged == 82
