"""Reading a Word or Excel file: a sound archive, nothing that runs, nothing fetched from elsewhere.

The archive is measured before anything in it is unpacked, and what is unpacked is counted, so a
small file that would grow beyond all bounds is refused at once.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from io import BytesIO
from urllib.parse import urlsplit
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from lxml import etree

from s2s_portal.uploads.formats import SAVE_AGAIN, Unacceptable
from s2s_portal.uploads.pdf import PROTECTED

MOST_MEMBERS = 2_000
MOST_UNPACKED = 40 * 1024 * 1024  # bytes, all members together
MOST_GROWTH = 200  # times its packed size; plain sheets of numbers stay below 100
SMALL = 1024 * 1024  # bytes: below this growth does no harm
END = b"PK\x05\x06"  # the record that ends an archive, 22 bytes without a comment

BROKEN = f"This file cannot be read: it is damaged or not what its name says. {SAVE_AGAIN}"
ACTIVE = f"This file holds a macro, another file or a link that fetches something. {SAVE_AGAIN}"

MAIN = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
}
RUNS = re.compile(
    r"(^|/)(vbaproject|vbadata|embeddings/|activex/|externallinks/|customui|macrosheets/"
    r"|dialogsheets/|ctrlprops/)",
    re.IGNORECASE,
)
RUNNING_TYPE = re.compile(r"macro|vba|oleobject|activex|externallink|\bcontrol", re.IGNORECASE)
FIELD_THAT_FETCHES = re.compile(r"\b(DDE|DDEAUTO|INCLUDETEXT|INCLUDEPICTURE)\b", re.IGNORECASE)
HYPERLINK = "/hyperlink"
SAFE_LINKS = {"http", "https", "mailto", "tel", ""}
TYPES, RELATIONS = "[Content_Types].xml", ".rels"


def look(content: bytes, extension: str) -> bytes:
    """`content` as it is, if it is a plain document of this `extension`; raises Unacceptable."""
    if content.rfind(END) != len(content) - 22:
        raise Unacceptable(BROKEN)  # something follows the archive
    try:
        with ZipFile(BytesIO(content)) as archive:
            members = _measured(archive)
            _look_into(archive, members, extension)
    except (BadZipFile, zlib.error, etree.XMLSyntaxError, NotImplementedError) as error:
        raise Unacceptable(BROKEN) from error
    except (EOFError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise Unacceptable(BROKEN) from error
    return content


def _measured(archive: ZipFile) -> list[ZipInfo]:
    """The members of the archive, if what it says of itself is sound."""
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(members) > MOST_MEMBERS or len({name.casefold() for name in names}) < len(names):
        raise Unacceptable(BROKEN)
    if min((member.header_offset for member in members), default=1) != 0:
        raise Unacceptable(BROKEN)  # something comes before the archive
    if sum(member.file_size for member in members) > MOST_UNPACKED:
        raise Unacceptable(BROKEN)
    for member in members:
        _check_member(member)
    return members


def _check_member(member: ZipInfo) -> None:
    if member.flag_bits & 0x1:
        raise Unacceptable(PROTECTED)
    if member.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
        raise Unacceptable(BROKEN)
    name = member.filename
    if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or ":" in name:
        raise Unacceptable(BROKEN)
    grows = member.file_size > MOST_GROWTH * max(member.compress_size, 1)
    if member.file_size > SMALL and grows:
        raise Unacceptable(BROKEN)
    if RUNS.search(name):
        raise Unacceptable(ACTIVE)


def _look_into(archive: ZipFile, members: list[ZipInfo], extension: str) -> None:
    names = {member.filename for member in members}
    if TYPES not in names:
        raise Unacceptable(BROKEN)
    for member in members:
        content = archive.read(member)  # checks its length and sum
        if not member.filename.endswith((".xml", RELATIONS, ".vml")):
            continue
        tree = _parsed(content)
        if member.filename == TYPES:
            _check_types(tree, extension, names)
        elif member.filename.endswith(RELATIONS):
            _check_relations(tree)
        else:
            _check_fields(tree)


def _parsed(content: bytes) -> etree._Element:
    """The tree of one part; a document type, with which entities come, is refused."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    if re.search(rb"<!\s*(DOCTYPE|ENTITY)", content.replace(b"\x00", b""), re.IGNORECASE):
        raise Unacceptable(BROKEN)
    return etree.fromstring(content, parser)


def _check_types(tree: etree._Element, extension: str, names: set[str]) -> None:
    kinds = [(part.get("PartName", ""), part.get("ContentType", "")) for part in tree]
    if any(RUNNING_TYPE.search(kind) for _, kind in kinds):
        raise Unacceptable(ACTIVE)
    main = [name.lstrip("/") for name, kind in kinds if kind == MAIN[extension]]
    if len(main) != 1 or main[0] not in names:
        raise Unacceptable(BROKEN)


def _check_relations(tree: etree._Element) -> None:
    for part in tree:
        kind, target = part.get("Type", ""), part.get("Target", "")
        if RUNNING_TYPE.search(kind):
            raise Unacceptable(ACTIVE)
        if part.get("TargetMode", "Internal") == "Internal" and not urlsplit(target).netloc:
            continue
        if not kind.endswith(HYPERLINK) or urlsplit(target).scheme.lower() not in SAFE_LINKS:
            raise Unacceptable(ACTIVE)


def _check_fields(tree: etree._Element) -> None:
    if FIELD_THAT_FETCHES.search("".join(_field_codes(tree))):
        raise Unacceptable(ACTIVE)


def _field_codes(tree: etree._Element) -> Iterator[str]:
    """What the fields of a Word document are told to do: Word may split one into many pieces."""
    for part in tree.iter("{*}instrText", "{*}fldSimple"):
        yield from (text or "" for text in (part.text, *part.attrib.values()))
    for part in tree.iter("{*}ddeLink", "{*}oleLink"):
        yield f" DDE {part.tag} "
