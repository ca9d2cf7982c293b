"""Before a draft: intake windows and term dates. And its life: one start gives one draft, and a
draft that nobody saves expires.

The statements that are not tables are in `0013_before_a_draft.sql` beside this file. Term dates:
2019/20 as the council published them (EDP, 1 September 2019); 2018/19 after one Norfolk school, as
the council's own are not at hand. Nothing is seeded that has no source.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0010"
branch_labels = None
depends_on = None

RULES = Path(__file__).with_suffix(".sql")
PUBLISHED = "Norfolk term dates 2019/20, EDP 1 September 2019"
ONE_SCHOOL = "As one Norfolk school published them (stfrancisofassisi.co.uk); others differ by days"
TERM_DATES = (
    (2018, "TERM", "2018-09-05", "2018-10-19", ONE_SCHOOL),
    (2018, "HALF_TERM", "2018-10-22", "2018-10-26", ONE_SCHOOL),
    (2018, "TERM", "2018-10-29", "2018-12-18", ONE_SCHOOL),
    (2018, "TERM", "2019-01-03", "2019-02-15", ONE_SCHOOL),
    (2018, "HALF_TERM", "2019-02-18", "2019-02-22", ONE_SCHOOL),
    (2018, "TERM", "2019-02-25", "2019-04-05", ONE_SCHOOL),
    (2018, "TERM", "2019-04-23", "2019-05-24", ONE_SCHOOL),
    (2018, "HALF_TERM", "2019-05-27", "2019-05-31", ONE_SCHOOL),
    (2018, "TERM", "2019-06-03", "2019-07-19", ONE_SCHOOL),
    (2019, "TERM", "2019-09-04", "2019-12-18", PUBLISHED),
    (2019, "HALF_TERM", "2019-10-21", "2019-10-25", PUBLISHED),
    (2019, "TERM", "2020-01-06", "2020-04-01", PUBLISHED),
    (2019, "HALF_TERM", "2020-02-17", "2020-02-21", PUBLISHED),
    (2019, "TERM", "2020-04-20", "2020-07-21", PUBLISHED),
    (2019, "HALF_TERM", "2020-05-25", "2020-05-29", PUBLISHED),
)


LIST_WORDS = r"""
DO $list$
DECLARE list record; words text;
BEGIN
    FOR list IN SELECT * FROM (VALUES
        ('referral', 'status', 'ck_referral_status'),
        ('referral_event', 'action', 'ck_referral_event_action'))
        AS lists (of_table, of_column, rule_name)
    LOOP
        SELECT string_agg(quote_literal(found.word[1]), ', ' ORDER BY place) INTO STRICT words
            FROM pg_constraint c, regexp_matches(pg_get_constraintdef(c.oid), '''([a-z_]+)''', 'g')
                WITH ORDINALITY AS found (word, place)
            WHERE c.conrelid = format('s2s.%I', list.of_table)::regclass
              AND c.conname = list.rule_name AND found.word[1] <> 'expired';
        EXECUTE format('ALTER TABLE s2s.%I DROP CONSTRAINT %I', list.of_table, list.rule_name);
        EXECUTE format('ALTER TABLE s2s.%I ADD CONSTRAINT %I CHECK (%I IN (%s))',
            list.of_table, list.rule_name, list.of_column, words || $more$MORE$more$);
    END LOOP;
