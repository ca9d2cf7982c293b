"""The sections that a referral asks, and which of them still want something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from s2s_portal import clock
from s2s_portal.models.attachment import GONE, Attachment, FileState, FileType
from s2s_portal.models.codes import Kind
from s2s_portal.models.referral import Referral
from s2s_portal.services import form_versions, openings, terms, year_groups

NSA = "NSA"  # census: SEN Support without a specialist assessment, so with provision K alone
CYCLES = 2  # of assess, plan, do, review: fewer need a reason
OLD_ENOUGH = 16  # years: from then the pupil's own agreement is needed
INVOLVEMENT = "INVOLVEMENT"
FILES = "files"
# What an officer can ask about, in some referral: not the kind, which the whole hangs on, and the
# declaration is made anew by sending again.
UNASKED = frozenset({"kind", "declaration"})
ASKABLE = {
    key: words for key, words in form_versions.SECOND.titles.items() if key not in UNASKED
} | {form_versions.REPEAT: form_versions.REPEAT_TITLE, FILES: "Files"}


@dataclass(frozen=True)
class Section:
    """One short page of the referral form."""

    key: str
    title: str


@dataclass(frozen=True)
class Charge:
    """What a referral costs: the amount in pence, and the reason in words."""

    amount_pence: int
    words: str


def charge(referral: Referral) -> Charge:
    """The fee and its reason: as frozen when the referral was first sent, else as of today.

    A page asks this several times: it is looked up once for a day, as terms only ever change by
    rows for other days.
    """
    if referral.fee_pence is not None:
        return Charge(referral.fee_pence, referral.fee_verdict)
    today, known = clock.today(), vars(referral).setdefault("charge_by_day", {})
    if today not in known:
        verdict = terms.verdict(referral.establishment, today)
        known[today] = Charge(verdict.amount_pence, verdict.words)
    found: Charge = known[today]
    return found


def title(referral: Referral, section: str) -> str:
    """What a section of this referral is called."""
    return form_versions.of(referral).title(referral.kind, section)


def keys(referral: Referral) -> tuple[str, ...]:
    """The keys of the sections that this referral asks, in order.

    Before the kind is chosen, what is asked whatever it will be. The pupil's own agreement is
    asked for once the pupil is 16, as of today.
    """
    form = form_versions.of(referral)
    if referral.kind is None:
        # The first form asks the same of everybody.
        asked = set.intersection(*(set(keys) for keys in form.asked.values()))
        return tuple(key for key in form.asked[Kind.PUPIL] if key in asked)
    found = form_versions.with_repeat(referral, form.asked[referral.kind])
    return found if pupil_is_old_enough(referral) else tuple(k for k in found if k != "own")


def may_be_asked(referral: Referral) -> dict[str, str]:
    """The titles of the sections that the council may ask about, by key: files too."""
    found = {key: title(referral, key) for key in keys(referral) if key not in UNASKED}
    return {**found, FILES: "Files"}


def titles(referral: Referral) -> dict[str, str]:
    """What every section is called that this referral's form knows, and the files."""
    form = form_versions.of(referral)
    known = (*form.titles, form_versions.REPEAT)
    return {**{key: form.title(referral.kind, key) for key in known}, FILES: "Files"}


def asked(referral: Referral) -> list[Section]:
    """The sections that this referral asks, in order."""
    return [Section(key, title(referral, key)) for key in keys(referral)]


def grouped(referral: Referral) -> list[tuple[str, list[Section]]]:
    """The sections under the headings of the task list."""
    sections = {section.key: section for section in asked(referral)}
    groups = [
        (
            heading,
            [sections[k] for k in form_versions.with_repeat(referral, below) if k in sections],
        )
        for heading, below in form_versions.of(referral).groups
    ]
    return [(heading, found) for heading, found in groups if found]


def missing(referral: Referral) -> list[str]:
    """The keys of the sections that must be completed before the referral can be sent.

    Of a returned referral only those that are open: the school could not complete another.
    `referral` must be loaded whole.
    """
    return [
        key
        for key in keys(referral)
        if openings.is_open(referral, key) and not complete(referral, key)
    ]


def complete(referral: Referral, section: str) -> bool:
    """Whether a section is answered, and what it says still stands."""
    if section == "kind":
        return referral.kind is not None
    if section not in referral.answered:
        return False
    return STANDS[section](referral) if section in STANDS else True


def agreed(referral: Referral) -> bool:
    """Whether a parent or carer has agreed (a named pupil), or how they were told is said.

    What names no pupil needs no agreement.
    """
    if referral.kind in {Kind.WHOLE, Kind.TRAINING}:
        return True
    agreement = referral.agreement
    if agreement is None:
        return False
    if referral.kind is Kind.PUPIL:
        return agreement.agreed
    if referral.form_version == 1:
        return bool(agreement.group_told)
    return bool(agreement.how and agreement.obtained_by and agreement.obtained_on) and bool(
        agreement.privacy_notice
    )


