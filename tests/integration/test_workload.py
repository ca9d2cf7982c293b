"""Workload: what counts, over which days, and how it is said."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.identity import acting_as
from s2s_portal.models.codes import Status
from s2s_portal.models.practitioner import (
    Absence,
    AbsenceKind,
    Allocation,
    Conflict,
    ConflictKind,
    ConflictWeight,
    Level,
    Practitioner,
    Release,
    Rule,
    Skill,
)
from s2s_portal.models.visit import Visit, VisitKind
from s2s_portal.models.workload import Weight, WorkKind
from s2s_portal.services import allocation, candidate, referrals, workload
from s2s_portal.services.candidate import Candidate
from s2s_portal.services.workload import Load
from tests import rows
from tests.client import Client
from tests.world import ACTORS, SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"
OFFICER = ACTORS["officer"]
BY = {"by_id": "lead", "by_name": "Lena Lead"}
TUESDAY = date(2019, 5, 14)
# From then on twenty school days are four weeks and the half-term holiday, 27 to 31 May: five
# Tuesdays less one are 21 May, 4 and 11 June with the 14th of May itself.


def person(session: Session, key: str = "practitioner") -> Practitioner:
    return session.scalars(select(Practitioner).where(Practitioner.account_id == key)).one()


def release(session: Session, *minutes: int, **more: object) -> None:
    who = person(session).id
    session.add(
        Release(
            practitioner_id=who,
            **({"valid_from": date(2018, 9, 1)} | more),
            minutes=list(minutes),
            **BY,
        )
    )
    session.commit()


def case(session: Session, suffix: str, visits: tuple[date, ...] = ()) -> None:
    row = rows.referral(session, f"S2S-19-{suffix}", status=Status.ALLOCATED)
    made = rows.allocation(session, row, "practitioner")
    for number, day in enumerate(visits, start=1):
        starts = clock.from_local(day, 10)
        session.add(
            Visit(
                referral_id=row.id,
                number=number,
                allocation_id=made.id,
                practitioner_id=made.practitioner_id,
                kind=VisitKind.VISIT,
                starts_at=starts,
                ends_at=starts + timedelta(hours=1),
                booked_by_id="practitioner",
                booked_by_name="Pat Practitioner",
            )
        )
    session.commit()


def load(session: Session) -> Load:
    session.rollback()
    with acting_as(OFFICER):
        found = {line.name: line.load for line in workload.team(None)}
    session.rollback()
    return found["Pat Practitioner"]


def found(session: Session) -> list[Candidate]:
    session.rollback()
    with acting_as(OFFICER):
        try:
            return allocation.candidates(referrals.get(REF))
        finally:
            session.rollback()


# Hours --------------------------------------------------------------------------------------------


def test_the_number_and_how_it_comes_about(session: Session) -> None:
    release(session, 0, 270, 0, 0, 0)  # 4.5 hours on four Tuesdays of school
    case(session, "4443", (date(2019, 5, 21), date(2019, 6, 4)))
    for suffix in ("4444", "4446", "4447", "4448"):
        case(session, suffix)
    one = load(session)
    assert one == Load(5, 600, 2, 300, 4 * 270)
    assert one.words == (
        "83%: 5 open referrals (10 h) and 2 visits (5 h) in the next four school weeks,"
        " of 18 h available"
    )
    assert (one.band, one.colour) == ("Nearly full", "yellow")
    assert one.change(120) == "83% to 94%"


def test_what_does_not_count(session: Session) -> None:
    release(session, 0, 270, 0, 0, 0)
    # a visit gone by, and one later than the twentieth school day
    case(session, "4443", (date(2019, 5, 13), date(2019, 7, 2)))
    row = rows.referral(session, "S2S-19-4444", status=Status.ALLOCATED)
    rows.allocation(session, row, "practitioner", ended=True)
    row = rows.referral(session, "S2S-19-4446", status=Status.CLOSED)
    rows.allocation(session, row, "practitioner")
    session.commit()
    assert load(session) == Load(1, 120, 0, 0, 4 * 270)


def test_absence_leaving_and_a_release_that_lapsed_take_hours_away(session: Session) -> None:
    release(session, 0, 270, 0, 0, 0)
    who = person(session)
    absence = Absence(
        practitioner_id=who.id,
        starts=date(2019, 5, 20),
        ends=date(2019, 5, 24),
        kind=AbsenceKind.TRAINING,
        **BY,
    )
    session.add(absence)
    session.commit()
    assert load(session).available == 3 * 270
    person(session).leaving_on = date(2019, 6, 5)
    session.commit()
    assert load(session).available == 2 * 270
    release(session, 0, 270, 0, 0, 0, valid_from=date(2019, 5, 1), until=date(2019, 5, 31))
    assert load(session).available == 270
    release(session, 0, 600, 0, 0, 0, valid_from=date(2019, 6, 1))
    assert load(session).available == 270 + 600


def test_more_work_than_hours_and_no_hours_at_all_are_said_plainly(session: Session) -> None:
    case(session, "4443")
    assert load(session).band == "Hours not known"
    assert load(session).words.endswith("no hours of release have been entered")
    release(session, 0, 15, 0, 0, 0)
    over = load(session)
    assert (over.short, over.band, over.colour) == ("200%", "Over 100%", "red")
    assert over.words.endswith("of 1 h available: 1 h more than there is")
    release(session, 0, 0, 0, 0, 0, valid_from=date(2019, 5, 2))
    assert (load(session).band, load(session).colour) == ("No hours left", "red")


def test_weights_are_rows_by_date_and_tier(session: Session) -> None:
    for tier, day, minutes in ((None, 1, 60), (None, 20, 600), (3, 1, 240)):
        session.add(
            Weight(
                kind=WorkKind.REFERRAL,
                tier=tier,
                valid_from=date(2019, 5, day),
                minutes=minutes,
                source="Board",
            )
        )
    session.commit()
    weigh = workload.weights(TUESDAY)
    assert (weigh.of(None), weigh.of(1), weigh.of(3), weigh.visit) == (60, 60, 240, 90)
    assert workload.weights(date(2019, 5, 20)).of(None) == 600


def test_team_page_in_words_and_colour_the_highest_first(client: Client, session: Session) -> None:
    release(session, 0, 15, 0, 0, 0)
    case(session, "4443")
    page = client.sign_on("officer").get("practitioners.team")
    assert page.all("//tbody/tr[1]/td") == [
        "Fen View Complex Needs School",
        "200%",
        "Over 100%",
        "200%: 1 open referral (2 h) and 0 visits (0 h) in the next four school weeks, of 1 h"
        " available: 1 h more than there is",
    ]
    assert page.all("//tbody//th/a") == [
        "Pat Practitioner",
        "Cam Colleague",
        "Quin Practitioner",
    ]
    page = client.sign_on("lead").get("practitioners.team")
    assert page.all("//tbody//th/a") == ["Pat Practitioner", "Cam Colleague"]
    assert "200%" in page.words
    for key in ("practitioner", "senco", "administrator"):
        client.sign_on(key).get("practitioners.team", status=403)


def test_somebody_who_left_with_open_referrals_stays_in_sight(
    client: Client, session: Session
) -> None:
    case(session, "4443")
    person(session).active = False
    person(session, "colleague").active = False
    session.commit()
    page = client.sign_on("officer").get("practitioners.team")
    assert page.all("//tbody//th/a") == ["Pat Practitioner", "Quin Practitioner"]
    assert "No longer active" in page.words


# Candidates ---------------------------------------------------------------------------------------


@pytest.fixture
def referral(session: Session) -> None:
    rows.referral(session, REF, status=Status.ACCEPTED)
    session.commit()


def conflict(session: Session, weight: ConflictWeight, **more: date) -> None:
    session.add(
        Conflict(
            practitioner_id=person(session).id,
            urn=SCHOOL,
            kind=ConflictKind.FORMER_SCHOOL,
            weight=weight,
            reason="Taught there",
            **more,
            **BY,
        )
    )
    session.commit()


def test_the_recommendation_in_one_sentence(
    client: Client, session: Session, referral: None
) -> None:
    skill = session.get_one(Skill, (person(session).id, "SEMH"))
    skill.level = Level.SPECIALIST
    release(session, 0, 270, 0, 0, 0)
    case(session, "4443")
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    assert (
        "Pat Practitioner: Nearest (0.9 miles), covers social, emotional and mental health at"
        " specialist level, 11% to 22%."
    ) in page.words
    assert page.all("//tbody/tr[1]/td")[1] == "Covers the need and the phaseSpecialist"


def test_a_lapsed_level_warns_and_takes_nobody_off(session: Session, referral: None) -> None:
    skill = session.get_one(Skill, (person(session).id, "SEMH"))
    skill.expires_on = date(2019, 5, 13)
    session.commit()
    lapsed = next(one for one in found(session) if one.name == "Pat Practitioner")
    assert lapsed.covers_need
    assert lapsed.warnings == ["Knowledge of the need to be checked since 13 May 2019"]
    skill = session.get_one(Skill, (person(session).id, "SEMH"))
    skill.expires_on = TUESDAY
    session.commit()
    assert found(session)[0].warnings == []


def test_who_is_excluded_comes_last_and_is_chosen_only_by_saying_so(
    client: Client, session: Session, referral: None
) -> None:
    conflict(session, ConflictWeight.EXCLUDED)
    assert [one.name for one in found(session)][-1] == "Pat Practitioner"
    who = str(person(session).id)
    session.rollback()
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    assert "Excluded: Taught there" in page.words
    form = {"seen": page.value("seen"), "practitioner": who, "reason": "Asked both"}
    refused = client.post("allocation.allocate", form, reference=REF, status=422)
    assert "Tick the box below to choose them even so" in refused.errors[0]
    client.post("allocation.allocate", form | {"override": "y"}, reference=REF)
    made = session.scalars(select(Allocation)).one()
    assert made.overridden == "Excluded: Taught there"


def test_ask_first_warns_only_and_a_conflict_gone_by_says_nothing(
    session: Session, referral: None
) -> None:
    conflict(session, ConflictWeight.ASK_FIRST)
    assert found(session)[0].warnings == ["Ask first: Taught there"]
    session.delete(session.scalars(select(Conflict)).one())
    session.commit()
    conflict(session, ConflictWeight.ASK_FIRST, ends=date(2019, 5, 13))
    assert found(session)[0].warnings == []


def test_absent_leaving_elsewhere_and_given_lately(session: Session, referral: None) -> None:
    who = person(session)
    who.leaving_on, who.areas = date(2019, 7, 24), ["Elsewhere"]
    session.add(
        Absence(
            practitioner_id=who.id,
            starts=TUESDAY,
            ends=date(2019, 5, 17),
            kind=AbsenceKind.AWAY,
            **BY,
        )
    )
    case(session, "4443")
    one = next(one for one in found(session) if one.name == "Pat Practitioner")
    assert one.warnings == [
        "The school is outside the areas they go to",
        "Absent 14 May 2019 to 17 May 2019",
        "Leaving on 24 July 2019",
    ]
    assert (one.last_week, one.has_room) == (1, False)
    person(session).leaving_on = date(2019, 5, 13)
    session.commit()
    assert "Pat Practitioner" not in [one.name for one in found(session)]


@pytest.mark.parametrize(
    ("key", "prepare", "rule"),
    [
        ("practitioner", "", Rule.LOCAL),
        ("other-practitioner", "", Rule.OTHER),
        ("other-practitioner", "no-need", Rule.SPECIALISM),
        ("other-practitioner", "full", Rule.CAPACITY),
    ],
)
def test_the_rule_that_applied_is_kept(
    client: Client, session: Session, referral: None, key: str, prepare: str, rule: Rule
) -> None:
    far = person(session, "other-practitioner")
    far.phases = ["2", "4"]
    if prepare == "no-need":
        session.delete(session.get_one(Skill, (person(session).id, "SEMH")))
    if prepare == "full":
        person(session).capacity = 0
    session.commit()
    chosen = str(person(session, key).id)
    session.rollback()
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    form = {"seen": page.value("seen"), "practitioner": chosen, "reason": "So"}
    client.post("allocation.allocate", form, reference=REF)
    assert session.scalars(select(Allocation.rule)).one() is rule


def test_nearer_means_nearer_as_shown() -> None:
    def one(number: int, miles: float, **more: object) -> Candidate:
        return Candidate(number, "A", "B", miles, True, True, 0, 1)._replace(**more)

    first, second = one(1, 1.94), one(2, 1.88)
    assert candidate.rule_of(first, [first, second]) is Rule.LOCAL
