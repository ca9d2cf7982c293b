"""Column types and mixins that several aggregates share."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import BigInteger, DateTime, Enum, Identity, Text
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal import clock

key = Annotated[int, mapped_column(BigInteger, Identity(always=True), primary_key=True)]
instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]
words = Annotated[str, mapped_column(Text, default="", server_default="")]


def choice(kind: type[StrEnum], name: str) -> Any:
    """A text column that holds one value of `kind`, checked by the database."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=40,
        values_callable=lambda members: [member.value for member in members],
    )


class Done:
    """Who did it and when: the id and the *name at the time*, as the host may forget people."""

    at: Mapped[instant] = mapped_column(default=clock.now)
    by_id: Mapped[str] = mapped_column(Text)
    by_name: Mapped[str] = mapped_column(Text)
