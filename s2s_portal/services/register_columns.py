"""One row of the register file, read by column name into the columns of `Establishment`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

# Without these a file is not the register at all; every other column may be absent.
NEEDED = (
    "URN",
    "LA (code)",
    "EstablishmentName",
    "TypeOfEstablishment (code)",
    "EstablishmentStatus (code)",
)
FILLER_DATE = date(1900, 1, 1)  # the register's "not known"
LARGEST = {"smallint": 32_767, "integer": 2_147_483_647}


class BadRow(Exception):
    """A row that cannot be taken in, and why."""


def read_row(row: Mapping[str | None, Any]) -> dict[str, Any]:
    """The columns of `Establishment` from one row of the file. Raises BadRow."""
    if None in row:
        raise BadRow("it has more cells than the header")
    fields = {column: read(row, name) for column, (name, read) in COLUMNS.items()}
    for column, name in (
        ("urn", "URN"),
        ("local_authority", "LA (code)"),
        ("type_code", "TypeOfEstablishment (code)"),
        ("status_code", "EstablishmentStatus (code)"),
    ):
        if fields[column] is None:
            raise BadRow(f"{name} is empty")
    if not fields["name"]:
        raise BadRow("EstablishmentName is empty")
    fields["phase_code"] = fields["phase_code"] or 0
    return fields


def _cell(row: Mapping[str | None, Any], name: str) -> str:
    return " ".join((row.get(name) or "").replace("\x00", "").split())


def _words(row: Mapping[str | None, Any], name: str) -> str:
    return _cell(row, name)


def _number(size: str) -> Callable[[Mapping[str | None, Any], str], int | None]:
    def read(row: Mapping[str | None, Any], name: str) -> int | None:
        text = _cell(row, name)
        if not text:
            return None
        if not (text.isascii() and text.isdigit()) or int(text) > LARGEST[size]:
            raise BadRow(f"{name} is {text!r}, not a whole number")
        return int(text)

    return read


def _date(row: Mapping[str | None, Any], name: str) -> date | None:
    text = _cell(row, name)
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%d-%m-%Y").date()  # noqa: DTZ007  (a day has no zone)
    except ValueError as error:
        raise BadRow(f"{name} is {text!r}, not a date like 31-08-2019") from error
    return None if day == FILLER_DATE else day


_small, _whole = _number("smallint"), _number("integer")

COLUMNS: dict[str, tuple[str, Callable[[Mapping[str | None, Any], str], Any]]] = {
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
