"""Messages about a referral, and requests for advice that may become one (F19, F20).

The statements are in the `.sql` files beside this one, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")
DOWN = Path(__file__).with_suffix(".down.sql")

SIDES = ("school", "council", "practitioner", "lead")
OUTCOMES = ("ANSWERED", "TRY_THIS", "REFER", "REDIRECT", "BECAME_REFERRAL")
ACTIONS = ("asked", "closed", "reopened", "converted", "helped", "not_helped")
ANSWER_WITHIN = 5  # working days


def upgrade() -> None:
    _advice()
    _messages()
    op.execute(_steps("|| $list$, 'advice'$list$"))
    op.execute(
        "INSERT INTO s2s.service_level (step, valid_from, working_days, source)"
        f" VALUES ('advice', '2015-04-01', {ANSWER_WITHIN}, 'What the service set out with')"
    )
    op.execute(_text(UP))


def downgrade() -> None:
    op.execute(_text(DOWN))
    op.execute(_steps(""))


def _advice() -> None:
    op.create_table(
        "advice_request",
        _id(),
        _words("reference"),
        sa.Column("urn", sa.Integer(), nullable=False),
        *(_words(name) for name in ("school_name", "contact_name", "contact_email", "topic")),
        sa.Column("need_code", sa.Text(), nullable=True),
        sa.Column("may_become_referral", sa.Boolean(), nullable=False),
        _words("token"),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        _words("asked_by_id"),
        _words("asked_by_name"),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("status", _choice("status", "open", "closed"), nullable=False),
        sa.Column("outcome", _choice("outcome", *OUTCOMES), nullable=True),
        sa.Column("helped", sa.Boolean(), nullable=True),
        sa.Column("referral_id", sa.BigInteger(), nullable=True),
        _check("advice_request", "topic", "topic <> ''"),
        _check(
            "advice_request",
            "outcome_when_closed",
            "(status = 'closed') = (outcome IS NOT NULL)",
        ),
        _check(
            "advice_request",
            "became_referral",
            "referral_id IS NULL OR outcome = 'BECAME_REFERRAL'",
        ),
        _reference("advice_request", "urn", "establishment", "urn"),
        _reference("advice_request", "need_code", "need_type", "code"),
        _reference("advice_request", "referral_id", "referral", "id"),
        sa.PrimaryKeyConstraint("id", name="pk_advice_request"),
        *(_unique("advice_request", name) for name in ("reference", "token", "referral_id")),
        schema="s2s",
    )
    _index("ix_advice_request_school", "advice_request", "urn", "id")
    _index("ix_advice_request_status", "advice_request", "status", "id")
    op.create_table(
        "advice_event",
        _id(),
        sa.Column("advice_id", sa.BigInteger(), nullable=False),
        sa.Column("action", _choice("action", *ACTIONS), nullable=False),
        sa.Column("outcome", _choice("outcome", *OUTCOMES), nullable=True),
        sa.Column("referral_id", sa.BigInteger(), nullable=True),
        *_done(),
        _check("advice_event", "outcome_given", "(action = 'closed') = (outcome IS NOT NULL)"),
        _check(
            "advice_event", "referral_given", "(action = 'converted') = (referral_id IS NOT NULL)"
        ),
        _reference("advice_event", "advice_id", "advice_request", "id"),
        _reference("advice_event", "referral_id", "referral", "id"),
        sa.PrimaryKeyConstraint("id", name="pk_advice_event"),
        schema="s2s",
    )
    _index("ix_advice_event_request", "advice_event", "advice_id", "id")
    op.create_index(
        "uq_advice_event_converted",
        "advice_event",
        ["advice_id"],
        unique=True,
        schema="s2s",
        postgresql_where=sa.text("action = 'converted'"),
    )


def _messages() -> None:
    op.create_table(
        "message",
        _id(),
        *_about("message"),
        sa.Column("side", _choice("side", *SIDES), nullable=False),
        sa.Column("to_side", _choice("to_side", *SIDES), nullable=False),
        sa.Column("needs_answer", sa.Boolean(), nullable=False),
        _words("text"),
        _words("token"),
        sa.Column("mailed", sa.Boolean(), nullable=False),
        *_done(),
        _check("message", "to_another", "to_side NOT IN (side, 'lead')"),
        _check("message", "something", "text <> '' OR NOT needs_answer"),
        _check("message", "longest", "char_length(text) <= 4000"),
        sa.PrimaryKeyConstraint("id", name="pk_message"),
        _unique("message", "token"),
        schema="s2s",
    )
    _index("ix_message_referral", "message", "referral_id", "id")
    _index("ix_message_advice", "message", "advice_id", "id")
    op.create_table(
        "conversation",
        _id(),
        *_about("conversation"),
        sa.Column("waits_for", _choice("waits_for", *SIDES), nullable=True),
        sa.Column("waits_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_message_id", sa.BigInteger(), nullable=False),
        _check("conversation", "waits_for_whom", "waits_for <> 'lead'"),
        _check("conversation", "waits_since", "(waits_for IS NULL) = (waits_since IS NULL)"),
        sa.PrimaryKeyConstraint("id", name="pk_conversation"),
        *(_unique("conversation", name) for name in ("referral_id", "advice_id")),
        schema="s2s",
    )
    op.create_index(
        "ix_conversation_waiting",
        "conversation",
        ["waits_for", "waits_since", "id"],
        schema="s2s",
        postgresql_where=sa.text("waits_for IS NOT NULL"),
    )
    op.create_table(
        "message_seen",
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        _words("person_id"),
        sa.Column("side", _choice("side", *SIDES), nullable=False),
        sa.Column("up_to", sa.BigInteger(), nullable=False),
        _reference("message_seen", "conversation_id", "conversation", "id"),
        sa.PrimaryKeyConstraint("conversation_id", "person_id", name="pk_message_seen"),
        schema="s2s",
    )


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False)


def _words(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _done() -> list[sa.Column[object]]:
    return [
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
    ]


def _about(table: str) -> list[sa.schema.SchemaItem]:
    """A referral or a request for advice, and never both."""
    return [
        sa.Column("referral_id", sa.BigInteger(), nullable=True),
        sa.Column("advice_id", sa.BigInteger(), nullable=True),
        _reference(table, "referral_id", "referral", "id"),
        _reference(table, "advice_id", "advice_request", "id"),
        _check(table, "about_one", "num_nonnulls(referral_id, advice_id) = 1"),
    ]


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(
        *values, name=name, native_enum=False, create_constraint=True, length=40, schema="s2s"
    )


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _unique(table: str, column: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(column, name=op.f(f"uq_{table}_{column}"))


def _index(name: str, table: str, *columns: str) -> None:
    op.create_index(name, table, list(columns), schema="s2s")


def _reference(table: str, column: str, to: str, key: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"s2s.{to}.{key}"], name=op.f(f"fk_{table}_{column}_{to}")
    )


def _steps(more: str) -> sa.TextClause:
    """The steps that a service level can be for, whatever others have added: with `advice` or not."""
    return sa.text(
        rf"""
        DO $$
        DECLARE listed text;
        BEGIN
            SELECT string_agg(quote_literal(word[1]), ', ' ORDER BY place) {more} INTO listed
            FROM pg_constraint c, regexp_matches(pg_get_constraintdef(c.oid), '''(\w+)''', 'g')
                WITH ORDINALITY AS value (word, place)
            WHERE c.conname = 'ck_service_level_step' AND c.connamespace = 's2s'\:\:regnamespace
              AND word[1] <> 'advice';
            EXECUTE format('ALTER TABLE s2s.service_level DROP CONSTRAINT ck_service_level_step,
                ADD CONSTRAINT ck_service_level_step CHECK (step IN (%s))', listed);
        END $$
        """
    )


def _text(file: Path) -> sa.TextClause:
    return sa.text(file.read_text(encoding="utf-8").replace(":", r"\:"))
