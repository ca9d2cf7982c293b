"""Eastmere's portal: an application factory with typed models, CSRFProtect and a strict policy.

It sends a Content-Security-Policy with a nonce for its own inline script, and a `csrf_token` for
every form; it mounts the service two folders down.
"""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from flask import Blueprint, Flask, Response, g, redirect, render_template, request, url_for
from flask_login import LoginManager, UserMixin, login_required, login_user
from flask_mail import Mail
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from s2s_portal import Actor, Role, S2SPortal


class Base(DeclarativeBase):
    """Eastmere's own base."""


db = SQLAlchemy(model_class=Base)
migrate = Migrate()
mail = Mail()
csrf = CSRFProtect()
login_manager = LoginManager()
login_manager.login_view = "accounts.sign_in"
login_manager.login_message = None
accounts = Blueprint("accounts", __name__)


class Account(db.Model, UserMixin):  # type: ignore[name-defined,misc]
    """Somebody with an Eastmere account."""

    __tablename__ = "account"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    subject: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str]
    email: Mapped[str]
    organisation: Mapped[int | None]
    grants: Mapped[list[Grant]] = relationship(lazy="selectin")


class Grant(db.Model):  # type: ignore[name-defined,misc]
    """A role that an account has, in whatever service."""

    __tablename__ = "account_grant"
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("account.id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)


class Identity:
    """Eastmere's grants are named as the service names its roles."""

    def actor(self, user: Account) -> Actor:
        roles = frozenset(Role(g.role) for g in user.grants if g.role in set(Role))
        organisation = (user.organisation,) if user.organisation else ()
        return Actor(
            id=user.subject,
            name=user.display_name,
            email=user.email,
            roles=roles,
            establishments=organisation if Role.REFERRER in roles else (),
            provider=user.organisation if Role.PRACTITIONER in roles else None,
        )


@login_manager.user_loader
def load(key: str) -> Account | None:
    """Flask-Login's user loader."""
    return db.session.get(Account, uuid.UUID(key))


@accounts.route("/account/sign-in", methods=["GET", "POST"])
def sign_in() -> Any:
    """Sign on by e-mail address alone: this is a test's portal."""
    if request.method == "POST":
        account = db.session.scalars(select(Account).filter_by(email=request.form["email"])).one()
        login_user(account)
        return redirect(request.args.get("next") or url_for("accounts.start"))
    return render_template("sign_in.html")


@accounts.route("/")
@login_required
def start() -> str:
    """The portal's own front page."""
    return render_template("start.html")


def add_nonce() -> None:
    """A fresh nonce for each answer."""
    g.csp_nonce = secrets.token_urlsafe(12)


def add_policy(response: Response) -> Response:
    """Eastmere's headers. Nothing inline but what has the nonce, nothing from elsewhere."""
    response.headers["Content-Security-Policy"] = (
        f"default-src 'self'; script-src 'self' 'nonce-{g.csp_nonce}'; style-src 'self';"
        " object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    )
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


def create_app(config: dict[str, Any]) -> Flask:
    """The factory."""
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY="eastmere",
        SESSION_COOKIE_SECURE=True,
        S2S_URL_PREFIX="/services/school-support",
        S2S_BASE_TEMPLATE="eastmere/layout.html",
        S2S_COUNCIL_NAME="Eastmere Council",
    )
    app.config.from_mapping(config)
    app.before_request(add_nonce)
    app.after_request(add_policy)
    for extension in (db, mail, csrf, login_manager):
        extension.init_app(app)
    migrate.init_app(app, db)
    app.register_blueprint(accounts)
    S2SPortal().init_app(app, identity=Identity())
    return app
