"""Before a draft: what the service offers this school today, then the questions that come first.

The order is held here, not in the browser: each page asks `screening` which question is next.
"""

from __future__ import annotations

from typing import Any

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, school
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.referrals import screening_pass
from s2s_portal.blueprints.referrals.forms import ScreeningForm, StartForm
from s2s_portal.blueprints.referrals.screening_pass import Pass
from s2s_portal.database import unit_of_work
from s2s_portal.errors import IntakeClosed, MayNotRefer, NotFound, Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import drafting, intake, screening, starting

QUESTION = f"<any({', '.join(screening.QUESTIONS)}):question>"


@allow(school)
def start() -> ResponseReturnValue:
    """What it offers, who may, what it costs, how long it takes; and the way to the questions."""
    form = StartForm()
    chosen = (form.urn.data if request.method == "POST" else request.args.get("urn")) or None
    schools = starting.schools(by=current_actor())
    offer = starting.offer(schools, chosen)
    if request.method == "POST" and form.validate_on_submit() and offer is not None:
        if offer.can_start:
            return _ask(screening_pass.issue(offer.establishment.urn, current_actor()), offer)
        refuse(form, _refusal(offer))
        schools = starting.schools(by=current_actor())  # a refusal ends the transaction
        offer = starting.offer(schools, chosen)
    if offer is not None:
        form.urn.data = str(offer.establishment.urn)
    return page(
        "s2s/referrals/start.html",
        form=form,
        schools=schools,
        offer=offer,
        counted=intake.COUNTED,
        waits_over=starting.WAITS_OVER,
    )


def _refusal(offer: starting.Offer) -> Refused:
    if offer.why_not:
        return MayNotRefer(offer.why_not)
    return IntakeClosed(offer.intake.why_closed or "" if offer.intake else "")


@allow(school)
def screen(question: str) -> ResponseReturnValue:
    """One of the questions that come before a draft."""
    shown = screening_pass.read(request.args.get("pass"), current_actor())
    offer = _offer(shown)
    if offer is None or not offer.can_start:
        return redirect(url_for(".start"))
    if shown is None:
        return _ask(screening_pass.issue(offer.establishment.urn, current_actor()), offer)
    due = screening.next_question(offer.establishment, shown.answers)
    if question != due and question not in shown.answers:
        return _ask(shown, offer)  # the questions before this one come first
    form = ScreeningForm(question, offered=_offered(question, offer))
    if form.validate_on_submit():
        answer = form.answer.data
        way = screening.WAYS_OUT.get((question, answer))
        if way:
            return redirect(url_for(".instead", way=way))
        try:
            return _ask(shown.answering(question, answer), offer)
        except Refused as error:
            refuse(form, error)
            offer = _offer(shown) or offer
    return page(
        "s2s/referrals/screen.html",
        form=form,
        question=question,
        offer=offer,
        carrying=_carrying(shown),
    )


@allow(school)
def instead(way: str) -> ResponseReturnValue:
    """A way out: what to do instead. Nothing of what was answered is kept."""
    if way == screening.AT_RISK:
        return page("s2s/referrals/at_risk.html")
    found = screening.ways_out().get(way)
    if found is None:
        raise NotFound()
    return page("s2s/referrals/instead.html", way=found)


def _offer(shown: Pass | None) -> starting.Offer | None:
    """What the school of the pass, or else the person's only school, can expect today."""
    schools = starting.schools(by=current_actor())
    return starting.offer(schools, str(shown.urn) if shown else None)


def _carrying(shown: Pass) -> dict[str, Any]:
    """What an address needs to carry the pass on."""
    return {"pass": shown.signed()}


def _offered(question: str, offer: starting.Offer) -> dict[str, str]:
    if question == screening.ABOUT:
        return screening.options(offer.establishment)
    return screening.ANSWERS[question]


def _ask(shown: Pass, offer: starting.Offer) -> ResponseReturnValue:
    """On to the first question that is still open, or, when there is none, to the draft."""
    due = screening.next_question(offer.establishment, shown.answers)
    if due is not None:
        return redirect(url_for(".screen", question=due, **_carrying(shown)))
    with unit_of_work() as work:
        referral = drafting.start(work, shown.urn, token=shown.token, by=current_actor())
    return redirect(url_for(".show", reference=referral.reference))