END $list$
"""


def _list_words(more: str) -> None:
    """Rewrite the lists of states and of actions, whatever other revisions have added to them:
    without `expired`, then with `more` behind them."""
    op.execute(sa.text(LIST_WORDS.replace("MORE", more).replace(":", r"\:")))


def _done() -> tuple[sa.Column, ...]:
    return (
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
    )


def _choice(table: str, column: str, *values: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(
        f"{column} IN ({', '.join(repr(value) for value in values)})", name=f"ck_{table}_{column}"
    )


def upgrade() -> None:
    _intake_tables()
    _term_dates()
    _referral_columns()
    _list_words(", 'expired'")
    op.execute(sa.text(RULES.read_text(encoding="utf-8").replace(":", r"\:")))


def _intake_tables() -> None:
    op.create_table(
        "intake_window",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("setting_kind", sa.String(40), nullable=False),
        sa.Column("opens", sa.Date(), nullable=False),
        sa.Column("closes", sa.Date(), nullable=True),
        sa.Column("open_during", postgresql.DATERANGE(), nullable=False),
        sa.Column("quota", sa.Integer(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        *_done(),
        sa.PrimaryKeyConstraint("id", name="pk_intake_window"),
        _choice("intake_window", "setting_kind", "mainstream", "early_years"),
        sa.CheckConstraint("closes >= opens", name="ck_intake_window_closes"),
        sa.CheckConstraint("quota > 0", name="ck_intake_window_quota"),
        *(
            postgresql.ExcludeConstraint(
                ("open_during", "&&"),
                name=f"ex_intake_window_{kind}",
                using="gist",
                where=sa.text(f"setting_kind = '{kind}'"),
            )
            for kind in ("mainstream", "early_years")
        ),
        schema="s2s",
    )
    op.create_table(
        "intake_closing",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("window_id", sa.BigInteger(), nullable=False),
        sa.Column("closes", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        *_done(),
        sa.PrimaryKeyConstraint("id", name="pk_intake_closing"),
        sa.ForeignKeyConstraint(
            ["window_id"],
            ["s2s.intake_window.id"],
            name="fk_intake_closing_window_id_intake_window",
        ),
        schema="s2s",
    )


def _term_dates() -> None:
    op.create_table(
        "term_date",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("academic_year", sa.SmallInteger(), nullable=False),
        sa.Column("urn", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("starts", sa.Date(), nullable=False),
        sa.Column("ends", sa.Date(), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        *_done(),
        sa.PrimaryKeyConstraint("id", name="pk_term_date"),
        sa.ForeignKeyConstraint(
            ["urn"], ["s2s.establishment.urn"], name="fk_term_date_urn_establishment"
        ),
        sa.UniqueConstraint(
            "academic_year",
            "urn",
            "kind",
            "starts",
            name="uq_term_date_academic_year_urn_kind_starts",
            postgresql_nulls_not_distinct=True,
        ),
        _choice("term_date", "kind", "TERM", "HALF_TERM", "INSET"),
        sa.CheckConstraint("ends >= starts", name="ck_term_date_dates"),
        schema="s2s",
    )
    for year, kind, starts, ends, source in TERM_DATES:
        op.execute(
            sa.text(
                "INSERT INTO s2s.term_date"
                " (academic_year, kind, starts, ends, source, at, by_id, by_name) VALUES"
                " (:year, :kind, CAST(:starts AS date), CAST(:ends AS date), :source, now(),"
                " 'system', 'The service')"
            ).bindparams(year=year, kind=kind, starts=starts, ends=ends, source=source)
        )


def _referral_columns() -> None:
    for column in (
        sa.Column("created_by_email", sa.Text(), server_default="", nullable=False),
        sa.Column("start_token", sa.Text(), nullable=True),
        sa.Column("saved_on", sa.Date(), server_default=sa.text("CURRENT_DATE"), nullable=False),
        sa.Column("reminded_on", sa.Date(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("intake_window_id", sa.BigInteger(), nullable=True),
    ):
        op.add_column("referral", column, schema="s2s")
    op.create_foreign_key(
        "fk_referral_intake_window_id_intake_window",
        "referral",
        "intake_window",
        ["intake_window_id"],
        ["id"],
        source_schema="s2s",
        referent_schema="s2s",
    )
    op.create_unique_constraint(
        "uq_referral_start_token", "referral", ["start_token"], schema="s2s"
    )
    op.create_index("ix_referral_intake_window_id", "referral", ["intake_window_id"], schema="s2s")
    op.create_index(
        "ix_referral_draft",
        "referral",
        ["saved_on"],
        schema="s2s",
        postgresql_where=sa.text("status = 'draft'"),
    )
    op.create_index(
        "ix_referral_event_decided",
        "referral_event",
        ["at"],
        schema="s2s",
        postgresql_where=sa.text("action IN ('accepted', 'declined')"),
    )
    op.create_index(
        "ix_visit_record_visited",
        "visit_record",
        ["visited_on"],
        schema="s2s",
        postgresql_where=sa.text("issued_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Take it off again. A draft that had expired is an empty draft once more."""
    op.execute(
        sa.text(
            r"""
            DROP TRIGGER within_intake ON s2s.referral;
            DROP POLICY referral_expired ON s2s.referral;
            ALTER TABLE s2s.referral_event DISABLE TRIGGER append_only;
            DELETE FROM s2s.referral_event WHERE action = 'expired';
            ALTER TABLE s2s.referral_event ENABLE TRIGGER append_only;
            UPDATE s2s.referral SET status = 'draft' WHERE status = 'expired';
            ALTER TABLE s2s.referral DROP CONSTRAINT ck_referral_submitted_when_not_draft;
            ALTER TABLE s2s.referral ADD CONSTRAINT ck_referral_submitted_when_not_draft
                CHECK ((status = 'draft') = (submitted_at IS NULL));
            """.replace(":", r"\:")
        )
    )
    _list_words("")
    for name, table in (
        ("ix_visit_record_visited", "visit_record"),
        ("ix_referral_event_decided", "referral_event"),
        ("ix_referral_draft", "referral"),
        ("ix_referral_intake_window_id", "referral"),
    ):
        op.drop_index(name, table_name=table, schema="s2s")
    for name in (
        "intake_window_id",
        "expires_on",
        "reminded_on",
        "saved_on",
        "start_token",
        "created_by_email",
    ):
        op.drop_column("referral", name, schema="s2s")
    for table in ("term_date", "intake_closing", "intake_window"):
        op.drop_table(table, schema="s2s")
    for name in (
        "hold_intake()",
        "recent_waits(timestamptz)",
        "intake_standing(text, date)",
        "intake_used(bigint)",
        "refuse_change_of_window()",
        "close_intake_window()",
        "open_intake_window()",
    ):
        op.execute(f"DROP FUNCTION s2s.{name}")
