"""The form that attaches one file."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_wtf.file import FileField
from govuk_frontend_wtf.wtforms_widgets import GovFileInput
from werkzeug.datastructures import MultiDict
from wtforms import IntegerField

from s2s_portal.blueprints.forms import Line, Needed, S2SForm
from s2s_portal.blueprints.referrals.fields import OneOf, choices
from s2s_portal.services.attachments import TYPES


class FileForm(S2SForm):
    """A file, what it is, and what to call it. The file has to be chosen anew after an error."""

    class Meta(S2SForm.Meta):
        """A file comes as a file and text as text, whatever is sent."""

        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            """The posted text, and of the posted files the one that is asked for."""
            if request.method != "POST":
                return None
            posted: MultiDict[str, Any] = MultiDict(request.form)
            posted.setlist("file", request.files.getlist("file"))
            return posted

    file = FileField("Choose the file", [Needed("Choose a file")], widget=GovFileInput())
    label = Line(
        "What should it be called?",
        [Needed("Enter what the file should be called")],
        longest=100,
        description="So that a reader knows what is in it, for example “Playground risk"
        " assessment, spring term”",
    )
    type = OneOf("What is it?", message="Choose what the file is", choices=choices(TYPES))

    @property
    def let_go(self) -> bool:
        """Whether there was nothing wrong with the file, which the browser has let go of."""
        return bool(self.errors) and not self.file.errors

    def sent(self) -> tuple[str, bytes]:
        """The name and the content of the file."""
        return self.file.data.filename or "", self.file.data.stream.read()


class RemoveForm(S2SForm):
    """One button for each file."""

    number = IntegerField()

    @property
    def which(self) -> int:
        """The number of the file; 0, which none has, for nonsense."""
        found = self.number.data or 0
        return found if 0 < found < 32768 else 0
