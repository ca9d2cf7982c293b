"""The formal visit record as PDF: accessible, lasting, the same bytes each time, and literal.

No mock: Typst makes each document, `page-validation` judges it against PDF/UA-1 and PDF/A-2a, and
pikepdf and its content streams show what a reader's software would find.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time
from hashlib import sha256
from pathlib import Path
from typing import Any

import page
import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2s_portal.documents.fonts import symbols, text_characters
from s2s_portal.documents.plain_text import paragraphs, printable
from s2s_portal.documents.visit_record import (
    MONTHS,
    AddendumLine,
    RecommendationLine,
    ReplyLine,
    VisitRecordDocument,
    render,
)

ISSUED = datetime(2026, 6, 5, 14, 20, tzinfo=UTC)

MINIMAL = VisitRecordDocument(
    reference="S2S-26-7K4P",
    number=1,
    school_name="Larkfield Primary School",
    practitioner_name="Sam Okafor",
    provider_name="Harbour Complex Needs School",
    kind="Observation",
    visited_on=date(2026, 6, 3),
    started_at=time(9, 30),
    finished_at=time(12, 0),
    people_met="",
    pupil_seen=None,
    observed="",
    discussed="",
    recommendations=(),
    resources_given="",
    next_visit="",
    issued_at=ISSUED,
    issued_by="Sam Okafor",
    about="Kit, Year 3",
)

FULL = replace(
    MINIMAL,
    people_met="SENCo, class teacher",
    pupil_seen=True,
    observed="Kit stayed on the carpet for six minutes.\n\nHe used the sound mat.\nThen he left.",
    discussed="Afternoons are harder than mornings.",
    recommendations=(
        RecommendationLine(1, "Keep the now-and-next board in sight.", "Teacher", None),
        RecommendationLine(2, "Go to lunch before the bell.", "SENCo", date(2026, 6, 19)),
    ),
    resources_given="Six transition cards.",
    next_visit="In four school weeks.",
    addenda=(AddendumLine(1, "It was eight minutes, not six.", "Sam Okafor", ISSUED),),
    acknowledged_by="Priya Nair",
    acknowledged_at=datetime(2026, 6, 8, 7, 5, tzinfo=UTC),
)

SENTENCE = "The group worked with the teaching assistant and finished what it had begun. "
LONGEST = replace(
    FULL,
    observed=(SENTENCE * 700)[:50_000],
    discussed=(SENTENCE * 700)[:50_000],
    recommendations=tuple(
        RecommendationLine(number, SENTENCE * 4 + "w" * 200, "u" * 60, date(2026, 7, 1))
        for number in range(1, 41)
    ),
    addenda=tuple(AddendumLine(number, SENTENCE * 9, "Sam", ISSUED) for number in range(1, 21)),
)

DISPUTED = replace(
    FULL,
    addenda=(AddendumLine(1, "It was eight minutes, not six.", "Sam Okafor", ISSUED, 1),),
    replies=(
        ReplyLine(
            1,
            "What was observed",
            "It was eight minutes.",
            "Priya Nair",
            ISSUED,
            "Priya Nair, for the school,",
            datetime(2026, 6, 10, 9, 0, tzinfo=UTC),
            "Put right in addendum 1.",
        ),
        ReplyLine(2, "Addendum 1", "Nine, in the end.", "Priya Nair", ISSUED),
    ),
)

WELSH = "Roedd y disgybl yn dawel yn y dosbarth; ŵyl, tŷ, âr, môr, ïod, ẁ ẃ ẅ ỳ ŷ ÿ a chŵn."
POLISH = "Zażółć gęślą jaźń. Uczeń siedział spokojnie, później wyszedł: „Źdźbło” — łódź, świeżość."
URDU = "بچہ صبح کے وقت پرسکون تھا، ٹیچر نے گھنٹی سے پہلے راستہ دکھایا۔ ڈرائنگ، ژالہ، ں ے ۓ ہ ھ۔"
LANGUAGES = {"welsh": WELSH, "polish": POLISH, "urdu": URDU}


def in_words(said: str) -> VisitRecordDocument:
    """A record with `said` wherever somebody types."""
    return replace(
        DISPUTED,
        people_met=said,
        observed=f"{said}\n{said}\n\n{said}",
        discussed=said,
        recommendations=(RecommendationLine(1, said, said, None),),
        resources_given=said,
        next_visit=said,
        addenda=(AddendumLine(1, said, said, ISSUED, 1),),
        replies=(ReplyLine(1, "What was observed", said, said, ISSUED, said, ISSUED, said),),
    )


NAMES = replace(
    FULL,
    practitioner_name="Siân Ŵyn-Llŷr",
    issued_by="Łucja Żółkiewska-Święć",
    acknowledged_by="عائشہ چوہدری",
    people_met="Nguyễn Thị Ngọc Ánh, Олена Щербак, Χρύσα, अनन्या",
    about="عائشہ, Year 3",
)

HOSTILE = '#read("/etc/passwd") $x$ [a] *b* _i_ @ref <lab> `raw` // c \\ #{1+1}\n= heading\n- item'
UNPRINTED = "a\x00b\x07c 🎉 中文 \ud800 \ue000 \ufffe \u202eabc\u202c ☑\u0336 ❤\ufe0f \U000e0041"
TYPED = (
    *("reference", "school_name", "practitioner_name", "provider_name", "kind", "people_met"),
    *("observed", "discussed", "resources_given", "next_visit", "about"),
    *("issued_by", "acknowledged_by"),
)
EVERYWHERE: dict[str, Any] = dict.fromkeys(TYPED, HOSTILE + UNPRINTED)
ATTACK = replace(
    FULL,
    **EVERYWHERE,
    recommendations=(RecommendationLine(1, HOSTILE + UNPRINTED, HOSTILE + UNPRINTED, None),),
    addenda=(AddendumLine(1, HOSTILE + UNPRINTED, HOSTILE + UNPRINTED, ISSUED),),
    replies=(ReplyLine(1, "Other", HOSTILE + UNPRINTED, HOSTILE + UNPRINTED, ISSUED),),
)

RECORDS = {
    "minimal": MINIMAL,
    "full": FULL,
    "longest": LONGEST,
    "names": NAMES,
    "attack": ATTACK,
    "disputed": DISPUTED,
    **{name: in_words(said) for name, said in LANGUAGES.items()},
}


def failures(pdf: bytes, profile: str) -> list[str]:
    report = page.validate_pdf_bytes(pdf, profile=profile)
    return [failure.message for failure in report.failures]


def structure(pdf: pikepdf.Pdf) -> list[str]:
    """The kind of each structure element: `H1`, `Table`, `TH` ..."""
    elements = (o for o in pdf.objects if isinstance(o, pikepdf.Dictionary))
    return [str(o.S)[1:] for o in elements if o.get("/Type") == "/StructElem"]


def words(pdf: bytes) -> str:
    """The document's text as a reader would copy it: each glyph by its font's ToUnicode."""
    said: list[str] = []
    with pikepdf.open(io.BytesIO(pdf)) as document:
        for sheet in document.pages:
            maps = {name: to_unicode(font) for name, font in sheet.Resources.Font.items()}
            said.append(shown_on(sheet, maps))
    return "\n".join(said)


def shown_on(sheet: pikepdf.Page, maps: dict[str, dict[bytes, str]]) -> str:
    said, font, actual = "", maps[next(iter(maps))], 0
    for step in pikepdf.parse_content_stream(sheet):
        name, operands = str(step.operator), step.operands
        if name == "Tf":
            font = maps[str(operands[0])]
        elif name == "BDC" and "/ActualText" in getattr(operands[1], "keys", list)():
            said, actual = said + str(operands[1].ActualText), 1
        elif name == "EMC":
            actual = 0
        elif name in ("Td", "Tm", "ET"):
            said += "" if actual else " "
        elif name in ("TJ", "Tj") and not actual:
            parts = operands[0] if name == "TJ" else operands
            said += "".join(decoded(part, font) for part in parts)
    return said


def run_lengths(pdf: bytes, letter: str) -> list[int]:
    """How many of `letter` stand in each line of the document, broken where the lines end."""
    return [piece.count(letter) for piece in words(pdf).split() if letter in piece]


def decoded(part: pikepdf.Object, font: dict[bytes, str]) -> str:
    if not isinstance(part, pikepdf.String):
        return ""
    codes = bytes(part)
    return "".join(font.get(codes[at : at + 2], "") for at in range(0, len(codes), 2))


def to_unicode(font: pikepdf.Object) -> dict[bytes, str]:
    """A font's map from two-byte codes to text (`bfchar` lines alone, as Typst writes them)."""
    found: dict[bytes, str] = {}
    for line in font.ToUnicode.read_bytes().decode("ascii").splitlines():
        parts = line.split()
        if len(parts) == 2 and all(part[0] + part[-1] == "<>" for part in parts):
            code, text = (bytes.fromhex(part[1:-1]) for part in parts)
            found[code] = text.decode("utf-16-be")
    return found


