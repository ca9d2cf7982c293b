"""All that one practitioner has goes to others; and many at once never pass what is allowed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, time
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, event, select, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.orm import Session

from s2s_portal import clock, planning
from s2s_portal.database import unit_of_work
from s2s_portal.errors import AlreadyAllocated, NotAllowed, NotFound, Refused
from s2s_portal.identity import SYSTEM, Actor, acting_as
from s2s_portal.models.codes import Status
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.reallocation import AllocationEnding, Why
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import VisitKind
from s2s_portal.models.workload import Cap, CapScope
from s2s_portal.services import handing_on, practitioners, reallocating, visits
from s2s_portal.services.handing import Handing
from s2s_portal.state import state
from tests import rows, world
from tests.client import Client, Page
from tests.conftest import migrated_database
from tests.host import make_host
from tests.world import ACTORS

OFFICER = ACTORS["officer"]
REFERENCES = [f"S2S-19-{a}{b}33" for a in "34679CDF" for b in "3467"]
TODAY = date(2019, 5, 14)


@pytest.fixture
def leaver(session: Session, may_2019: None) -> int:
    """Pat, who has six cases and leaves: Cam has room for two, Quin for three."""
    for reference in REFERENCES[:6]:
        row = rows.referral(session, reference, status=Status.ALLOCATED)
        rows.allocation(session, row, "practitioner")
    session.commit()
    return number(session, "practitioner")


def number(session: Session, key: str) -> int:
    found = session.scalars(select(Practitioner.id).where(Practitioner.account_id == key)).one()
    session.commit()
    return found


def open_ones(session: Session) -> dict[str, str]:
    """Who has what now."""
    session.commit()
    found = session.execute(
        select(Referral.reference, Allocation.practitioner_name)
        .join(Allocation, Allocation.referral_id == Referral.id)
        .where(Allocation.ended_at.is_(None))
    )
    return {row.reference: row.practitioner_name for row in found}


def fields(page: Page) -> dict[str, str]:
    """What the page would send as it is."""
    found = {"why": "left", "visits": "hand", "records": "hand"}
    rows_there = page.document.xpath("//input[contains(@name, '-reference')]/@name")
    for index in (name.split("-")[1] for name in rows_there):
        for name in ("reference", "seen", "hand_over"):
            found[f"rows-{index}-{name}"] = page.value(f"rows-{index}-{name}")
        options = f"//select[@name='rows-{index}-practitioner']/option[@selected]/@value"
        chosen = page.document.xpath(options)
        found[f"rows-{index}-practitioner"] = chosen[0] if chosen else ""
    return found


@pytest.mark.parametrize("planned", [True, False])
def test_a_successor_is_proposed_for_each_within_the_room_there_is(
    session: Session, leaver: int, planned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "installed", lambda: planned)
    with acting_as(OFFICER):
        found = handing_on.preview(practitioners.get(leaver, OFFICER))
    proposed = [line.proposed.name for line in found.lines if line.proposed]
    assert sorted(proposed) == ["Cam Colleague"] * 2 + ["Quin Practitioner"] * 3
    [nobody] = [line for line in found.lines if line.proposed is None]
    assert "full" in nobody.why
    assert all("Pat" not in one.name for line in found.lines for one in line.offered)
    assert found.total == 6


def test_each_is_done_or_left_with_the_reason(
    client: Client, session: Session, leaver: int
) -> None:
    session.execute(text("UPDATE s2s.practitioner SET capacity = 9"))
    session.commit()
    page = client.sign_on("officer").get("allocation.hand_on", number=leaver)
    assert "has 6 open referrals" in page.words
    typed = fields(page)
    given = {typed[f"rows-{n}-reference"]: n for n in range(6) if typed[f"rows-{n}-practitioner"]}
    gone, out, *rest = given
    typed[f"rows-{given[out]}-practitioner"] = ""
    typed[f"rows-{given[gone]}-hand_over"] = "Ring first"
    typed[f"rows-{given[rest[0]]}-hand_over"] = "Mind the dog"
    who = number(session, "other-practitioner")
    with acting_as(ACTORS["other-officer"]), unit_of_work() as work:
        reallocating.reallocate(
            work,
            gone,
            practitioner_id=who,
            reason="Sooner",
            handing=Handing(why=Why.LEFT),
            seen=1,
            by=ACTORS["other-officer"],
        )
    shown = client.post("allocation.hand_on", typed, number=leaver, status=422)
    assert f"{gone}: left, somebody changed it meanwhile" in shown.words
    assert "What you wrote: Ring first" in shown.words
    assert f"{rest[0]}: reallocated to" in shown.words
    left = open_ones(session)
    assert left[out] == "Pat Practitioner"
    assert all(left[reference] != "Pat Practitioner" for reference in rest[:2])
    notes = session.scalars(select(AllocationEnding.hand_over)).all()
    assert "Mind the dog" in notes
    again = fields(shown)
    at = next(name for name, value in again.items() if value == out).split("-")[1]
    assert again[f"rows-{at}-practitioner"] == "", "what was left out stays so"


def test_sent_twice_it_is_done_once(client: Client, session: Session, leaver: int) -> None:
    typed = fields(client.sign_on("officer").get("allocation.hand_on", number=leaver))
    client.post("allocation.hand_on", typed, number=leaver)
    client.post("allocation.hand_on", typed, number=leaver)
    session.commit()
    assert session.scalar(select(text("count(*)")).select_from(AllocationEnding)) == 5
    assert list(open_ones(session).values()).count("Pat Practitioner") == 1


def test_nothing_chosen_or_nothing_said_is_refused(
    client: Client, session: Session, leaver: int
) -> None:
    page = client.sign_on("officer").get("allocation.hand_on", number=leaver)
    empty = fields(page) | {f"rows-{n}-practitioner": "" for n in range(6)}
    refused = client.post("allocation.hand_on", empty, number=leaver, status=422)
    assert "Choose who has at least one of them next" in refused.words
    refused = client.post(
        "allocation.hand_on", fields(page) | {"why": ""}, number=leaver, status=422
    )
    assert "Choose why it goes to somebody else" in refused.words
    assert set(open_ones(session).values()) == {"Pat Practitioner"}


def test_who_has_no_room_is_not_given_more_by_hand(
    client: Client, session: Session, leaver: int
) -> None:
    typed = fields(client.sign_on("officer").get("allocation.hand_on", number=leaver))
    cam = str(number(session, "colleague"))
    typed |= {f"rows-{n}-practitioner": cam for n in range(6)}
    shown = client.post("allocation.hand_on", typed, number=leaver, status=422)
    assert shown.words.count("left, Cam Colleague has no room for it any more") == 4
    assert list(open_ones(session).values()).count("Cam Colleague") == 2


def test_leaving_leads_here(client: Client, session: Session, leaver: int) -> None:
    page = client.sign_on("officer").get("practitioners.show", number=leaver)
    assert "Pat Practitioner has 6 open referrals" in page.words
    assert page.document.xpath(f"//a[@href='{client.url('allocation.hand_on', number=leaver)}']")
    empty = client.get("allocation.hand_on", number=number(session, "colleague"))
    assert "Cam Colleague has no open referral" in empty.words
    client.get("allocation.hand_on", number=number(session, "lead"), status=404)


def test_as_many_statements_for_six_as_for_one(
    client: Client, session: Session, connection: Connection, leaver: int
) -> None:
    client.sign_on("officer").get("allocation.hand_on", number=leaver)
    said: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda *given: said.append(given[2]))
    client.get("allocation.hand_on", number=leaver)
    many = len(said)
    session.execute(
        text("UPDATE s2s.allocation SET ended_at = now() WHERE id > 1 AND ended_at IS NULL")
    )
    session.commit()
    said.clear()
    client.get("allocation.hand_on", number=leaver)
    assert len(said) == many


# Many at once ------------------------------------------------------------------------------------


@pytest.fixture
def lively(server_url: str, worker_id: str) -> Iterator[Flask]:
    """A host on a database of its own: 32 referrals with Quin, and a cap of ten for each."""
    url = migrated_database(server_url, f"s2s_hand_{worker_id}")
    engine = create_engine(url)
    engine.dispose()
    app = make_host(url, dict(ACTORS))
    with app.test_request_context(), acting_as(SYSTEM), clock.frozen(TODAY):
        session = state().session()
        session.add_all(world.establishments())
        session.flush()
        session.add_all(world.practitioners())
        session.flush()
        for reference in REFERENCES:
            row = rows.referral(session, reference, status=Status.ALLOCATED)
            rows.allocation(session, row, "other-practitioner")
        session.add(
            Cap(
                scope=CapScope.PRACTITIONER,
                valid_from=date(2019, 5, 1),
                most=10,
                source="Board",
                by_id="a",
                by_name="A",
            )
        )
        session.commit()
    yield app
    with app.app_context():
        state().engine.dispose()
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)'))
    server.dispose()


Act = tuple[Actor, Callable[[Any], None]]


def at_once(app: Flask, *acts: Act) -> list[Any]:
    """Do each at the same instant; what became of each: nothing, or what was raised."""
    ready = threading.Barrier(len(acts))

    def do(act: Act) -> Any:
        who, one = act
        with app.test_request_context(), acting_as(who), clock.frozen(TODAY):
            ready.wait(timeout=60)
            try:
                with unit_of_work() as work:
                    one(work)
            except (Refused, NotFound, NotAllowed) as error:
                return error
        return None

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(do, acts))


def giving(reference: str, to: int, by: Actor = OFFICER) -> Act:
    def give(work: Any) -> None:
        reallocating.reallocate(
            work,
            reference,
            practitioner_id=to,
            reason="Near",
            handing=Handing(why=Why.LEFT),
            seen=1,
            by=by,
        )

    return by, give


def booking(reference: str) -> Act:
    by = ACTORS["other-practitioner"]

    def book(work: Any) -> None:
        visits.book(
            work,
            reference,
            kind=VisitKind.VISIT,
            day=date(2019, 5, 20),
            starts=time(9, REFERENCES.index(reference)),
            ends=time(9, REFERENCES.index(reference) + 1),
            by=by,
        )

    return by, book


def test_many_at_once(lively: Flask) -> None:
    """32 to one with room for ten; then two officers for one; then a booking beside a change."""
    said = at_once(lively, *(giving(reference, 1) for reference in REFERENCES))
    assert said.count(None) == 10, set(map(str, said))
    assert all("Limit reached" in str(one) for one in said if one)
    left = [ref for ref, one in zip(REFERENCES, said, strict=True) if one]
    with lively.app_context(), state().engine.begin() as connection:
        given = connection.execute(
            text(
                "SELECT practitioner_id, count(*) FROM s2s.allocation WHERE ended_at IS NULL"
                " GROUP BY 1 ORDER BY 1"
            )
        ).all()
    assert [tuple(row) for row in given] == [(1, 10), (4, 22)]
    for reference in left[:4]:
        both = at_once(
            lively, giving(reference, 2), giving(reference, 2, by=ACTORS["other-officer"])
        )
        assert both.count(None) == 1
        assert isinstance(next(one for one in both if one), AlreadyAllocated)
    for reference in left[4:8]:
        both = at_once(lively, giving(reference, 2), booking(reference))
        # Whoever comes second is told: a visit stands between, or the case is no longer theirs.
        assert both.count(None) == 1, both
