"""Mounting the service in a host's Flask app: the only module that knows the app.

It never makes a LoginManager, a Mail or an SQLAlchemy of its own: it finds the host's, and where
one is missing it refuses with the line to add.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, current_app, make_response, request
from flask_wtf.csrf import CSRFError
from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader, PrefixLoader
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, ProgrammingError
from werkzeug.exceptions import HTTPException, default_exceptions

from s2s_portal import access, audit, jobs, settings, sign_ons, storage
from s2s_portal.claims import configuration
from s2s_portal.cli import commands
from s2s_portal.database import AWAY, close_session, make_session
from s2s_portal.errors import NotMounted, S2SError, SignedOut
from s2s_portal.identity import IdentityAdapter
from s2s_portal.state import EXTENSION, State

ROOT = "s2s"
HERE = Path(__file__).parent

# Every answer of ours carries these; what the host sets stands.
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class RootBlueprint(Blueprint):
    """The blueprint that all of ours hang from: templates, static files, guard, errors.

    Its loader also offers the GOV.UK macros under their own prefixes, so the host's Jinja
    environment needs no change.
    """

    @access.allow(access.public)
    def send_static_file(self, filename: str) -> Response:
        """The style sheet and scripts, for anybody: an error page needs them too."""
        return super().send_static_file(filename)

    @property
    def jinja_loader(self) -> Any:
        """Our templates and the macros they use; the host's own templates come before these."""
        import s2s_portal.templates

        return ChoiceLoader(
            [
                FileSystemLoader(list(s2s_portal.templates.__path__)),
                PrefixLoader(
                    {
                        name: PackageLoader(name)
                        for name in ("govuk_frontend_jinja", "govuk_frontend_wtf")
                    }
                ),
            ]
        )


class S2SPortal:
    """The extension. `S2SPortal().init_app(app, identity=...)` is all a host needs."""

    def __init__(self, app: Flask | None = None, **parts: Any) -> None:
        if app is not None:
            self.init_app(app, **parts)

    def init_app(
        self,
        app: Flask,
        *,
        db: Any = None,
        mail: Any = None,
        identity: IdentityAdapter | None = None,
    ) -> None:
        """Mount into `app`. `db` and `mail` default to the extensions found on it.

        Raises NotMounted, in a sentence that says what to add, when a part is missing.
        """
        if EXTENSION in app.extensions:
            raise NotMounted("S2S is already mounted in this app: call init_app once.")
        settings.fill_in(app.config)
        configuration.check(app.config)
        prefix = _prefix(app)
        here = State(
            engine=_engine(app, db or app.extensions.get("sqlalchemy")),
            mail=_mail(app, mail),
            identity=_identity(app, identity),
            config=app.config,
        )
        here.session = make_session(here.engine)
        here.jobs = jobs.build(app, here.engine)
        here.storage = storage.build(app.config, app.instance_path)
        app.extensions[EXTENSION] = here
        root = _root_blueprint()
        app.register_blueprint(root, url_prefix=prefix)
        here.policies = access.policies(app, ROOT)
        app.teardown_appcontext(_close_session)
        sign_ons.listen(app)
        app.cli.add_command(commands)


def _prefix(app: Flask) -> str:
    """Where to mount: an address, and a blueprint's name, that the host has not used itself."""
    wanted: str = app.config["S2S_URL_PREFIX"]
    prefix = wanted.rstrip("/")
    if not prefix.startswith("/"):
        raise NotMounted(f"S2S_URL_PREFIX is {wanted!r}: write an address such as '/s2s'.")
    for address, endpoint in access.foreign_rules(app, prefix, ROOT).items():
        raise NotMounted(
            f"S2S would be at {prefix}/, but your view {endpoint!r} is at {address}:"
            " move it, or set S2S_URL_PREFIX to another address."
        )
    if ROOT in app.blueprints:
        raise NotMounted(
            f"S2S registers a blueprint called {ROOT!r}, and your app has one: give yours another"
            " name."
        )
    return prefix


def _engine(app: Flask, db: Any) -> Engine:
    if db is None:
        raise NotMounted(
            "S2S needs the host's Flask-SQLAlchemy and found none:"
            " call db.init_app(app) before S2SPortal().init_app(app)."
        )
    key = app.config["S2S_BIND_KEY"]
    with app.app_context():
        engine = db.engines.get(key)
    if engine is None:
        raise NotMounted(
            f"S2S_BIND_KEY is {key!r}, but SQLALCHEMY_BINDS has no such bind:"
            f" add SQLALCHEMY_BINDS['{key}'] = 'postgresql+psycopg://...'."
        )
    if engine.dialect.name != "postgresql" or engine.dialect.driver != "psycopg":
        raise NotMounted(
            f"S2S keeps its tables in PostgreSQL through psycopg 3, but this database is"
            f" {engine.dialect.name}+{engine.dialect.driver}: add a bind such as"
            " SQLALCHEMY_BINDS['s2s'] = 'postgresql+psycopg://...' and S2S_BIND_KEY = 's2s'."
        )
    # The host's way of connecting, in a pool of our own: whoever is signed on costs the host a
    # connection for the whole request, and a request that then waits for a second one of the same
    # pool can wait for ever; and the host's ROLLBACKs would lose us our prepared statements. What
    # went into a statement stays out of the host's log when one fails.
    ours = Engine(engine.pool.recreate(), engine.dialect, engine.url, hide_parameters=True)
    # Transactions, whatever the host has asked for: who acts, and with it row-level security, holds
    # for one transaction, and under AUTOCOMMIT there would be none.
    return ours.execution_options(isolation_level="READ COMMITTED")


