"""School days, and the file that terms are read from: all of it or nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import SYSTEM
from s2s_portal.models.calendar import DateKind, TermDate
from s2s_portal.services import calendar, term_file
from tests.client import Client
from tests.world import OTHER_SCHOOL, SCHOOL

HEAD = "academic_year,kind,starts,ends,urn,source\n"
YEAR = (
    "2020/21,TERM,2020-09-02,2020-12-18,,Council\n"
    "2020/21,HALF_TERM,2020-10-26,2020-10-30,,Council\n"
    "2020/21,TERM,04/01/2021,01/04/2021,,Council\n"
)


def read(folder: Path, text: str, *, name: str = "terms.csv", encoding: str = "utf-8") -> list[str]:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    with unit_of_work() as work:
        return term_file.import_file(work, path, by=SYSTEM)


def known(session: Session) -> int:
    session.commit()
    return session.scalar(select(func.count()).select_from(TermDate)) or 0


@pytest.mark.parametrize(
    ("received", "days", "due"),
    [
        (date(2019, 10, 16), 5, date(2019, 10, 30)),  # over the half-term 21-25 October
        (date(2019, 7, 18), 5, date(2019, 9, 9)),  # over the summer
        (date(2019, 7, 18), 1, date(2019, 7, 19)),
        (date(2019, 7, 18), 0, date(2019, 7, 18)),
        (date(2019, 12, 17), 2, date(2020, 1, 6)),  # over Christmas
        (date(2020, 5, 7), 1, date(2020, 5, 11)),  # over Friday 8 May, a bank holiday
    ],
)
def test_adding_school_days(session: Session, received: date, days: int, due: date) -> None:
    assert calendar.add_school_days(received, days) == due
    assert calendar.of().add_school_days(received, days) == due


@pytest.mark.parametrize(
    ("day", "is_one"),
    [
        (date(2019, 10, 18), True),
        (date(2019, 10, 19), False),  # Saturday
        (date(2019, 10, 21), False),  # half-term
        (date(2019, 8, 14), False),  # summer, of the school year to come
        (date(2020, 5, 8), False),  # bank holiday in term
        (date(2020, 5, 25), False),
        (date(2031, 8, 14), True),  # a school year of which nothing is known
        (date(2031, 8, 16), False),
    ],
)
def test_what_is_a_school_day(session: Session, day: date, is_one: bool) -> None:
    assert calendar.is_school_day(day) is is_one
    assert calendar.is_school_day(day, SCHOOL) is is_one


def test_no_way_back(session: Session) -> None:
    with pytest.raises(ValueError, match="ahead"):
        calendar.of().add_school_days(date(2019, 10, 16), -1)


def test_a_school_s_own_dates_of_a_kind_take_the_county_s_place(
    session: Session, tmp_path: Path
) -> None:
    own = (
        f"2019/20,HALF_TERM,2019-10-14,2019-10-18,{SCHOOL},Governors\n"
        f"2019/20,INSET,2019-11-04,,{SCHOOL},Governors\n"
    )
    assert read(tmp_path, HEAD + own) == [f"2019/20, school {SCHOOL}: 2 rows in place of 0"]
    mine, theirs, county = calendar.of(SCHOOL), calendar.of(OTHER_SCHOOL), calendar.of()
    for day, expected in (
        (date(2019, 10, 15), (False, True, True)),
        (date(2019, 10, 22), (True, False, False)),
        (date(2019, 11, 4), (False, True, True)),
        (date(2019, 12, 30), (False, False, False)),
    ):
        assert (
            mine.is_school_day(day),
            theirs.is_school_day(day),
            county.is_school_day(day),
        ) == expected, day
    several = calendar.of_several([SCHOOL, OTHER_SCHOOL])
    assert not several[SCHOOL].is_school_day(date(2019, 11, 4))
    assert several[OTHER_SCHOOL].is_school_day(date(2019, 11, 4))


def test_a_file_read_twice_changes_nothing_and_a_new_one_replaces_its_year(
    session: Session, tmp_path: Path
) -> None:
    before = known(session)
    assert read(tmp_path, HEAD + YEAR) == ["2020/21, the county: 3 rows in place of 0"]
    assert read(tmp_path, HEAD + YEAR) == ["2020/21, the county: 3 rows, nothing changed"]
    assert known(session) == before + 3
    one = "2020/21,TERM,2020-09-03,2020-12-18,,Council\n"
    assert read(tmp_path, HEAD + one) == ["2020/21, the county: 1 rows in place of 3"]
    assert known(session) == before + 1
    assert not calendar.is_school_day(date(2020, 9, 2))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_windows_and_unix_files(session: Session, tmp_path: Path, encoding: str) -> None:
    text = (HEAD + YEAR + ",,,,,\n\n").replace("\n", "\r\n")
    assert read(tmp_path, text, encoding=encoding) == ["2020/21, the county: 3 rows in place of 0"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("2020/21,HOLIDAY,2020-09-02,2020-12-18,,", "line 3: kind must be one of TERM"),
        ("2020/21,TERM,2 Sept,2020-12-18,,", "line 3: starts must be a date like"),
        ("2020/21,TERM,2020-02-30,2020-12-18,,", "line 3: starts must be a date like"),
        ("2020/21,TERM,2020-12-18,2020-09-02,,", "line 3: it ends on 2020-09-02, before"),
        ("2020/21,TERM,2020-09-02,2021-03-18,,", "line 3: .* is longer than 120 days"),
        ("2020/21,TERM,2019-09-02,2019-12-18,,", "line 3: .* is not in the school year 2020/21"),
        ("2020/21,INSET,2021-07-30,2021-08-02,,", "line 3: .* is not in the school year"),
        ("next,TERM,2020-09-02,2020-12-18,,", "line 3: academic_year must be like"),
        ("²,TERM,2020-09-02,2020-12-18,,", "line 3: academic_year must be like"),
        ("2020/21,INSET,2020-09-02,,12x,", "line 3: urn must be a number"),
        ("2020/21,INSET,2020-09-02,,999999,", "urn 999999 is not in the register"),
        ("2020/21,TERM,2020-12-01,2020-12-19,,", "TERM of the county: .* overlaps"),
        ("2020/21", "line 3: kind must be one of"),
        ("2020/21,TERM,2020-09-02,2020-12-18,,x,y,z", "TERM of the county: .* overlaps"),
    ],
)
def test_one_wrong_row_and_nothing_is_read(
    session: Session, tmp_path: Path, row: str, says: str
) -> None:
    before = known(session)
    good = "2020/21,TERM,2020-09-02,2020-12-18,,\n"
    with pytest.raises(Refused, match=says) as caught:
        read(tmp_path, f"{HEAD}{good}{row}\n")
    assert str(caught.value).startswith("Nothing has been changed.")
    assert known(session) == before


def test_every_wrong_row_is_named(session: Session, tmp_path: Path) -> None:
    rows = "".join(f"2020/21,BAD{n},2020-09-02,2020-09-03,,\n" for n in range(30))
    with pytest.raises(term_file.WrongRows) as caught:
        read(tmp_path, HEAD + rows)
    assert len(caught.value.problems) == 30
    assert "line 2:" in str(caught.value)
    assert "and 10 more" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has no column academic_year, kind, starts, ends"),
        (HEAD.encode(), "has no rows"),
        (b"name,age\na,1\n", "has no column"),
        (b"\xff\xfe\x00\x01", "is not text in UTF-8"),
        (b"\x89PNG\r\n\x1a\n", "is not text in UTF-8"),
        (b"x" * 2_000_001, "larger than 2,000,000 bytes"),
    ],
)
def test_a_file_that_is_none(session: Session, tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "wrong.csv"
    path.write_bytes(content)
    with pytest.raises(Refused, match=says), unit_of_work() as work:
        term_file.import_file(work, path, by=SYSTEM)


def test_the_command(app: Flask, session: Session, tmp_path: Path) -> None:
    path = tmp_path / "terms.csv"

    def run(text: str) -> Result:
        path.write_text(text, encoding="utf-8")
        return app.test_cli_runner().invoke(args=["s2s", "import", "terms", str(path)])

    done = run(HEAD + YEAR)
    assert (done.exit_code, done.output) == (0, "2020/21, the county: 3 rows in place of 0\n")
    wrong = run(HEAD + "2020/21,NO,2020-09-02,,,\n")
    assert wrong.exit_code == 1
    assert wrong.stderr.count("\n") == 1
    assert "line 2: kind must be one of" in wrong.stderr


def test_the_administrator_sees_the_terms(client: Client, session: Session, tmp_path: Path) -> None:
    read(tmp_path, f"{HEAD}2019/20,INSET,2019-11-04,,{SCHOOL},Governors\n")
    page = client.sign_on("administrator").get("administration.school_terms")
    captions = page.all("//caption")
    assert captions[0] == "2019/20: The county"
    assert captions[1].startswith("2019/20: ")
    assert captions[2] == "2018/19: The county"
    assert "Staff training day" in page.words
    assert session.scalar(select(func.count()).where(TermDate.kind == DateKind.INSET)) == 1