def pupil_is_old_enough(referral: Referral) -> bool:
    """Whether the pupil is 16 today, so that their own agreement is needed."""
    born = referral.subject.date_of_birth if referral.subject else None
    return born is not None and year_groups.age_on(clock.today(), born) >= OLD_ENOUGH


def nsa_fits(referral: Referral) -> bool:
    """Whether NSA, if chosen, goes with SEN Support (school census rule; domain.md 3.2)."""
    subject = referral.subject
    chosen = any(need.code == NSA for need in referral.needs)
    return not chosen or (subject is not None and subject.sen_provision == "K")


def _year_stands(referral: Referral) -> bool:
    subject = referral.subject
    if subject is None or not (subject.year_group and subject.sen_provision):
        return False
    if subject.date_of_birth is None or subject.out_of_year:
        return True
    if referral.submitted_at is not None:
        return True  # right when it was sent; the pupil has grown since
    return year_groups.fits(subject.date_of_birth, subject.year_group, clock.today())


def repeat_stands(referral: Referral) -> bool:
    """Whether a reason is given, and was given knowing of all that is known now."""
    known = referral.answered.get(form_versions.REPEAT, {}).get("of", ())
    return bool(referral.repeat_reason) and set(referral.repeats) <= set(known)


def _tried_stands(referral: Referral) -> bool:
    if referral.form_version == 1:
        return bool(referral.strategies)
    return len(referral.strategies) >= CYCLES or bool(referral.fewer_cycles)


def evidence_files(referral: Referral) -> list[Attachment]:
    """The attached files that can be evidence of agreement: there, of that type, not refused."""
    return [
        row
        for row in referral.files
        if row.type is FileType.CONSENT and row.state not in {*GONE, FileState.REFUSED}
    ]


def problem(referral: Referral, section: str) -> str:
    """What has happened to what a section says since it was saved, in a sentence; often nothing."""
    number = referral.agreement.evidence_file if referral.agreement else None
    if section != "sharing" or number is None:
        return ""
    if number in {row.number for row in evidence_files(referral)}:
        return ""
    refused = any(row.number == number and row.state is FileState.REFUSED for row in referral.files)
    what = "was refused, as it may contain a virus" if refused else "has been removed"
    return f"The file that is the evidence of agreement {what}. Say where the evidence is now."


def _sharing_stands(referral: Referral) -> bool:
    given = referral.agreement
    if given is None or problem(referral, "sharing"):
        return False
    return INVOLVEMENT in given.scope and bool(given.privacy_notice)


def _own_stands(referral: Referral) -> bool:
    return referral.agreement is not None and bool(referral.agreement.pupil_agreed)


def _declaration_stands(referral: Referral) -> bool:
    # A fee that changed since is a fee that nobody has agreed to.
    pence = referral.answered["declaration"].get("pence")
    return bool(pence == charge(referral).amount_pence)


STANDS: dict[str, Callable[[Referral], bool]] = {
    "subject": lambda referral: referral.subject is not None,
    "schooling": _year_stands,
    "needs": lambda referral: nsa_fits(referral) and bool(referral.needs),
    "criteria": lambda referral: bool(referral.criteria),
    "tried": _tried_stands,
    "outcomes": lambda referral: bool(referral.outcomes),
    "consent": agreed,
    "sharing": _sharing_stands,
    "own": _own_stands,
    "declaration": _declaration_stands,
    form_versions.REPEAT: repeat_stands,
}

# What must be complete before a section makes sense, and how that is said.
AFTER = {
    "subject": ("kind", "First say what you need help with."),
    "schooling": ("subject", "First enter the pupil's name and date of birth."),
    "sharing": ("consent", "First a parent or carer must have agreed."),
    "own": ("consent", "First a parent or carer must have agreed."),
}


def cannot_start(referral: Referral, section: str) -> str:
    """Why a section cannot be started yet, in a sentence; empty when it can."""
    before, why = AFTER.get(section, ("", ""))
    if not before or before not in form_versions.of(referral).titles:
        return ""
    if section in referral.answered or complete(referral, before):
        return ""
    return why


def state_words(referral: Referral, section: str) -> str:
    """The status of a section on the task list."""
    asked = openings.state_words(referral, section)
    if complete(referral, section):
        return asked or "Completed"
    if section not in referral.answered:
        return "Cannot start yet" if cannot_start(referral, section) else "Not started"
    return "Not agreed yet" if section in {"consent", "own"} else "Check again"


def next_after(referral: Referral, section: str) -> str | None:
    """The next section to complete after `section`, going round; None when nothing is left."""
    left = {key for key in missing(referral) if not cannot_start(referral, key)} - {section}
    order = list(keys(referral))
    here = order.index(section) if section in order else -1
    return next((key for key in order[here + 1 :] + order[: max(here, 0)] if key in left), None)
