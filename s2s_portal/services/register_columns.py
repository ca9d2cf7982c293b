"""Rows of the register file, read by column name into the columns of `Establishment`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from s2s_portal.errors import Refused

# Without these a file is not the register at all; every other column may be absent.
NEEDED = (
    "URN",
    "LA (code)",
    "EstablishmentName",
    "TypeOfEstablishment (code)",
    "EstablishmentStatus (code)",
)
FILLER_DATE = date(1900, 1, 1)  # the register's "not known"
SMALLINT, INTEGER = 32_767, 2_147_483_647  # the largest number of a column

Reader = Callable[[str, str], Any]


class BadRow(Exception):
    """A row that cannot be taken in, and why."""


def _words(text: str, _name: str) -> str:
    return text


def _number(largest: int) -> Reader:
    def read(text: str, name: str) -> int | None:
        if not text:
            return None
        if not (text.isascii() and text.isdigit()) or int(text) > largest:
            raise BadRow(f"{name} is {text!r}, not a whole number")
        return int(text)

    return read


def _date(text: str, name: str) -> date | None:
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%d-%m-%Y").date()  # noqa: DTZ007  (a day has no zone)
    except ValueError as error:
        raise BadRow(f"{name} is {text!r}, not a date like 31-08-2019") from error
    return None if day == FILLER_DATE else day


_small, _whole = _number(SMALLINT), _number(INTEGER)

# Column of ours -> name in the file, and how its text is read.
COLUMNS: dict[str, tuple[str, Reader]] = {
    "urn": ("URN", _whole),
    "local_authority": ("LA (code)", _small),
    "establishment_number": ("EstablishmentNumber", _small),
    "name": ("EstablishmentName", _words),
    "type_code": ("TypeOfEstablishment (code)", _small),
    "type_name": ("TypeOfEstablishment (name)", _words),
    "status_code": ("EstablishmentStatus (code)", _small),
    "phase_code": ("PhaseOfEducation (code)", _small),
    "phase_name": ("PhaseOfEducation (name)", _words),
    "low_age": ("StatutoryLowAge", _small),
    "high_age": ("StatutoryHighAge", _small),
    "open_date": ("OpenDate", _date),
    "close_date": ("CloseDate", _date),
    "street": ("Street", _words),
    "town": ("Town", _words),
    "postcode": ("Postcode", _words),
    "district": ("DistrictAdministrative (name)", _words),
    "pupils": ("NumberOfPupils", _whole),
    "trust_uid": ("Trusts (code)", _whole),
    "trust_name": ("Trusts (name)", _words),
    "easting": ("Easting", _whole),
    "northing": ("Northing", _whole),
}


class Columns:
    """Where each column stands in one file. Raises Refused when the file is not the register."""

    def __init__(self, header: list[str]) -> None:
        missing = [name for name in NEEDED if name not in header]
        if missing:
            raise Refused(
                "This is not the register of establishments (GIAS edubasealldata):"
                f" it has no column {missing[0]!r}. Nothing was changed."
            )
        self.width = len(header)
        self.places = [
            (column, name, read, header.index(name) if name in header else None)
            for column, (name, read) in COLUMNS.items()
        ]

    def read(self, cells: list[str]) -> dict[str, Any]:
        """The columns of `Establishment` from one row of the file. Raises BadRow."""
        if len(cells) > self.width:
            raise BadRow("it has more cells than the header")
        fields: dict[str, Any] = {}
        for column, name, read, place in self.places:
            text = cells[place] if place is not None and place < len(cells) else ""
            fields[column] = read(" ".join(text.replace("\x00", "").split()), name)
            if name in NEEDED and fields[column] in (None, ""):
                raise BadRow(f"{name} is empty")
        fields["phase_code"] = fields["phase_code"] or 0
        return fields
