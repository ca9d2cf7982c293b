"""Westwell's portal: SQLite, people known by what the single sign-on says of them.

Its base template has a main landmark of its own around the one block that pages fill.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, redirect, render_template, request
from flask_login import LoginManager, UserMixin, login_user
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy

from s2s_portal import Actor, Role, S2SPortal

db = SQLAlchemy()
mail = Mail()
login = LoginManager()
pages = Blueprint("pages", __name__)
login.blueprint_login_views = {"s2s": "pages.sso"}
login.login_view = "pages.sso"

GROUPS = {
    "grp-school-sencos": Role.REFERRER,
    "grp-send": Role.OFFICER,
    "grp-outreach": Role.PRACTITIONER,
    "grp-finance": Role.FINANCE,
}


class Claims(db.Model, UserMixin):  # type: ignore[name-defined,misc]
    """What the single sign-on said when somebody last came."""

    sub = db.Column(db.String, primary_key=True)
    claims = db.Column(db.JSON, nullable=False)

    def get_id(self) -> str:
        return str(self.sub)


class Adapter:
    """Groups to roles."""

    def actor(self, user: Claims) -> Actor:
        said = user.claims
        roles = frozenset(GROUPS[group] for group in said["groups"] if group in GROUPS)
        return Actor(
            id=user.sub,
            name=said["name"],
            email=said.get("email", ""),
            roles=roles,
            establishments=said.get("urns", ()),
            provider=said.get("provider"),
        )


@login.user_loader
def load(sub: str) -> Claims | None:
    """Flask-Login's user loader."""
    return db.session.get(Claims, sub)


@pages.route("/sso", methods=["GET", "POST"])
def sso() -> Any:
    """Stands for the round trip to the single sign-on."""
    if request.method == "POST":
        login_user(db.session.get(Claims, request.form["sub"]))
        return redirect(request.args.get("next", "/"))
    return render_template("sso.html")


@pages.route("/")
def index() -> str:
    """The portal's front page."""
    return render_template("index.html")


def create_app(config: dict[str, Any]) -> Flask:
    """The portal, given `SQLALCHEMY_DATABASE_URI` (SQLite) and `SQLALCHEMY_BINDS["support"]`."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY="westwell",
        S2S_BIND_KEY="support",
        S2S_BASE_TEMPLATE="for_support.html",
        S2S_BASE_HAS_MAIN=True,
    )
    app.config.update(config)
    for part in (db, mail, login):
        part.init_app(app)
    app.register_blueprint(pages)
    S2SPortal().init_app(app, identity=Adapter())
    return app
