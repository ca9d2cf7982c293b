"""Offers of a referral to a practitioner, practitioners who ask for one, leads who confirm release.

The statements are in the `.sql` file beside this one, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")
ACTIONS = (
    "offered",
    "offer_accepted",
    "offer_released",
    "offer_declined",
    "offer_withdrawn",
    "offer_lapsed",
    "taking_asked",
    "taking_refused",
)
ENDED = ("accepted", "declined", "not_released", "withdrawn", "lapsed", "overtaken")
ASKED_ENDED = ("granted", "refused", "overtaken")
REFUSALS = ("blocked", "time", "conflict", "expertise", "other")
TABLES = ("case_request", "offer", "lead_confirmation")


def upgrade() -> None:
    op.create_table(
        "lead_confirmation",
        _key(),
        sa.Column("provider_urn", sa.Integer(), nullable=False),
        sa.Column("confirms", sa.Boolean(), nullable=False),
        *_done(),
        _reference("lead_confirmation", "provider_urn", "establishment", "urn"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lead_confirmation")),
        schema="s2s",
    )
    op.create_table(
        "offer",
        _key(),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("practitioner_id", sa.BigInteger(), nullable=False),
        sa.Column("provider_urn", sa.Integer(), nullable=False),
        *(_text(name) for name in ("practitioner_name", "provider_name", "reason")),
        sa.Column("rule", _choice("rule", "local", "specialism", "capacity", "other")),
        *(_text(name, empty=True) for name in ("overridden", "officer_email")),
        *(_text(name) for name in ("reference", "school_name")),
        *(_text(name, empty=True) for name in ("phase", "need", "level", "distance")),
        sa.Column("tier", sa.SmallInteger(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("remind_on", sa.Date(), nullable=False),
        sa.Column("reminded_on", sa.Date(), nullable=True),
        sa.Column("needs_release", sa.Boolean(), nullable=False),
        *_at_and_by("accepted"),
        *_at_and_by("released"),
        *_at_and_by("ended"),
        sa.Column("ended", _choice("ended", *ENDED)),
        sa.Column("refusal", _choice("refusal", *REFUSALS)),
        _text("comment", empty=True),
        *_done(),
        _check("offer", "reason", "reason <> ''"),
        _check("offer", "ended_whole", "(ended IS NULL) = (ended_at IS NULL)"),
        _check("offer", "declined_why", "(ended = 'declined') = (refusal IS NOT NULL)"),
        _check(
            "offer",
            "said_why",
            "comment <> '' OR NOT coalesce(ended IN ('not_released', 'withdrawn')"
            " OR refusal = 'other', false)",
        ),
        _check(
            "offer",
            "both_answers",
            "coalesce(ended <> 'accepted', true) OR (accepted_at IS NOT NULL"
            " AND (NOT needs_release OR released_at IS NOT NULL))",
        ),
        _reference("offer", "referral_id", "referral"),
        _reference("offer", "practitioner_id", "practitioner"),
        _reference("offer", "provider_urn", "establishment", "urn"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer")),
        schema="s2s",
    )
    op.create_table(
        "case_request",
        _key(),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("practitioner_id", sa.BigInteger(), nullable=False),
        *(_text(name) for name in ("practitioner_name", "reference", "school_name", "why")),
        *_at_and_by("ended"),
        sa.Column("ended", _choice("ended", *ASKED_ENDED)),
        _text("comment", empty=True),
        *_done(),
        _check("case_request", "why", "why <> ''"),
        _check("case_request", "ended_whole", "(ended IS NULL) = (ended_at IS NULL)"),
        _check(
            "case_request", "refused_why", "comment <> '' OR coalesce(ended <> 'refused', true)"
        ),
        _reference("case_request", "referral_id", "referral"),
        _reference("case_request", "practitioner_id", "practitioner"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_request")),
        schema="s2s",
    )
    _indexes()
    op.execute(_values(*ACTIONS, added=True))
    op.execute(sa.text(UP.read_text(encoding="utf-8").replace(":", r"\:")))


def _indexes() -> None:
    op.create_index(
        "ix_lead_confirmation_provider", "lead_confirmation", ["provider_urn", "id"], schema="s2s"
    )
    for table, column in (
        ("offer", "referral_id"),
        ("offer", "practitioner_id"),
        ("case_request", "referral_id"),
        ("case_request", "practitioner_id"),
    ):
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column], schema="s2s")
    for name, table, columns, unique in (
        ("uq_offer_open", "offer", ["referral_id"], True),
        ("ix_offer_open_due", "offer", ["due_on"], False),
        ("uq_case_request_open", "case_request", ["referral_id", "practitioner_id"], True),
    ):
        op.create_index(
            name,
            table,
            columns,
            unique=unique,
            schema="s2s",
            postgresql_where=sa.text("ended_at IS NULL"),
        )


def downgrade() -> None:
    op.execute("DROP TRIGGER ends_offers ON s2s.referral")
    op.execute("DROP FUNCTION s2s.cases_to_ask_for(smallint[], date, integer)")
    op.execute("DROP FUNCTION s2s.end_offers(bigint, timestamptz, text)")
    for table in TABLES:
        op.drop_table(table, schema="s2s")
    op.execute("DROP FUNCTION s2s.refuse_change_of_answered()")
    op.execute("DROP FUNCTION s2s.check_no_open_offer()")
    op.execute("ALTER TABLE s2s.referral_event DISABLE TRIGGER append_only")
    listed = ", ".join(f"'{action}'" for action in ACTIONS)
    op.execute(f"DELETE FROM s2s.referral_event WHERE action IN ({listed})")
    op.execute("ALTER TABLE s2s.referral_event ENABLE TRIGGER append_only")
    op.execute(_values(*ACTIONS, added=False))


def _key() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False)


def _text(name: str, *, empty: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="" if empty else None, nullable=False)


def _done() -> list[sa.Column[object]]:
    return [
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
    ]


def _at_and_by(what: str) -> list[sa.Column[object]]:
    return [
        sa.Column(f"{what}_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(f"{what}_by_id", sa.Text(), nullable=True),
        sa.Column(f"{what}_by_name", sa.Text(), nullable=True),
    ]


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(
        *values, name=name, native_enum=False, create_constraint=True, length=40, schema="s2s"
    )


def _reference(table: str, column: str, to: str, key: str = "id") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"s2s.{to}.{key}"], name=op.f(f"fk_{table}_{column}_{to}")
    )


def _values(*values: str, added: bool) -> sa.TextClause:
    """Add to the actions that an event can have, or take away: what others have added stays."""
    listed = ", ".join(f"'{value}'" for value in values)
    kept = "true" if added else f"word[1] NOT IN ({listed})"
    more = f"|| $list$, {listed}$list$" if added else ""
    return sa.text(
        rf"""
        DO $$
        DECLARE listed text;
        BEGIN
            SELECT string_agg(quote_literal(word[1]), ', ' ORDER BY place) {more} INTO listed
            FROM pg_constraint c, regexp_matches(pg_get_constraintdef(c.oid), '''(\w+)''', 'g')
                WITH ORDINALITY AS value (word, place)
            WHERE c.conname = 'ck_referral_event_action'
              AND c.connamespace = 's2s'\:\:regnamespace AND {kept};
            EXECUTE format('ALTER TABLE s2s.referral_event
                DROP CONSTRAINT ck_referral_event_action,
                ADD CONSTRAINT ck_referral_event_action CHECK (action IN (%s))', listed);
        END $$
        """
    )