def _mail(app: Flask, mail: Any) -> Any:
    found = mail or app.extensions.get("mail")
    if found is None:
        raise NotMounted(
            "S2S sends its mail through the host's Flask-Mail and found none:"
            " add Mail(app) before S2SPortal().init_app(app)."
        )
    return found


def _identity(app: Flask, identity: IdentityAdapter | None) -> IdentityAdapter:
    if not hasattr(app, "login_manager"):
        raise NotMounted(
            "S2S goes by the host's Flask-Login and found none:"
            " add LoginManager(app) before S2SPortal().init_app(app)."
        )
    if identity is None:
        raise NotMounted(
            "S2S does not know who your users are: pass identity=, an object with"
            " actor(user) -> Actor, to S2SPortal().init_app(app)."
        )
    return identity


def _root_blueprint() -> Blueprint:
    from s2s_portal.blueprints import (
        pages,
        typed,
    )  # the one late import: views know services, not us
    from s2s_portal.blueprints.administration.teams import bp as administration
    from s2s_portal.blueprints.advice.views import bp as advice
    from s2s_portal.blueprints.allocation.all_views import bp as allocation
    from s2s_portal.blueprints.evaluation.views import bp as evaluation
    from s2s_portal.blueprints.finance.views import bp as finance
    from s2s_portal.blueprints.home import bp as home
    from s2s_portal.blueprints.invitations import bp as invitations
    from s2s_portal.blueprints.messages.views import bp as messages
    from s2s_portal.blueprints.practitioners.all_views import bp as practitioners
    from s2s_portal.blueprints.referrals.colleague_views import bp as referrals
    from s2s_portal.blueprints.referrals.contribution_views import bp as contributions
    from s2s_portal.blueprints.referrals.files import bp as files
    from s2s_portal.blueprints.triage.several import bp as triage
    from s2s_portal.blueprints.visits.offers import bp as visits

    root = RootBlueprint(
        ROOT, __name__, static_folder=str(HERE / "static" / "govuk"), static_url_path="/static"
    )
    root.before_request(_limit_body)
    root.before_request(access.guard)
    root.after_request(partial(_finish, pages.database_away))
    root.register_error_handler(S2SError, pages.refusal)
    root.register_error_handler(SignedOut, typed.signed_out)
    root.register_error_handler(CSRFError, typed.page_expired)
    for away in AWAY:
        root.register_error_handler(away, pages.database_away)
    root.register_error_handler(DataError, pages.no_such_value)
    root.register_error_handler(ProgrammingError, pages.not_ready)
    # For each code too: Flask prefers a host's handler of the code to ours of every HTTPException.
    for kind in (HTTPException, *default_exceptions):
        root.register_error_handler(kind, pages.http_error)
    root.register_error_handler(Exception, pages.unexpected)
    root.context_processor(pages.context)
    pages.add_filters(root)
    root.register_blueprint(home)
    for part in (
        referrals,
        advice,
        messages,
        triage,
        allocation,
        practitioners,
        visits,
        finance,
        evaluation,
        administration,
        invitations,
        contributions,
    ):
        root.register_blueprint(part, url_prefix=f"/{part.name}")
    root.register_blueprint(files, url_prefix=f"/{referrals.name}")
    return root


def _limit_body() -> None:
    """Take no endless body where the host sets no limit: twice the largest file, so that one
    somewhat too large is still read, and refused on its own page with all that was typed."""
    if request.max_content_length is None:
        largest = current_app.config["S2S_FILE_LARGEST_MB"]
        request.max_content_length = (2 * largest + 1) * 1024 * 1024


def _finish(unaudited: Callable[[Exception], Any], response: Response) -> Response:
    """Write down what was read, and add the headers; `unaudited` answers when that fails."""
    try:
        if request.endpoint != f"{ROOT}.static":  # never a read of anything of ours
            audit.write_reads(response.status_code)
    except AWAY as error:  # too late for an error handler, and what was read may not be shown
        response = make_response(unaudited(error))
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _close_session(_error: BaseException | None) -> None:
    close_session()
