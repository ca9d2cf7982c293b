"""Signing on and off: at a provider where one is configured, else as a persona with a click."""

from __future__ import annotations

from flask import (
    Blueprint,
    abort,
    current_app,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user
from flask_wtf import FlaskForm
from govuk_frontend_wtf.wtforms_widgets import GovTextInput
from wtforms import HiddenField, StringField

from s2s_portal import Role
from s2s_portal.claims import SignOnRefused
from s2s_portal.database import session as service_session
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.establishment import Establishment
from s2s_portal.reference_portal import accounts, openid, sessions
from s2s_portal.reference_portal.accounts import SignedOn, personas_allowed
from s2s_portal.reference_portal.failures import SignOnFailed
from s2s_portal.reference_portal.local_paths import local_path
from s2s_portal.reference_portal.personas import PERSONAS
from s2s_portal.reference_portal.providers import Provider, configured
from s2s_portal.reference_portal.tables import PortalUser, db

bp = Blueprint("sign_on", __name__)

# What a session keeps for signing out at the provider: which one, and its ID token as a hint.
PROVIDER, ID_TOKEN = "portal_provider", "portal_id_token"


class SignInForm(FlaskForm):
    """Which persona, and perhaps for which other school."""

    urn = StringField("Sign on for another school", widget=GovTextInput())
    next = HiddenField()

    def school(self, roles: list[str]) -> int | None:
        """The URN typed, or None; what is wrong with it goes onto the field."""
        typed = "".join((self.urn.data or "").split())
        if not typed:
            return None
        if not {Role.REFERRER.value, Role.HEAD.value} & set(roles):
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
    """Where to sign in, or who there is to be."""
    form = SignInForm(next=request.args.get("next", ""))
    if personas_allowed():
        return _persona_page(form)
    if not current_user.is_authenticated and "portal_refusal" in g:
        return _refused(g.portal_refusal)
    return render_template("portal/sign_in_provider.html", form=form, providers=_providers())


@bp.post("/sign-in")
def sign_on() -> ResponseReturnValue:
    """Become a persona, under a new session."""
    if not personas_allowed():
        return render_template("portal/no_personas.html", providers=_providers()), 403
    key = request.form.get("persona", "")
    account = db.session.get(PortalUser, key) if key in PERSONAS else None
    if account is None:
        abort(400, "There is no such person to sign in as.")
    form = SignInForm()
    urn = form.school(account.roles)
    if form.urn.errors:
        return _persona_page(form)
    return _let_in(accounts.persona(account, urn), local_path(form.next.data))


@bp.post("/sign-in/<provider>")
def start(provider: str) -> ResponseReturnValue:
    """Go to the provider to sign on there."""
    there = configured().get(provider) or abort(404)
    target = local_path(request.form.get("next"))
    try:
        return redirect(openid.start(there, target), 303)
    except SignOnFailed as failure:
        return _failed(failure, there, target)


@bp.get("/sign-in/<provider>/callback")
def callback(provider: str) -> ResponseReturnValue:
    """Come back from the provider; let in whom it vouches for, under a new session."""
    there = configured().get(provider) or abort(404)
    target = openid.wanted(there)
    try:
        found = openid.finish(there)
    except SignOnFailed as failure:
        if failure.code == "state" and current_user.is_authenticated:
            return redirect(url_for("pages.home"), 303)  # the Back button, or a second tab
        return _failed(failure, there, target)
    account = accounts.remember(there, found.claims)
    hint = {PROVIDER: there.key, ID_TOKEN: found.id_token}
    try:
        person = accounts.signed_on(there, account)
    except SignOnRefused as refusal:
        sessions.renew()
        session.update(hint)  # so that they can sign out there and try another account
        return _refused(refusal, there)
    answer = _let_in(person, target)
    session.update(hint)
    return answer


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session here whatever happens, then go on to end the one at the provider."""
    there = configured().get(session.get(PROVIDER, ""))
    hint = session.get(ID_TOKEN, "")
    current_app.logger.info("Signing out: %s", current_user.get_id())
    logout_user()
    sessions.end()
    if there is None:
        return redirect(url_for("pages.home"), 303)
    try:
        address = openid.sign_out_address(there, hint)
    except SignOnFailed as failure:
        current_app.logger.warning("Signed out here, not at %s: %s", there.key, failure)
        address = None
    return redirect(address or url_for("sign_on.signed_out", still=there.key), 303)


@bp.get("/signed-out")
def signed_out() -> ResponseReturnValue:
    """Say that it worked, and where somebody may still be signed in."""
    still = configured().get(request.args.get("still", ""))
    return render_template("portal/signed_out.html", still=still)


def _let_in(person: SignedOn, target: str | None) -> ResponseReturnValue:
    """Sign `person` on under a session of a new name, and show them in."""
    sessions.renew()
    login_user(person)
    current_app.logger.info("Signed on: %s", person.id)
    fallback = url_for("s2s.home.index" if person.actor.roles else "pages.home")
    return redirect(target or fallback, 303)


def _persona_page(form: SignInForm) -> ResponseReturnValue:
    refused = bool(form.errors)
    body = render_template(
        "portal/sign_in.html", form=form, refused=refused, personas=PERSONAS.values()
    )
    return body, 422 if refused else 200


def _providers() -> list[Provider]:
    return list(configured().values())


def _failed(failure: SignOnFailed, provider: Provider, target: str | None) -> ResponseReturnValue:
    """The page for a sign-on that came to nothing. The log says why, and never who."""
    current_app.logger.warning("Sign-on at %s failed: %s", provider.key, failure)
    body = render_template("portal/sign_on_failed.html", failure=failure, target=target)
    return body, failure.status


def _refused(refusal: SignOnRefused, provider: Provider | None = None) -> ResponseReturnValue:
    """The page for an account that is somebody's, but may not come in."""
    there = provider or configured().get(session.get(PROVIDER, ""))
    current_app.logger.warning("Account refused at sign-on: %s", refusal.code)
    body = render_template("portal/sign_on_refused.html", refusal=refusal, provider=there)
    return body, refusal.status


def _is_known(urn: int) -> bool:
    with acting_as(SYSTEM):
        known = service_session().get(Establishment, urn) is not None
        service_session().rollback()
    return known
