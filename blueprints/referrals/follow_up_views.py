"""What a school says became of what was recommended: of one referral, and what still waits."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, school
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.referrals.colleague_views import bp
from s2s_portal.blueprints.referrals.follow_up_forms import follow_up_form
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused, Stale
from s2s_portal.identity import current_actor
from s2s_portal.services import follow_up_lists, follow_ups, referrals
from s2s_portal.services.follow_up_lists import Pile

__all__ = ["bp"]
DONE = "s2s-success"


@bp.get("/follow-ups/")
@allow(school)
def follow_ups_due() -> ResponseReturnValue:
    """Recommendations of the reader's schools that are overdue, or that nobody has spoken of."""
    wanted = request.args.get("pile", "")
    pile = Pile(wanted) if wanted in set(Pile) else Pile.UNCONFIRMED
    listing = follow_up_lists.listing(
        pile,
        by=current_actor(),
        after=follow_up_lists.place(request.args.get("after", "")),
        before=follow_up_lists.place(request.args.get("before", "")),
    )
    return page("s2s/referrals/follow_ups.html", listing=listing, pile=pile)


@bp.route("/<reference>/follow-ups", methods=["GET", "POST"])
@allow(school)
def follow_up(reference: str) -> ResponseReturnValue:
    """Every recommendation of a referral, and how the school gets on with each."""
    referral = referrals.get(reference)
    form = follow_up_form(follow_ups.of(referral))
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                number = follow_ups.say(work, reference, said=form.said(), by=current_actor())
        except Refused as error:
            refuse(form, error)
            referral = referrals.get(reference)
            if isinstance(error, Stale):
                form.renew(follow_ups.of(referral))
        else:
            if form.lines:
                flash(_thanks(number), DONE)
            return redirect(url_for(".follow_up", reference=reference))
    return page(
        "s2s/referrals/follow_up.html",
        form=form,
        referral=referral,
        follow_ups=follow_ups.of(referral),
        may_say=follow_ups.may_say(referral, current_actor()),
    )


def _thanks(number: int) -> str:
    if not number:
        return "Nothing was new, so nothing has been changed."
    return "Thank you. The practitioner reads what you said before the next visit."
