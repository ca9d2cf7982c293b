"""The unlike hosts, and how each is set up and signed on to: what `path.walk` needs to know."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask
from sqlalchemy.engine import make_url

from tests.client import Page, lint
from tests.hosts.elsewhere import app as westwell
from tests.hosts.hostile import app as southmoor
from tests.hosts.legacy import app as northshire
from tests.hosts.modern import app as eastmere
from tests.hosts.visitor import FrontDoor, Visitor
from tests.world import PROVIDER, SCHOOL

# Who walks the path, with the place they act for.
WALKERS = {
    "senco": ("Sam O'Brien-Łukasz", SCHOOL),
    "officer": ("Ola Officer", None),
    "practitioner": ("Pat Practitioner", PROVIDER),
    "finance": ("Fay Finance", None),
}


@dataclass
class Town:
    """One council's portal, running on a database of its own."""

    app: Flask
    ours: str
    sign_on: Callable[[Visitor, str], None]
    check: Callable[[Page], None]
    base_url: str = "https://portal.example/"
    wsgi: Any = None

    def stranger(self) -> Visitor:
        """A browser that nobody has signed on with."""
        return Visitor(
            self.wsgi or self.app, ours=self.ours, base_url=self.base_url, check=self.check
        )

    def signed_on(self, key: str) -> Visitor:
        """A browser with one of WALKERS signed on, by the host's own form."""
        visitor = self.stranger()
        self.sign_on(visitor, key)
        return visitor


def within(marker: str, page: Page) -> None:
    """Our page, linted, inside the host's own layout, with one main landmark."""
    assert marker in page.text, f"not in the host's layout: {page.text[:300]}"
    page = copy.copy(page)
    page.document = copy.deepcopy(page.document)
    nonce = page.response.headers.get("Content-Security-Policy", "").partition("'nonce-")[2]
    for script in page.document.xpath("//script[@nonce]"):
        assert script.get("nonce") == nonce.partition("'")[0]
        script.drop_tree()
    for token in page.document.xpath("//input[@name='southmoor_token']"):
        token.set("name", "csrf_token")
    lint(page)
    assert len(page.document.xpath("//main")) == 1, "one main landmark"
    assert page.document.xpath("//link[contains(@href, '/static/s2s.css')]"), "our style sheet"
    # A host's own filter works in the host's own templates, and nowhere else.
    assert page.text.count("SOUTHMOOR") == marker.count("SOUTHMOOR"), page.text


def legacy(config: dict[str, Any]) -> Town:
    app = northshire.create_app(config)
    kinds = {"senco": "SCH", "officer": "SEN", "practitioner": "OUT", "finance": "FIN"}
    with app.app_context():
        app.extensions["sqlalchemy"].create_all()
        app.extensions["legacy_users"](
            [(key, name, kinds[key], urn) for key, (name, urn) in WALKERS.items()]
        )

    def sign_on(visitor: Visitor, key: str) -> None:
        visitor.front()  # which leads to the log-in page, and from there back
        visitor.press("Log in", login=key, password=northshire.PASSWORD)
        assert visitor.path == "/s2s/"

    return Town(app, "/s2s", sign_on, partial(within, "northshire-masthead"))


def modern(config: dict[str, Any]) -> Town:
    url = make_url(config["SQLALCHEMY_DATABASE_URI"])
    where = {"host": url.query["host"]} if "host" in url.query else {"host": url.host}
    # Where its server is, Eastmere does not say in the URL.
    where |= {"user": url.username, "dbname": url.database, "password": url.password or ""}
    where |= {"port": url.port} if url.port else {}
    app = eastmere.create_app(
        config
        | {
            "SQLALCHEMY_DATABASE_URI": "postgresql+psycopg://",
            "SQLALCHEMY_ENGINE_OPTIONS": {"connect_args": where},
        }
    )
    roles = {
        "senco": "school_referrer",
        "officer": "send_officer",
        "practitioner": "practitioner",
        "finance": "finance",
    }
    with app.app_context():
        eastmere.db.create_all()
        for key, (name, urn) in WALKERS.items():
            account = eastmere.Account(
                subject=key, display_name=name, email=f"{key}@eastmere.example", organisation=urn
            )
            account.grants = [eastmere.Grant(role=roles[key]), eastmere.Grant(role="parking")]
            eastmere.db.session.add(account)
        eastmere.db.session.commit()

    def sign_on(visitor: Visitor, key: str) -> None:
        visitor.go("/account/sign-in").press("Continue", email=f"{key}@eastmere.example")

    return Town(app, "/services/school-support", sign_on, partial(within, "eastmere-header"))


def hostile(config: dict[str, Any]) -> Town:
    app = southmoor.create_app(config)
    parts = app.extensions["southmoor"]
    duties = {
        "senco": "school_referrer",
        "officer": "send_officer",
        "practitioner": "practitioner",
        "finance": "finance",
    }
    with app.app_context():
        db = parts["db"]
        db.create_all()
        for key, (name, urn) in WALKERS.items():
            db.session.add(
                parts["Person"](staff_number=key, name=name, duties=duties[key], place=urn)
            )
        db.session.add(parts["Referral"](id=1, clinic="Knees"))
        db.session.commit()

    def sign_on(visitor: Visitor, key: str) -> None:
        visitor.go("/portal/enter").press("Enter", staff_number=key).sees("Southmoor portal")

    return Town(
        app,
        "/portal/school-to-school",
        sign_on,
        partial(within, "Southmoor SOUTHMOOR FILTER {{ not a variable here }}"),
        wsgi=FrontDoor(app, "/portal"),
    )


def elsewhere(config: dict[str, Any]) -> Town:
    binds = {"support": config["SQLALCHEMY_DATABASE_URI"]}
    app = westwell.create_app(
        config | {"SQLALCHEMY_DATABASE_URI": "sqlite://", "SQLALCHEMY_BINDS": binds}
    )
    groups = {
        "senco": "grp-school-sencos",
        "officer": "grp-send",
        "practitioner": "grp-outreach",
        "finance": "grp-finance",
    }
    with app.app_context():
        westwell.db.create_all(bind_key=None)
        for key, (name, urn) in WALKERS.items():
            said: dict[str, Any] = {"name": name, "groups": ["grp-bins", groups[key]]}
            if key == "senco":
                said["urns"] = [str(urn)]
            if key == "practitioner":
                said["provider"] = str(urn)
            westwell.db.session.add(westwell.Claims(sub=key, claims=said))
        westwell.db.session.commit()

    def sign_on(visitor: Visitor, key: str) -> None:
        visitor.go("/sso").press("Go on", sub=key)

    return Town(app, "/s2s", sign_on, partial(within, 'class="westwell"'))


TOWNS: dict[str, Callable[[dict[str, Any]], Town]] = {
    "legacy": legacy,
    "modern": modern,
    "hostile": hostile,
    "elsewhere": elsewhere,
}
