"""The first rows: the service's terms since April 2015, the census need codes, an empty ledger.

Terms: MI Sheet 44/19 of 15 March 2019. Needs: school census `SENtype` (domain.md 3.2); Down
syndrome may be chosen from January 2025.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TERMS = (
    (
        "Traded hours and cluster packages",
        "[2015-04-01,2019-04-01)",
        "existing",
        "traded",
        "MI Sheet 44/19",
        (0, "paid for by hours or a package bought beforehand"),
        (0, "early years setting"),
    ),
    (
        "High Needs Block, existing route",
        "[2019-04-01,2019-09-01)",
        "existing",
        "high_needs_block",
        "MI Sheet 44/19",
        (10_000, "mainstream school"),
        (0, "early years setting"),
    ),
    (
        "High Needs Block, single front door",
        "[2019-09-01,)",
        "single_front_door",
        "high_needs_block",
        "MI Sheet 44/19",
        (10_000, "mainstream school"),
        (0, "early years setting"),
    ),
)

NEEDS = (
    ("SPLD", "Specific learning difficulty", "Cognition and learning", "2014-09-01"),
    ("MLD", "Moderate learning difficulty", "Cognition and learning", "2014-09-01"),
    ("SLD", "Severe learning difficulty", "Cognition and learning", "2014-09-01"),
    ("PMLD", "Profound and multiple learning difficulty", "Cognition and learning", "2014-09-01"),
    (
        "SEMH",
        "Social, emotional and mental health",
        "Social, emotional and mental health",
        "2014-09-01",
    ),
    (
        "SLCN",
        "Speech, language and communication needs",
        "Communication and interaction",
        "2014-09-01",
    ),
    ("ASD", "Autistic spectrum disorder", "Communication and interaction", "2014-09-01"),
    ("HI", "Hearing impairment", "Sensory and physical", "2014-09-01"),
    ("VI", "Vision impairment", "Sensory and physical", "2014-09-01"),
    ("MSI", "Multi-sensory impairment", "Sensory and physical", "2014-09-01"),
    ("PD", "Physical disability", "Sensory and physical", "2014-09-01"),
    ("DS", "Down syndrome", "Cognition and learning", "2025-01-01"),
    ("OTH", "Other difficulty or disability", "Other", "2014-09-01"),
    ("NSA", "SEN Support but no specialist assessment of need", "Other", "2014-09-01"),
)


def upgrade() -> None:
    for name, during, access, funding, source, mainstream, early_years in TERMS:
        op.execute(
            sa.text(
                "WITH terms AS (INSERT INTO s2s.service_terms"
                " (name, during, access, funding, source)"
                " VALUES (:name, CAST(:during AS daterange), :access, :funding, :source)"
                " RETURNING id)"
                " INSERT INTO s2s.fee (terms_id, setting_kind, amount_pence, reason)"
                " SELECT id, kind, amount, reason FROM terms, (VALUES"
                " ('mainstream', CAST(:mainstream AS integer), :mainstream_reason),"
                " ('early_years', CAST(:early AS integer), :early_reason))"
                " AS fees (kind, amount, reason)"
            ).bindparams(
                name=name,
                during=during,
                access=access,
                funding=funding,
                source=source,
                mainstream=mainstream[0],
                mainstream_reason=mainstream[1],
                early=early_years[0],
                early_reason=early_years[1],
            )
        )
    for position, (code, label, area, valid_from) in enumerate(NEEDS, start=1):
        op.execute(
            sa.text(
                "INSERT INTO s2s.need_type (code, label, broad_area, position, valid_from)"
                " VALUES (:code, :label, :area, :position, CAST(:valid_from AS date))"
            ).bindparams(
                code=code, label=label, area=area, position=position, valid_from=valid_from
            )
        )
    op.execute(f"INSERT INTO s2s.ledger_head (id, number, hash) VALUES (1, 0, '{'0' * 64}')")
    op.execute(
        "INSERT INTO s2s.account (code, name) VALUES"
        " ('income:engagement-fee', 'Engagement fees'),"
        " ('collected:finance', 'Collected by Finance')"
    )


def downgrade() -> None:
    """Empty every table: whatever is there stands on these rows, and the tables go next."""
    op.execute(
        sa.text(
            r"""
            DO $$
            DECLARE thing record;
            BEGIN
                FOR thing IN SELECT c.oid::regclass AS name FROM pg_class c
                    WHERE c.relnamespace = 's2s'::regnamespace AND c.relkind = 'r'
                      AND c.relname <> 'alembic_version'
                      AND c.relname NOT LIKE 'procrastinate\_%'
                LOOP
                    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', thing.name);
                END LOOP;
                TRUNCATE s2s.service_terms, s2s.need_type, s2s.ledger_head, s2s.account CASCADE;
                FOR thing IN SELECT c.oid::regclass AS name FROM pg_class c
                    WHERE c.relnamespace = 's2s'::regnamespace AND c.relkind = 'r'
                      AND c.relname <> 'alembic_version'
                      AND c.relname NOT LIKE 'procrastinate\_%'
                LOOP
                    EXECUTE format('ALTER TABLE %s ENABLE TRIGGER USER', thing.name);
                END LOOP;
            END $$
            """.replace(":", r"\:")
        )
    )