def unspaced(text: str) -> str:
    """`text` without spaces, line ends and break opportunities: a line may end anywhere."""
    return "".join(text.split()).replace("\u200b", "").replace("\u00ad", "")


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    """Every record of `RECORDS`, rendered once."""
    return {name: render(record) for name, record in RECORDS.items()}


@pytest.mark.parametrize("profile", ["ua1", "2a"])
@pytest.mark.parametrize("name", list(RECORDS))
def test_every_record_meets_the_standard(made: dict[str, bytes], name: str, profile: str) -> None:
    assert failures(made[name], profile) == []


@pytest.mark.parametrize("missing", ["/MarkInfo", "/StructTreeRoot", "/Lang", "/ViewerPreferences"])
def test_the_validator_notices_what_is_missing(made: dict[str, bytes], missing: str) -> None:
    spoilt = io.BytesIO()
    with pikepdf.open(io.BytesIO(made["full"])) as pdf:
        del pdf.Root[missing]
        pdf.save(spoilt)
    assert failures(spoilt.getvalue(), "ua1") != []


@pytest.mark.parametrize("name", list(RECORDS))
def test_software_for_blind_readers_finds_its_way(made: dict[str, bytes], name: str) -> None:
    with pikepdf.open(io.BytesIO(made[name])) as pdf:
        assert pdf.Root.MarkInfo.Marked is True
        assert str(pdf.Root.Lang) == "en-GB"
        assert pdf.Root.ViewerPreferences.DisplayDocTitle is True
        kinds = structure(pdf)
        assert kinds.count("H1") == 1
        assert kinds.count("H2") == (9 if RECORDS[name].replies else 8)
        assert kinds.count("H3") == len(RECORDS[name].addenda) + len(RECORDS[name].replies)
        assert kinds.count("TH") == (6 if RECORDS[name].recommendations else 2)
        assert kinds.count("TR") == 9 + (
            1 + len(RECORDS[name].recommendations) if RECORDS[name].recommendations else 0
        )


