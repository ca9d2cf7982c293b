"""docs/mounting.md, done as it says: its blocks, put into a small portal, mount the service."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from s2s_portal.cli import commands
from s2s_portal.settings import SETTINGS
from tests.client import Page, lint
from tests.documents import DOCS, blocks, python_blocks, text_of
from tests.hosts.conftest import Server

PAGE = "mounting.md"
NAMED = re.compile(r"(?:# |\{# )(portal/\S+)(?: #\})?\n")

# What a council has before it opens the document.
EXTENSIONS = """
from flask_login import LoginManager, UserMixin
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy

db, login_manager, mail = SQLAlchemy(), LoginManager(), Mail()
login_manager.login_view = "pages.home"

class User(db.Model, UserMixin):
    id = db.Column(db.Integer, primary_key=True)
    full_name = db.Column(db.String(80))
    email = db.Column(db.String(80))
    kind = db.Column(db.String(20))
    urn = db.Column(db.Integer)

@login_manager.request_loader
def load(request):
    return User.query.filter_by(kind=request.headers.get("X-Kind")).first()
"""
LAYOUT = """<!DOCTYPE html>
<html lang="en"><head><title>{% block page_title %}Borchester{% endblock %}</title>
{% block head_extra %}<meta name="council" content="Borchester">{% endblock %}</head>
<body><nav aria-label="Services">MENU</nav>{% block main_column %}{% endblock %}</body></html>
"""
HOME = '{% extends "layout.html" %}{% block main_column %}<h1>Borchester</h1>{% endblock %}'


def described() -> dict[str, str]:
    """The blocks that begin with the name of a file, by that name."""
    found = {}
    for _, code in blocks(PAGE):
        named = NAMED.match(code)
        if named:
            found[named.group(1)] = code
    return found


def settings() -> dict[str, object]:
    """The settings that the document gives."""
    (block,) = [code for code in python_blocks(PAGE) if code.startswith("# in your configuration")]
    given: dict[str, object] = {}
    exec(block, {}, given)
    return given


@pytest.fixture
def portal(
    tmp_path: Path, council: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Flask, Path]]:
    """The portal with the document's files in it, made by its own factory; and its folder."""
    menu = next(code for _, code in blocks(PAGE) if "support_menu()" in code)
    files = {
        "portal/extensions.py": EXTENSIONS,
        "portal/templates/home.html": HOME,
        "portal/templates/layout.html": LAYOUT.replace("MENU", menu),
        **described(),
    }
    for name, code in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", council.make())
    monkeypatch.setenv("SECRET_KEY", "k")
    app = importlib.import_module("portal").create_app(
        {"SQLALCHEMY_DATABASE_URI": os.environ["DATABASE_URL"], "SECRET_KEY": "k"} | settings()
    )
    with app.app_context():
        extensions = importlib.import_module("portal.extensions")
        extensions.db.create_all()
        for kind, urn in (("school", 900101), ("send", None), ("bins", None)):
            extensions.db.session.add(extensions.User(kind=kind, urn=urn))
        extensions.db.session.commit()
    yield app, tmp_path
    for name in [name for name in sys.modules if name == "portal" or name.startswith("portal.")]:
        del sys.modules[name]


def seen(app: Flask, path: str, kind: str) -> Page:
    """A page as the first user of a kind sees it."""
    return Page(app.test_client().get(path, headers={"X-Kind": kind}))


def test_the_document_names_every_file(portal: tuple[Flask, Path]) -> None:
    assert {"portal/__init__.py", "portal/support.py", "portal/pages.py"} <= set(described())


def test_what_it_says_mounts_the_service(portal: tuple[Flask, Path]) -> None:
    app, _ = portal
    page = seen(app, "/s2s/", "send")
    assert page.status == 200
    lint(page)
    assert page.title == "School to School Support"
    assert page.document.xpath("//meta[@content='Borchester']"), "the layout's own head is kept"
    assert page.document.xpath("//link[@href='/s2s/static/s2s.css']")
    assert "Start a referral" in seen(app, "/s2s/", "school").words
    assert seen(app, "/s2s/", "bins").status == 403
    home = seen(app, "/", "send")
    assert "Borchester" in home.words and "Triage" in home.words


def test_its_wsgi_file_serves_below_a_proxy(portal: tuple[Flask, Path]) -> None:
    app = importlib.import_module("portal.wsgi").app
    answer = app.test_client().get(
        "/s2s/", headers={"X-Forwarded-Prefix": "/town", "X-Kind": "send"}
    )
    assert 'href="/town/s2s/triage/"' in answer.text


def test_its_settings_are_ours() -> None:
    assert set(settings()) <= {setting.name for setting in SETTINGS}


def test_its_commands_are_ours() -> None:
    told = re.findall(r"flask (?:--app portal )?s2s (\w+)(?: (\w+))?", text_of(PAGE))
    assert told
    for name, below in told:
        command = commands.commands[name]
        if hasattr(command, "commands") and below:
            assert below in command.commands, f"{name} {below}"


def test_the_messages_it_explains_are_said_by_the_code() -> None:
    """A sentence that a reader looks up must be the one that they were shown."""
    sources = "".join(
        path.read_text()
        for folder in ("s2s_portal", "blueprints")
        for path in (DOCS.parent / folder).rglob("*.py")
    )
    code = " ".join(re.sub(r'"\s*f?"', "", sources).split())
    for message in (
        "S2S needs the host's Flask-SQLAlchemy and found none",
        "S2S would be at {prefix}/, but your view",
        "The service is not available",
        "You do not have access",
        "We could not read your account",
        "Send this again",
        "The page had expired",
    ):
        assert message in code, message
