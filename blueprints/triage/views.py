"""What a SEND officer decides about a referral, from the worklist to its closing."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, officer
from s2s_portal.blueprints import threads
from s2s_portal.blueprints.agreement import agreement_page
from s2s_portal.blueprints.pages import page, pdf, refuse
from s2s_portal.blueprints.triage import way_back
from s2s_portal.blueprints.triage.forms import (
    CloseForm,
    DecidingForm,
    ReopenForm,
    return_form,
)
from s2s_portal.blueprints.triage.list_forms import TakeForm
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.clocks import ReferralClock
from s2s_portal.models.codes import UNDECIDED, Closure, Kind, Status, Way
from s2s_portal.models.referral import Referral
from s2s_portal.models.worklist import OfficerAssignment
from s2s_portal.services import (
    allocation_history,
    attachments,
    changes,
    checklist,
    clocks,
    closing,
    copying,
    decided,
    decision_lists,
    earlier,
    handing,
    heads,
    holding,
    ledger,
    notes,
    offers,
    officers,
    panel_comments,
    panels,
    promises,
    reading,
    referral_documents,
    referrals,
    repeats,
    returning,
    sections,
    standing,
    supporting,
    triage,
    undoing,
    visits,
    withdrawing,
    worklist,
)
from s2s_portal.state import setting

bp = Blueprint("triage", __name__)
DONE = "s2s-success"


@bp.get("/<reference>/")
@allow(officer)
def show(reference: str) -> ResponseReturnValue:
    """The whole referral with its history, and what can be decided about it now."""
    referral, found, held = _opened(reference)
    charge = ledger.charge_for(referral.reference)
    shown = threads.talk(referral)
    turns = allocation_history.of(referral)
    answer = page(
        "s2s/triage/show.html",
        referral=referral,
        promised=promises.due(found),
        broken=promises.kept(found),
        held=held,
        take=TakeForm(formdata=None),
        handed_on=way_back.handed_on(),
        to_list=way_back.to_list(),
        stands=worklist.stands(referral.status.value),
        colour=standing.colour(referral.status),
        history=standing.history(referral, inside=True),
        allocation=allocation_history.present(turns),
        turns=turns,
        why_words=handing.WHY_WORDS,
        supporters=referrals.supporters(referral) if turns else [],
        support_words=supporting.ROLE_WORDS,
        visits=standing.visits(referral),
        parts=reading.parts(referral),
        attached=attachments.shown(referral),
        evidence=attachments.evidence(referral),
        booked=visits.booked,
        charge=charge,
        achieved=closing.ACHIEVED_WORDS,
        not_yet=closing.what_is_missing(referral),
        earlier=earlier.of(referral),
        looked_for=repeats.looked_for(),
        changes=changes.log(referral),
        changed=changes.changed_since_return(referral) if is_waiting(referral) else set(),
        titles=sections.titles(referral),
        may_stop=is_pupil(referral) and referral.status in withdrawing.WITHDRAWABLE,
        ended_agreement=withdrawing.agreement_withdrawal(referral),
        level=decided.level(referral),
        place=decided.place(referral),
        on_hold=holding.is_held(referral),
        may_hold=referral.status in holding.HOLDABLE,
        may_undo=referral.status in undoing.UNDONE_FROM
        and not undoing.why_not(referral, charge, was_given=bool(turns)),
        checked=checklist.kept(referral),
        points=checklist.POINTS,
        follows=copying.follows(referral),
        offered=_offered(referral),
        notes=notes.of(referral),
        flags=notes.flags_of(referral),
        note_words=notes.LABEL_WORDS,
        agreed_by_head=heads.agreed(referral),
        talk=shown,
        panel=panels.of(referral),
        panel_called=panels.called,
        recommends=panel_comments.RECOMMENDS_WORDS,
    )
    return threads.read(shown, answer)


def _opened(reference: str) -> tuple[Referral, list[ReferralClock], OfficerAssignment | None]:
    """The referral, its clocks and who looks after it, once what its opening changes is noted."""

    def read() -> tuple[Referral, list[ReferralClock], OfficerAssignment | None]:
        referral = referrals.get(reference, whole=True)
        return referral, clocks.of(referral), officers.of(referral)

    _referral, found, held = opened = read()
    if not clocks.has_broken(found) and not officers.is_new_to(current_actor(), held):
        return opened
    clocks.note_broken(reference)
    officers.note_opened(reference, current_actor())
    return read()


def _offered(referral: Referral) -> list[str]:
    """To whom it is offered and who asks for it, while it is with nobody: else nothing is read."""
    if referral.status is not Status.ACCEPTED:
        return []
    return offers.lines([referral.reference]).get(referral.reference, [])


def is_waiting(referral: Referral) -> bool:
    """Whether a decision is to be made about what the school has sent."""
    return referral.status in UNDECIDED


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


@bp.route("/<reference>/return", methods=["GET", "POST"], endpoint="return_for_information")
@allow(officer)
def return_for_information(reference: str) -> ResponseReturnValue:
    """Send it back to the school for more information in the sections that are named."""
    whole = referrals.get(reference, whole=True)
    form = return_form(
        sections.may_be_asked(whole),
        {row.code: row.label for row in decision_lists.reasons(Way.RETURN)},
        returning.opened_too(whole),
    )

    def decide(work: UnitOfWork) -> None:
        returning.return_for_information(
            work,
            reference,
            seen=form.version,
            questions=form.questions(),
            codes=form.codes(),
            message=form.message.data or "",
            by=current_actor(),
        )

    done = "The referral is back with the school, which has been told what you need."
    return decision_page(reference, form, triage.check_undecided, decide, "return", done)


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
    return decision_page(reference, form, closing.check_open, decide, "close", done)


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
    return decision_page(reference, form, closing.check_closed, decide, "reopen", done)


def decision_page(
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
            return redirect(way_back.shown(reference))
    referral = referrals.get(reference)
    if form.out_of_order:
        form.renew(referral.version)
    return _asked(template, form, referral)


def _asked(template: str, form: DecidingForm, referral: Referral) -> ResponseReturnValue:
    return page(
        f"s2s/triage/{template}.html",
        form=form,
        referral=referral,
        handed_on=way_back.handed_on(),
        fee=triage.fee_words(referral),
        days=setting("S2S_ANSWER_SCHOOL_DAYS"),
        not_yet=closing.what_is_missing(referral) if template == "close" else "",
        outcomes=closing.outcomes_to_read(referral) if template == "close" else [],
        achieved=closing.ACHIEVED_WORDS,
        decided=triage.made_meanwhile(referral)
        if form.out_of_order or template == "undo"
        else None,
        reversal=undoing.reversal_words(referral) if template == "undo" else "",
        panel=panels.of(referral) if template == "return" else [],
        panel_called=panels.called,
        recommends=panel_comments.RECOMMENDS_WORDS,
    )
