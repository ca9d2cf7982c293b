"""What waits for an answer, and writing one: the same pages for every side of a conversation."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, lead, officer, practitioner, school
from s2s_portal.blueprints import threads
from s2s_portal.blueprints.forms import ButtonForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.conversation import AdviceRequest, Side
from s2s_portal.services import advice, messages, waiting_messages
from s2s_portal.services.threads import About, Thread
from s2s_portal.services.worklist import Place

bp = Blueprint("messages", __name__)
DONE = "s2s-success"
writers = school | officer | practitioner | lead
# The page of a referral on each side.
PAGES = {
    Side.SCHOOL: "s2s.referrals.show",
    Side.COUNCIL: "s2s.triage.show",
    Side.PRACTITIONER: "s2s.visits.show",
    Side.LEAD: "s2s.visits.show",
}


@bp.get("/")
@allow(writers)
def index() -> ResponseReturnValue:
    """What waits for this person, or for others, longest first."""
    others = request.args.get("show") == "others"
    after = Place.parse(request.args.get("after", ""))
    found = waiting_messages.listed(by=current_actor(), for_others=others, after=after)
    return page(
        "s2s/messages/index.html",
        found=found,
        for_others=others,
        waiting=waiting_messages.count(by=current_actor()),
    )


@bp.route("/<reference>/", methods=["GET", "POST"])
@allow(writers)
def show(reference: str) -> ResponseReturnValue:
    """All that was written about one referral, and the box to write in; refused, it comes back."""
    one = messages.about(reference)
    shown = threads.talk(one)
    form = shown.form
    if request.method == "GET" and isinstance(one, AdviceRequest):
        return redirect(_place(one, shown.thread))
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                advice.write(
                    work,
                    one,
                    text=form.text.data or "",
                    to=form.addressee,
                    needs_answer=not form.no_answer.data,
                    token=form.token.data or "",
                    seen=form.seen.version,
                    by=current_actor(),
                )
        except Refused as error:
            refuse(form, error)
            one = messages.about(reference)
            shown = threads.Talk(messages.thread(one, by=current_actor()), form)
            if form.out_of_order:
                form.renew(shown.thread)
        else:
            flash("Your message has been sent.", DONE)
            return redirect(_place(one, shown.thread))
    answer = page(
        "s2s/messages/show.html",
        form=form,
        talk=shown,
        back=_place(one, shown.thread),
        about=one,
    )
    return threads.read(shown, answer)


@bp.post("/<reference>/no-answer-needed")
@allow(writers)
def settle(reference: str) -> ResponseReturnValue:
    """Say that no answer is needed, for the side whose turn it is."""
    form = threads.Written()
    one = messages.about(reference)
    if not ButtonForm().validate_on_submit():
        raise Refused("The page had expired. Go back, refresh it and try again.")
    with unit_of_work() as work:
        messages.settle(work, one, seen=form.seen.version, by=current_actor())
    flash("It is noted that no answer is needed.", DONE)
    return redirect(url_for(".show", reference=one.reference))


def _place(one: About, thread: Thread) -> str:
    """Where the messages stand on the reader's own page of what they are about."""
    if isinstance(one, AdviceRequest):
        return url_for("s2s.advice.show", reference=one.reference, _anchor="messages")
    endpoint = PAGES[thread.side or Side.COUNCIL]
    return url_for(endpoint, reference=one.reference, _anchor="messages")
