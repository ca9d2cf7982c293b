"""Decisions: accept at a level, wait, advise, redirect, decline with reasons by date; hold, undo.

The statements are in the `.sql` files beside this one, where a DBA can read them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")
DOWN = Path(__file__).with_suffix(".down.sql")

STATUSES = ("waiting", "advised", "redirected", "unanswered")
ACTIONS = (
    "waiting_listed",
    "advised",
    "redirected",
    "unanswered",
    "return_reopened",
    "held",
    "released",
    "decision_undone",
)
WAYS = ("accept", "wait", "advise", "redirect", "decline", "return", "hold")
DECLINES = ("DECLINE_CRITERIA", "DECLINE_CAPACITY", "REDIRECT", "DUPLICATE", "WITHDRAWN")

# domain.md 2.3, until a council says otherwise.
LEVELS = (
    (
        "1",
        "One visit and a report",
        "A practitioner visits once, and writes a report with recommendations for you to keep.",
    ),
    (
        "2",
        "A visit, and follow-up each term",
        "A practitioner visits, writes a report with recommendations, and is in touch once a term"
        " to see how they are going.",
    ),
    (
        "3",
        "Up to six visits, with training",
        "A practitioner visits up to six times, which can include training for your staff, and"
        " writes a report of each visit.",
    ),
)
# Way, code, words, how the school puts it right (empty: it cannot), still offered.
REASONS = (
    ("decline", "DECLINE_CRITERIA", "It does not meet the criteria for this service", "", True),
    ("decline", "DECLINE_CAPACITY", "No practitioner has room for it", "", True),
    ("decline", "DUPLICATE", "It repeats a referral that we already have", "", True),
    ("decline", "NOT_MAINSTREAM", "This service is for mainstream schools", "", True),
    ("decline", "OUT_OF_COUNTY", "The pupil is another council’s responsibility", "", True),
    (
        "decline",
        "NO_APDR",
        "It shows too little of what the school has tried",
        "Try what you plan for at least two cycles of assess, plan, do, review. Then refer again,"
        " and say what came of each.",
        True,
    ),
    (
        "decline",
        "NO_PLAN",
        "There is no plan yet that support could build on",
        "Write a support plan with the family. Then refer again, and attach it.",
        True,
    ),
    (
        "decline",
        "NO_CONSENT",
        "A parent or carer has not agreed to it",
        "Speak with the family. When they agree, refer again, and say who agreed, how and when.",
        True,
    ),
    ("decline", "REDIRECT", "Another service suits it better", "", False),
    ("decline", "WITHDRAWN", "The school or the parents have withdrawn it", "", False),
    ("advise", "ADVICE_ENOUGH", "Advice meets the need, without a visit", "", True),
    ("advise", "ADVICE_INVOLVED", "Others are involved already, and advice adds to it", "", True),
    ("wait", "WAIT_CAPACITY", "No practitioner has room at the moment", "", True),
    ("wait", "WAIT_EXPERTISE", "The practitioners who know this need have no room", "", True),
    *(
        ("return", code, words, "Answer the question in this section, and send it again.", True)
        for code, words in (
            ("UNCLEAR", "It cannot be understood as it is"),
            ("MISSING", "Something that we need is missing"),
            ("NO_APDR", "It shows too little of what has been tried"),
            ("NO_PLAN", "The plan is missing"),
            ("NO_CONSENT", "The agreement is missing or incomplete"),
            ("CONTRADICTION", "Two answers do not agree"),
        )
    ),
    ("hold", "HOLD_PARENT", "We are waiting to hear from a parent or carer", "", True),
    ("hold", "HOLD_SCHOOL", "The school is closed, or its staff cannot be reached", "", True),
    ("hold", "HOLD_SERVICE", "We are waiting to hear from another service", "", True),
)
SERVICES = (
    (
        "EPSS",
        "Educational psychology and specialist support",
        "Ask the educational psychologist who is linked to your school.",
    ),
    (
        "EHCNA",
        "An education, health and care needs assessment",
        "Write to the council’s EHCP team. The Local Offer has the form and says what to send.",
    ),
    (
        "VIRTUAL",
        "The virtual school",
        "Ask the adviser of the virtual school who works with the pupil, or your school’s"
        " designated teacher.",
    ),
    (
        "EARLY_YEARS",
        "Early years advice",
        "Ask the early years adviser who is linked to your setting.",
    ),
)
SOURCE = "What the service set out with"


def upgrade() -> None:
    _lists()
    _decisions()
    op.execute(_values("referral", "status", *STATUSES, added=True))
    op.execute(_values("referral_event", "action", *ACTIONS, added=True))
    _fill()
    op.drop_column("referral", "decline_reason", schema="s2s")
    for column in (
        sa.Column("answer_by", sa.Date(), nullable=True),
        sa.Column("answer_reminded_on", sa.Date(), nullable=True),
        sa.Column("held_until", sa.Date(), nullable=True),
        sa.Column("copied_from_id", sa.BigInteger(), nullable=True),
    ):
        op.add_column("referral", column, schema="s2s")
    op.create_foreign_key(
        "fk_referral_copied_from_id_referral",
        "referral",
        "referral",
        ["copied_from_id"],
        ["id"],
        source_schema="s2s",
        referent_schema="s2s",
    )
    op.create_index("ix_referral_copied_from_id", "referral", ["copied_from_id"], schema="s2s")
    op.create_index(
        "ix_referral_answer_by",
        "referral",
        ["answer_by"],
        schema="s2s",
        postgresql_where=sa.text("status = 'returned'"),
    )
    op.add_column(
        "section_opening", sa.Column("code_id", sa.BigInteger(), nullable=True), schema="s2s"
    )
    op.create_foreign_key(
        "fk_section_opening_code_id_decision_reason",
        "section_opening",
        "decision_reason",
        ["code_id"],
        ["id"],
        source_schema="s2s",
        referent_schema="s2s",
    )
    _index_of_decided("'accepted', 'declined', 'advised', 'redirected'")
    op.execute(_text(UP))


def _lists() -> None:
    for table, *more in (
        ("support_level", sa.Column("promise", sa.Text(), nullable=False)),
        (
            "decision_reason",
            sa.Column("way", _choice("way", *WAYS), nullable=False),
            sa.Column("can_fix", sa.Boolean(), server_default="false", nullable=False),
            sa.Column("remedy", sa.Text(), server_default="", nullable=False),
            sa.CheckConstraint("can_fix = (remedy <> '')", name=op.f("ck_decision_reason_remedy")),
        ),
        ("other_service", sa.Column("reach", sa.Text(), nullable=False)),
    ):
        unique = ["way"] if table == "decision_reason" else []
        op.create_table(
            table,
            sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
            sa.Column("code", sa.Text(), nullable=False),
            sa.Column("valid_from", sa.Date(), nullable=False),
            sa.Column("offered", sa.Boolean(), server_default="true", nullable=False),
            sa.Column("label", sa.Text(), nullable=False),
            sa.Column("source", sa.Text(), server_default="", nullable=False),
            *more,
            sa.Column("at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("by_id", sa.Text(), nullable=False),
            sa.Column("by_name", sa.Text(), nullable=False),
            sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
            sa.UniqueConstraint(
                *unique,
                "code",
                "valid_from",
                name=op.f(f"uq_{table}_{'way_' if unique else ''}code_valid_from"),
            ),
            schema="s2s",
        )


def _decisions() -> None:
    op.create_table(
        "decision",
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("level_id", sa.BigInteger(), nullable=True),
        sa.Column("reason_id", sa.BigInteger(), nullable=True),
        sa.Column("service_id", sa.BigInteger(), nullable=True),
        sa.Column("officer_email", sa.Text(), server_default="", nullable=False),
        _reference("decision", "event_id", "referral_event"),
        _reference("decision", "referral_id", "referral"),
        _reference("decision", "level_id", "support_level"),
        _reference("decision", "reason_id", "decision_reason"),
        _reference("decision", "service_id", "other_service"),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_decision")),
        schema="s2s",
    )
    op.create_table(
        "decision_check",
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("point", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("answer", _choice("answer", "proven", "checked", "overridden"), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "(answer = 'overridden') = (reason <> '')",
            name=op.f("ck_decision_check_override_has_reason"),
        ),
        _reference("decision_check", "event_id", "referral_event"),
        _reference("decision_check", "referral_id", "referral"),
        sa.PrimaryKeyConstraint("event_id", "point", name=op.f("pk_decision_check")),
        schema="s2s",
    )
    for table in ("decision", "decision_check"):
        op.create_index(op.f(f"ix_{table}_referral_id"), table, ["referral_id"], schema="s2s")


def _fill() -> None:
    """The first rows of each list, and why what was declined so far was declined."""
    done = "'2015-04-01', :source, now(), 'system', 'The service'"
    for code, label, promise in LEVELS:
        op.execute(
            sa.text(
                "INSERT INTO s2s.support_level (code, label, promise, valid_from, source, at,"
                f" by_id, by_name) VALUES (:code, :label, :promise, {done})"
            ).bindparams(code=code, label=label, promise=promise, source=SOURCE)
        )
    for way, code, label, remedy, offered in REASONS:
        op.execute(
            sa.text(
                "INSERT INTO s2s.decision_reason (way, code, label, can_fix, remedy, offered,"
                " valid_from, source, at, by_id, by_name) VALUES (:way, :code, :label,"
                f" CAST(:remedy AS text) <> '', :remedy, CAST(:offered AS boolean), {done})"
            ).bindparams(
                way=way, code=code, label=label, remedy=remedy, offered=offered, source=SOURCE
            )
        )
    for code, label, reach in SERVICES:
        op.execute(
            sa.text(
                "INSERT INTO s2s.other_service (code, label, reach, valid_from, source, at, by_id,"
                f" by_name) VALUES (:code, :label, :reach, {done})"
            ).bindparams(code=code, label=label, reach=reach, source=SOURCE)
        )
    op.execute(
        "INSERT INTO s2s.decision (event_id, referral_id, reason_id)"
        " SELECT max(e.id), r.id, min(n.id) FROM s2s.referral r"
        " JOIN s2s.referral_event e ON e.referral_id = r.id AND e.action = 'declined'"
        " JOIN s2s.decision_reason n ON n.way = 'decline' AND n.code = r.decline_reason"
        " GROUP BY r.id"
    )


def downgrade() -> None:
    op.add_column(
        "referral",
        sa.Column("decline_reason", _choice("decline_reason", *DECLINES), nullable=True),
        schema="s2s",
    )
    op.execute(_text(DOWN))
    op.execute(_values("referral_event", "action", *ACTIONS, added=False))
    op.execute(_values("referral", "status", *STATUSES, added=False))
    _index_of_decided("'accepted', 'declined'")
    for index in ("ix_referral_answer_by", "ix_referral_copied_from_id"):
        op.drop_index(index, "referral", schema="s2s")
    for column in ("copied_from_id", "held_until", "answer_reminded_on", "answer_by"):
        op.drop_column("referral", column, schema="s2s")


def _index_of_decided(actions: str) -> None:
    op.drop_index("ix_referral_event_decided", "referral_event", schema="s2s")
    op.create_index(
        "ix_referral_event_decided",
        "referral_event",
        ["at"],
        schema="s2s",
        postgresql_where=sa.text(f"action IN ({actions})"),
    )


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(
        *values, name=name, native_enum=False, create_constraint=True, length=40, schema="s2s"
    )


def _reference(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"s2s.{to}.id"], name=op.f(f"fk_{table}_{column}_{to}")
    )


def _values(table: str, column: str, *values: str, added: bool) -> sa.TextClause:
    """Add values to the check of a column, or take them away: whatever others have added stays."""
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
            WHERE c.conname = 'ck_{table}_{column}' AND c.connamespace = 's2s'\:\:regnamespace
              AND {kept};
            EXECUTE format('ALTER TABLE s2s.{table} DROP CONSTRAINT ck_{table}_{column},
                ADD CONSTRAINT ck_{table}_{column} CHECK ({column} IN (%s))', listed);
        END $$
        """
    )


def _text(file: Path) -> sa.TextClause:
    return sa.text(file.read_text(encoding="utf-8").replace(":", r"\:"))
