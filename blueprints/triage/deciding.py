"""What an officer decides about a referral that waits, in two steps: nothing is sent unseen.

Without JavaScript too: the first step chooses, the second shows what the school will read, to be
changed if need be; what is on that page is what is kept and sent.
"""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from wtforms.fields import SelectChoice

from s2s_portal import clock
from s2s_portal.access import allow, officer
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.triage import way_back
from s2s_portal.blueprints.triage.deciding_forms import (
    DecideForm,
    HoldForm,
    ReleaseForm,
    ReopenAnswerForm,
    UndoForm,
)
from s2s_portal.blueprints.triage.list_views import bp
from s2s_portal.blueprints.triage.views import DONE, decision_page
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.codes import Way
from s2s_portal.models.referral import Referral
from s2s_portal.rendering import fragment
from s2s_portal.services import (
    checklist,
    decision_lists,
    decision_words,
    earlier,
    holding,
    notices,
    panel_comments,
    panels,
    referrals,
    returning,
    triage,
    undoing,
)

TITLES = {
    Way.ACCEPT: "Accept this referral",
    Way.WAIT: "Put this referral on the waiting list",
    Way.ADVISE: "Advise without a visit",
    Way.REDIRECT: "Send on to another service",
    Way.DECLINE: "Decline this referral",
}
BUTTONS = {
    Way.ACCEPT: "Accept the referral",
    Way.WAIT: "Put it on the waiting list",
    Way.ADVISE: "Send the advice",
    Way.REDIRECT: "Send it on",
    Way.DECLINE: "Decline the referral",
}
DONE_WORDS = {
    Way.ACCEPT: "The referral has been accepted and the school has been told. Now choose a"
    " practitioner.",
    Way.WAIT: "The referral is on the waiting list and the school has been told.",
    Way.ADVISE: "The advice has been given and the school has been told.",
    Way.REDIRECT: "The school has been told which service it is, and how to reach it.",
    Way.DECLINE: "The referral has been declined and the school has been told.",
}


@bp.route("/<reference>/accept", methods=["GET", "POST"])
@allow(officer)
def accept(reference: str) -> ResponseReturnValue:
    """Accept at a level, having seen the checklist, what is charged, and what the school reads."""
    return _decide(reference, Way.ACCEPT)


@bp.route("/<reference>/waiting-list", methods=["GET", "POST"])
@allow(officer)
def wait(reference: str) -> ResponseReturnValue:
    """Put on the waiting list, with the reason and honest words."""
    return _decide(reference, Way.WAIT)


@bp.route("/<reference>/advise", methods=["GET", "POST"])
@allow(officer)
def advise(reference: str) -> ResponseReturnValue:
    """Answer with advice, without a visit and without a fee."""
    return _decide(reference, Way.ADVISE)


@bp.route("/<reference>/redirect", methods=["GET", "POST"], endpoint="redirect")
@allow(officer)
def send_on(reference: str) -> ResponseReturnValue:
    """Send on to another service, saying how to reach it."""
    return _decide(reference, Way.REDIRECT)


@bp.route("/<reference>/decline", methods=["GET", "POST"])
@allow(officer)
def decline(reference: str) -> ResponseReturnValue:
    """Decline, saying why, and how to put it right if that can be."""
    return _decide(reference, Way.DECLINE)


def _rows(way: Way) -> list[Any]:
    if way is Way.ACCEPT:
        return list(decision_lists.levels())
    if way is Way.REDIRECT:
        return list(decision_lists.services())
    return list(decision_lists.reasons(way))


def _decide(reference: str, way: Way) -> ResponseReturnValue:
    form, rows = DecideForm(), _rows(way)
    form.offer(way, rows)
    if not form.is_submitted():
        referral = referrals.get(reference)
        triage.check_undecided(referral)
        form.renew(referral.version)
        return _choosing(form, referral, rows)
    step = request.form.get("step", "")
    if step == "change" or not form.validate():
        return _choosing(form, referrals.get(reference), rows)
    try:
        if step == "send":
            with unit_of_work() as work:
                _do(work, reference, form)
            flash(DONE_WORDS[way], DONE)
            return redirect(way_back.shown(reference))
        referral = referrals.get(reference)
        triage.check_undecided(referral)
        referrals.check_seen(referral, form.version)
        if way is Way.ACCEPT:
            checklist.check(referral, form.checks.data or (), form.override.data or "")
    except Refused as error:
        refuse(form, error)
        referral = referrals.get(reference)
        if form.out_of_order:
            form.renew(referral.version)
        if step != "send":
            return _choosing(form, referral, rows)
    return _settling(form, referral, rows)


