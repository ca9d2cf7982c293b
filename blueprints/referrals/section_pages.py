"""Which form, template and service belong to each section of the referral."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import request

from s2s_portal import clock
from s2s_portal.blueprints.referrals import forms
from s2s_portal.blueprints.referrals.fields import SectionForm
from s2s_portal.blueprints.referrals.rows import TriedForm
from s2s_portal.models.referral import Kind, Referral
from s2s_portal.services import answers, drafting, terms


@dataclass(frozen=True)
class SectionPage:
    """One section: `build` makes its form (None: the kind must be chosen first), `save` saves."""

    build: Callable[[Referral], SectionForm | None]
    save: Callable[..., None]


def filled(kind: type[SectionForm], referral: Referral, section: str) -> SectionForm:
    """A form of `kind` with what was typed, or else what is saved."""
    saved = answers.of(referral, section)
    return kind(data={**saved, "seen": drafting.seen_mark(referral, section)})


def _simple(kind: type[SectionForm], section: str) -> Callable[[Referral], SectionForm]:
    return lambda referral: filled(kind, referral, section)


def chosen_kind(referral: Referral) -> Kind | None:
    """The kind that the form or the address says, else the saved one."""
    said = request.form.get("kind") or request.args.get("kind")
    if said in {kind.value for kind in Kind}:
        return Kind(said)
    return referral.kind if request.method == "GET" and said is None else None


def _subject(referral: Referral) -> SectionForm | None:
    kind = chosen_kind(referral)
    if kind is None or "choosing" in request.form:
        return None
    form = forms.PupilForm if kind is Kind.PUPIL else forms.GroupForm
    saved = answers.of(referral, "subject") if referral.kind is kind else {}
    seen = drafting.seen_mark(referral, "subject")
    made: SectionForm = form(data={**saved, "kind": kind.value, "seen": seen})
    return made


def _needs(referral: Referral) -> SectionForm:
    form: forms.NeedsForm = filled(forms.NeedsForm, referral, "needs")
    form.offer({n.code: f"{n.label} ({n.code})" for n in terms.needs_on(clock.today())})
    return form


def _outcomes(referral: Referral) -> SectionForm:
    texts = answers.of(referral, "outcomes")["outcomes"]
    saved: dict[str, Any] = {f"outcome_{n}": text for n, text in enumerate(texts, start=1)}
    return forms.OutcomesForm(data={**saved, "seen": drafting.seen_mark(referral, "outcomes")})


def _consent(referral: Referral) -> SectionForm | None:
    if referral.kind is None:
        return None
    if referral.kind is Kind.GROUP:
        return filled(forms.GroupConsentForm, referral, "consent")
    saved = answers.of(referral, "consent")
    if saved:
        saved["agreed"] = "yes" if saved["agreed"] else "no"
    return forms.PupilConsentForm(data={**saved, "seen": drafting.seen_mark(referral, "consent")})


def _practicalities(referral: Referral) -> SectionForm:
    form = filled(forms.PracticalitiesForm, referral, "practicalities")
    if referral.establishment.is_maintained:
        del form.purchase_order
    return form


def _declaration(referral: Referral) -> SectionForm:
    form = filled(forms.DeclarationForm, referral, "declaration")
    if request.method == "GET" and not form.declared_by.data:
        form.declared_by.data = referral.contact_name
    return form


PAGES: dict[str, SectionPage] = {
    "school": SectionPage(_simple(forms.SchoolForm, "school"), drafting.save_school),
    "subject": SectionPage(_subject, drafting.save_subject),
    "needs": SectionPage(_needs, drafting.save_needs),
    "tried": SectionPage(_simple(TriedForm, "tried"), drafting.save_tried),
    "outcomes": SectionPage(_outcomes, drafting.save_outcomes),
    "support": SectionPage(_simple(forms.SupportForm, "support"), drafting.save_support),
    "consent": SectionPage(_consent, drafting.save_consent),
    "practicalities": SectionPage(_practicalities, drafting.save_practicalities),
    "declaration": SectionPage(_declaration, drafting.save_declaration),
}
