"""Files that are not what they say, or hurt whoever reads them: none is taken, each soon.

The corpus of quality.md A8, and rows 10 and 31 to 35 of its table of attacks.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from io import BytesIO

import pikepdf
import pytest
from PIL import Image

from s2s_portal.uploads import Unacceptable, check, download_name, reader
from s2s_portal.uploads.formats import FORMATS
from tests.files import made

checking = sys.modules["s2s_portal.uploads.check"]  # its name in the package is the function's
LARGEST = 10 * made.MEGABYTE
SOON = 5.0  # seconds: two cores that run other tests too; `make bench` is for timings

EICAR_LIKE = b"MZ\x90\x00" + bytes(200)
JS = {"/S": pikepdf.Name.JavaScript, "/JS": "app.alert(1)"}
LAUNCH = {"/S": pikepdf.Name.Launch, "/F": "cmd.exe"}
SUBMIT = {"/S": pikepdf.Name.SubmitForm, "/F": "https://elsewhere.example"}
OLE = "oleObject"

Bad = tuple[str, bytes | Callable[[], bytes]]
BAD: dict[str, Bad] = {
    # What the content is
    "empty": ("plan.pdf", b""),
    "too large": ("plan.pdf", b"%PDF-" + bytes(LARGEST)),
    "a program as PDF": ("plan.pdf", EICAR_LIKE),
    "a page as PDF": ("plan.pdf", made.HTML),
    "a page as picture": ("plan.jpg", made.HTML),
    "a page in UTF-7": ("plan.pdf", b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-"),
    "SVG as PNG": ("plan.png", b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>"),
    "PNG as JPG": ("plan.jpg", lambda: made.picture("PNG")),
    "GIF as PNG": ("plan.png", b"GIF89a" + bytes(100)),
    "PDF as Word": ("plan.docx", made.pdf),
    "Excel as Word": ("plan.docx", made.xlsx),
    "Word as Excel": ("plan.xlsx", made.docx),
    "old Word as Word": ("plan.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
    "any archive as Word": ("plan.docx", lambda: made.docx(main="text/plain")),
    # Not whole
    "PDF cut off": ("plan.pdf", lambda: made.pdf()[:-40]),
    "PDF with its middle gone": ("plan.pdf", lambda: made.pdf()[:60] + made.pdf()[-60:]),
    "Word cut off": ("plan.docx", lambda: made.docx()[:-30]),
    "JPG cut off": ("plan.jpg", lambda: made.picture(size=(900, 900))[:-200]),
    "PNG cut off": ("plan.png", lambda: made.picture("PNG", (900, 900))[:-80]),
    "only a beginning": ("plan.pdf", b"%PDF-1.7\n%%EOF"),
    # Two things at once
    "page before PDF": ("plan.pdf", lambda: made.HTML + made.pdf()),
    "page after PDF": ("plan.pdf", lambda: made.pdf() + made.HTML),
    "page within PDF": ("plan.pdf", lambda: b"%PDF-1.4\n%" + made.HTML + b"\n" + made.pdf()),
    "archive after PDF": ("plan.pdf", lambda: made.pdf() + made.docx()),
    "page before Word": ("plan.docx", lambda: made.HTML + made.docx()),
    "page after Word": ("plan.docx", lambda: made.docx() + made.HTML),
    "archive before archive": ("plan.docx", lambda: made.docx(body="") + made.docx()),
    # What acts
    "PDF with a script": ("plan.pdf", lambda: made.acting_pdf(JS)),
    "PDF with a script in a button": ("plan.pdf", made.pdf_with_a_button),
    "PDF that starts a program": ("plan.pdf", lambda: made.acting_pdf(LAUNCH)),
    "PDF that sends itself": ("plan.pdf", lambda: made.acting_pdf(SUBMIT)),
    "PDF with a file in it": ("plan.pdf", made.pdf_with_a_file),
    "PDF with an XFA form": ("plan.pdf", made.pdf_with_a_form),
    "PDF with a password": (
        "plan.pdf",
        lambda: made.pdf(encryption=pikepdf.Encryption(owner="a", user="b")),
    ),
    "docm as docx": (
        "plan.docx",
        lambda: made.docx(main="application/vnd.ms-word.document.macroEnabled.main+xml"),
    ),
    "Word with macros": ("plan.docx", lambda: made.docx(extra=(("word/vbaProject.bin", b"x"),))),
    "Word with macros elsewhere": (
        "plan.docx",
        lambda: made.docx(
            types='<Override PartName="/word/x.bin"'
            ' ContentType="application/vnd.ms-office.vbaProject"/>'
        ),
    ),
    "Word with a file in it": (
        "plan.docx",
        lambda: made.docx(extra=(("word/embeddings/oleObject1.bin", b"x"),)),
    ),
    "Word with a control": (
        "plan.docx",
        lambda: made.docx(extra=(("word/activeX/activeX1.xml", b"<a/>"),)),
    ),
    "Word with a template elsewhere": (
        "plan.docx",
        lambda: made.docx(relations=made.elsewhere("attachedTemplate", "https://x.example/t")),
    ),
    "Word with a picture elsewhere": (
        "plan.docx",
        lambda: made.docx(relations=made.elsewhere("image", "//x.example/p.png")),
    ),
    "Word with an object elsewhere": (
        "plan.docx",
        lambda: made.docx(relations=made.elsewhere(OLE, "https://x.example/x")),
    ),
    "Word with a link that runs": (
        "plan.docx",
        lambda: made.docx(relations=made.elsewhere("hyperlink", "ms-msdt:/id")),
    ),
    "Word with a field that runs": (
        "plan.docx",
        lambda: made.docx(body="<w:instrText>DD</w:instrText><w:instrText>E cmd</w:instrText>"),
    ),
    # What grows
    "archive that grows": ("plan.docx", made.zip_bomb),
    "archive that grows slowly": ("plan.docx", made.slow_zip_bomb),
    "archive with too many parts": ("plan.docx", made.many_members),
    "archive that lies about a size": ("plan.docx", made.lying_zip),
    "entities that grow": ("plan.docx", made.entity_bomb),
    "entities in another encoding": ("plan.docx", made.entity_bomb_in_utf_16),
    "an entity from elsewhere": ("plan.docx", made.external_entity),
    "picture that grows": ("plan.png", made.picture_bomb),
    "PDF that grows": ("plan.pdf", made.pdf_bomb),
    # What the archive does
    "archive with a password": ("plan.docx", made.locked_zip),
    "archive that climbs": ("plan.docx", lambda: made.docx(extra=(("../../x.xml", b"<a/>"),))),
    "archive from the root": ("plan.docx", lambda: made.docx(extra=(("/etc/x", b""),))),
    "archive with one name twice": (
        "plan.docx",
        lambda: made.docx(extra=(("WORD/document.xml", b"<a/>"),)),
    ),
    # What it is called
    "no ending": ("plan", made.pdf),
    "only an ending": (".pdf", made.pdf),
    "no name": ("", made.pdf),
    "another ending": ("plan.exe", made.pdf),
    "an ending like ours": ("plan.pdf ", made.pdf),
    "two endings": ("plan.pdf.exe", made.pdf),
    "two endings the other way": ("plan.exe.pdf", made.pdf),
    "a page's ending in it": ("plan.html.jpg", made.picture),
    "a path": ("../../etc/passwd.pdf", made.pdf),
    "a path of Windows": ("..\\..\\plan.pdf", made.pdf),
    "a NUL": ("plan.exe\x00.pdf", made.pdf),
    "a line's end": ("plan.pdf\r\nX-Evil: 1.pdf", made.pdf),
    "turned round": ("plan\u202efdp.exe.pdf", made.pdf),
    "a device": ("con.pdf", made.pdf),
    "300 letters": ("x" * 296 + ".pdf", made.pdf),
}

GOOD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "PDF": ("plan.pdf", made.pdf),
    "PDF in capitals": ("Cynllun Łukasza 😀 v1.2.PDF", made.pdf),
    "PDF with a link to a page": (
        "plan.pdf",
        lambda: made.acting_pdf({"/S": pikepdf.Name.GoTo, "/D": pikepdf.Array([0])}),
    ),
    "PDF with packed objects": (
        "plan.pdf",
        lambda: made.pdf(object_stream_mode=pikepdf.ObjectStreamMode.generate),
    ),
    "Word": ("plan.docx", made.docx),
    "Word with a link": (
        "plan.docx",
        lambda: made.docx(relations=made.elsewhere("hyperlink", "https://www.example/help")),
    ),
    "Excel": ("plan.xlsx", made.xlsx),
    "JPG": ("plan.jpg", made.picture),
    "JPEG": ("plan.jpeg", made.picture),
    "PNG": ("plan.png", lambda: made.picture("PNG")),
}


# What is said of each.
SAID = {
    "is empty": "empty",
    "10 MB or smaller": "too large",
    "whatever its name says": "a program as PDF, a page as PDF, a page as picture, a page in UTF-7,"
    " SVG as PNG, PNG as JPG, GIF as PNG, PDF as Word, old Word as Word, page before PDF,"
    " page before Word",
    "damaged or not": "Excel as Word, Word as Excel, any archive as Word, PDF cut off,"
    " PDF with its middle gone, Word cut off, JPG cut off, PNG cut off, only a beginning,"
    " page after PDF, page within PDF, archive after PDF, page after Word, archive before archive,"
    " archive that grows, archive that grows slowly, archive with too many parts,"
    " archive that lies about a size,"
    " entities that grow, entities in another encoding, an entity from elsewhere,"
    " archive that climbs, archive from the root, archive with one name twice",
    "cannot be read": "PDF that grows",
    "too many pixels": "picture that grows",
    "password": "PDF with a password, archive with a password",
    "holds a script": "PDF with a script, PDF with a script in a button,"
    " PDF that starts a program, PDF that sends itself, PDF with a file in it,"
    " PDF with an XFA form",
    "holds a macro": "docm as docx, Word with macros, Word with macros elsewhere,"
    " Word with a file in it, Word with a control, Word with a template elsewhere,"
    " Word with a picture elsewhere, Word with an object elsewhere, Word with a link that runs,"
    " Word with a field that runs",
    "Choose a PDF": "no ending, only an ending, no name, another ending, an ending like ours,"
    " two endings",
    "two endings": "two endings the other way, a page's ending in it",
    "cannot be used": "a path, a path of Windows, a NUL, a line's end, turned round, a device,"
    " 300 letters",
}
WORDS = {case: words for words, cases in SAID.items() for case in cases.split(", ")}
GROWS = {"PDF that grows", "picture that grows", "archive that grows", "entities that grow"}
IN_A_PROCESS = {*GROWS, "PDF cut off", "Word with macros", "JPG cut off"}


def content_of(bad: bytes | Callable[[], bytes]) -> bytes:
    """The bytes, made now if need be."""
    return bad if isinstance(bad, bytes) else bad()


def test_it_is_known_what_is_said_of_each() -> None:
    assert WORDS.keys() == BAD.keys()
    assert GROWS < IN_A_PROCESS < BAD.keys()


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, bad = BAD[case]
    content = content_of(bad)
    if case not in IN_A_PROCESS:  # the same reader, without the time a process takes to start
        monkeypatch.setattr(checking, "_read", lambda kind, sent: reader.look(sent, kind))
    began = time.monotonic()
    with pytest.raises(Unacceptable, match=WORDS[case]):
        check(name, content, largest=LARGEST)
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("case", GOOD)
def test_a_good_file_is_taken(case: str) -> None:
    name, make = GOOD[case]
    sent = make()
    taken = check(name, sent, largest=LARGEST)
    assert taken.content.startswith(FORMATS[taken.extension].begins)
    if taken.extension not in {"jpg", "png"}:
        assert taken.content == sent


def test_what_is_drawn_anew_is_the_same_each_time() -> None:
    sent = made.picture()
    first, second = (check("plan.jpg", sent, largest=LARGEST) for _ in range(2))
    assert first == second


def test_a_picture_loses_where_it_was_taken_and_what_follows_it() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Phone of Zosia"
    exif.get_ifd(0x8825)[2] = (52.0, 37.0, 0.0)
    exif[0x0112] = 6  # on its side
    sent = made.picture(size=(64, 48), exif=exif) + made.HTML
    kept = check("plan.jpg", sent, largest=LARGEST).content
    drawn = Image.open(BytesIO(kept))
    assert (b"Zosia" in sent, b"Zosia" in kept, b"script" in kept) == (True, False, False)
    assert (dict(drawn.getexif()), drawn.size) == ({}, (48, 64))


def test_a_reader_that_dies_is_a_refusal() -> None:
    with pytest.raises(Unacceptable, match="cannot be read"):
        checking._read("no such kind", b"x")


def test_the_reader_knows_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret@nowhere/")
    assert "DATABASE_URL" not in checking._environment()


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Playground", "S2S-19-3334 Report - Playground.pdf"),
        ("a/b\\c:d\r\ne\u202e", "S2S-19-3334 Report - a b c de.pdf"),
        ("..", "S2S-19-3334 Report - file.pdf"),
        ("x" * 300, f"S2S-19-3334 Report - {'x' * 80}.pdf"),
        ("Łukasz 😀", "S2S-19-3334 Report - Łukasz 😀.pdf"),
    ],
)
def test_a_file_leaves_under_a_name_that_can_be_saved(label: str, name: str) -> None:
    assert download_name("S2S-19-3334", "Report", label, "pdf") == name
