"""The officers' worklist: its rows, who the officers are, what each looks after and keeps."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    SmallInteger,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from s2s_portal.database import Base
from s2s_portal.models.body import SEND
from s2s_portal.models.columns import Done, instant, key, words
from s2s_portal.models.referral import Referral

FAR = date(9999, 12, 31)  # where what has no date is sorted: after everything that has one
AGE = ("submitted_at", "referral_id")
DUE = ("due_sort", *AGE)


class WorklistEntry(Base):
    """What the worklist says of one referral that has been sent. Only the database writes it.

    `state` is the status, with `submitted` told apart into `new` and `resubmitted`, and `ready` for
    what can be closed. `due_on` is the next promise of the council or a practitioner, `due_step`
    what it is about; `answer_by` the school's own date. `body` is whose queue it is in, `panel_on`
    the day of the panel that it is on the agenda of.
    """

    __tablename__ = "worklist_entry"
    __table_args__ = (
        UniqueConstraint("reference"),
        Index("ix_worklist_entry_state", "state", *AGE),
        Index("ix_worklist_entry_state_due", "state", *DUE),
        Index("ix_worklist_entry_status", "status", *AGE),
        Index("ix_worklist_entry_status_due", "status", *DUE),
        Index("ix_worklist_entry_all", *AGE),
        Index("ix_worklist_entry_due", *DUE),
        Index("ix_worklist_entry_body_state", "body", "state", *AGE),
        Index("ix_worklist_entry_body_state_due", "body", "state", *DUE),
        Index("ix_worklist_entry_body_status", "body", "status", *AGE),
        Index("ix_worklist_entry_body_status_due", "body", "status", *DUE),
        Index("ix_worklist_entry_body", "body", *AGE),
        Index("ix_worklist_entry_body_due", "body", *DUE),
        Index("ix_worklist_entry_school", "urn", *AGE),
        Index(
            "ix_worklist_entry_officer",
            "officer_id",
            *AGE,
            postgresql_include=["body"],
            postgresql_where=text("open"),
        ),
        Index("ix_worklist_entry_officer_due", "officer_id", *DUE, postgresql_where=text("open")),
        Index(
            "ix_worklist_entry_officer_new",
            "officer_id",
            *AGE,
            postgresql_include=["body", "assigned_at"],
            postgresql_where=text("open AND unopened"),
        ),
    )

    referral_id: Mapped[int] = mapped_column(
        ForeignKey(Referral.id), primary_key=True, autoincrement=False
    )
    reference: Mapped[str] = mapped_column(Text)
    urn: Mapped[int]
    school_name: Mapped[str] = mapped_column(Text)
    phase_code: Mapped[int] = mapped_column(SmallInteger)
    phase_name: Mapped[str] = mapped_column(Text)
    district: Mapped[str] = mapped_column(Text)
    kind: Mapped[str | None] = mapped_column(Text)
    need: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    open: Mapped[bool] = mapped_column(Boolean)
    submitted_at: Mapped[instant]
    received_on: Mapped[date]
    window_id: Mapped[int | None] = mapped_column(BigInteger)
    officer_id: Mapped[str | None] = mapped_column(Text)
    officer_name: Mapped[str | None] = mapped_column(Text)
    assigned_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    unopened: Mapped[bool] = mapped_column(Boolean)
    due_step: Mapped[str | None] = mapped_column(Text)
    due_on: Mapped[date | None]
    warn_on: Mapped[date | None]
    waiting_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    answer_by: Mapped[date | None]
    body: Mapped[str] = mapped_column(Text, server_default=SEND)
    panel_on: Mapped[date | None]
    due_sort: Mapped[date] = mapped_column(
        Computed("coalesce(due_on, '9999-12-31'::date)", persisted=True)
    )


class Officer(Base):
    """A SEND officer who has come here: whom a referral can be given to.

    `digest` is whether they want the daily list by mail; `seen_on` the week they were last here.
    """

    __tablename__ = "officer"

    id: Mapped[key]
    account_id: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[words]
    seen_on: Mapped[date]
    digest: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())


class OfficerAssignment(Done, Base):
    """Which officer looks after a referral; at most one does at a time. `opened_at` is when they
    first read it after that."""

    __tablename__ = "officer_assignment"
    __table_args__ = (
        Index(
            "uq_officer_assignment_open",
            "referral_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[key]
    referral_id: Mapped[int] = mapped_column(ForeignKey(Referral.id), index=True)
    officer_id: Mapped[str] = mapped_column(Text)
    officer_name: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class SavedList(Base):
    """A list that an officer keeps: its name, and the filters as they stand in the address."""

    __tablename__ = "saved_list"
    __table_args__ = (
        Index("uq_saved_list_name", "officer_id", text("lower(name)"), unique=True),
        Index(
            "uq_saved_list_default",
            "officer_id",
            unique=True,
            postgresql_where=text("is_default"),
        ),
        CheckConstraint("name <> ''", name="name"),
    )

    id: Mapped[key]
    officer_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    query: Mapped[str] = mapped_column(Text)
    is_default: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
