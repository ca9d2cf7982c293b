"""What support achieved and how it ended: scores, end reports, what a school says, case studies.

The statements that are not tables are in the `.sql` files beside this one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

UP = Path(__file__).with_suffix(".sql")
DOWN = Path(__file__).with_suffix(".down.sql")
ACTIONS = (
    "baseline_set",
    "scores_given",
    "confidence_given",
    "end_report_issued",
    "school_evaluated",
)
CONCLUSIONS = ("completed", "ended_early", "withdrawn_before_start", "declined", "cancelled")
STAGES = ("before", "after", "later", "evaluation")
USING = ("most", "some", "none")
TABLES = (
    "mail_note",
    "case_study",
    "case_study_consent",
    "end_report_document",
    "end_report",
    "school_evaluation",
    "confidence_answer",
    "ask_link",
    "school_ask",
    "outcome_score",
)
AGE, DUE = ["submitted_at", "referral_id"], ["due_sort", "submitted_at", "referral_id"]
WORKLIST = (
    ("conclusion", ["conclusion", *AGE]),
    ("conclusion_due", ["conclusion", *DUE]),
    ("body_conclusion", ["body", "conclusion", *AGE]),
    ("body_conclusion_due", ["body", "conclusion", *DUE]),
)


def upgrade() -> None:
    op.execute(_values("referral_event", "action", *ACTIONS, added=True))
    op.execute(_values("bulk_run", "what", "finish", added=True))
    op.add_column(
        "referral",
        sa.Column("conclusion", _choice("conclusion", *CONCLUSIONS), nullable=True),
        schema="s2s",
    )
    op.create_index(
        "ix_referral_school_conclusion",
        "referral",
        ["urn", "conclusion", "created_at", "id"],
        schema="s2s",
    )
    op.add_column("worklist_entry", sa.Column("conclusion", sa.Text()), schema="s2s")
    _scores()
    _asks()
    _reports()
    _case_studies()
    _table(
        "mail_note",
        _id(),
        _referral("mail_note"),
        _instant("at", nullable=False),
        _text("notice"),
        sa.Column(
            "recipient",
            _choice("recipient", "school", "council", "practitioner", "lead"),
            nullable=False,
        ),
    )
    _index("mail_note", "referral_id", "id")
    op.execute(sa.text(UP.read_text(encoding="utf-8").replace(":", r"\:")))
    for name, columns in WORKLIST:
        op.create_index(f"ix_worklist_entry_{name}", "worklist_entry", columns, schema="s2s")


def _scores() -> None:
    _table(
        "outcome_score",
        _id(),
        _referral("outcome_score"),
        _small("position"),
        sa.Column("kind", _choice("kind", "baseline", "end", "later"), nullable=False),
        sa.Column("rater", _choice("rater", "practitioner", "school"), nullable=False),
        sa.Column("score", sa.SmallInteger(), nullable=True),
        sa.Column("achieved", _choice("achieved", "achieved", "partly", "not"), nullable=True),
        _text("comment", default=True),
        sa.Column("on_day", sa.Date(), nullable=False),
        *_done(),
        _check("outcome_score", "score", "score BETWEEN 0 AND 10"),
        _check("outcome_score", "says_something", "score IS NOT NULL OR achieved IS NOT NULL"),
    )
    _index("outcome_score", "referral_id", "id")


def _asks() -> None:
    _table(
        "school_ask",
        _id(),
        _referral("school_ask"),
        sa.Column("stage", _choice("stage", *STAGES), nullable=False),
        _instant("opened_at", nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        *(_instant(name) for name in ("asked_at", "reminded_at", "ended_at")),
    )
    _open_once("school_ask", "uq_school_ask_open", "referral_id", "stage")
    op.create_index(
        "ix_school_ask_due",
        "school_ask",
        ["due_on"],
        schema="s2s",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    _table(
        "ask_link",
        _text("digest", key=True),
        _number("ask_id"),
        _instant("made_at", nullable=False),
        _instant("expires_at", nullable=False),
        _reference("ask_link", "ask_id", "school_ask"),
    )
    op.create_index(op.f("ix_ask_link_ask_id"), "ask_link", ["ask_id"], schema="s2s")
    _table(
        "confidence_answer",
        _id(),
        _referral("confidence_answer"),
        _number("ask_id"),
        sa.Column("stage", _choice("stage", *STAGES), nullable=False),
        _small("revision"),
        _small("confidence"),
        sa.Column("still_using", _choice("still_using", *USING), nullable=True),
        sa.Column("by_link", sa.Boolean(), server_default=sa.false(), nullable=False),
        *_done(),
        _reference("confidence_answer", "ask_id", "school_ask"),
        sa.UniqueConstraint("ask_id", "revision", name="uq_confidence_answer_revision"),
        _check("confidence_answer", "confidence", "confidence BETWEEN 1 AND 5"),
        _check("confidence_answer", "later", "(stage = 'later') = (still_using IS NOT NULL)"),
        _check("confidence_answer", "asked", "stage <> 'evaluation'"),
    )
    _index("confidence_answer", "referral_id", "id")
    _table(
        "school_evaluation",
        _id(),
        _referral("school_evaluation"),
        _number("ask_id"),
        _small("useful"),
        _small("timely"),
        sa.Column("still_using", _choice("still_using", *USING), nullable=False),
        _text("words", default=True),
        *_done(),
        _reference("school_evaluation", "ask_id", "school_ask"),
        sa.UniqueConstraint("ask_id", name="uq_school_evaluation_ask"),
        _check("school_evaluation", "marks", "useful BETWEEN 1 AND 4 AND timely BETWEEN 1 AND 4"),
    )
    _index("school_evaluation", "referral_id", "id")


def _reports() -> None:
    _table(
        "end_report",
        _id(),
        _referral("end_report"),
        _small("number"),
        sa.Column("version", sa.Integer(), nullable=False),
        *(_text(part, default=True) for part in ("done", "changed", "goes_on", "next_steps")),
        _text("author_id"),
        _text("author_name"),
        _instant("saved_at", nullable=False),
        _instant("issued_at"),
        sa.UniqueConstraint("referral_id", "number", name=op.f("uq_end_report_referral_id_number")),
    )
    op.create_index(
        "uq_end_report_draft",
        "end_report",
        ["referral_id"],
        unique=True,
        schema="s2s",
        postgresql_where=sa.text("issued_at IS NULL"),
    )
    _table(
        "end_report_document",
        sa.Column("report_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        _referral("end_report_document"),
        _instant("made_at", nullable=False),
        _text("sha256"),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        _reference("end_report_document", "report_id", "end_report"),
    )


def _case_studies() -> None:
    _table(
        "case_study_consent",
        _id(),
        _referral("case_study_consent"),
        sa.Column("party", _choice("party", "school", "parent"), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        _text("who"),
        sa.Column("how", _choice("how", "signed", "email", "verbal"), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        *_done(),
        _check("case_study_consent", "who", "who <> ''"),
    )
    _index("case_study_consent", "referral_id", "id")
    _table(
        "case_study",
        _id(),
        _referral("case_study"),
        _text("text"),
        _instant("ended_at"),
        _text("ended_by_id", default=True),
        _text("ended_by_name", default=True),
        *_done(),
        _check("case_study", "text", "text <> ''"),
    )
    _open_once("case_study", "uq_case_study_open", "referral_id")


def downgrade() -> None:
    op.execute(sa.text(DOWN.read_text(encoding="utf-8").replace(":", r"\:")))
    for name, _ in WORKLIST:
        op.drop_index(f"ix_worklist_entry_{name}", "worklist_entry", schema="s2s")
    op.drop_column("worklist_entry", "conclusion", schema="s2s")
    for table in TABLES:
        op.drop_table(table, schema="s2s")
    op.execute(sa.text("DROP FUNCTION s2s.case_study_agreed(bigint)"))
    op.drop_index("ix_referral_school_conclusion", "referral", schema="s2s")
    op.drop_column("referral", "conclusion", schema="s2s")
    op.execute(sa.text("ALTER TABLE s2s.referral_event DISABLE TRIGGER append_only"))
    listed = ", ".join(f"'{action}'" for action in ACTIONS)
    op.execute(sa.text(f"DELETE FROM s2s.referral_event WHERE action IN ({listed})"))
    op.execute(sa.text("ALTER TABLE s2s.referral_event ENABLE TRIGGER append_only"))
    op.execute(_values("referral_event", "action", *ACTIONS, added=False))
    op.execute(sa.text("ALTER TABLE s2s.bulk_run DISABLE TRIGGER append_only"))
    op.execute(sa.text("DELETE FROM s2s.bulk_run WHERE what = 'finish'"))
    op.execute(sa.text("ALTER TABLE s2s.bulk_run ENABLE TRIGGER append_only"))
    op.execute(_values("bulk_run", "what", "finish", added=False))


def _table(name: str, *parts: Any) -> None:
    keys = [part.name for part in parts if isinstance(part, sa.Column) and part.primary_key]
    for part in parts:
        if isinstance(part, sa.Column):
            part.primary_key = False
    op.create_table(
        name, *parts, sa.PrimaryKeyConstraint(*keys, name=op.f(f"pk_{name}")), schema="s2s"
    )


def _id() -> sa.Column[Any]:
    identity = sa.Identity(always=True)
    return sa.Column("id", sa.BigInteger(), identity, primary_key=True, nullable=False)


def _referral(table: str) -> sa.Column[Any]:
    name = op.f(f"fk_{table}_referral_id_referral")
    key = sa.ForeignKey("s2s.referral.id", name=name)
    return sa.Column("referral_id", sa.BigInteger(), key, nullable=False)


def _text(name: str, *, key: bool = False, default: bool = False) -> sa.Column[Any]:
    given: dict[str, Any] = {"server_default": ""} if default else {}
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False, **given)


def _small(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.SmallInteger(), nullable=False)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _instant(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(
        *values, name=name, native_enum=False, create_constraint=True, length=40, schema="s2s"
    )


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _done() -> list[sa.Column[Any]]:
    return [_instant("at", nullable=False), _text("by_id"), _text("by_name")]


def _reference(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"s2s.{to}.id"], name=op.f(f"fk_{table}_{column}_{to}")
    )


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{columns[0]}"), table, list(columns), schema="s2s")


def _open_once(table: str, name: str, *columns: str) -> None:
    op.create_index(
        name,
        table,
        list(columns),
        unique=True,
        schema="s2s",
        postgresql_where=sa.text("ended_at IS NULL"),
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
            FROM pg_constraint c, regexp_matches(pg_get_constraintdef(c.oid), '''([\w-]+)''', 'g')
                WITH ORDINALITY AS value (word, place)
            WHERE c.conname = 'ck_{table}_{column}'
              AND c.connamespace = 's2s'\:\:regnamespace AND {kept};
            EXECUTE format('ALTER TABLE s2s.{table} DROP CONSTRAINT ck_{table}_{column},
                ADD CONSTRAINT ck_{table}_{column} CHECK ({column} IN (%s))', listed);
        END $$
        """
    )
