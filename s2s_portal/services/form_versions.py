"""Which questions a referral is asked: by the form of the day it was started, and by its kind.

A form that has been in use is never changed here: a new one is added with the day it begins, and
what was started under an older one keeps its questions, its titles and its labels for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from s2s_portal.models.codes import Kind
from s2s_portal.models.referral import Referral

# Asked by every form, when the school has asked about the same pupil or class before: a rule of the
# day on which it is sent, not a question of one edition.
REPEAT = "repeat"
REPEAT_TITLE = "Why you are asking again"


@dataclass(frozen=True)
class FormVersion:
    """One edition of the form: from which day, and for each kind its sections in order.

    `titles` are of sections; `own_titles` replace some of them for one kind. `groups` are the
    headings of the task list, each with the sections below it.
    """

    number: int
    since: date
    titles: dict[str, str]
    asked: dict[Kind, tuple[str, ...]]
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    own_titles: dict[tuple[Kind, str], str] = field(default_factory=dict)

    def title(self, kind: Kind | None, section: str) -> str:
        """What a section is called in a referral of `kind`."""
        if section == REPEAT:
            return REPEAT_TITLE
        own = self.own_titles.get((kind, section)) if kind else None
        return own or self.titles[section]


FIRST_SECTIONS = {
    "school": "School and contact",
    "subject": "Pupil or group",
    "needs": "Needs",
    "tried": "What you have tried",
    "outcomes": "Outcomes you want",
    "support": "Support you want",
    "consent": "Agreement of parents or carers",
    "practicalities": "Practicalities",
    "declaration": "Declaration",
}
FIRST = FormVersion(
    number=1,
    since=date.min,
    titles=FIRST_SECTIONS,
    asked=dict.fromkeys((Kind.PUPIL, Kind.GROUP), tuple(FIRST_SECTIONS)),
    groups=(("The referral", tuple(FIRST_SECTIONS)),),
)

# From the terms of MI Sheet 44/19: four kinds, cycles of assess, plan, do, review, wider agreement.
SECOND = FormVersion(
    number=2,
    since=date(2019, 4, 1),
    titles={
        "kind": "What you need help with",
        "school": "School and contact",
        "subject": "Who or what it is about",
        "schooling": "Year group and SEN support",
        "needs": "Needs",
        "criteria": "Why this needs outside help",
        "tried": "What you have tried",
        "services": "Services already involved",
        "outcomes": "Outcomes you want",
        "support": "Support you want",
        "consent": "Agreement of a parent or carer",
        "sharing": "What the agreement covers",
        "own": "The pupil's own agreement",
        "practicalities": "Practicalities",
        "declaration": "Declaration",
    },
    own_titles={
        (Kind.PUPIL, "subject"): "The pupil",
        (Kind.GROUP, "subject"): "The group",
        (Kind.WHOLE, "subject"): "Your staff",
        (Kind.TRAINING, "subject"): "The training",
        (Kind.GROUP, "consent"): "How parents and carers were told",
    },
    asked={
        Kind.PUPIL: (
            *("kind", "school", "subject", "schooling", "needs", "criteria", "tried", "services"),
            *("outcomes", "support", "consent", "sharing", "own"),
            *("practicalities", "declaration"),
        ),
        Kind.GROUP: (
            *("kind", "school", "subject", "needs", "criteria", "tried"),
            *("outcomes", "support", "consent", "practicalities", "declaration"),
        ),
        Kind.WHOLE: (
            *("kind", "school", "subject", "outcomes", "support"),
            *("practicalities", "declaration"),
        ),
        Kind.TRAINING: (
            *("kind", "school", "subject", "outcomes"),
            *("practicalities", "declaration"),
        ),
    },
    groups=(
        ("About the referral", ("kind", "school", "subject", "schooling", "needs")),
        ("What has been done", ("criteria", "tried", "services")),
        ("What you want", ("outcomes", "support")),
        ("Agreement", ("consent", "sharing", "own")),
        ("Finish", ("practicalities", "declaration")),
    ),
)
VERSIONS = {version.number: version for version in (FIRST, SECOND)}


def current(day: date) -> FormVersion:
    """The form in use on `day`: what a referral started then is asked."""
    return max(
        (version for version in VERSIONS.values() if version.since <= day),
        key=lambda version: version.since,
    )


def with_repeat(referral: Referral, keys: tuple[str, ...]) -> tuple[str, ...]:
    """`keys` of sections, with why it is asked again after whom it is about, if that is asked."""
    if not referral.repeats or "subject" not in keys:
        return keys
    after = 1 + max(keys.index(key) for key in ("subject", "schooling") if key in keys)
    return (*keys[:after], REPEAT, *keys[after:])


def of(referral: Referral) -> FormVersion:
    """The form that `referral` was started with."""
    return VERSIONS[referral.form_version]
