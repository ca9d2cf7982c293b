"""A colleague has changed what a referral is for while somebody typed: what they typed is shown.

It cannot be saved, as the question is not asked any more; but nobody types it a second time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, Field, FieldList, FormField

from s2s_portal.blueprints.forms import DayField
from s2s_portal.blueprints.referrals import consent_forms
from s2s_portal.blueprints.referrals.fields import SectionForm
from s2s_portal.blueprints.referrals.section_pages import SUBJECT_FORMS
from s2s_portal.models.referral import Referral
from s2s_portal.rendering import whole_page
from s2s_portal.services import form_versions, labels, sections

CONFLICT = 409
# Sections that ask something else of another kind of referral.
OTHERS: dict[str, tuple[type[SectionForm], ...]] = {
    "subject": tuple(SUBJECT_FORMS.values()),
    "consent": (consent_forms.ConsentForm, consent_forms.GroupConsentForm),
}


def of_another_kind(form: SectionForm, section: str) -> SectionForm | None:
    """The form of another kind of referral that was sent instead of `form`, as it was filled in;
    None when nothing was sent that `form` does not ask for."""
    if request.method != "POST":
        return None
    sent = {name for name, text in request.form.items() if text.strip()} - set(form._fields)
    others = [kind() for kind in OTHERS.get(section, ())]
    fits = max(others, key=lambda other: len(sent & set(other._fields)), default=None)
    return fits if fits is not None and sent & set(fits._fields) else None


def changed_page(referral: Referral, section: str, form: SectionForm) -> ResponseReturnValue:
    """Say who changed what the referral is for, and show what was typed into `form`.

    Of a pupil who is not 16 by the date of birth that has been saved, say that instead.
    """
    by_kind = (
        referral.kind is None or section not in form_versions.of(referral).asked[referral.kind]
    )
    is_asked = section in sections.keys(referral)
    body = whole_page(
        "s2s/referrals/changed.html",
        form=None,
        refused=False,
        referral=referral,
        title=sections.titles(referral)[section],
        is_asked=is_asked,
        by=referral.answered.get("kind", {}).get("by", "A colleague"),
        kind=labels.KINDS[referral.kind] if referral.kind and (by_kind or is_asked) else "",
        lines=list(typed_lines(form)),
    )
    return body, CONFLICT


def typed_lines(form: Any) -> Iterator[tuple[str, str]]:
    """What was typed into `form`, as label and text; nothing of what was left empty."""
    for field in form:
        if getattr(field.widget, "input_type", "") == "hidden":
            continue
        if isinstance(field, FieldList):
            for entry in field:
                yield from typed_lines(entry.form if isinstance(entry, FormField) else [entry])
        elif text := _text(field):
            yield field.label.text, text


def _text(field: Field) -> str:
    if isinstance(field, DayField):
        return field.raw_text
    if isinstance(field, BooleanField):
        return "Yes" if field.data else ""
    if hasattr(field, "iter_choices"):
        chosen = field.data if isinstance(field.data, list) else [field.data]
        return "\n".join(
            str(choice.label)
            for choice in field.iter_choices()
            if choice.value and choice.value in chosen
        )
    return str(field.data or "")
