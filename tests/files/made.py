"""Files for tests, good and bad, made here byte by byte: none is anybody's."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import cache
from io import BytesIO
from random import Random
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pikepdf
from openpyxl import Workbook
from PIL import Image

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
MEGABYTE = 1024 * 1024
HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"


def pdf(change: Callable[[pikepdf.Pdf], None] = lambda _: None, **options: object) -> bytes:
    """A PDF of one page, after `change`."""
    made = pikepdf.new()
    made.add_blank_page()
    change(made)
    out = BytesIO()
    made.save(out, static_id=True, **options)  # type: ignore[arg-type]
    return out.getvalue()


def acting_pdf(action: dict[str, object]) -> bytes:
    """A PDF that does something when it is opened."""

    def change(made: pikepdf.Pdf) -> None:
        made.Root.OpenAction = pikepdf.Dictionary(action)  # type: ignore[arg-type]

    return pdf(change)


def pdf_with_a_file() -> bytes:
    """A PDF with another file in it."""

    def change(made: pikepdf.Pdf) -> None:
        made.attachments["inner.exe"] = b"MZ"

    return pdf(change)


def pdf_with_a_form() -> bytes:
    """A PDF with an XFA form, which has a language of its own."""

    def change(made: pikepdf.Pdf) -> None:
        made.Root.AcroForm = pikepdf.Dictionary(XFA=made.make_stream(b"<xdp/>"), Fields=[])

    return pdf(change)


def pdf_with_a_button() -> bytes:
    """A PDF whose page has a script deep within an annotation."""

    def change(made: pikepdf.Pdf) -> None:
        act = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")
        button = pikepdf.Dictionary(Subtype=pikepdf.Name.Widget, AA=pikepdf.Dictionary(D=act))
        made.pages[0].Annots = pikepdf.Array([button])

    return pdf(change)


def pdf_bomb() -> bytes:
    """A small PDF whose list of objects unpacks to 2 GB: reading it at all would take that much."""
    some, times = b"0 " * (2 * MEGABYTE), 512
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = squeezed.compress(some) + squeezed.flush(zlib.Z_FULL_FLUSH)
    packed = b"\x78\xda" + block * times + b"\x03\x00" + struct.pack(">L", 1)
    head = b"%PDF-1.5\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    start = len(head)
    stream = (
        b"3 0 obj<</Type/XRef/Size 4/W[1 4 1]/Root 1 0 R/Filter/FlateDecode/Length %d>>stream\n"
        % len(packed)
    )
    return head + stream + packed + b"\nendstream endobj\nstartxref\n%d\n%%%%EOF\n" % start


@cache
def docx(
    *,
    main: str = f"{WORD}.document.main+xml",
    body: str = "<w:p><w:r><w:t>Plan</w:t></w:r></w:p>",
    relations: str = "",
    extra: tuple[tuple[str, bytes], ...] = (),
    doctype: str = "",
    types: str = "",
) -> bytes:
    """A Word document, or what pretends to be one."""
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<?xml version="1.0"?><Types xmlns="{PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{main}"/>{types}</Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1"'
            f' Type="{RELATION}/officeDocument" Target="word/document.xml"/></Relationships>',
        )
        archive.writestr(
            "word/_rels/document.xml.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships">{relations}</Relationships>',
        )
        archive.writestr(
            "word/document.xml",
            f'<?xml version="1.0"?>{doctype}<w:document xmlns:w="urn:w"><w:body>{body}</w:body>'
            "</w:document>",
        )
        for name, content in extra:
            archive.writestr(name, content)
    return out.getvalue()


def elsewhere(kind: str, target: str) -> str:
    """A relation to something outside the document."""
    return (
        f'<Relationship Id="x" Type="{RELATION}/{kind}" Target="{target}" TargetMode="External"/>'
    )


def xlsx() -> bytes:
    """A workbook with one sheet."""
    out = BytesIO()
    Workbook().save(out)
    return out.getvalue()


def entity_bomb() -> bytes:
    """A Word document that grows a billion-fold when its entities are written out."""
    lines = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    return docx(doctype=f'<!DOCTYPE d [<!ENTITY a0 "ha">{lines}]>', body="<w:t>&a9;</w:t>")


def entity_bomb_in_utf_16() -> bytes:
    """The same in another encoding, where a search for plain letters finds nothing."""
    text = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE d [<!ENTITY a "b">]><d>&a;</d>'
    return docx(extra=(("word/footer.xml", text.encode("utf-16")),))


def external_entity() -> bytes:
    """A Word document that would read a file of ours."""
    return docx(
        doctype='<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>', body="<w:t>&x;</w:t>"
    )


def zip_bomb() -> bytes:
    """A Word document of 50 KB that unpacks to 50 MB, as far as deflating goes."""
    return docx(extra=(("word/media/1.xml", bytes(50 * MEGABYTE)),))


def slow_zip_bomb() -> bytes:
    """A Word document of some 500 KB that unpacks to 46 MB: a hundredfold, as a sheet might."""
    some = bytes(Random(1).randbytes(20_000))  # not to be squeezed within itself
    return docx(extra=(("word/media/1.png", some * 2_300),))


def many_members() -> bytes:
    """A Word document with 4,000 parts."""
    return docx(extra=tuple((f"word/media/{n}.png", b"") for n in range(4_000)))


def lying_zip() -> bytes:
    """A Word document with a part that is larger than it says: 30 MB in the place of 9 bytes."""
    made = docx(extra=(("word/media/1.png", bytes(30 * MEGABYTE)),))
    return made.replace(struct.pack("<L", 30 * MEGABYTE), struct.pack("<L", 9))


def locked_zip() -> bytes:
    """A Word document with a part that says it is encrypted."""
    out = BytesIO(docx())
    with ZipFile(out, "a") as archive:
        archive.writestr(ZipInfo("word/locked.xml"), b"<a/>")
    made = bytearray(out.getvalue())
    flags = made.rindex(b"PK\x01\x02") + 8
    made[flags] |= 1
    return bytes(made)


def picture(kind: str = "JPEG", size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    """A picture of one colour."""
    out = BytesIO()
    Image.new("RGB", size, (20, 90, 120)).save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def picture_bomb() -> bytes:
    """A PNG of some kilobytes that says it is 60,000 by 60,000 pixels."""
    made = bytearray(picture("PNG"))
    made[16:24] = struct.pack(">LL", 60_000, 60_000)
    made[29:33] = struct.pack(">L", zlib.crc32(bytes(made[12:29])))
    return bytes(made)
