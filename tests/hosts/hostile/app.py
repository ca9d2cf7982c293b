"""Southmoor's portal: strict, customised and crowded; all that it does is allowed.

Behind a proxy at `/portal`; strict undefined values, trimmed blocks, other delimiters; a view at
`/s2s`, a blueprint `referrals`, a table `referral`, filters named as Jinja's own; context variables
with every common name, which must not be used by mistake; error handlers for everything; its own
work before each request; a database engine without transactions.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from flask import Blueprint, Flask, g, redirect, render_template, request, url_for
from flask_login import AnonymousUserMixin, LoginManager, current_user, login_user
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from s2s_portal import Actor, Role, S2SPortal

# Every name that a careless template might take for its own.
COMMON_NAMES = frozenset(
    re.findall(
        r"\w+",
        """
    actor after allocation answers before charge charges counts count current data document due
    entries error errors establishment fee field fields filters form found here history items
    kind label level line lines links listing message messages mine missing name nav page pages
    parts pile pull pulls record reference referral referrals refused roles row rows school
    schools search section sections settings standing state statement status terms text tiles
    title titles today user visit visits words
""",
    )
)


class Trap:
    """A context variable that may not be looked at."""

    def _sprung(self, *_: Any) -> Any:
        raise AssertionError("a template of the service used a variable of the host's")

    __bool__ = __str__ = __iter__ = __len__ = __html__ = __eq__ = __call__ = _sprung
    __getitem__ = _sprung
    __hash__ = None  # type: ignore[assignment]


class Southmoor(Flask):
    """The app class, with options of its own for every template."""

    jinja_options = {
        "undefined": StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
        "autoescape": True,
        "variable_start_string": "[[",
        "variable_end_string": "]]",
    }


class Stranger(AnonymousUserMixin):
    """Whoever is not signed on; a method where others have a property, as of old."""

    def is_authenticated(self) -> bool:  # type: ignore[override]
        return False


class Passport:
    """Southmoor keeps what people may do as text."""

    def actor(self, user: Any) -> Actor:
        return Actor(
            id=user.staff_number,
            name=user.name,
            email=f"{user.staff_number}@southmoor.example",
            roles=user.duties.split(),
            establishments=[user.place] if Role.REFERRER in user.duties.split() else [],
            provider=user.place if Role.PRACTITIONER in user.duties.split() else None,
        )


referrals = Blueprint("referrals", __name__, url_prefix="/referrals")


@referrals.route("/")
def index() -> str:
    """Doctors' referrals: nothing to do with schools."""
    return "Southmoor clinics"


def create_app(config: dict[str, Any]) -> Flask:
    """The portal."""
    app = Southmoor(__name__)
    app.config.update(
        SECRET_KEY="southmoor",
        APPLICATION_ROOT="/portal",
        PREFERRED_URL_SCHEME="https",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="Strict",
        PERMANENT_SESSION_LIFETIME=timedelta(minutes=20),
        WTF_CSRF_FIELD_NAME="southmoor_token",
        SQLALCHEMY_ENGINE_OPTIONS={"isolation_level": "AUTOCOMMIT", "pool_pre_ping": True},
        S2S_URL_PREFIX="/school-to-school/",
        S2S_BASE_TEMPLATE="bridge.html",
        S2S_EXTERNAL_URL="https://portal.example/portal",
    )
    app.config.update(config)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    db = SQLAlchemy(session_options={"expire_on_commit": False, "autoflush": False})
    db.init_app(app)
    Mail(app)
    CSRFProtect(app)
    login = LoginManager(app)
    login.anonymous_user = Stranger
    app.extensions["southmoor"] = _accounts(app, db, login)
    _crowd(app)
    _errors(app)
    S2SPortal().init_app(app, identity=Passport())
    return app


def _accounts(app: Flask, db: SQLAlchemy, login: LoginManager) -> dict[str, Any]:
    """Users, a table `referral`, and signing on."""

    class Person(db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "establishment"
        staff_number = db.Column(db.String, primary_key=True)
        name = db.Column(db.String)
        duties = db.Column(db.String)
        place = db.Column(db.Integer)
        last_seen = db.Column(db.String)
        is_authenticated = True
        is_active = True

        def get_id(self) -> str:
            return str(self.staff_number)

    class Referral(db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "referral"
        id = db.Column(db.Integer, primary_key=True)
        clinic = db.Column(db.String, nullable=False)

    login.user_loader(lambda key: db.session.get(Person, key))

    @login.unauthorized_handler
    def unauthorised() -> Any:
        return redirect(url_for("enter", back=request.script_root + request.path))

    @app.route("/enter", methods=["GET", "POST"])
    def enter() -> Any:
        if request.method == "POST":
            login_user(db.session.get(Person, request.form["staff_number"]))
            return redirect(request.args.get("back", url_for("front")))
        return render_template("enter.html")

    @app.route("/")
    def front() -> str:
        return render_template("front.html")

    return {"db": db, "Person": Person, "Referral": Referral}


def _crowd(app: Flask) -> None:
    """A view, a blueprint, filters, globals and a before_request, under the commonest names."""
    app.register_blueprint(referrals)
    app.add_url_rule("/s2s", "s2s_information", lambda: "Southmoor says what S2S is")
    app.context_processor(lambda: dict.fromkeys(COMMON_NAMES, Trap()))
    for name in ("trim", "length", "join", "day", "money", "default", "string", "first"):
        app.add_template_filter(lambda *_: "SOUTHMOOR FILTER", name)
    app.add_template_test(lambda *_: False, "none")

    @app.before_request
    def look_at_everything() -> None:
        # It leaves a change in its own session that it means to commit only in some views.
        db, person = app.extensions["southmoor"]["db"], current_user._get_current_object()
        g.user, g.actor, g.page, g.session = person, "southmoor", request.path, db.session
        if getattr(person, "staff_number", None):
            person.last_seen = "half done"


def _errors(app: Flask) -> None:
    """A page of Southmoor's own for each error there is."""
    for code in (400, 401, 403, 404, 405, 413, 500, 503):
        app.register_error_handler(code, lambda e: (f"SOUTHMOOR {e.code}", e.code))
    app.register_error_handler(CSRFError, lambda e: ("SOUTHMOOR CSRF", 400))
    app.register_error_handler(Exception, lambda e: ("SOUTHMOOR OOPS", 500))
