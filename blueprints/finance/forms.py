"""The forms with which Finance makes a pull, marks it as collected and answers it by file."""

from __future__ import annotations

import re
import secrets
from datetime import date
from typing import Any

from flask import request
from flask_wtf.file import FileField
from govuk_frontend_wtf.wtforms_widgets import GovFileInput
from werkzeug.datastructures import MultiDict
from wtforms import HiddenField

from s2s_portal.blueprints.forms import DayField, Line, Needed, S2SForm
from s2s_portal.errors import Refused
from s2s_portal.services import response_reading
from s2s_portal.services.pulls import LONGEST_REFERENCE

TOKEN = re.compile(r"[0-9a-f]{32}")


class PullForm(S2SForm):
    """Make a pull. The token is used once: a second press gets the pull that the first one made."""

    token = HiddenField(default=lambda: secrets.token_hex(16))

    def validate(self, extra_validators: Any = None) -> bool:
        """Refuse a token that no page of ours has handed out, and hand out a fresh one."""
        good = super().validate(extra_validators)
        if TOKEN.fullmatch(self.token.data or ""):
            return bool(good)
        self.form_errors = ["The page had expired and nothing was pulled. Try again."]
        self.token.data = secrets.token_hex(16)
        return False


class CollectForm(S2SForm):
    """Mark a pull as collected."""

    finance_reference = Line(
        "Finance’s reference",
        [Needed("Enter Finance’s reference for the collection")],
        longest=LONGEST_REFERENCE,
    )
    collected_on = DayField("Day of collection", [Needed("Enter the day of collection")])

    @property
    def day(self) -> date:
        """The day of collection, once the form has been found good."""
        assert self.collected_on.data is not None
        return self.collected_on.data


class ResponseForm(S2SForm):
    """A response file to preview; then its text, which the preview page carries, to apply."""

    class Meta(S2SForm.Meta):
        """A file comes as a file and text as text, whatever is sent."""

        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            """The posted text, and of the posted files the one that is asked for."""
            if request.method != "POST":
                return None
            posted: MultiDict[str, Any] = MultiDict(request.form)
            posted.setlist("file", request.files.getlist("file"))
            return posted

    file = FileField("Choose the response file", widget=GovFileInput())
    content = HiddenField()

    def sent(self) -> str:
        """The text of the file. Raises Refused when there is none, or it is no text."""
        if self.content.data:
            return response_reading.plain(str(self.content.data))
        if not getattr(self.file.data, "filename", ""):
            raise Refused("Choose a file", field="file")
        most = response_reading.LARGEST + 1
        return response_reading.text_of(self.file.data.stream.read(most))
