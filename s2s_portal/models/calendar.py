"""School terms by date, as the council and single schools set them (domain.md 8.1)."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key, words
from s2s_portal.models.establishment import Establishment


class DateKind(StrEnum):
    """What the days of a row are: a stretch of term, a holiday inside it, a staff day."""

    TERM = "TERM"
    HALF_TERM = "HALF_TERM"
    INSET = "INSET"


class TermDate(Done, Base):
    """Days from `starts` to `ends`, both included, of the school year that began in autumn
    `academic_year`. `urn` is the one school it applies to, None the whole county.
    """

    __tablename__ = "term_date"
    __table_args__ = (
        UniqueConstraint(
            "academic_year", "urn", "kind", "starts", postgresql_nulls_not_distinct=True
        ),
        CheckConstraint("ends >= starts", name="dates"),
    )

    id: Mapped[key]
    academic_year: Mapped[int] = mapped_column(SmallInteger)
    urn: Mapped[int | None] = mapped_column(ForeignKey(Establishment.urn))
    kind: Mapped[DateKind] = mapped_column(choice(DateKind, "kind"))
    starts: Mapped[date]
    ends: Mapped[date]
    source: Mapped[words]
