"""What is typed into a record and not saved is kept on the server, and offered back.

A script sends it while somebody types (`keep`); whatever reaches the server unsaved otherwise, as a
row is added or a draft refused, is kept as well.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from s2s_portal.blueprints.forms import ButtonForm, S2SForm
from s2s_portal.blueprints.pages import page, refuse, time_of_day
from s2s_portal.blueprints.visits.formal_forms import typed_lines
from s2s_portal.database import session, unit_of_work
from s2s_portal.errors import NotAllowed, NotFound, OutOfOrder, Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.reply import RecordCopy
from s2s_portal.models.visit import Visit
from s2s_portal.services import record_copies, records, visits

GONE = (
    "This visit is no longer yours to write about: the referral has gone to somebody else since you"
    " opened the page. Nothing has been saved."
)


def offered(visit: Visit) -> tuple[RecordCopy | None, MultiDict[str, str] | None]:
    """What the acting person typed and did not save: to be offered, or as a form reads it.

    With `?copy=` they have said that they go on with it.
    """
    if request.method != "GET":
        return None, None
    copy = record_copies.of(visit, by=current_actor())
    if copy is None or "copy" not in request.args:
        return copy, None
    return None, MultiDict([(name, text) for name, text in copy.fields])


def keep_unsaved(reference: str, number: int) -> None:
    """Keep what this request sent and was not saved, if it is theirs to write; say nothing."""
    session().rollback()
    with suppress(Refused, NotAllowed, NotFound), unit_of_work() as work:
        visit = visits.get(reference, number)
        record_copies.keep(work, visit, _fields(), by=current_actor())


def keep(reference: str, number: int) -> ResponseReturnValue:
    """Keep what has been typed: a script asks this. With `discard`, a button, throw it away."""
    if not ButtonForm().validate_on_submit():
        raise Refused("The page had expired. What you typed has not been kept.")
    visit = visits.get(reference, number)
    if "discard" in request.form:
        with unit_of_work() as work:
            record_copies.forget(work, visit, by=current_actor())
        flash("What you had typed and not saved has been deleted.", "s2s-success")
        return redirect(url_for(".record", reference=reference, number=number))
    with unit_of_work() as work:
        at = record_copies.keep(work, visit, _fields(), by=current_actor())
    return {"kept_at": time_of_day(at)}


def _fields() -> list[tuple[str, str]]:
    token = ButtonForm().meta.csrf_field_name
    return [pair for pair in request.form.items(multi=True) if pair[0] not in {token, "rows"}]


View = Callable[[str, int], ResponseReturnValue]


def gives_back(form: Callable[[], S2SForm]) -> Callable[[View], View]:
    """For a view that writes about a visit: whoever sends `form` to it, and has lost the case since
    they opened the page, gets back what they typed, to copy. Others find nothing there, as ever.
    """

    def around(view: View) -> View:
        @wraps(view)
        def answered(reference: str, number: int) -> ResponseReturnValue:
            try:
                return view(reference, number)
            except (NotFound, NotAllowed):
                if request.method != "POST" or not records.wrote_for(
                    reference, number, current_actor()
                ):
                    raise
            return _given_back(form())

        return answered

    return around


def _given_back(form: Any) -> ResponseReturnValue:
    refuse(form, OutOfOrder(GONE))
    return page("s2s/visits/no_longer_yours.html", form=form, lines=typed_lines(form))
