"""One charge with its whole history, what can be done about it, and what waits for approval."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, finance, school
from s2s_portal.blueprints.finance.charge_forms import (
    AnswerForm,
    DisputeForm,
    ReliefForm,
    SettleForm,
)
from s2s_portal.blueprints.finance.views import DONE, bp
from s2s_portal.blueprints.forms import ButtonForm, S2SForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.errors import OutOfOrder, Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.charges import UNDONE_STATES, ChargeState, Side
from s2s_portal.services import charge_history, charges, disputes, relief

__all__ = ["bp"]


@bp.get("/charges/<int:number>")
@allow(finance)
def charge(number: int) -> ResponseReturnValue:
    """A charge: where it stands, what it was charged on, and everything that happened to it."""
    return page(
        "s2s/finance/charge.html",
        story=charge_history.of(number),
        can_dispute=not _is_over(charges.standing(number).state),
        disputed=charges.standing(number).state is ChargeState.DISPUTED,
    )


def _is_over(state: ChargeState) -> bool:
    return state in UNDONE_STATES or state is ChargeState.DISPUTED


@bp.route("/charges/<int:number>/take-off", methods=["GET", "POST"])
@allow(finance)
def ask_relief(number: int) -> ResponseReturnValue:
    """Ask a second person to waive, credit or write off a charge."""
    form, story = ReliefForm(), charge_history.of(number)
    form.offer(story.kinds)
    if form.validate_on_submit():
        kind, reason = form.picked

        def act(work: UnitOfWork) -> None:
            relief.ask(
                work,
                number,
                kind=kind,
                reason=reason,
                words=form.words.data or "",
                by=current_actor(),
            )

        if _done(form, act):
            flash("A second person has been asked. Nothing is posted until they approve.", DONE)
            return redirect(url_for(".charge", number=number))
        story = charge_history.of(number)
    return page("s2s/finance/ask_relief.html", form=form, story=story, hints=relief.KIND_HINTS)


@bp.get("/requests")
@allow(finance)
def requests() -> ResponseReturnValue:
    """What waits for a second person."""
    return page("s2s/finance/requests.html", waiting=relief.waiting(), reasons=relief.REASON_WORDS)


@bp.route("/requests/<int:request_id>", methods=["GET", "POST"])
@allow(finance)
def relief_request(request_id: int) -> ResponseReturnValue:
    """One request, and the second person's answer to it."""
    form, found = AnswerForm(), relief.get(request_id)
    if form.validate_on_submit():
        verb = relief.approve if form.answer.data == "approve" else relief.refuse

        def act(work: UnitOfWork) -> None:
            verb(work, request_id, words=form.words.data or "", by=current_actor())

        if _done(form, act):
            flash(
                "Approved: the charge has been taken off by an entry of its own."
                if verb is relief.approve
                else "Refused: the charge stays as it was.",
                DONE,
            )
            return redirect(url_for(".charge", number=found.charge.number))
        found = relief.get(request_id)
    return page(
        "s2s/finance/request.html",
        form=form,
        found=found,
        mine=found.request.by_id == current_actor().id,
        too_much=relief.too_much(found.request.amount_pence, current_actor()),
        kinds=relief.KIND_WORDS,
        reasons=relief.REASON_WORDS,
        outcomes=relief.OUTCOME_WORDS,
    )


@bp.post("/requests/<int:request_id>/withdraw")
@allow(finance)
def withdraw_relief(request_id: int) -> ResponseReturnValue:
    """Take one's own request back."""
    form, found = ButtonForm(), relief.get(request_id)
    if form.validate_on_submit():
        with unit_of_work() as work:
            relief.withdraw(work, request_id, by=current_actor())
        flash("Your request has been taken back.", DONE)
    return redirect(url_for(".charge", number=found.charge.number))


@bp.route("/charges/<int:number>/dispute", methods=["GET", "POST"])
@allow(finance | school)
def dispute(number: int) -> ResponseReturnValue:
    """A school, or Finance on its behalf, says that a fee is wrong; and what became of that."""
    form, entry = DisputeForm(), disputes.charge_of(number, by=current_actor())
    of_school = disputes.side_of(current_actor()) is Side.SCHOOL
    if form.validate_on_submit():

        def act(work: UnitOfWork) -> None:
            disputes.raise_dispute(work, number, words=form.words.data or "", by=current_actor())

        if _done(form, act):
            flash("The fee is disputed. It is not collected until Finance has settled that.", DONE)
            if of_school:
                return redirect(url_for(".statement", urn=entry.urn))
            return redirect(url_for(".charge", number=number))
        entry = disputes.charge_of(number, by=current_actor())
    return page(
        "s2s/finance/dispute.html",
        form=form,
        entry=entry,
        closed=_is_over(charges.standing(number).state) and not form.errors,
        state=charges.STATE_WORDS[charges.standing(number).state],
        events=list(charge_history.events(number)),
        of_school=of_school,
    )


@bp.route("/charges/<int:number>/settle", methods=["GET", "POST"])
@allow(finance)
def settle(number: int) -> ResponseReturnValue:
    """Settle a dispute: the charge stands. One that does not is credited by a second person."""
    form, story = SettleForm(), charge_history.of(number)
    if form.validate_on_submit():

        def act(work: UnitOfWork) -> None:
            charges.settle_dispute(work, number, form.words.data or "", current_actor())

        if _done(form, act):
            flash("The dispute is settled: the charge stands.", DONE)
            return redirect(url_for(".charge", number=number))
        story = charge_history.of(number)
    elif not form.is_submitted() and story.standing.state is not ChargeState.DISPUTED:
        raise OutOfOrder("Nobody disputes this charge now.")
    return page("s2s/finance/settle.html", form=form, story=story)


def _done(form: S2SForm, act: Callable[[UnitOfWork], None]) -> bool:
    """Whether `act` was done; what it refused is on the form."""
    try:
        with unit_of_work() as work:
            act(work)
    except Refused as error:
        refuse(form, error)
        return False
    return True
