"""What work weighs and what counts in a plan: seen first, added by date, never changed (F35)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotAllowed
from s2s_portal.identity import acting_as
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.codes import Status
from s2s_portal.models.practitioner import Practitioner, Release
from s2s_portal.models.terms import PlanRule
from s2s_portal.models.workload import Weight, WorkKind
from s2s_portal.services import plan_reading, weighing, workload
from s2s_portal.services.weighing import MILES_WORDS
from tests import rows
from tests.client import Client, Page
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")
TODAY, NEXT = date(2019, 5, 14), date(2019, 6, 1)
WEIGHT: dict[str, Any] = {
    "kind": "referral",
    "tier": "",
    "minutes": "180",
    "valid_from": ["1", "6", "2019"],
    "source": "Board, May 2019",
    "agreed": "",
}
RULE: dict[str, Any] = {
    "need_miles": "150",
    "phase_miles": "100",
    "contact_miles": "0",
    "full_miles": "5",
    "unknown_miles": "50",
    "valid_from": ["1", "6", "2019"],
    "source": "Board, May 2019",
    "agreed": "",
}
PAGES = [("administration.weights", WEIGHT), ("administration.plan_rules", RULE)]


@pytest.fixture
def busy(session: Session) -> Session:
    """Pat has two open referrals at two hours each, and five hours; Cam nothing; Quin no hours."""
    ids = {}
    for key, minutes in (("practitioner", 75), ("colleague", 60)):
        found = select(Practitioner).where(Practitioner.account_id == key)
        ids[key] = session.scalars(found).one().id
        session.add(
            Release(
                practitioner_id=ids[key],
                valid_from=date(2018, 9, 1),
                minutes=[0, minutes, 0, 0, 0],
                by_id="lead",
                by_name="Lena Lead",
            )
        )
    for suffix in ("4443", "4444"):
        row = rows.referral(session, f"S2S-19-{suffix}", status=Status.ALLOCATED)
        rows.allocation(session, row, "practitioner")
    session.commit()
    return session


def shown(client: Client, endpoint: str, form: dict[str, Any]) -> Page:
    """What a form would do, as its page says."""
    token = {"csrf_token": client.token}
    return client.fetch("POST", client.url(endpoint), data=form | token)


def add(client: Client, endpoint: str, form: dict[str, Any]) -> None:
    seen = shown(client, endpoint, form)
    client.post(endpoint, form | {"agreed": seen.value("agreed")})


def test_a_weight_is_added_once_its_effect_has_been_seen(client: Client, busy: Session) -> None:
    before = weights(busy)
    client.sign_on("administrator").get("administration.weights")
    seen = shown(client, "administration.weights", WEIGHT)
    assert "Pat Practitioner" in seen.words
    assert "from 80% to 120%" in seen.words
    assert "Not over 100% today" in seen.words
    assert (
        "1 practitioner would have more work than hours; without this weight, nobody would."
        in seen.words
    )
    assert "The workload of 1 practitioner would stay as it is" in seen.words
    assert "For 1 practitioner no hours of release have been entered" in seen.words
    assert "S2S-19-4443" not in seen.words, "an administrator sees numbers, no referral"
    assert weights(busy) == before
    other = WEIGHT | {"minutes": "240", "agreed": seen.value("agreed")}  # changed since: seen anew
    assert "from 80% to 160%" in shown(client, "administration.weights", other).words
    page = client.follow(
        client.post("administration.weights", WEIGHT | {"agreed": seen.value("agreed")})
    )
    assert "The weight has been added" in page.words
    assert "To come" in page.words
    busy.commit()
    assert workload.weights(TODAY).of(None) == 120, "what holds today stays"
    assert workload.weights(NEXT).of(None) == 180
    entry = busy.scalars(select(AuditEntry).where(AuditEntry.entity == "weight of work")).one()
    assert entry.entity_key == "referral, any level, from 2019-06-01: 180 minutes"
    assert entry.by_id == "administrator"


def weights(session: Session) -> dict[tuple[str, int | None], int]:
    session.commit()
    found = session.scalars(select(Weight)).all()
    session.commit()  # or what a request adds next would be rolled back with this transaction
    return {(row.kind.value, row.tier): row.minutes for row in found}


def test_a_weight_of_one_level_or_of_a_visit_leaves_the_others(
    client: Client, busy: Session
) -> None:
    client.sign_on("administrator")
    seen = shown(client, "administration.weights", WEIGHT | {"tier": "3", "minutes": "600"})
    assert "No workload would change." in seen.words
    visit = WEIGHT | {"kind": "visit", "minutes": "0"}
    add(client, "administration.weights", visit)
    busy.commit()
    found = workload.weights(NEXT)
    assert (found.of(None), found.visit) == (120, 0)
    busy.commit()
    beside = WEIGHT | {"kind": "support", "minutes": "25"}
    add(client, "administration.weights", beside)
    busy.commit()
    later = workload.weights(NEXT)
    assert (later.support, later.visit) == (25, found.visit)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"valid_from": ["14", "5", "2019"]}, "The first day must be tomorrow or later"),
        ({"valid_from": ["31", "6", "2019"]}, "must be a real date"),
        ({"valid_from": ["", "", ""]}, "Enter the first day"),
        ({"minutes": ""}, "Enter how many minutes"),
        ({"minutes": "two"}, "Minutes must be a number from 0 to 10,000"),
        ({"minutes": "10001"}, "Minutes must be a number from 0 to 10,000"),
        ({"tier": "-1"}, "Level of support must be a number from 0 to 9,999, or empty"),
        ({"kind": "visit", "tier": "3"}, "leave the level empty"),
        ({"kind": "support", "tier": "3"}, "leave the level empty"),
        ({"kind": "meeting"}, "Choose what it weighs"),
        ({"source": "  "}, "Enter where this was decided"),
    ],
)
def test_a_weight_that_cannot_be_is_refused_and_what_was_typed_is_kept(
    client: Client, busy: Session, change: dict[str, Any], says: str
) -> None:
    before = weights(busy)
    client.sign_on("administrator")
    page = client.post("administration.weights", WEIGHT | change, status=422)
    assert says in page.words
    if "source" not in change:
        assert page.value("source") == WEIGHT["source"]
    assert weights(busy) == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"valid_from": ["14", "5", "2019"]}, "The first day must be tomorrow or later"),
        ({"need_miles": ""}, "Enter how many miles “A need that is not covered” counts as"),
        ({"full_miles": "1001"}, "A case that fills the last place must be a number from 0"),
        ({"need_miles": "99"}, "must count as many miles as a phase, or more"),
        ({"source": ""}, "Enter where this was decided"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_and_what_was_typed_is_kept(
    client: Client, session: Session, change: dict[str, Any], says: str
) -> None:
    page = client.sign_on("administrator").post(
        "administration.plan_rules", RULE | change, status=422
    )
    assert says in page.words
    assert page.value("contact_miles") == "0"
    assert len(session.scalars(select(PlanRule)).all()) == 1


def test_a_rule_for_plans_is_read_again_before_it_is_added(
    client: Client, session: Session
) -> None:
    first = client.sign_on("administrator").get("administration.plan_rules")
    assert [first.value(name) for name in MILES_WORDS] == ["200", "100", "2", "5", "50"]
    seen = shown(client, "administration.plan_rules", RULE)
    assert "A need that is not covered: 150 miles instead of 200" in seen.words
    assert "A practitioner new to the school: 0 miles instead of 2" in seen.words
    assert "A phase that is not covered: " not in seen.words
    client.post("administration.plan_rules", RULE | {"agreed": seen.value("agreed")})
    session.rollback()
    assert plan_reading.rule_on(TODAY).need_miles == 200
    assert plan_reading.rule_on(NEXT).need_miles == 150
    entry = session.scalars(select(AuditEntry).where(AuditEntry.entity == "rule for plans")).one()
    assert entry.entity_key.startswith("from 2019-06-01: need 150, phase 100, contact 0")
    # A later one is held against the one that it will follow, not against today's.
    later = RULE | {"valid_from": ["1", "9", "2019"], "need_miles": "200"}
    seen = shown(client, "administration.plan_rules", later)
    assert "200 miles instead of 150" in seen.words
    same = RULE | {"valid_from": ["1", "9", "2019"]}
    assert "Nothing: the miles are those" in shown(client, "administration.plan_rules", same).words


@pytest.mark.parametrize(("endpoint", "form"), PAGES)
def test_sent_twice_it_is_added_once_and_another_from_that_day_is_refused(
    client: Client, busy: Session, endpoint: str, form: dict[str, Any]
) -> None:
    client.sign_on("administrator")
    seen = shown(client, endpoint, form)
    agreed = form | {"agreed": seen.value("agreed")}
    client.post(endpoint, agreed)
    client.post(endpoint, agreed)
    assert audited(busy) == 1
    first = "minutes" if "minutes" in form else "need_miles"
    other = form | {first: "400"}
    seen = shown(client, endpoint, other)
    page = client.post(endpoint, other | {"agreed": seen.value("agreed")}, status=422)
    assert "Another one begins on that day already" in page.words
    assert page.value(first) == "400"
    assert audited(busy) == 1


def audited(session: Session) -> int:
    session.rollback()
    added = select(AuditEntry).where(AuditEntry.action == "added")
    return len(session.scalars(added).all())


def test_nobody_but_an_administrator_adds_and_nobody_changes(busy: Session) -> None:
    officer = ACTORS["officer"]
    with pytest.raises(NotAllowed):
        weighing.new_weight(
            kind=WorkKind.VISIT, tier=None, minutes=1, valid_from=NEXT, source="x", by=officer
        )
    with pytest.raises(NotAllowed):
        weighing.new_rule(
            valid_from=NEXT, miles=dict.fromkeys(MILES_WORDS, 1), source="x", by=officer
        )
    busy.rollback()
    row = Weight(kind=WorkKind.VISIT, tier=None, minutes=1, valid_from=NEXT, source="x")
    with acting_as(officer), pytest.raises(DBAPIError), unit_of_work() as work:
        weighing.add_weight(work, row)
    with acting_as(ACTORS["administrator"]), pytest.raises(DBAPIError), unit_of_work() as work:
        work.session.execute(text("UPDATE s2s.workload_weight SET minutes = 1"))


def test_which_weight_is_in_force() -> None:
    made = [
        Weight(id=number, kind=kind, tier=tier, valid_from=day, minutes=1, source="x")
        for number, (kind, tier, day) in enumerate(
            [
                (WorkKind.REFERRAL, None, date(2015, 4, 1)),
                (WorkKind.REFERRAL, None, TODAY),
                (WorkKind.REFERRAL, None, NEXT),
                (WorkKind.REFERRAL, 3, date(2018, 4, 1)),
                (WorkKind.VISIT, None, date(2015, 4, 1)),
            ]
        )
    ]
    assert weighing.in_force(made, TODAY) == {1, 3, 4}
    assert weighing.in_force(made[::-1], TODAY) == {1, 3, 4}