def test_the_title_names_the_record_and_no_child(made: dict[str, bytes]) -> None:
    with pikepdf.open(io.BytesIO(made["full"])) as pdf, pdf.open_metadata() as metadata:
        assert metadata["dc:title"] == "Visit record S2S-26-7K4P number 1"
        assert "Kit" not in str(metadata)
        assert "Kit" not in str(pdf.docinfo)


def test_it_says_what_was_recorded(made: dict[str, bytes]) -> None:
    said = unspaced(words(made["full"]))
    for phrase in (
        "Issued 5 June 2026 at 3:20pm by Sam Okafor",
        "This record cannot be changed. Corrections are added as numbered addenda.",
        "Larkfield Primary School",
        "Kit, Year 3",
        "3 June 2026",
        "9:30am to midday",
        "Sam Okafor, Harbour Complex Needs School",
        "Pupil seen Yes",
        "Keep the now-and-next board in sight.",
        "No date set",
        "19 June 2026",
        "Addendum 1",
        "It was eight minutes, not six.",
        "Acknowledged for the school by Priya Nair on 8 June 2026 at 8:05am.",
        "Page 1 of 2",
        "Page 2 of 2",
    ):
        assert unspaced(phrase) in said


def test_what_was_left_empty_is_said_to_be_empty(made: dict[str, bytes]) -> None:
    said = unspaced(words(made["minimal"]))
    for phrase in (
        "People met Not recorded",
        "Pupil seen Not part of this visit",
        "No recommendations were made.",
        "None when this copy was made.",
        "The school had not acknowledged this record when this copy was made.",
    ):
        assert unspaced(phrase) in said


