"""What was typed into a form is not lost when the sign-on behind it has ended.

The answer carries every field that came, so that it can be sent again after signing in. Nothing is
kept on the server: whoever has the page has what was typed on it anyway.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import current_app, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError

from s2s_portal.access import is_signed_on, sign_on_address, sign_on_page
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import http_error
from s2s_portal.database import session
from s2s_portal.errors import SignedOut
from s2s_portal.rendering import whole_page


def signed_out(error: SignedOut) -> ResponseReturnValue:
    """A form came from somebody who is not signed on, or no longer."""
    session().rollback()
    if not _from_our_own_page():
        return sign_on_page()
    return _again(
        "You have been signed out",
        str(error),
        sign_in=sign_on_address(),
        status=error.status,
    )


def page_expired(error: CSRFError) -> ResponseReturnValue:
    """A form came with the token of an earlier sign-on, or of one too old."""
    session().rollback()
    if not _from_our_own_page():
        return http_error(error)
    if not is_signed_on():
        return signed_out(SignedOut())
    return _again(
        "Send this again",
        "You have signed in since the page was made, or it had been open for too long.",
        sign_in=None,
        status=error.code or 400,
    )


def _again(title: str, why: str, *, sign_in: str | None, status: int) -> ResponseReturnValue:
    token = current_app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token")
    fields = [(name, value) for name, value in request.form.items(multi=True) if name != token]
    body = whole_page(
        "s2s/typed.html",
        refused=False,
        title=title,
        why=why,
        sign_in=sign_in,
        fields=fields,
        form=ButtonForm(),
    )
    return body, status


def _from_our_own_page() -> bool:
    """Whether the form was sent from a page of this site, as browsers say.

    Only then may it be offered again with a good token: elsewhere anybody can make a form.
    """
    origin = request.headers.get("Origin")
    if origin is not None:
        return urlsplit(origin).netloc == request.host
    return request.headers.get("Sec-Fetch-Site") == "same-origin"
