"""What the people of the demonstration write into the referral form, for each kind of referral."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from s2s_portal import Actor, clock, upn
from s2s_portal.database import UnitOfWork
from s2s_portal.models.codes import Kind
from s2s_portal.models.referral import Referral
from s2s_portal.reference_portal import demonstration_files
from s2s_portal.reference_portal import demonstration_words as words
from s2s_portal.reference_portal.demonstration_schools import (
    ACADEMY,
    HIGH_SCHOOL,
    JUNIOR,
    NURSERY,
    PRIMARY,
)
from s2s_portal.services import (
    consent,
    drafting,
    evidence,
    labels,
    repeats,
    sections,
    subjects,
)
from s2s_portal.services.draft_rules import ENOUGH_CYCLES, Cycle, Involved
from s2s_portal.services.year_groups import school_year

if TYPE_CHECKING:
    from s2s_portal.reference_portal.demonstration_acts import Story

# Year groups, the youngest one's age at 31 August before the school year, and how many follow.
YEARS = {
    NURSERY: ("N1", "N2"),
    HIGH_SCHOOL: tuple(["7", "8", "9", "10", "11"]),
    ACADEMY: tuple(["7", "8", "9", "10", "11"]),
    JUNIOR: tuple(["3", "4", "5", "6"]),
}
AGAIN = "What was tried with them helped. The group has changed since: three of its pupils are new."
PRIMARY_YEARS = tuple(["R", "1", "2", "3", "4", "5", "6"])
AGE_ON_ENTRY = {"N1": 2, "N2": 3, "R": 4}


def fill(work: UnitOfWork, story: Story, by: Actor, _visit: int) -> None:
    """Fill in every section as its kind asks."""
    referral = drafting.in_hand(story.reference, by=by)
    said = words.about(story.needs[0])
    drawn = story.random.random()
    kind = next(kind for kind, below in KINDS if drawn < below)
    if story.about_pupil:
        kind = Kind.PUPIL
    subjects.choose_kind(work, referral, kind=kind, by=by)
    ABOUT[kind](work, story, referral, by)
    say_why_again(work, referral, by)
    if kind in {Kind.PUPIL, Kind.GROUP}:
        _needs_and_cycles(work, story, referral, by)
    outcomes = [(text, story.random.randint(1, 5)) for text in said.outcomes]
    evidence.save_outcomes(work, referral, outcomes=outcomes, by=by)
    if kind is not Kind.TRAINING:
        asked = story.random.sample(["ADV", "OBS", "MOD", "TRN", "RES", "PLN", "SGN", "RVS"], k=2)
        drafting.save_support(work, referral, support=sorted(asked), reason=said.reason, by=by)
    drafting.save_practicalities(
        work,
        referral,
        preferred_days="Any morning but Friday",
        visit_notes="Sign in at the front office. Park in the lane.",
        by=by,
    )
    drafting.save_declaration(work, referral, declared_by=by.name, by=by)
    if story.urn == PRIMARY:
        demonstration_files.attach(work, referral, by)


def say_why_again(work: UnitOfWork, referral: Referral, by: Actor) -> None:
    """The same group is asked about again at some schools: then they say why."""
    if referral.repeats and not sections.repeat_stands(referral):
        repeats.save_reason(work, referral, repeat_reason=AGAIN, by=by)


def _needs_and_cycles(work: UnitOfWork, story: Story, referral: Referral, by: Actor) -> None:
    said, today = words.about(story.needs[0]), clock.today()
    drafting.save_needs(work, referral, primary=story.needs[0], secondary=story.needs[1:], by=by)
    reasons = story.random.sample(sorted(labels.CRITERIA), k=2)
    evidence.save_criteria(work, referral, criteria=reasons, by=by)
    cycles = [
        Cycle(
            assessed="What we saw in class over two weeks, and what the pupils told us.",
            what=what,
            delivered="Class teacher and teaching assistant, each day",
            started_on=today - timedelta(days=120 - 50 * row),
            ended_on=today - timedelta(days=75 - 50 * row),
            result=result,
        )
        for row, (what, result) in enumerate(said.tried)
    ]
    fewer = "The second cycle has only just begun." if len(cycles) < ENOUGH_CYCLES else ""
    evidence.save_tried(work, referral, rows=cycles, fewer_cycles=fewer, by=by)


def _about_pupil(work: UnitOfWork, story: Story, referral: Referral, by: Actor) -> None:
    random, today = story.random, clock.today()
    year = random.choice(YEARS.get(story.urn, PRIMARY_YEARS))
    age = AGE_ON_ENTRY[year] if year in AGE_ON_ENTRY else int(year) + 4
    born = date(school_year(today) - age - 1, 9, 1) + timedelta(days=random.randrange(365))
    surname = random.choice(words.SURNAMES)
    subjects.save_subject(
        work,
        referral,
        surname=surname,
        forenames=random.choice(words.FORENAMES),
        known_as="",
        date_of_birth=born,
        sex=random.choice("FM"),
        by=by,
    )
    subjects.save_schooling(
        work,
        referral,
        upn=_upn(story, born) if random.random() < 0.6 else "",
        year_group=year,
        out_of_year=False,
        sen_provision=random.choice("KKKE"),
        by=by,
    )
    involved = [Involved("SALT", "", today - timedelta(days=200), True)]
    services = involved if random.random() < 0.4 else []
    subjects.save_services(work, referral, rows=services, by=by)
    consent.save_consent(
        work,
        referral,
        agreed=True,
        given_by=f"A. {surname}",
        relationship_to_pupil=random.choice(words.CARERS),
        parental_responsibility=True,
        how=random.choice(["SIGNED", "EMAIL", "VERBAL"]),
        obtained_by=by.name,
        obtained_on=today,
        by=by,
    )
    consent.save_sharing(
        work,
        referral,
        scope=["INVOLVEMENT"],
        evidence="In the pupil's SEN file",
        notice=True,
        by=by,
    )


def _upn(story: Story, born: date) -> str:
    digits = (
        f"926{story.urn % 10_000:04d}{(born.year + 4) % 100:02d}{story.random.randrange(1000):03d}"
    )
    return upn.check_letter(f"A{digits}") + digits


def _about_group(work: UnitOfWork, story: Story, referral: Referral, by: Actor) -> None:
    subjects.save_subject(
        work,
        referral,
        group_name="The Otters, an afternoon group",
        group_size=story.random.randint(4, 9),
        group_years=", ".join(YEARS.get(story.urn, PRIMARY_YEARS)[:2]),
        sen_provision="K",
        by=by,
    )
    consent.save_consent(
        work,
        referral,
        how="LETTER",
        obtained_by=by.name,
        obtained_on=clock.today(),
        group_told="",
        by=by,
    )


def _about_school(work: UnitOfWork, story: Story, referral: Referral, by: Actor) -> None:
    subjects.save_subject(
        work,
        referral,
        audience="All teaching staff",
        staff_count=story.random.randint(8, 40),
        themes=["SEMH", "TEACH"],
        by=by,
    )


def _about_training(work: UnitOfWork, story: Story, referral: Referral, by: Actor) -> None:
    subjects.save_subject(
        work,
        referral,
        topic="Visual timetables and now and next boards",
        audience="Teaching assistants",
        staff_count=story.random.randint(4, 15),
        preferred_dates="The staff meeting on any Tuesday",
        by=by,
    )


ABOUT = {
    Kind.PUPIL: _about_pupil,
    Kind.GROUP: _about_group,
    Kind.WHOLE: _about_school,
    Kind.TRAINING: _about_training,
}
# Of a hundred referrals: twelve about a group, six about a whole school, six for training alone.
KINDS = ((Kind.GROUP, 0.12), (Kind.WHOLE, 0.18), (Kind.TRAINING, 0.24), (Kind.PUPIL, 1.0))
