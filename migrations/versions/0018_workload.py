"""Workload, caps and the reason for an allocation: weights and caps by date, the rule that applied.

What an open referral and a planned visit weigh, and how many referrals somebody may have, are dated
rows that are only ever added. An allocation keeps which rule applied and what was overridden.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# In minutes: an open referral takes two hours in four school weeks beside its visits; a visit takes
# an hour and a half more than the time at the school, for the way and the record.
WEIGHTS = (("referral", 120), ("visit", 90))
TABLES = ("workload_weight", "allocation_cap")


def upgrade() -> None:
    op.create_table(
        "workload_weight",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _choice("kind", "referral", "visit"),
        sa.Column("tier", sa.SmallInteger(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint("minutes >= 0", name="ck_workload_weight_minutes"),
        sa.PrimaryKeyConstraint("id", name="pk_workload_weight"),
        sa.UniqueConstraint(
            "kind",
            "tier",
            "valid_from",
            name="uq_workload_weight_kind_tier_valid_from",
            postgresql_nulls_not_distinct=True,
        ),
        schema="s2s",
    )
    for kind, minutes in WEIGHTS:
        op.execute(
            "INSERT INTO s2s.workload_weight (kind, valid_from, minutes, source)"
            f" VALUES ('{kind}', '2015-04-01', {minutes}, 'What the service set out with')"
        )
    op.create_table(
        "allocation_cap",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _choice("scope", "practitioner", "provider", "term"),
        sa.Column("key", sa.BigInteger(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.CheckConstraint("most >= 0", name="ck_allocation_cap_most"),
        sa.PrimaryKeyConstraint("id", name="pk_allocation_cap"),
        schema="s2s",
    )
    rule = _choice("rule", "local", "specialism", "capacity", "other")
    rule.nullable = True
    op.add_column("allocation", rule, schema="s2s")
    op.add_column(
        "allocation",
        sa.Column("overridden", sa.Text(), server_default="", nullable=False),
        schema="s2s",
    )
    for table in TABLES:
        for statement in (
            f"ALTER TABLE s2s.{table} ENABLE ROW LEVEL SECURITY",
            f"GRANT SELECT, INSERT ON s2s.{table} TO s2s_app",
            f"CREATE POLICY {table}_read ON s2s.{table} FOR SELECT USING (true)",
            f"CREATE POLICY {table}_add ON s2s.{table} FOR INSERT"
            " WITH CHECK ((SELECT s2s.acts_as('administrator', 'system')))",
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON s2s.{table}"
            " FOR EACH ROW EXECUTE FUNCTION s2s.refuse_change()",
            f"CREATE TRIGGER no_truncate BEFORE TRUNCATE ON s2s.{table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION s2s.refuse_change()",
        ):
            op.execute(statement)
    op.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA s2s TO s2s_app")


def downgrade() -> None:
    op.drop_column("allocation", "overridden", schema="s2s")
    op.drop_column("allocation", "rule", schema="s2s")
    for table in TABLES:
        op.drop_table(table, schema="s2s")


def _choice(name: str, *values: str) -> sa.Column[str]:
    kind = sa.Enum(
        *values, name=name, native_enum=False, create_constraint=True, length=40, schema="s2s"
    )
    return sa.Column(name, kind, nullable=False)
