"""A plan for everything that waits: judged, changed, and allocated referral by referral.

What an officer has decided travels in the address, so that Back and two tabs work and nothing is
kept here: `choice=S2S-26-7K4P:12` (this practitioner) or `:out` (leave out), `planned` who was
proposed on the page, `give` what was ticked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from s2s_portal import references
from s2s_portal.access import allow, officer
from s2s_portal.blueprints.allocation.forms import GiveForm, GivenForm, PlanForm
from s2s_portal.blueprints.allocation.views import bp
from s2s_portal.blueprints.pages import page
from s2s_portal.database import AWAY, session, unit_of_work
from s2s_portal.errors import NotFound, PartlyDone, Refused, Stale
from s2s_portal.identity import current_actor
from s2s_portal.services import allocation, plans
from s2s_portal.services.plans import MOST_AT_ONCE, Choices, Line
from s2s_portal.state import setting

__all__ = ["bp"]

OUT = "out"
NO_MORE = "It no longer waits for a practitioner, or this one takes no referrals any more."


@bp.get("/plan")
@allow(officer)
def plan() -> ResponseReturnValue:
    """The plan around what the officer has decided, beside one at a time."""
    return _plan_page(PlanForm())


@bp.route("/plan/check", methods=["GET", "POST"])
@allow(officer)
def check_plan() -> ResponseReturnValue:
    """The ticked referrals with a reason for each, to be read, changed and allocated."""
    if not plans.can_plan():
        return redirect(url_for(".plan"))
    form = GiveForm()
    if not form.is_submitted():
        return _asked_for(form)
    form.rows.entries = [row for row in form.rows if references.parse(row.form.reference.data)]
    if not form.rows.entries:
        return _asked_for(form)
    if not form.validate():
        return _check_page(form, Outcome())
    outcome = _give_each([row.form for row in form.rows])
    if not outcome.refused and not outcome.changed:
        flash(_all_done(len(outcome.given)), "s2s-success")
        return redirect(url_for(".plan"))
    return _check_page(form, outcome)


def _plan_page(form: PlanForm) -> ResponseReturnValue:
    choices = _choices()
    proposal = None
    if plans.can_plan():
        most = min(setting("S2S_PAGE_SIZE"), MOST_AT_ONCE)
        proposal = plans.propose(choices, most=most)
    return page(
        "s2s/allocation/plan.html",
        form=form,
        proposal=proposal,
        carried=_not_shown(choices, proposal),
        ticked=set(_references("give")),
    )


def _not_shown(choices: Choices, proposal: plans.Proposal | None) -> list[str]:
    """The choices for referrals that have no list of their own on the page, as an address says
    them."""
    if proposal is None:
        return []
    shown = {line.waiting.reference for line in proposal.lines}
    return [f"{ref}:{who}" for ref, who in choices.chosen.items() if ref not in shown]


def _choices() -> Choices:
    """What the address says that the officer has decided; what makes no sense is passed over."""
    chosen, left_out = {}, set()
    for reference, who in _pairs("choice"):
        if who == OUT:
            left_out.add(reference)
        elif number := _number(who):
            chosen[reference] = number
    return Choices(chosen, left_out)


def _number(text: str | None) -> int | None:
    """The id that `text` is, None where it can be none."""
    return int(text) if text and text.isdecimal() and len(text) < 19 else None


def _pairs(name: str) -> Iterator[tuple[str, str]]:
    for value in request.args.getlist(name):
        text, _, who = value.partition(":")
        reference = references.parse(text)
        if reference:
            yield reference, who


def _references(name: str) -> list[str]:
    """The references that the address gives under `name`, each once."""
    found = (references.parse(text) for text in request.args.getlist(name))
    return list(dict.fromkeys(reference for reference in found if reference))


def _asked_for(form: GiveForm) -> ResponseReturnValue:
    """The check page for what was ticked, or the plan again when that is nothing or too much."""
    ticked = _references("give")
    if not 0 < len(ticked) <= MOST_AT_ONCE:
        back = PlanForm()
        back.form_errors = [
            f"Tick {MOST_AT_ONCE} referrals or fewer to allocate at a time"
            if ticked
            else "Tick the referrals that you want to allocate"
        ]
        return _plan_page(back)
    choices = _choices()
    planned = {reference: _number(who) for reference, who in _pairs("planned")}
    wanted = {
        reference: who
        for reference in ticked
        if (who := choices.chosen.get(reference) or planned.get(reference))
        and reference not in choices.left_out
    }
    lines = plans.look_at(choices, wanted)
    for line in lines:
        form.rows.append_entry(
            {
                "reference": line.waiting.reference,
                "practitioner": str(line.proposed.practitioner_id),
                "seen": str(line.waiting.version),
                "reason": line.reason,
            }
        )
    shown = {line.waiting.reference for line in lines}
    return _draw(form, lines, Outcome(passed_over=[ref for ref in ticked if ref not in shown]))


@dataclass
class Outcome:
    """What came of each referral: given, to whom; refused for good, with the reason and what was
    typed; changed since, to be read again. `passed_over` were ticked and cannot be allocated."""

    given: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)


def _give_each(rows: list[GivenForm]) -> Outcome:
    """Allocate each in a transaction of its own, so that one that fails takes none with it.

    Raises PartlyDone, saying what has been allocated, when the database goes away on the way.
    """
    outcome = Outcome()
    for row in rows:
        reference = row.reference.data
        try:
            outcome.given.append((reference, _give(row)))
        except Stale as error:
            outcome.changed[reference] = str(error)
        except (Refused, NotFound) as error:
            outcome.refused.append((reference, str(error), row.reason.data))
        except AWAY as error:
            raise PartlyDone(_so_far(outcome, reference)) from error
    return outcome


def _give(row: GivenForm) -> str:
    """Allocate as one row says; the name of who has the referral now."""
    with unit_of_work() as work:
        made = allocation.allocate(
            work,
            row.reference.data,
            practitioner_id=_number(row.practitioner.data) or 0,
            reason=row.reason.data,
            seen=row.seen.version,
            by=current_actor(),
        )
        return made.practitioner_name


def _so_far(outcome: Outcome, reference: str) -> str:
    given = ", ".join(done for done, _name in outcome.given) or "none"
    return (
        f"We cannot reach our records at the moment. Allocated before that: {given}. Look at"
        f" {reference} before you allocate it again. The others have not been allocated: make the"
        " plan again in a few minutes."
    )


def _all_done(number: int) -> str:
    if number == 1:
        return "1 referral has a practitioner. They, their lead and the school have been told."
    return (
        f"{number} referrals have a practitioner. They, their leads and the schools have been told."
    )


def _check_page(form: GiveForm, outcome: Outcome) -> ResponseReturnValue:
    """The page again: what is still to do as it was typed, and what came of the others."""
    session().rollback()
    done = {ref for ref, *_ in outcome.given} | {ref for ref, *_ in outcome.refused}
    rows = [row for row in form.rows if row.form.reference.data not in done]
    wanted = {row.form.reference.data: _number(row.form.practitioner.data) for row in rows}
    chosen = {reference: who for reference, who in wanted.items() if who}
    lines = plans.look_at(Choices(chosen), chosen)
    shown = {line.waiting.reference: line for line in lines}
    form.rows.entries = [row for row in rows if row.form.reference.data in shown]
    for row in form.rows:
        reference = row.form.reference.data
        if reference in outcome.changed:
            row.form.seen.data = str(shown[reference].waiting.version)
            row.form.reason.errors = [f"{reference}: {outcome.changed[reference]}"]
    outcome.refused += [
        (row.form.reference.data, NO_MORE, row.form.reason.data)
        for row in rows
        if row.form.reference.data not in shown
    ]
    form.form_errors = [f"{reference}: {why}" for reference, why, _typed in outcome.refused]
    return _draw(form, lines, outcome)


def _draw(form: GiveForm, lines: list[Line], outcome: Outcome) -> ResponseReturnValue:
    known = {line.waiting.reference: line for line in lines}
    for row in form.rows:
        line = known.get(row.form.reference.data)
        if line is not None:
            name, reason = line.proposed.name, row.form.reason
            reason.label.text = f"Why {name}?"
            if reason.errors and not reason.data:
                reason.errors = [f"Enter why you chose {name} for {line.waiting.reference}"]
    return page("s2s/allocation/check_plan.html", form=form, lines=known, outcome=outcome)