def _do(work: UnitOfWork, reference: str, form: DecideForm) -> None:
    given: dict[str, Any] = {
        "seen": form.version,
        "message": form.message.data or "",
        "note": form.note.data or "",
        "by": current_actor(),
    }
    if form.way is Way.ACCEPT:
        triage.accept(
            work,
            reference,
            level=form.choice.data,
            ticked=form.checks.data or (),
            override=form.override.data or "",
            **given,
        )
    else:
        triage.decide(work, reference, way=form.way, code=form.choice.data, **given)


def _choosing(form: DecideForm, referral: Referral, rows: list[Any]) -> ResponseReturnValue:
    """The first step: what, why, and what was checked."""
    return page(
        "s2s/triage/decide.html",
        form=form,
        referral=referral,
        handed_on=way_back.handed_on(),
        deciding=form.way.value,
        title=TITLES[form.way],
        rows=rows,
        earlier=earlier.of(referral) if form.way in {Way.ACCEPT, Way.DECLINE} else [],
        points=checklist.of(referral) if form.way is Way.ACCEPT else [],
        fee=triage.fee_words(referral),
        decided=triage.made_meanwhile(referral),
        panel=panels.of(referral),
        panel_called=panels.called,
        recommends=panel_comments.RECOMMENDS_WORDS,
    )


def _settling(form: DecideForm, referral: Referral, rows: list[Any]) -> ResponseReturnValue:
    """The second step: what the school will read, and the mail that tells it."""
    chosen = next(row for row in rows if row.code == form.choice.data)
    if not form.errors:
        form.settle(decision_words.standard(form.way, chosen, referral, form.words.data or ""))
    notice = triage.notice_of(form.way)
    link = notices.link_to("s2s.referrals.show", reference=referral.reference)
    return page(
        "s2s/triage/preview.html",
        form=form,
        referral=referral,
        handed_on=way_back.handed_on(),
        deciding=form.way.value,
        title=TITLES[form.way],
        do_it=BUTTONS[form.way],
        chosen=chosen,
        fee=triage.fee_words(referral),
        decided=triage.made_meanwhile(referral),
        subject=notices.SUBJECTS[notice].format(reference=referral.reference),
        mail=fragment(
            f"s2s/mail/{notice}.txt",
            reference=referral.reference,
            school=referral.school_name,
            link=link,
            day="",
        ),
    )


@bp.route("/<reference>/hold", methods=["GET", "POST"])
@allow(officer)
def hold(reference: str) -> ResponseReturnValue:
    """Put on hold, with the reason and the day by which it is expected to go on."""
    form = HoldForm()
    rows = decision_lists.reasons(Way.HOLD)
    form.reason.choices = [SelectChoice(row.code, row.label) for row in rows]

    def act(work: UnitOfWork) -> None:
        holding.hold(
            work,
            reference,
            code=form.reason.data,
            until=form.until.data or clock.today(),
            message=form.message.data or "",
            note=form.note.data or "",
            seen=form.version,
            by=current_actor(),
        )

    done = "The referral is on hold and the school has been told."
    return decision_page(reference, form, holding.check_holdable, act, "hold", done)


@bp.route("/<reference>/release", methods=["GET", "POST"])
@allow(officer)
def release(reference: str) -> ResponseReturnValue:
    """Go on with what was on hold, with a comment."""
    form = ReleaseForm()

    def act(work: UnitOfWork) -> None:
        holding.release(
            work, reference, comment=form.comment.data, seen=form.version, by=current_actor()
        )

    done = "The referral is no longer on hold and the school has been told."
    return decision_page(reference, form, holding.check_held, act, "release", done)


@bp.route("/<reference>/undo", methods=["GET", "POST"])
@allow(officer)
def undo(reference: str) -> ResponseReturnValue:
    """Take a decision back while nothing depends on it."""
    form = UndoForm()

    def act(work: UnitOfWork) -> None:
        undoing.undo(
            work,
            reference,
            message=form.message.data,
            note=form.note.data or "",
            seen=form.version,
            by=current_actor(),
        )

    done = "The decision has been taken back. The referral waits for a decision again."
    return decision_page(reference, form, undoing.check, act, "undo", done)


@bp.route("/<reference>/open-to-school", methods=["GET", "POST"])
@allow(officer)
def reopen_answer(reference: str) -> ResponseReturnValue:
    """Open a referral that was not answered to its school again."""
    form = ReopenAnswerForm()

    def act(work: UnitOfWork) -> None:
        returning.reopen(
            work, reference, reason=form.reason.data, seen=form.version, by=current_actor()
        )

    done = "The school can answer again and has been told."
    return decision_page(reference, form, returning.check_unanswered, act, "reopen_answer", done)
