"""Practitioners from a file: chosen, previewed, read in."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.file import FileField
from govuk_frontend_wtf.wtforms_widgets import GovFileInput
from werkzeug.datastructures import MultiDict
from wtforms import HiddenField

from s2s_portal.access import administrator, allow
from s2s_portal.blueprints.forms import S2SForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.practitioners.views import DONE, bp
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import practitioner_file
from s2s_portal.services.practitioner_file import Outcome
from s2s_portal.services.term_file import WrongRows

__all__ = ["bp"]


class FileForm(S2SForm):
    """A file to preview; then its text, which the preview page carries, to read in."""

    class Meta(S2SForm.Meta):
        """A file comes as a file and text as text, whatever is sent."""

        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            """The posted text, and of the posted files the one that is asked for."""
            if request.method != "POST":
                return None
            posted: MultiDict[str, Any] = MultiDict(request.form)
            posted.setlist("file", request.files.getlist("file"))
            return posted

    file = FileField("Choose the file", widget=GovFileInput())
    content = HiddenField()

    def sent(self) -> str:
        """The text of the file. Raises Refused when there is none, or it is no text."""
        if self.content.data:
            return str(self.content.data)
        if not getattr(self.file.data, "filename", ""):
            raise Refused("Choose a file", field="file")
        return practitioner_file.text_of(self.file.data.stream.read(practitioner_file.LARGEST + 1))


@bp.route("/import", methods=["GET", "POST"])
@allow(administrator)
def read_in() -> ResponseReturnValue:
    """Preview a file, with a message for each row that is wrong; then read it in."""
    form = FileForm()
    problems: list[str] = []
    outcomes: list[Outcome] = []
    if form.validate_on_submit():
        confirmed = bool(form.content.data)
        try:
            text = form.sent()
            if confirmed:
                with unit_of_work() as work:
                    outcomes = practitioner_file.import_text(work, text, by=current_actor())
                flash(f"Read in: {totals(outcomes)}.", DONE)
                return redirect(url_for(".index"))
            outcomes = practitioner_file.preview(text, by=current_actor())
            form.content.data = text
        except WrongRows as error:
            problems = error.problems
            refuse(form, Refused("Nothing has been changed. Mend the rows below", field="file"))
        except Refused as error:
            refuse(form, Refused(str(error), field="file"))
    return page(
        "s2s/practitioners/import.html",
        form=form,
        problems=problems,
        outcomes=outcomes,
        totals=totals(outcomes),
    )


def totals(outcomes: list[Outcome]) -> str:
    """`1 added, 2 changed, 3 unchanged`."""
    count = [one.what for one in outcomes].count
    return ", ".join(f"{count(what)} {what}" for what in ("added", "changed", "unchanged"))
