"""Our own drawing of fields is the very document that govuk-frontend-wtf makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from flask import Flask
from lxml import html
from wtforms import Field
from wtforms.fields.choices import SelectChoice

from s2s_portal.blueprints import drawing
from s2s_portal.blueprints.referrals import (
    consent_forms,
    first_forms,
    forms,
    rows,
    subject_forms,
)
from s2s_portal.blueprints.referrals.fields import SectionForm
from tests import world
from tests.host import make_host

FORMS = [
    found
    for module in (forms, subject_forms, consent_forms, first_forms, rows)
    for found in vars(module).values()
    if isinstance(found, type)
    and issubclass(found, SectionForm)
    and found not in {SectionForm, rows.RowsForm}
]
HOSTILE = 'O\'Brien & "Łukasz" <b>1</b>\n{{ 7 * 7 }}'


@pytest.fixture(scope="module")
def app() -> Iterator[Flask]:
    host = make_host("postgresql+psycopg://nobody@localhost/nowhere", dict(world.ACTORS))
    with host.test_request_context("/"):
        yield host


def fields(form: SectionForm) -> Iterator[Field]:
    """Every field of a form that has a widget of ours, those in rows too."""
    for field in form:
        for row in getattr(field, "entries", [field]):
            yield from (
                f for f in getattr(row, "form", [row]) if isinstance(f.widget, drawing.Drawn)
            )


def shape(markup: str) -> list[object]:
    """The elements of a piece of markup in order, with their attributes and words."""
    found: list[object] = []
    for element in html.fragment_fromstring(str(markup)).iter():
        words = (element.text or "").strip(), (element.tail or "").strip()
        classes = sorted((element.get("class") or "").split())
        attributes = {k: v for k, v in element.attrib.items() if k not in {"class", "checked"}}
        found.append((element.tag, classes, attributes, element.get("checked") is None, words))
    return found


@pytest.mark.parametrize("kind", FORMS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("wrong", [False, True])
def test_the_same_document(app: Flask, kind: type[SectionForm], filled: bool, wrong: bool) -> None:
    form = kind()
    compared = 0
    for field in fields(form):
        if isinstance(field.widget, drawing.Radios | drawing.Checkboxes) and not field.choices:
            field.choices = [SelectChoice("A", "One & only"), SelectChoice("B", "<b>Two</b>")]
        if filled:
            fill(field)
        if wrong:
            field.errors = [HOSTILE.replace("\n", " ")]
        ours, theirs = field(), field(params={"formGroup": {}})
        assert shape(ours) == shape(theirs), field.name
        compared += 1
    assert compared


def fill(field: Field) -> None:
    """Give a field an answer."""
    if isinstance(field.widget, drawing.DateInput):
        field.data = date(2019, 5, 4)
    elif isinstance(field.widget, drawing.Tick):
        field.data = True
    elif isinstance(field.widget, drawing.Checkboxes):
        field.data = [field.choices[0].value, field.choices[-1].value]
    elif hasattr(field, "choices"):
        field.data = field.choices[-1].value
    else:
        field.data = HOSTILE


def test_what_it_does_not_know_it_leaves_to_the_original(app: Flask) -> None:
    form = forms.SchoolForm()
    assert "s2s-wide" in str(form.contact_name(params={"classes": "s2s-wide"}))
    assert "s2s-wide" not in str(form.contact_name())
