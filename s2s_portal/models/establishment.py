"""Establishments as the national register (GIAS) lists them, and what follows from their kind."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from math import hypot
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, key

# Codes of the register (domain.md 3.5).
MAINTAINED_TYPES = frozenset({1, 2, 3, 5, 7, 12, 14, 15})
ACADEMY_TYPES = frozenset({28, 33, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 57})
SPECIAL_TYPES = frozenset({7, 8, 10, 12, 33, 36, 44})
COMPLEX_NEEDS_TYPES = frozenset({7, 12, 33, 36, 44})  # state special schools: the providers
SECURE_TYPE = 57
NURSERY_PHASE = 1
CLOSED, PROPOSED = 2, 4
METRES_IN_A_MILE = 1609.344


class SettingKind(StrEnum):
    """What fee rules go by."""

    MAINSTREAM = "mainstream"
    EARLY_YEARS = "early_years"


class Establishment(Base):
    """One establishment. Public facts only: the register's head teachers' names are not kept."""

    __tablename__ = "establishment"
    __table_args__ = (
        Index("ix_establishment_dfe", "local_authority", "establishment_number"),
        Index("ix_establishment_name", "name"),
    )

    urn: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    local_authority: Mapped[int] = mapped_column(SmallInteger)
    establishment_number: Mapped[int | None] = mapped_column(SmallInteger)
    name: Mapped[str] = mapped_column(Text)
    type_code: Mapped[int] = mapped_column(SmallInteger)
    type_name: Mapped[str] = mapped_column(Text, default="")
    status_code: Mapped[int] = mapped_column(SmallInteger)
    phase_code: Mapped[int] = mapped_column(SmallInteger, default=0)
    phase_name: Mapped[str] = mapped_column(Text, default="")
    low_age: Mapped[int | None] = mapped_column(SmallInteger)
    high_age: Mapped[int | None] = mapped_column(SmallInteger)
    open_date: Mapped[date | None]
    close_date: Mapped[date | None]
    street: Mapped[str] = mapped_column(Text, default="")
    town: Mapped[str] = mapped_column(Text, default="")
    postcode: Mapped[str] = mapped_column(Text, default="")
    district: Mapped[str] = mapped_column(Text, default="")
    pupils: Mapped[int | None] = mapped_column(Integer)
    trust_uid: Mapped[int | None] = mapped_column(Integer)
    trust_name: Mapped[str] = mapped_column(Text, default="")
    easting: Mapped[int | None] = mapped_column(Integer)
    northing: Mapped[int | None] = mapped_column(Integer)

    @property
    def dfe_number(self) -> str:
        """The DfE number as written, `926/7010`; the authority alone when there is no number."""
        if self.establishment_number is None:
            return f"{self.local_authority}"
        return f"{self.local_authority}/{self.establishment_number:04d}"

    @property
    def is_maintained(self) -> bool:
        """Whether the council maintains it: its fee is an internal charge (MI Sheet 108/05)."""
        return self.type_code in MAINTAINED_TYPES

    @property
    def is_special(self) -> bool:
        """Whether it is a special school of any kind."""
        return self.type_code in SPECIAL_TYPES

    @property
    def is_provider(self) -> bool:
        """Whether it is a Complex Needs School (a state special school): it lends practitioners."""
        return self.type_code in COMPLEX_NEEDS_TYPES and self.status_code != PROPOSED

    @property
    def is_closed(self) -> bool:
        """Whether the register says it has closed."""
        return self.status_code == CLOSED

    def is_open_on(self, day: date) -> bool:
        """Whether pupils could be on its roll on `day`, by the register's status and dates."""
        if self.status_code in {CLOSED, PROPOSED}:
            return False
        opened, closed = self.open_date or date.min, self.close_date or date.max
        return opened <= day <= closed

    @property
    def setting_kind(self) -> SettingKind:
        """Nursery phase is early years; a reception class belongs to its mainstream school."""
        if self.phase_code == NURSERY_PHASE:
            return SettingKind.EARLY_YEARS
        return SettingKind.MAINSTREAM

    def why_not_refer(self, local_authority: int) -> str | None:
        """Why this establishment may not make a referral, in a sentence; None when it may.

        Norfolk's own definition of mainstream (domain.md 3.5): maintained schools and academies
        that are not special, with maintained nurseries, 16-19, alternative provision and the
        short stay school.
        """
        if self.local_authority != local_authority:
            return f"{self.name} is not in this council's area, so it cannot make a referral here."
        if self.is_closed:
            return f"{self.name} has closed, so it cannot make a referral."
        if self.status_code == PROPOSED:
            return f"{self.name} has not opened yet, so it cannot make a referral."
        if self.is_special:
            return f"{self.name} is a special school. S2S Support is for mainstream schools."
        if self.type_code not in MAINTAINED_TYPES | ACADEMY_TYPES or self.type_code == SECURE_TYPE:
            return (
                f"{self.name} is neither a maintained school nor an academy,"
                " so it cannot make a referral."
            )
        return None

    def miles_to(self, other: Establishment) -> float | None:
        """Straight-line miles to `other`, or None when one of them has no place on the map."""
        return miles_between(self, other)


def miles_between(one: Any, other: Any) -> float | None:
    """Straight-line miles between two things with `easting` and `northing`, None without those."""
    if None in (one.easting, one.northing, other.easting, other.northing):
        return None
    return hypot(one.easting - other.easting, one.northing - other.northing) / METRES_IN_A_MILE


class ImportRun(Done, Base):
    """One reading of a register file: which file, and what it changed."""

    __tablename__ = "import_run"

    id: Mapped[key]
    file_name: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(Text)
    rows_read: Mapped[int] = mapped_column(BigInteger)
    added: Mapped[int]
    changed: Mapped[int]
    closed: Mapped[int]
    unchanged: Mapped[int]
    skipped: Mapped[int]
