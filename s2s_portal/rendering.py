"""Our templates, rendered by a Jinja environment of our own beside the host's.

Our templates are written for Jinja as it comes. A host may have given its own environment strict
undefined values, trimmed blocks, other delimiters or filters of the same names, so ours are
compiled apart from it. A template that is not ours (the host's base template, and all that it
includes) is still compiled by the host's environment, with the host's options.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from flask import Flask, current_app, render_template
from flask.templating import Environment
from jinja2 import Template, Undefined
from jinja2.defaults import DEFAULT_FILTERS, DEFAULT_TESTS

from s2s_portal.state import state

OURS = ("s2s/", "govuk_frontend_jinja/", "govuk_frontend_wtf/")


class OurTemplates(Environment):
    """Jinja as our templates expect it; hands on to the host's whatever is not ours."""

    def __init__(self, app: Flask) -> None:
        theirs = app.jinja_env
        super().__init__(
            app,
            loader=theirs.loader,
            autoescape=_escapes,
            undefined=Undefined,
            auto_reload=theirs.auto_reload,
            enable_async=theirs.is_async,
        )
        self.theirs = theirs
        self.globals = theirs.globals
        self.policies = theirs.policies
        # Jinja's own names mean what Jinja says, whatever the host has put under them.
        self.filters = {**theirs.filters, **DEFAULT_FILTERS}
        self.tests = {**theirs.tests, **DEFAULT_TESTS}

    def get_template(
        self,
        name: str | Template,
        parent: str | None = None,
        globals: MutableMapping[str, Any] | None = None,
    ) -> Template:
        """The template `name`: ours from here, any other from the host's environment."""
        if isinstance(name, str) and not name.startswith(OURS):
            theirs: Template = self.theirs.get_template(name, parent, globals)
            return theirs
        return super().get_template(name, parent, globals)


def _escapes(name: str | None) -> bool:
    return name is None or not name.endswith(".txt")


def _templates() -> OurTemplates:
    # Made at the first page, when the host has registered all its filters and globals.
    here = state()
    if here.templates is None:
        here.templates = OurTemplates(current_app._get_current_object())
    return here.templates  # type: ignore[no-any-return]


def whole_page(name: str, **context: Any) -> str:
    """A page: with the host's context processors too, since its base template needs them."""
    return render_template(_templates().get_template(name), **context)


def fragment(name: str, **context: Any) -> str:
    """A mail or a form field: with `context` and nothing of the host's, who may want a request."""
    return _templates().get_template(name).render(context)
