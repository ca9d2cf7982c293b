"""Limits on referrals: by date, refused unless overridden by right, and never over in a race."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import in_the_name_of, unit_of_work
from s2s_portal.errors import NotAllowed, Refused
from s2s_portal.identity import SYSTEM, Actor, Role, acting_as
from s2s_portal.models.codes import Status
from s2s_portal.models.offer import Ended
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.workload import Cap, CapScope
from s2s_portal.services import allocation, caps, offer_answers, offers
from s2s_portal.state import state
from tests import rows, world
from tests.client import Client
from tests.conftest import migrated_database
from tests.host import make_host
from tests.world import ACTORS, OTHER_PROVIDER, PROVIDER

REF = "S2S-19-7K4P"
OFFICER = ACTORS["officer"]
CHIEF = replace(OFFICER, roles=OFFICER.roles | {Role.MANAGER})
TODAY = date(2019, 5, 14)
CLIENTS, ROUNDS, MOST = 32, 10, 10
REFERENCES = [f"S2S-19-{a}{b}33" for a in "34679CDF" for b in "3467"]


def cap(session: Session, scope: CapScope, most: int | None, key: int | None = None) -> None:
    session.add(
        Cap(
            scope=scope,
            key=key,
            valid_from=date(2019, 5, 1),
            most=most,
            source="Board, May 2019",
            by_id="administrator",
            by_name="Adi Administrator",
        )
    )
    session.commit()


def pat(session: Session) -> int:
    return session.scalars(
        select(Practitioner.id).where(Practitioner.account_id == "practitioner")
    ).one()


@pytest.fixture
def given(session: Session, may_2019: None) -> Session:
    """An accepted referral, and two that colleagues at one school have open, one each."""
    rows.referral(session, REF, status=Status.ACCEPTED)
    for suffix, key in (("4443", "practitioner"), ("4444", "colleague")):
        row = rows.referral(session, f"S2S-19-{suffix}", status=Status.ALLOCATED)
        rows.allocation(session, row, key)
    session.commit()
    return session


def allocate(session: Session, by: Actor, *, override: bool = False) -> Allocation:
    who = pat(session)
    session.rollback()
    with acting_as(by), unit_of_work() as work:
        return allocation.allocate(
            work, REF, practitioner_id=who, reason="x", seen=1, by=by, override=override
        )


@pytest.mark.parametrize(
    ("scope", "reached", "free", "says"),
    [
        (CapScope.PRACTITIONER, 1, 2, "their open referrals, 1 of at most 1"),
        (CapScope.PROVIDER, 2, 3, "open at their school, 2 of at most 2"),
        (CapScope.TERM, 2, 3, "to their school this term, 2 of at most 2"),
    ],
)
def test_a_cap_refuses_and_one_below_it_does_not(
    given: Session, scope: CapScope, reached: int, free: int, says: str
) -> None:
    cap(given, scope, reached)
    with pytest.raises(Refused, match=says) as refused:
        allocate(given, OFFICER, override=True)
    assert refused.value.field == "practitioner"
    given.rollback()
    cap(given, scope, free)
    assert allocate(given, OFFICER).overridden == ""


@pytest.mark.parametrize("scope", [CapScope.PROVIDER, CapScope.TERM])
def test_an_open_offer_takes_its_place_and_can_be_accepted_at_the_cap(
    given: Session, scope: CapScope
) -> None:
    other = "S2S-19-4446"
    rows.referral(given, other, status=Status.ACCEPTED)
    cap(given, scope, 3)
    who = pat(given)
    given.commit()
    with acting_as(OFFICER), unit_of_work() as work:
        made = offers.offer(work, other, practitioner_id=who, reason="x", seen=1, by=OFFICER).id
    with pytest.raises(Refused, match="3 of at most 3"):
        allocate(given, OFFICER)
    given.commit()
    asked = ACTORS["practitioner"]
    with acting_as(asked), in_the_name_of(asked) as work:
        assert offer_answers.accept(work, made, by=asked).ended is Ended.ACCEPTED


def test_only_who_has_the_right_goes_over_a_cap_and_it_is_kept(given: Session) -> None:
    cap(given, CapScope.PRACTITIONER, 1)
    with pytest.raises(Refused, match="Tick the box") as refused:
        allocate(given, CHIEF)
    assert refused.value.field == "override"
    made = allocate(given, CHIEF, override=True)
    assert made.overridden == "Limit reached: their open referrals, 1 of at most 1"


def test_an_own_cap_goes_before_the_one_for_all_and_can_be_taken_off(given: Session) -> None:
    cap(given, CapScope.PROVIDER, 0)
    cap(given, CapScope.PROVIDER, 9, PROVIDER)
    found = caps.limits(TODAY)
    assert found.of(CapScope.PROVIDER, PROVIDER) == 9
    assert found.of(CapScope.PROVIDER, OTHER_PROVIDER) == 0
    assert caps.limits(date(2019, 4, 30)).of(CapScope.PROVIDER, PROVIDER) is None
    cap(given, CapScope.PROVIDER, None)
    assert caps.limits(TODAY).of(CapScope.PROVIDER, OTHER_PROVIDER) is None


def test_a_term_begins_where_the_calendar_says(given: Session) -> None:
    assert caps.term_began(TODAY) == date(2019, 4, 23)
    assert caps.term_began(date(2031, 3, 1)) == date(2031, 1, 1)


def test_the_administrator_adds_a_cap_and_nobody_else(client: Client, given: Session) -> None:
    form = {
        "scope": "term",
        "key": "",
        "valid_from": ["14", "5", "2019"],
        "most": "50",
        "source": "MI Sheet 44/19",
    }
    client.sign_on("administrator")
    early = client.post(
        "administration.allocation_caps", form | {"valid_from": ["1", "5", "2019"]}, status=422
    )
    assert early.errors == ["The first day must be today or later"]
    shown = client.follow(client.post("administration.allocation_caps", form))
    assert "Referrals given to one school in a term All 14 May 2019 50 MI Sheet 44/19" in (
        shown.words
    )
    given.rollback()
    with acting_as(OFFICER), pytest.raises(NotAllowed), unit_of_work() as work:
        caps.add(
            work,
            scope=CapScope.TERM,
            key=None,
            valid_from=TODAY,
            most=1,
            source="x",
            by=OFFICER,
        )


def test_the_page_says_which_limit_and_keeps_what_was_typed(client: Client, given: Session) -> None:
    cap(given, CapScope.PRACTITIONER, 1)
    who = str(pat(given))
    given.rollback()
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    assert "Limit reached: their open referrals, 1 of at most 1" in page.words
    form = {"seen": page.value("seen"), "practitioner": who, "reason": "Knows them"}
    refused = client.post("allocation.allocate", form, reference=REF, status=422)
    assert refused.errors[0].startswith("Pat Practitioner cannot be given another referral.")
    assert refused.value("reason") == "Knows them"


# Thirty-two at once -------------------------------------------------------------------------------


@pytest.fixture
def lively(server_url: str, worker_id: str) -> Iterator[Flask]:
    """A host on a database of its own, with 32 accepted referrals and a cap of ten for each."""
    url = migrated_database(server_url, f"s2s_caps_{worker_id}")
    engine = create_engine(url)
    engine.dispose()
    app = make_host(url, dict(ACTORS))
    with app.test_request_context(), acting_as(SYSTEM), clock.frozen(TODAY):
        session = state().session()
        session.add_all(world.establishments())
        session.flush()
        session.add_all(world.practitioners())
        for number in range(CLIENTS):
            rows.referral(session, REFERENCES[number], status=Status.ACCEPTED)
        cap(session, CapScope.PRACTITIONER, MOST)
    yield app
    with app.app_context():
        state().engine.dispose()
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)'))
    server.dispose()


def by_turns(number: int) -> Callable[..., Any]:
    """Every second referral is offered, the others are given."""
    return offers.offer if number % 2 else allocation.allocate


def all_at_once(
    app: Flask, way: Callable[[int], Callable[..., Any]] = lambda _number: allocation.allocate
) -> list[str]:
    """Each referral given to the same practitioner at the same instant; what became of each."""
    ready = threading.Barrier(CLIENTS)

    def give(number: int) -> str:
        with app.test_request_context(), acting_as(OFFICER), clock.frozen(TODAY):
            ready.wait(timeout=60)
            try:
                with unit_of_work() as work:
                    way(number)(
                        work,
                        REFERENCES[number],
                        practitioner_id=1,
                        reason="Near",
                        seen=1,
                        by=OFFICER,
                    )
            except Refused as error:
                return str(error)
            return ""

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(give, range(CLIENTS)))


def test_thirty_two_at_once_and_never_one_too_many(lively: Flask) -> None:
    for turn in range(ROUNDS):
        said = all_at_once(lively)
        assert said.count("") == MOST, (turn, set(said))
        assert all("Limit reached" in one for one in said if one)
        with lively.app_context(), state().engine.begin() as connection:
            given = connection.scalar(
                text("SELECT count(*) FROM s2s.allocation WHERE ended_at IS NULL")
            )
            assert given == MOST
            connection.execute(
                text("UPDATE s2s.allocation SET ended_at = now(), ended_reason = 'x'")
            )
            connection.execute(text("UPDATE s2s.referral SET status = 'accepted', version = 1"))
    # An offer takes room as an allocation does: offered alone, and offered and given by turns.
    for way in (lambda _number: offers.offer, by_turns):
        said = all_at_once(lively, way)
        assert said.count("") == MOST, set(said)
        assert all("Limit reached" in one for one in said if one)
        with lively.app_context(), state().engine.begin() as connection:
            taken = connection.scalar(
                text(
                    "SELECT (SELECT count(*) FROM s2s.allocation WHERE ended_at IS NULL)"
                    " + (SELECT count(*) FROM s2s.offer WHERE ended_at IS NULL)"
                )
            )
            assert taken == MOST
            connection.execute(
                text(
                    "UPDATE s2s.offer SET ended = 'lapsed', ended_at = now() WHERE ended_at IS NULL"
                )
            )
