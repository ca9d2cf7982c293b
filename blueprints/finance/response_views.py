"""Finance's answers to a pull, by file; and the whole ledger as one file."""

from __future__ import annotations

from flask import Response, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from s2s_portal import audit, clock
from s2s_portal.access import allow, finance
from s2s_portal.blueprints.finance.forms import ResponseForm
from s2s_portal.blueprints.finance.views import DONE, bp
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import ledger_export, pulls, responses
from s2s_portal.services.response_reading import Answer, WrongRows
from s2s_portal.services.responses import Counts

__all__ = ["bp"]

SHOWN = 200  # rows of a preview, and messages: more than anybody reads


@bp.route("/pulls/<int:number>/response", methods=["GET", "POST"])
@allow(finance)
def response(number: int) -> ResponseReturnValue:
    """Preview a response file, with a message for each row that is wrong; then apply it."""
    form = ResponseForm()
    pull = pulls.get(number)
    problems: list[str] = []
    answers: list[Answer] = []
    counts: Counts | None = None
    if form.validate_on_submit():
        try:
            text = form.sent()
            if form.content.data:
                with unit_of_work() as work:
                    counts = responses.apply(work, number, text, by=current_actor())
            else:
                counts, answers = responses.preview(number, text, by=current_actor())
        except WrongRows as error:
            problems = error.problems
            refuse(form, error)
        except Refused as error:
            refuse(form, Refused(str(error), field="file"))
        else:
            if form.content.data or counts.already:
                flash(said(counts), DONE)
                return redirect(url_for(".pull", number=number))
            form.content.data = text
    return page(
        "s2s/finance/response.html",
        form=form,
        pull=pull,
        problems=problems[:SHOWN],
        more=max(0, len(problems) - SHOWN),
        answers=answers[:SHOWN],
        counts=counts,
        outcomes=responses.OUTCOME_WORDS,
    )


def said(counts: Counts) -> str:
    """What has been done with a file, in a sentence."""
    if counts.already:
        return f"This file was already applied {counts.already}. Nothing has been done again."
    return f"The response file has been applied: {counts.words}."


@bp.get("/ledger.csv")
@allow(finance)
def export() -> ResponseReturnValue:
    """The whole ledger as CSV, streamed as PostgreSQL writes it."""
    with unit_of_work() as work:
        audit.wrote(work, "downloaded", "ledger", "all")
    answer = Response(ledger_export.Download(current_actor()), mimetype="text/csv")
    name = f"s2s-ledger-{clock.today():%Y-%m-%d}.csv"
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer
