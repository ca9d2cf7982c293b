"""Signing on and off. With personas a click is enough: this portal is for looking around."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, abort, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import login_user, logout_user
from flask_wtf import FlaskForm
from govuk_frontend_wtf.wtforms_widgets import GovTextInput
from wtforms import HiddenField, StringField

from s2s_portal import Role
from s2s_portal.database import session as service_session
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.establishment import Establishment
from s2s_portal.reference_portal.accounts import PortalUser, SignedOn, db, personas_allowed
from s2s_portal.reference_portal.personas import PERSONAS

bp = Blueprint("sign_on", __name__)


class SignInForm(FlaskForm):
    """Which persona, and perhaps for which other school."""

    urn = StringField("Sign on for another school", widget=GovTextInput())
    next = HiddenField()

    def school(self, roles: list[str]) -> int | None:
        """The URN typed, or None; what is wrong with it goes onto the field."""
        typed = "".join((self.urn.data or "").split())
        if not typed:
            return None
        if Role.REFERRER.value not in roles:
            self._refuse("Only a SENCo or a head teacher can sign in for another school")
        elif not (typed.isascii() and typed.isdecimal() and len(typed) == 6):
            self._refuse("The URN must be 6 numbers, for example 900302")
        elif not _is_known(int(typed)):
            self._refuse("No school with this URN has been imported. Check the number")
        else:
            return int(typed)
        return None

    def _refuse(self, sentence: str) -> None:
        self.urn.errors = [*self.urn.errors, sentence]


@bp.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Who there is to be."""
    if not personas_allowed():
        return render_template("portal/no_personas.html"), 403
    return _page(SignInForm(next=request.args.get("next", "")))


@bp.post("/sign-in")
def sign_on() -> ResponseReturnValue:
    """Become a persona, under a new session."""
    if not personas_allowed():
        return render_template("portal/no_personas.html"), 403
    key = request.form.get("persona", "")
    account = db.session.get(PortalUser, key) if key in PERSONAS else None
    if account is None:
        abort(400, "There is no such person to sign in as.")
    form = SignInForm()
    urn = form.school(account.roles)
    if form.urn.errors:
        return _page(form)
    session.clear()
    login_user(SignedOn(account, urn))
    fallback = url_for("s2s.home.index" if account.roles else "pages.home")
    return redirect(_local(form.next.data) or fallback, 303)


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Leave nothing of the session behind."""
    logout_user()
    session.clear()
    return redirect(url_for("pages.home"), 303)


def _page(form: SignInForm) -> ResponseReturnValue:
    refused = bool(form.errors)
    body = render_template(
        "portal/sign_in.html", form=form, refused=refused, personas=PERSONAS.values()
    )
    return body, 422 if refused else 200


def _is_known(urn: int) -> bool:
    with acting_as(SYSTEM):
        known = service_session().get(Establishment, urn) is not None
        service_session().rollback()
    return known


def _local(target: str | None) -> str | None:
    """`target` when it is a path of this portal, else None: never send people elsewhere.

    Browsers read a backslash as a slash and skip control characters, so neither may be there.
    """
    if not target or not target.startswith("/") or target[1:2] == "/":
        return None
    if "\\" in target or any(ord(character) < 33 for character in target):
        return None
    parts = urlsplit(target)
    return None if parts.scheme or parts.netloc else target
