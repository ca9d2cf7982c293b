"""What a SEND officer decides about a referral, from the worklist to its closing."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, officer
from s2s_portal.blueprints import threads
from s2s_portal.blueprints.agreement import agreement_page
from s2s_portal.blueprints.forms import tidy
from s2s_portal.blueprints.pages import page, pdf, refuse
from s2s_portal.blueprints.triage.forms import (
    AcceptForm,
    CloseForm,
    DecidingForm,
    DeclineForm,
    ReopenForm,
    return_form,
)
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.codes import Closure, DeclineReason, Kind, Status
from s2s_portal.models.referral import Referral
from s2s_portal.services import (
    attachments,
    changes,
    closing,
    earlier,
    heads,
    ledger,
    reading,
    referral_documents,
    referrals,
    repeats,
    sections,
    standing,
    triage,
    visits,
    waiting_messages,
    withdrawing,
    worklist,
)
from s2s_portal.services.worklist import Pile, Place

bp = Blueprint("triage", __name__)
DONE = "s2s-success"


@bp.get("/")
@allow(officer)
def index() -> ResponseReturnValue:
    """The worklist: what waits for a decision, or what was asked for in the URL."""
    search = tidy(request.args.get("q", ""))[:100]
    wanted = request.args.get("status", "")
    pile = Pile.ALL if search else Pile.SUBMITTED
    if wanted in set(Pile):
        pile = Pile(wanted)
    found = worklist.listing(
        pile,
        search=search,
        after=Place.parse(request.args.get("after", "")),
        before=Place.parse(request.args.get("before", "")),
    )
    return page(
        "s2s/triage/index.html",
        listing=found,
        counts=worklist.counts(),
        pile=pile,
        search=search,
        words=worklist.PILE_WORDS,
        colour=standing.colour,
        waiting=waiting_messages.count(by=current_actor()),
    )


@bp.get("/<reference>/")
@allow(officer)
def show(reference: str) -> ResponseReturnValue:
    """The whole referral with its history, and what can be decided about it now."""
    referral = referrals.get(reference, whole=True)
    shown = threads.talk(referral)
    answer = page(
        "s2s/triage/show.html",
        referral=referral,
        stands=worklist.PILE_WORDS[Pile(referral.status.value)],
        colour=standing.colour(referral.status),
        history=standing.history(referral),
        allocation=referrals.open_allocation(referral),
        visits=standing.visits(referral),
        parts=reading.parts(referral),
        attached=attachments.shown(referral),
        evidence=attachments.evidence(referral),
        booked=visits.booked,
        charge=ledger.charge_for(referral.reference),
        achieved=closing.ACHIEVED_WORDS,
        not_yet=closing.what_is_missing(referral),
        earlier=earlier.of(referral),
        looked_for=repeats.looked_for(),
        changes=changes.log(referral),
        changed=changes.changed_since_return(referral) if is_waiting(referral) else set(),
        titles=sections.titles(referral),
        may_stop=is_pupil(referral) and referral.status in withdrawing.WITHDRAWABLE,
        ended_agreement=withdrawing.agreement_withdrawal(referral),
        agreed_by_head=heads.agreed(referral),
        talk=shown,
    )
    return threads.read(shown, answer)


def is_waiting(referral: Referral) -> bool:
    """Whether a decision is to be made about what the school has sent."""
    return referral.status is Status.SUBMITTED


def is_pupil(referral: Referral) -> bool:
    """Whether one parent or carer agreed to the referral: it is about a named pupil."""
    return referral.kind is Kind.PUPIL


@bp.get("/<reference>/referral.pdf")
@allow(officer)
def document(reference: str) -> ResponseReturnValue:
    """The referral with what has changed since it was sent, as an accessible PDF."""
    return pdf(reference, referral_documents.make(reference))


@bp.route("/<reference>/agreement-withdrawn", methods=["GET", "POST"])
@allow(officer)
def agreement_withdrawn(reference: str) -> ResponseReturnValue:
    """A parent or carer has told the council that they no longer agree: the support stops."""
    return agreement_page(reference, back="s2s.triage.show")


@bp.route("/<reference>/accept", methods=["GET", "POST"])
@allow(officer)
def accept(reference: str) -> ResponseReturnValue:
    """Accept, having seen what is charged and to whom."""
    form = AcceptForm()

    def decide(work: UnitOfWork) -> None:
        triage.accept(work, reference, seen=form.version, note=form.note.data, by=current_actor())

    done = "The referral has been accepted and the school has been told. Now choose a practitioner."
    return _decision(reference, form, triage.check_undecided, decide, "accept", done)


@bp.route("/<reference>/decline", methods=["GET", "POST"])
@allow(officer)
def decline(reference: str) -> ResponseReturnValue:
    """Decline, saying why."""
    form = DeclineForm()

    def decide(work: UnitOfWork) -> None:
        triage.decline(
            work,
            reference,
            seen=form.version,
            message=form.message.data,
            reason=DeclineReason(form.reason.data),
            note=form.note.data,
            by=current_actor(),
        )

    done = "The referral has been declined and the school has been told."
    return _decision(reference, form, triage.check_undecided, decide, "decline", done)


@bp.route("/<reference>/return", methods=["GET", "POST"], endpoint="return_for_information")
@allow(officer)
def return_for_information(reference: str) -> ResponseReturnValue:
    """Send it back to the school for more information in the sections that are named."""
    whole = referrals.get(reference, whole=True)
    form = return_form(sections.may_be_asked(whole), triage.opened_too(whole))

    def decide(work: UnitOfWork) -> None:
        triage.return_for_information(
            work,
            reference,
            seen=form.version,
            questions=form.questions(),
            message=form.message.data or "",
            by=current_actor(),
        )

    done = "The referral is back with the school, which has been told what you need."
    return _decision(reference, form, triage.check_undecided, decide, "return", done)


@bp.route("/<reference>/close", methods=["GET", "POST"])
@allow(officer)
def close(reference: str) -> ResponseReturnValue:
    """Close a referral whose support has ended."""
    form = CloseForm()

    def decide(work: UnitOfWork) -> None:
        closing.close(
            work,
            reference,
            closure=Closure(form.closure.data),
            message=form.message.data,
            seen=form.version,
            by=current_actor(),
        )

    done = "The referral has been closed. The school and the practitioner have been told."
    return _decision(reference, form, closing.check_open, decide, "close", done)


@bp.route("/<reference>/reopen", methods=["GET", "POST"])
@allow(officer)
def reopen(reference: str) -> ResponseReturnValue:
    """Open a closed referral again, without a new fee."""
    form = ReopenForm()

    def decide(work: UnitOfWork) -> None:
        closing.reopen(
            work, reference, reason=form.reason.data, seen=form.version, by=current_actor()
        )

    done = "The referral is open again. Nothing was charged. The school has been told."
    return _decision(reference, form, closing.check_closed, decide, "reopen", done)


def _decision(
    reference: str,
    form: DecidingForm,
    check: Callable[[Referral], None],
    decide: Callable[[UnitOfWork], None],
    template: str,
    done: str,
) -> ResponseReturnValue:
    """Ask for a decision, or make it: refused, the page comes back with all that was typed."""
    if not form.is_submitted():
        referral = referrals.get(reference)
        check(referral)
        form.renew(referral.version)
        return _asked(template, form, referral)
    if form.validate():
        try:
            with unit_of_work() as work:
                decide(work)
        except Refused as error:
            refuse(form, error)
        else:
            flash(done, DONE)
            return redirect(url_for(".show", reference=reference))
    referral = referrals.get(reference)
    if form.out_of_order:
        form.renew(referral.version)
    return _asked(template, form, referral)


def _asked(template: str, form: DecidingForm, referral: Referral) -> ResponseReturnValue:
    return page(
        f"s2s/triage/{template}.html",
        form=form,
        referral=referral,
        fee=triage.fee_words(referral),
        not_yet=closing.what_is_missing(referral) if template == "close" else "",
        earlier=earlier.of(referral) if template in {"accept", "decline"} else [],
        outcomes=closing.outcomes_to_read(referral) if template == "close" else [],
        achieved=closing.ACHIEVED_WORDS,
    )
