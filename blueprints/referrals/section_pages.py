"""Which form, template and service belong to each section of the referral."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import request
from werkzeug.datastructures import MultiDict

from s2s_portal import clock
from s2s_portal.blueprints.referrals import consent_forms, first_forms, forms, rows, subject_forms
from s2s_portal.blueprints.referrals.fields import SectionForm
from s2s_portal.models.codes import Kind
from s2s_portal.models.referral import Referral
from s2s_portal.services import (
    answers,
    consent,
    drafting,
    evidence,
    repeats,
    sections,
    subjects,
    terms,
)

Typed = MultiDict[str, str] | None
Build = Callable[[Referral, Typed], SectionForm]


@dataclass(frozen=True)
class SectionPage:
    """One section: `build` makes its form, `save` saves it, `template` draws it.

    `build` fills the form with what was typed (in the request, or a copy that was kept), or else
    with what is saved.
    """

    build: Build
    save: Callable[..., None]
    template: str


def filled(
    kind: type[SectionForm], referral: Referral, section: str, typed: Typed, **more: Any
) -> SectionForm:
    """A form of `kind` with what was typed, or else what is saved and `more`."""
    saved = answers.of(referral, section)
    seen = drafting.seen_mark(referral, section)
    values = {**saved, **more, "seen": seen}
    return kind(data=values) if typed is None else kind(formdata=typed, data=values)


def _simple(kind: type[SectionForm], section: str) -> Build:
    return lambda referral, typed: filled(kind, referral, section, typed)


def yes_no(said: bool | None) -> str | None:
    """A yes or no as a radio button has it."""
    return None if said is None else "yes" if said else "no"


SUBJECT_FORMS: dict[Kind | None, type[SectionForm]] = {
    Kind.PUPIL: subject_forms.PupilForm,
    Kind.GROUP: subject_forms.GroupForm,
    Kind.WHOLE: subject_forms.WholeSchoolForm,
    Kind.TRAINING: subject_forms.TrainingForm,
}


def _subject(referral: Referral, typed: Typed) -> SectionForm:
    return filled(SUBJECT_FORMS[referral.kind], referral, "subject", typed)


def _first_subject(referral: Referral, typed: Typed) -> SectionForm:
    pupil = referral.kind is Kind.PUPIL
    form = first_forms.FirstPupilForm if pupil else subject_forms.GroupForm
    return filled(form, referral, "subject", typed)


def _needs(referral: Referral, typed: Typed) -> SectionForm:
    form = filled(forms.NeedsForm, referral, "needs", typed)
    assert isinstance(form, forms.NeedsForm)
    form.offer({n.code: f"{n.label} ({n.code})" for n in terms.needs_on(clock.today())})
    return form


def _outcomes(kind: type[SectionForm]) -> Build:
    def build(referral: Referral, typed: Typed) -> SectionForm:
        saved: dict[str, Any] = {}
        found = answers.of(referral, "outcomes")["outcomes"]
        for number, (text, baseline) in enumerate(found, start=1):
            saved[f"outcome_{number}"] = text
            saved[f"baseline_{number}"] = "" if baseline is None else str(baseline)
        return filled(kind, referral, "outcomes", typed, **saved)

    return build


def _consent(referral: Referral, typed: Typed) -> SectionForm:
    first = referral.form_version == 1
    if referral.kind is Kind.GROUP:
        form = first_forms.FirstGroupConsentForm if first else consent_forms.GroupConsentForm
        notice = referral.agreement is not None and bool(referral.agreement.privacy_notice)
        return filled(form, referral, "consent", typed, notice=notice)
    saved = answers.of(referral, "consent")
    return filled(
        first_forms.FirstConsentForm if first else consent_forms.ConsentForm,
        referral,
        "consent",
        typed,
        agreed=yes_no(saved.get("agreed")),
        parental_responsibility=yes_no(saved.get("parental_responsibility")),
    )


def _sharing(referral: Referral, typed: Typed) -> SectionForm:
    form = filled(consent_forms.SharingForm, referral, "sharing", typed)
    assert isinstance(form, consent_forms.SharingForm)
    form.offer({row.number: row.label for row in sections.evidence_files(referral)})
    return form


def _own(referral: Referral, typed: Typed) -> SectionForm:
    said = yes_no(answers.of(referral, "own").get("pupil_agreed"))
    return filled(consent_forms.OwnForm, referral, "own", typed, pupil_agreed=said)


def _practicalities(referral: Referral, typed: Typed) -> SectionForm:
    form = filled(forms.PracticalitiesForm, referral, "practicalities", typed)
    if referral.establishment.is_maintained:
        del form.purchase_order
    return form


def _declaration(referral: Referral, typed: Typed) -> SectionForm:
    form = filled(forms.DeclarationForm, referral, "declaration", typed)
    if request.method == "GET" and not form["declared_by"].data:
        form["declared_by"].data = referral.contact_name
    return form


def _pages(**listed: tuple[Build, Callable[..., None], str]) -> dict[str, SectionPage]:
    return {
        key: SectionPage(build, save, template) for key, (build, save, template) in listed.items()
    }


PAGES = _pages(
    school=(_simple(forms.SchoolForm, "school"), drafting.save_school, "school"),
    subject=(_subject, subjects.save_subject, "subject"),
    schooling=(
        _simple(subject_forms.SchoolingForm, "schooling"),
        subjects.save_schooling,
        "schooling",
    ),
    repeat=(_simple(forms.RepeatForm, "repeat"), repeats.save_reason, "repeat"),
    needs=(_needs, drafting.save_needs, "needs"),
    criteria=(_simple(forms.CriteriaForm, "criteria"), evidence.save_criteria, "criteria"),
    tried=(_simple(rows.CyclesForm, "tried"), evidence.save_tried, "tried"),
    services=(_simple(rows.ServicesForm, "services"), subjects.save_services, "services"),
    outcomes=(_outcomes(forms.OutcomesForm), evidence.save_outcomes, "outcomes"),
    support=(_simple(forms.SupportForm, "support"), drafting.save_support, "support"),
    consent=(_consent, consent.save_consent, "consent"),
    sharing=(_sharing, consent.save_sharing, "sharing"),
    own=(_own, consent.save_own, "own"),
    practicalities=(_practicalities, drafting.save_practicalities, "practicalities"),
    declaration=(_declaration, drafting.save_declaration, "declaration"),
)
FIRST_PAGES = PAGES | _pages(
    subject=(_first_subject, subjects.save_subject, "subject"),
    tried=(_simple(rows.FirstTriedForm, "tried"), evidence.save_first_tried, "first_tried"),
    outcomes=(_outcomes(first_forms.FirstOutcomesForm), evidence.save_outcomes, "first_outcomes"),
)


def page_of(referral: Referral, section: str) -> SectionPage:
    """The page of a section, by the form that the referral was started with."""
    return (FIRST_PAGES if referral.form_version == 1 else PAGES)[section]
