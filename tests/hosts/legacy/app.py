"""Northshire's schools portal: all in one module, as it began, with the service mounted at the end.

Its users are numbered, their kind is a code of three letters, and its base template has block names
of its own and prints every flashed message. It has no CSRFProtect, and has switched tokens off.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, flash, redirect, render_template, request, url_for
from flask_login import LoginManager, UserMixin, login_required, login_user, logout_user
from flask_mail import Mail
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from werkzeug.security import check_password_hash, generate_password_hash

from s2s_portal import Actor, Role, S2SPortal, s2s_nav_items

PASSWORD = "Northshire-1"

# What our codes mean to the service. A school's user has no code of ours: it is a school's user.
KINDS = {
    "SCH": {Role.REFERRER},
    "SEN": {Role.OFFICER},
    "OUT": {Role.PRACTITIONER},
    "FIN": {Role.FINANCE},
}


class Directory:
    """From our user table to an Actor."""

    def actor(self, user: Any) -> Actor:
        return Actor(
            id=user.login,
            name=user.full_name,
            email=user.mail,
            roles=frozenset(KINDS.get(user.kind, ())),
            establishments=(user.urn,) if user.kind == "SCH" else (),
            provider=user.urn if user.kind == "OUT" else None,
        )


def create_app(config: dict[str, Any]) -> Flask:
    """The portal. `app.extensions["legacy_users"]` adds users: (login, name, kind, urn)."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY="northshire", WTF_CSRF_ENABLED=False)
    app.config.update(S2S_COUNCIL_NAME="Northshire County Council")
    app.config.update(config)
    db = SQLAlchemy(app)
    Migrate(app, db)
    Mail(app)
    login = LoginManager(app)
    login.login_view = "login"
    user = _users(app, db, login)
    _pages(app, user)

    @app.context_processor
    def menu() -> dict[str, Any]:
        # `request` is used, as in many a portal: this one cannot be rendered outside a request.
        return {"here": request.path, "support_menu": s2s_nav_items}

    S2SPortal(app, identity=Directory())
    return app


def _users(app: Flask, db: SQLAlchemy, login: LoginManager) -> Any:
    class User(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "users"
        id = db.Column(db.Integer, primary_key=True)
        login = db.Column(db.String(40), unique=True, nullable=False)
        full_name = db.Column(db.String(80), nullable=False)
        mail = db.Column(db.String(80))
        kind = db.Column(db.String(3))
        urn = db.Column(db.Integer)
        password = db.Column(db.String(200), nullable=False)

    # A table that was here before the service, under a name that the service has in its own schema.
    class Referral(db.Model):  # type: ignore[name-defined,misc]
        """Library books, referred to another branch."""

        __tablename__ = "referral"
        id = db.Column(db.Integer, primary_key=True)
        branch = db.Column(db.String(80))

    @login.user_loader
    def load(key: str) -> Any:
        return db.session.get(User, int(key))

    def add_users(users: list[tuple[str, str, str, int | None]]) -> None:
        password = generate_password_hash(PASSWORD, "pbkdf2:sha256:1")
        for name, full_name, kind, urn in users:
            mail = f"{name}@northshire.example"
            row = User(login=name, full_name=full_name, mail=mail, kind=kind, urn=urn)
            row.password = password
            db.session.add(row)
        db.session.commit()

    app.extensions["legacy_users"] = add_users
    return User


def _pages(app: Flask, user_table: Any) -> None:
    @app.route("/")
    @login_required
    def home() -> str:
        return render_template("home.html")

    @app.route("/login", methods=["GET", "POST"], endpoint="login")
    def log_in() -> Any:
        if request.method == "POST":
            user = user_table.query.filter_by(login=request.form["login"]).first()
            if user and check_password_hash(user.password, request.form["password"]):
                login_user(user)
                return redirect(request.args.get("next") or url_for("home"))
            flash("Wrong name or password", "error")
        return render_template("login.html")

    @app.route("/logout")
    def logout() -> Any:
        logout_user()
        return redirect("/login")
