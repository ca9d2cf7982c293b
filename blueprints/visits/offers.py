"""What is offered to a practitioner, what their lead releases them for, and what they ask for.

Each page is read with the person's own eyes first, so that of what is not theirs nothing is found;
only then does the service act in their name.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, lead, practitioner
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.visits.offer_forms import AnswerForm, AskForm, ReleaseForm
from s2s_portal.blueprints.visits.views import DONE, bp
from s2s_portal.database import UnitOfWork, in_the_name_of
from s2s_portal.errors import NotFound, Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.offer import Offer, Refusal
from s2s_portal.services import case_requests, offer_answers, offer_words, offers

__all__ = ["bp"]


@bp.route("/offers/<int:number>", methods=["GET", "POST"])
@allow(practitioner)
def offer(number: int) -> ResponseReturnValue:
    """What a practitioner needs to know to take what is offered, or not; and their answer."""
    made = offers.get(number, own=True)
    form = AnswerForm()
    if form.validate_on_submit():
        takes = form.answer.data == "yes"

        def act(work: UnitOfWork) -> None:
            by = current_actor()
            if takes:
                offer_answers.accept(work, number, by=by)
                return
            refusal, comment = Refusal(form.refusal.data), form.comment.data or ""
            offer_answers.decline(work, number, refusal=refusal, comment=comment, by=by)

        if _answered(form, act):
            made = offers.get(number, own=True)
            if takes and made.ended is not None:
                flash("The referral is yours. The school and your lead have been told.", DONE)
                return redirect(url_for(".show", reference=made.reference))
            flash(_told(made, takes), DONE)
            return redirect(url_for(".index"))
    return _offer_page("offer", form, number, own=True)


def _told(made: Offer, takes: bool) -> str:
    if takes:
        return f"You have accepted. It is yours once {offer_words.waits(made)} has confirmed."
    return "You have declined. The officer who asked you has been told."


@bp.route("/offers/<int:number>/release", methods=["GET", "POST"])
@allow(lead)
def release(number: int) -> ResponseReturnValue:
    """A lead confirms that their member of staff is released for what is offered, or not."""
    made = offers.get(number, own=False)
    if not made.needs_release:
        raise NotFound()
    form = ReleaseForm()
    if form.validate_on_submit():
        releases = form.answer.data == "yes"

        def act(work: UnitOfWork) -> None:
            by = current_actor()
            if releases:
                offer_answers.release(work, number, by=by)
            else:
                offer_answers.keep(work, number, comment=form.comment.data or "", by=by)

        if _answered(form, act):
            flash("Your answer has been kept. The officers see it.", DONE)
            return redirect(url_for(".index"))
    return _offer_page("release", form, number, own=False)


def _answered(form: AnswerForm | ReleaseForm | AskForm, act: Callable[[UnitOfWork], None]) -> bool:
    """Whether `act` was done in the visitor's name; what it refused is on the form."""
    try:
        with in_the_name_of(current_actor()) as work:
            act(work)
    except Refused as error:
        refuse(form, error)
        return False
    return True


def _offer_page(
    template: str, form: AnswerForm | ReleaseForm, number: int, *, own: bool
) -> ResponseReturnValue:
    made = offers.get(number, own=own)
    return page(
        f"s2s/visits/{template}.html",
        form=form,
        offer=made,
        facts=offers.facts(made),
        over=offer_words.over(made),
        waits=offer_words.waits(made),
    )


@bp.get("/cases/")
@allow(practitioner)
def cases() -> ResponseReturnValue:
    """Referrals with nobody yet that suit them, and what became of what they asked for."""
    return page("s2s/visits/cases.html", cases=case_requests.cases(), asked=case_requests.mine())


@bp.route("/cases/<reference>/", methods=["GET", "POST"])
@allow(practitioner)
def ask_for(reference: str) -> ResponseReturnValue:
    """Ask to be given one of them, with a line why."""
    form = AskForm()
    if case_requests.asked_already(reference):
        flash("You have asked for this referral. A SEND officer answers you.", DONE)
        return redirect(url_for(".cases"))
    if form.validate_on_submit():

        def act(work: UnitOfWork) -> None:
            case_requests.ask(work, reference, why=form.why.data, by=current_actor())

        if _answered(form, act):
            flash("You have asked for this referral. A SEND officer answers you.", DONE)
            return redirect(url_for(".cases"))
        if form.out_of_order:
            return page("s2s/visits/ask_for.html", form=form, case=None)
    return page("s2s/visits/ask_for.html", form=form, case=case_requests.case(reference))
