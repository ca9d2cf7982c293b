"""When the council takes requests, and how many it has commissioned (F88, 3.15)."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, FetchedValue, ForeignKey, Integer, Text, text
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base
from s2s_portal.models.columns import Done, choice, key, words
from s2s_portal.models.establishment import SettingKind


class IntakeWindow(Done, Base):
    """From when to when requests of one kind of setting are taken, and how many; never edited.

    `closes` is the last day as it was first set, None while open-ended; `quota` the number of
    requests that the council has commissioned, None for no limit. `open_during` is what still
    holds: the database narrows it when an `IntakeClosing` is added. Two of a kind never overlap.
    """

    __tablename__ = "intake_window"
    __table_args__ = (
        *(
            ExcludeConstraint(
                ("open_during", "&&"),
                name=f"ex_intake_window_{kind.value}",
                using="gist",
                where=text(f"setting_kind = '{kind.value}'"),
            )
            for kind in SettingKind
        ),
        CheckConstraint("closes >= opens", name="closes"),
        CheckConstraint("quota > 0", name="quota"),
    )

    id: Mapped[key]
    setting_kind: Mapped[SettingKind] = mapped_column(choice(SettingKind, "setting_kind"))
    opens: Mapped[date]
    closes: Mapped[date | None]
    open_during: Mapped[Range[date]] = mapped_column(DATERANGE, FetchedValue())
    quota: Mapped[int | None] = mapped_column(Integer)
    source: Mapped[str] = mapped_column(Text)


class IntakeClosing(Done, Base):
    """A window closed earlier than it was first set to: its new last day, and why.

    A last day on the day before the window opens calls it off.
    """

    __tablename__ = "intake_closing"

    id: Mapped[key]
    window_id: Mapped[int] = mapped_column(ForeignKey(IntakeWindow.id))
    closes: Mapped[date]
    reason: Mapped[words]
