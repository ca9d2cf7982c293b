"""All open referrals of one practitioner given to others, each proposed, changed or left out."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms.fields import SelectChoice

from s2s_portal import references
from s2s_portal.access import allow, officer
from s2s_portal.blueprints.allocation.moving_forms import HandOnForm, HandOnRow
from s2s_portal.blueprints.allocation.views import bp
from s2s_portal.blueprints.pages import page
from s2s_portal.database import AWAY, session, unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder, PartlyDone, Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.services import handing_on, practitioners, reallocating
from s2s_portal.services.handing_on import Line, Preview

__all__ = ["bp"]


@dataclass
class Outcome:
    """What came of each: given to whom, or left, with the reason and the note that was typed."""

    given: list[tuple[str, str]] = field(default_factory=list)
    left: list[tuple[str, str, str]] = field(default_factory=list)


@bp.route("/from/<int:number>/", methods=["GET", "POST"])
@allow(officer)
def hand_on(number: int) -> ResponseReturnValue:
    """What somebody has, each with the successor proposed, to be changed, left out and done."""
    person = practitioners.get(number, current_actor())
    form = HandOnForm()
    form.ask_about(person.name, writes=person.active)
    if not form.is_submitted():
        preview = handing_on.preview(person)
        _fill(form, preview)
        return _draw(form, person, preview, Outcome())
    form.rows.entries = [row for row in form.rows if references.parse(row.form.reference.data)]
    chosen = [row.form for row in form.rows if _number(row.form.practitioner.data)]
    if form.validate() and not chosen:
        form.form_errors = ["Choose who has at least one of them next"]
    if form.errors:
        return _draw(form, person, handing_on.preview(person), Outcome())
    outcome = _give_each(form, chosen)
    if not outcome.left:
        flash(_done(len(outcome.given)), "s2s-success")
        return redirect(url_for("s2s.practitioners.show", number=number))
    rows = {row.form.reference.data: row.form.practitioner.data for row in form.rows}
    return _again(number, outcome, rows)


def _number(text: str | None) -> int:
    """The id that `text` is, 0 where it can be none."""
    return int(text) if text and text.isdecimal() and len(text) < 19 else 0


def _give_each(form: HandOnForm, rows: list[HandOnRow]) -> Outcome:
    """Reallocate each in a transaction of its own, so that one that fails takes none with it.

    Raises PartlyDone, saying what has been done, when the database goes away on the way.
    """
    outcome = Outcome()
    for row in rows:
        reference = row.reference.data
        try:
            with unit_of_work() as work:
                made = reallocating.reallocate(
                    work,
                    reference,
                    practitioner_id=_number(row.practitioner.data),
                    reason=None,
                    handing=form.handing(row.hand_over.data or ""),
                    seen=row.seen.version,
                    by=current_actor(),
                )
                outcome.given.append((reference, made.practitioner_name))
        except OutOfOrder as error:
            outcome.left.append((reference, f"somebody changed it meanwhile. {error}", _typed(row)))
        except (Refused, NotFound) as error:
            outcome.left.append((reference, str(error), _typed(row)))
        except AWAY as error:
            done = ", ".join(ref for ref, _name in outcome.given) or "none"
            raise PartlyDone(
                f"We cannot reach our records at the moment. Reallocated before that: {done}. Look"
                f" at {reference} before you go on. The others are as they were: open the page"
                " again in a few minutes."
            ) from error
    return outcome


def _typed(row: HandOnRow) -> str:
    return row.hand_over.data or ""


def _done(number: int) -> str:
    many = "1 referral has" if number == 1 else f"{number} referrals have"
    return f"{many} another practitioner now. Everybody concerned has been told."


def _again(number: int, outcome: Outcome, rows: dict[str, str]) -> ResponseReturnValue:
    """What came of each, and what is still there to do: proposed anew where it was to be given,
    left out where it was left out (`rows`: who was chosen). Notes that were typed are kept."""
    session().rollback()
    person = practitioners.get(number, current_actor())
    preview = handing_on.preview(person)
    form = HandOnForm()
    form.ask_about(person.name, writes=person.active)
    form.rows.entries = []
    _fill(form, preview, {reference: typed for reference, _why, typed in outcome.left})
    for row in form.rows:
        if rows.get(row.form.reference.data) == "":
            row.form.practitioner.data = ""
    form.form_errors = [f"{reference}: {why}" for reference, why, _typed in outcome.left]
    return _draw(form, person, preview, outcome)


def _fill(form: HandOnForm, preview: Preview, typed: dict[str, str] | None = None) -> None:
    """A row for each case, with the successor proposed."""
    for line in preview.lines:
        form.rows.append_entry(
            {
                "reference": line.case.reference,
                "seen": str(line.case.version),
                "practitioner": str(line.proposed.practitioner_id) if line.proposed else "",
                "hand_over": (typed or {}).get(line.case.reference, ""),
            }
        )


def _draw(
    form: HandOnForm, person: Practitioner, preview: Preview, outcome: Outcome
) -> ResponseReturnValue:
    known = {line.case.reference: line for line in preview.lines}
    form.rows.entries = [row for row in form.rows if row.form.reference.data in known]
    for row in form.rows:
        _offer(row.form, known[row.form.reference.data], person)
    return page(
        "s2s/allocation/hand_on.html",
        form=form,
        person=person,
        total=preview.total,
        lines=known,
        outcome=outcome,
    )


def _offer(row: HandOnRow, line: Line, person: Practitioner) -> None:
    row.practitioner.label.text = f"Who has {line.case.reference} next?"
    row.hand_over.label.text = f"Hand-over note for {line.case.reference} (optional)"
    row.practitioner.choices = [
        SelectChoice("", f"Leave it with {person.name}"),
        *(
            SelectChoice(
                str(one.practitioner_id), f"{one.name}, {one.provider_name}: {one.load_words}"
            )
            for one in line.offered
        ),
    ]
