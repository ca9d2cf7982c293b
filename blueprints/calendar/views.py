"""Calendar feeds: the page that makes, replaces and ends them, and the feed itself.

The feed is the one page of ours with a person's data that asks for no sign-on: calendars cannot
sign on. What opens it is a token that is shown once, and what it holds is nothing but when and
where a visit is (F63, F104).
"""

from __future__ import annotations

from flask import Blueprint, Response, flash, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, practitioner, public, school
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder
from s2s_portal.identity import current_actor
from s2s_portal.models.calendar_feed import FeedOf
from s2s_portal.services import calendar_feeds, notices

bp = Blueprint("calendar", __name__)
DONE = "s2s-success"
KEPT = "private, max-age=900, must-revalidate"


@bp.get("/")
@allow(school | practitioner)
def index() -> ResponseReturnValue:
    """Which calendar addresses there are, when they were used last, and a button for a new one."""
    return _page(None, None)


def _page(made: int | None, address: str | None) -> ResponseReturnValue:
    actor = current_actor()
    feeds = calendar_feeds.going()
    return page(
        "s2s/calendar/index.html",
        button=ButtonForm(),
        offered=calendar_feeds.offered(actor),
        mine={(one.of, one.urn): one for one in feeds if one.by_id == actor.id},
        colleagues=[one for one in feeds if one.by_id != actor.id],
        made=made,
        address=address,
    )


@bp.post("/<whose>/<int:urn>")
@allow(school | practitioner)
def make(whose: str, urn: int) -> ResponseReturnValue:
    """Make an address, or another one in place of it: shown on this page and never again."""
    if whose not in set(FeedOf):
        raise NotFound()
    if not ButtonForm().validate_on_submit():
        return redirect(url_for(".index"))
    with unit_of_work() as work:
        feed, token = calendar_feeds.make(work, of=FeedOf(whose), urn=urn, by=current_actor())
        number = feed.id
    return _page(number, notices.link_to("s2s.calendar.feed", token=token))


@bp.post("/<int:number>/end")
@allow(school | practitioner)
def end(number: int) -> ResponseReturnValue:
    """End an address: whoever has it gets nothing from now on."""
    if ButtonForm().validate_on_submit():
        try:
            with unit_of_work() as work:
                calendar_feeds.end(work, number, by=current_actor())
            flash("The calendar address has been ended. Nobody gets anything from it now.", DONE)
        except OutOfOrder as error:
            flash(str(error), DONE)
    return redirect(url_for(".index"))


@bp.get("/feed/<token>.ics")
@allow(public)
def feed(token: str) -> ResponseReturnValue:
    """The calendar that a token opens; 304 when nothing has changed since it was fetched last."""
    answer: Response = make_response(calendar_feeds.file(token))
    answer.headers["Content-Type"] = "text/calendar; charset=utf-8"
    answer.headers["Content-Disposition"] = 'inline; filename="s2s-visits.ics"'
    answer.headers["Cache-Control"] = KEPT
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.add_etag()
    return answer.make_conditional(request)
