"""Where the link in a mail leads that asks how sure staff feel: one form, and no sign-on.

Whoever holds the link has no role, so not a row is theirs to read: two functions of the database
say what is asked and keep the answer. A link that opens nothing says the same whatever the reason.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, public
from s2s_portal.blueprints.closing.forms import confidence_form
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import session, unit_of_work
from s2s_portal.errors import NotFound, Refused
from s2s_portal.identity import acting_as
from s2s_portal.models.impact import Stage
from s2s_portal.rendering import whole_page
from s2s_portal.services import confidence, school_asks

bp = Blueprint("asked", __name__)


@bp.route("/<token>", methods=["GET", "POST"])
@allow(public)
def answer(token: str) -> ResponseReturnValue:
    """Ask, and keep the answer once. Opening the link alone changes nothing."""
    session().end_reading()
    with acting_as(confidence.HOLDER):
        try:
            return _form(token)
        except NotFound:
            return (
                whole_page("s2s/closing/link_over.html", form=None, refused=False),
                404,
            )
        finally:
            session().end_reading()


def _form(token: str) -> ResponseReturnValue:
    asked = confidence.by_link(token)
    later = asked.stage is Stage.LATER
    form: Any = confidence_form(asked.stage, asked.positions if later else [], None)
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                confidence.answer_by_link(work, token, **form.given())
        except Refused as error:
            refuse(form, error)
        else:
            return redirect(url_for(".thanks"))
    return page(
        "s2s/closing/asked.html",
        form=form,
        asked=asked,
        stage=asked.stage,
        stage_words=school_asks.stage_words(asked.stage),
    )


@bp.get("/")
@allow(public)
def thanks() -> ResponseReturnValue:
    """The answer is kept."""
    return page("s2s/closing/thanks.html")
