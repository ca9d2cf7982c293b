"""The lists that officers decide by: levels, reasons, other services; each row from a day on."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms.fields import SelectChoice
from wtforms.validators import Regexp

from s2s_portal.access import administrator, allow
from s2s_portal.blueprints.administration.clock_views import bp
from s2s_portal.blueprints.administration.views import DONE
from s2s_portal.blueprints.forms import DayField, Line, Needed, Paragraphs, PickOne, S2SForm
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.codes import Way
from s2s_portal.services import decision_lists
from s2s_portal.services.decision_lists import Listed

TITLES = {
    Listed.LEVELS: "Levels of support",
    Listed.REASONS: "Reasons for decisions",
    Listed.SERVICES: "Other services",
}
MORE = {
    Listed.LEVELS: "What the school gets",
    Listed.REASONS: "How the school puts it right (optional)",
    Listed.SERVICES: "How to reach it",
}
LISTED = f"<any({', '.join(Listed)}):listed>"


class ListRowForm(S2SForm):
    """Add a row: a new code, new words for one that is there, or its end."""

    way = PickOne(
        "Which decision is it a reason for?",
        "Choose which decision it is a reason for",
        choices=[SelectChoice(way.value, words) for way, words in decision_lists.WAY_WORDS.items()],
    )
    code = Line(
        "Code",
        [
            Needed("Enter a code"),
            Regexp(r"^[A-Z0-9_]{1,40}$", message="Use capital letters, figures and _ in the code"),
        ],
    )
    label = Line("Words", [Needed("Enter the words that people read")])
    more = Paragraphs("")
    offered = PickOne(
        "From that day on",
        "Choose whether it is offered from that day on",
        choices=[SelectChoice("yes", "Officers can choose it"), SelectChoice("no", "It has ended")],
    )
    valid_from = DayField("First day", [Needed("Enter the first day")])
    source = Line("Where this was decided (optional)")

    def ask(self, listed: Listed) -> None:
        """Ask what this list needs."""
        self.more.label.text = MORE[listed]
        if listed is not Listed.REASONS:
            del self.way

    def given(self) -> dict[str, Any]:
        """The answers, by the names that `decision_lists.add` takes."""
        return {
            "code": self.code.data,
            "label": self.label.data,
            "more": self.more.data or "",
            "valid_from": self.valid_from.data,
            "offered": self.offered.data == "yes",
            "source": self.source.data or "",
            "way": Way(self.way.data) if self.way else None,
        }


@bp.route(f"/decisions/{LISTED}", methods=["GET", "POST"])
@allow(administrator)
def decision_list(listed: str) -> ResponseReturnValue:
    """One of the lists with every row it has had, and the form that adds a row."""
    which = Listed(listed)
    form = ListRowForm()
    form.ask(which)
    if form.validate_on_submit():
        try:
            with unit_of_work() as work:
                decision_lists.add(work, which, **form.given(), by=current_actor())
            flash("The row has been added.", DONE)
            return redirect(url_for(".decision_list", listed=listed))
        except Refused as error:
            refuse(form, error)
    return page(
        "s2s/administration/decision_list.html",
        form=form,
        listed=listed,
        title=TITLES[which],
        third=MORE[which].removesuffix(" (optional)"),
        rows=decision_lists.history(which),
        words=decision_lists.WAY_WORDS,
    )
