"""The GOV.UK widgets that our forms use, rendered by our own templates' environment.

govuk-frontend-wtf renders each field as a page of the host's: with the host's Jinja options, which
may be strict where the macros are not, and with all its context processors once for each field.
"""

from __future__ import annotations

from typing import Any

from govuk_frontend_wtf import wtforms_widgets
from markupsafe import Markup

from s2s_portal import rendering


class _Ours:
    template: str

    def render(self, params: dict[str, Any]) -> Markup:
        """The field's markup."""
        return Markup(rendering.fragment(self.template, params=params))  # noqa: S704  (escaped there)


class GovCheckboxInput(_Ours, wtforms_widgets.GovCheckboxInput):
    """One box to tick."""


class GovCheckboxesInput(_Ours, wtforms_widgets.GovCheckboxesInput):
    """Several boxes."""


class GovDateInput(_Ours, wtforms_widgets.GovDateInput):
    """Three boxes for a date."""


class GovRadioInput(_Ours, wtforms_widgets.GovRadioInput):
    """Radio buttons."""


class GovSelect(_Ours, wtforms_widgets.GovSelect):
    """A list that drops down."""


class GovTextArea(_Ours, wtforms_widgets.GovTextArea):
    """Several lines of text."""


class GovTextInput(_Ours, wtforms_widgets.GovTextInput):
    """One line of text."""