def test_the_longest_record_loses_nothing(made: dict[str, bytes]) -> None:
    said = unspaced(words(made["longest"]))
    # Some are parted by a page's header and footer.
    assert said.count(unspaced(SENTENCE)) >= 2 * (50_000 // len(SENTENCE) - 30) + 40 * 4 + 20 * 8
    # Words longer than their column are broken, so each recommendation's are all on the paper.
    assert said.count("w") >= 40 * 200
    assert said.count("u") >= 40 * 60


def test_no_word_runs_into_the_next_column_or_off_the_paper() -> None:
    wide = "w" * 300
    line = RecommendationLine(1, wide, wide, None)
    narrow = render(replace(FULL, observed=wide, people_met=wide, recommendations=(line,)))
    # A run of glyphs is one line in one column; 470 points of text is all that A4 leaves.
    assert max(run_lengths(narrow, "w")) <= 470 / 7
    assert sum(run_lengths(narrow, "w")) >= 4 * 300


def test_markup_in_the_text_is_text(made: dict[str, bytes]) -> None:
    said = unspaced(words(made["attack"]))
    assert said.count(unspaced(HOSTILE)) >= 15
    assert "root:" not in said


def test_a_character_that_no_font_has_is_spelled(made: dict[str, bytes]) -> None:
    said = unspaced(words(made["attack"]))
    for spelled in ("[party popper]", "[U+4E2D, U+6587]", "[U+D800]", "[U+E000]", "[U+FFFE]"):
        assert said.count(unspaced(spelled)) >= 15


def test_names_are_printed_in_their_own_letters(made: dict[str, bytes]) -> None:
    said = words(made["names"])
    for name in ("Siân Ŵyn-Llŷr", "Łucja Żółkiewska-Święć", "Nguyễn Thị Ngọc Ánh", "Щербак"):
        assert unspaced(name) in unspaced(said)
    # Right-to-left words are set from the left on the paper, so their letters come reversed.
    for name in ("عائشہ", "چوہدری"):
        assert name[::-1] in said
    assert "[U+" not in said


@pytest.mark.parametrize("name", list(LANGUAGES))
def test_welsh_polish_and_urdu_are_set_whole_and_spelled_nowhere(
    made: dict[str, bytes], name: str
) -> None:
    """Every letter has a glyph of the text face: nothing is left out, and none is a box."""
    text = LANGUAGES[name]
    assert set(text) - {" "} <= text_characters() | {"\u200c"}
    assert printable(text) == text
    said = words(made[name])
    assert "[" not in said
    assert "\ufffd" not in said
    # Of Urdu each word's letters come from the right, and are counted.
    wanted = unspaced(text)
    for letter in set(wanted) - {"|"}:
        assert said.count(letter) >= wanted.count(letter) * 10, (name, letter)


def test_a_paragraph_from_right_to_left_begins_at_the_right_margin() -> None:
    """Else its full stop would stand before its first word."""
    left = min(starts_of(render(replace(MINIMAL, observed=WELSH)), "Roedd"))
    right = max(starts_of(render(replace(MINIMAL, observed="ہے۔")), "ہے"))
    assert left < 100
    assert right > 450
    # What begins in English stays English, whatever it cites.
    assert min(starts_of(render(replace(MINIMAL, observed="Says ہے۔")), "Says")) < 100


def starts_of(pdf: bytes, word: str) -> list[float]:
    """How far from the left, in points, each run of glyphs begins that has `word` in it."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return [at for sheet in document.pages for at, said in runs(sheet) if word in said]


def runs(sheet: pikepdf.Page) -> Iterator[tuple[float, str]]:
    """Each run of glyphs: where it begins, and what it says both ways round."""
    maps = {name: to_unicode(font) for name, font in sheet.Resources.Font.items()}
    font, at, moved = maps[next(iter(maps))], 0.0, [0.0]
    for step in pikepdf.parse_content_stream(sheet):
        name, operands = str(step.operator), step.operands
        if name in ("q", "Q"):
            moved = [*moved, moved[-1]] if name == "q" else moved[:-1]
        elif name == "cm":
            moved[-1] += float(operands[4])
        elif name == "Tf":
            font = maps[str(operands[0])]
        elif name == "Tm":
            at = float(operands[4])
        elif name == "TJ":
            said = "".join(decoded(part, font) for part in operands[0])
            yield moved[-1] + at, f"{said} {said[::-1]}"


def test_what_the_school_disputes_is_beside_the_record(made: dict[str, bytes]) -> None:
    said = unspaced(words(made["disputed"]))
    for phrase in (
        "The school’s reply",
        "The school disputes what follows. It is attached to the record and changes nothing in it.",
        "Reply 1: What was observed",
        "Written for the school by Priya Nair on 5 June 2026 at 3:20pm",
        "Settled: Priya Nair, for the school, on 10 June 2026 at 10am.",
        "Put right in addendum 1.",
        "in answer to reply 1 of the school",
        "Reply 2: Addendum 1",
        "Not settled when this copy was made.",
    ):
        assert unspaced(phrase) in said, phrase
    assert unspaced("Kit stayed on the carpet for six minutes.") in said
    assert unspaced("The school’s reply") not in unspaced(words(made["full"]))


def test_the_same_record_is_the_same_bytes(made: dict[str, bytes]) -> None:
    assert [render(record) == made[name] for name, record in RECORDS.items()] == [True] * 9
    assert render(replace(FULL, observed="Something else.")) != made["full"]


def in_another_process(program: str) -> str:
    """What `program` prints, run with the names of this module, in another zone and locale."""
    done = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import *\n{program}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
        env={"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7"},
    )
    return done.stdout.strip()


def test_another_process_makes_the_same_bytes(made: dict[str, bytes]) -> None:
    digest = in_another_process("print(sha256(render(NAMES)).hexdigest())")
    assert digest == sha256(made["names"]).hexdigest()


def test_a_host_in_another_language_makes_the_same_bytes(made: dict[str, bytes]) -> None:
    """A month is English in the record, whatever the host's locale calls it."""
    # No other locale may be installed here, so the day of a host that has one is stood in for.
    spoken = "class Day(date):\n    def __format__(self, _): return 'czerwca'\n"
    digest = in_another_process(
        spoken + "print(sha256(render(replace(MINIMAL, visited_on=Day(2026, 6, 3)))).hexdigest())"
    )
    assert digest == sha256(made["minimal"]).hexdigest()
    assert [date(2026, month, 1).strftime("%B") for month in range(1, 13)] == list(MONTHS)


RENDER_AND_FORK = """
import os
render(MINIMAL)
child = os.fork()
if child == 0:
    try:
        render(MINIMAL)
    except RuntimeError as refused:
        print(refused, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


def test_a_process_forked_too_late_is_told_so_and_does_not_hang() -> None:
    assert in_another_process(RENDER_AND_FORK).startswith("Fork the workers before")


def test_threads_may_render_at_once(made: dict[str, bytes]) -> None:
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(render, [MINIMAL, FULL, NAMES, ATTACK] * 5))
    assert again == [made[name] for name in ("minimal", "full", "names", "attack")] * 5


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        render(replace(MINIMAL, issued_at=datetime(2026, 6, 5, 14, 20)))  # noqa: DTZ001


def test_every_character_said_to_be_printable_is() -> None:
    """Typst refuses a document with a glyph missing: in regular, in bold, and in a row."""
    every = "".join(sorted(text_characters() | symbols()))
    # Spelled are only the two enclosing marks that the symbol face has and the text face lacks.
    assert re.findall(r"\[(U\+.*?)\]", printable(" ".join(every))) == ["U+20E2", "U+20E3"]
    pdf = render(replace(MINIMAL, observed=" ".join(every), discussed=every, issued_by=every))
    assert failures(pdf, "ua1") == []


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.text(alphabet="\u0301\u093f☑é\u200dہa \u20e3\u0e48", max_size=12))
def test_no_text_can_stop_a_record(anything: str, marks: str) -> None:
    assert render(replace(MINIMAL, observed=anything + marks, issued_by=marks))[:5] == b"%PDF-"


def test_free_text_keeps_its_paragraphs_and_lines() -> None:
    assert paragraphs("one\r\ntwo\n \n\nthree\u2028four\n") == [["one", "two"], ["three", "four"]]
    assert paragraphs(" \n\x00\n ") == []


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Zoe\u0308", "Zoë"),
        ("a\tb", "a b"),
        ("a\u3000b", "a b"),
        ("\u202etxt.exe", "txt.exe"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("✓ ☑ ★", "✓ ☑ ★"),
        ("🎉🎉 ✅", "[party popper, party popper] [white heavy check mark]"),
        ("王", "[U+738B]"),
        ("☑\u0336", "☑[U+0336]"),
        ("][", "]["),
    ],
)
def test_printable(typed: str, shown: str) -> None:
    assert printable(typed) == shown
