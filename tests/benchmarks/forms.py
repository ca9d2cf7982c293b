"""Each page of the referral form against a hand-written page with the same DOM.

The floor reads the same rows by SQLAlchemy Core and fills in a plain template: our own answer with
every value taken out and put in again. No sign-on, no access rules, no audit, no form objects.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial
from typing import Any

from flask import Flask
from jinja2 import Environment, Template
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.models.answer import (
    Agreement,
    DraftCopy,
    Need,
    OutcomeWanted,
    StrategyTried,
    Subject,
)
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.terms import Fee, NeedType, ServiceTerms
from tests import answers, world
from tests.benchmarks.pages import AIM, REPEATS, get, interleaved
from tests.client import Client
from tests.conftest import NOON, migrated_database
from tests.host import make_host

FILLED = re.compile(r'(?P<before>\bvalue=")(?P<value>[^"]+)(?P<after>")')
PARTS = (Subject, Agreement, Need, StrategyTried, OutcomeWanted, ReferralEvent)


def run(server_url: str) -> None:
    """Print each page's median, its floor's, and the ratio."""
    url = migrated_database(server_url, "s2s_bench_forms")
    engine = create_engine(url)
    with Session(engine) as session, session.begin():
        session.add_all(world.establishments())
    with clock.frozen(datetime.fromisoformat(NOON)):  # the day that the answers are for
        measure(url, engine)
    engine.dispose()


def measure(url: str, engine: Engine) -> None:
    """Fill in a referral, and measure each page of it."""
    app = make_host(
        url, dict(world.ACTORS), S2S_MATCH_KEY="a key for the benchmark alone, and long enough"
    )
    floors = Floor(app, engine)
    client = Client(app).sign_on("senco")
    reference = floors.reference = answers.complete(client)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    print(f"\nPages of the form, median of {REPEATS}, aim {AIM} or less")
    print(f"{'page':22}{'ours ms':>10}{'floor ms':>10}{'ratio':>8}")
    for name, path in addresses(client, reference):
        floor = floors.add(name, client.open(path).text)
        mine, theirs = interleaved(partial(get, client, path), partial(get, client, floor))
        print(f"{name:22}{mine * 1000:10.2f}{theirs * 1000:10.2f}{mine / theirs:8.2f}")


def addresses(client: Client, reference: str) -> list[tuple[str, str]]:
    """The pages of the form: the task list, the kind, each section, the answers to check."""
    where = {"reference": reference}
    return [
        ("task-list", client.url("referrals.show", **where)),
        ("kind", client.url("referrals.kind", **where)),
        *((key, client.url("referrals.section", section=key, **where)) for key in answers.SECTIONS),
        ("check-answers", client.url("referrals.check", **where)),
    ]


class Floor:
    """The floors of the pages, by name, at `/floor/form/<name>`."""

    def __init__(self, app: Flask, engine: Engine) -> None:
        self.engine = engine
        self.reference = ""
        self.pages: dict[str, tuple[Template, list[str]]] = {}
        app.add_url_rule("/floor/form/<name>", "floor_form", self.answer)

    def add(self, name: str, page: str) -> str:
        """Take the values out of our own answer `page`, to be put in again; the floor's path."""
        values: list[str] = []

        def take_out(found: re.Match[str]) -> str:
            values.append(found["value"])
            return f"{found['before']}{{{{ values[{len(values) - 1}] }}}}{found['after']}"

        literal = page.replace("{{", "").replace("{%", "").replace("{#", "")
        template = Environment(autoescape=True).from_string(FILLED.sub(take_out, literal))
        self.pages[name] = template, values
        return f"/floor/form/{name}"

    def answer(self, name: str) -> str:
        """Read what the page needs, and fill it in."""
        read(self.engine, self.reference)
        template, values = self.pages[name]
        return template.render(values=values)


def read(engine: Engine, reference: str) -> list[Any]:
    """What a page of the form reads: the whole referral, its fee, the codes, what was kept."""
    with engine.connect() as connection:
        row = connection.execute(
            select(Referral.__table__, Establishment.__table__)
            .join(Establishment, Establishment.urn == Referral.urn)
            .where(Referral.reference == reference)
        ).first()
        assert row is not None
        found: list[Any] = [
            connection.execute(
                select(part.__table__).where(part.__table__.c.referral_id == row.id)
            ).all()
            for part in PARTS
        ]
        found.append(
            connection.execute(select(ServiceTerms.__table__, Fee.__table__).join(Fee)).all()
        )
        found.append(connection.execute(select(NeedType.__table__)).all())
        found.append(
            connection.execute(
                select(DraftCopy.__table__).where(DraftCopy.referral_id == row.id)
            ).all()
        )
        return found
