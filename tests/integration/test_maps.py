"""Maps of a referral and of the county: the same in the picture and in the table, and no child."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from sqlalchemy import Connection, event, select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.identity import acting_as
from s2s_portal.models.codes import Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import (
    Absence,
    AbsenceKind,
    Allocation,
    Practitioner,
    Release,
)
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit, VisitKind
from s2s_portal.services import workload, workload_measured
from tests import rows
from tests.client import Client, Page
from tests.world import ACTORS, OTHER_PROVIDER, OTHER_SCHOOL, PROVIDER, SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
REF, OTHER = "S2S-19-7K4P", "S2S-19-7K4Q"
NASTY = "O'Brien-Łukasz & Sons <School>"
TODAY = date(2019, 5, 14)
BY = {"by_id": "lead", "by_name": "Lena Lead"}
DISTRICTS = {SCHOOL: "North Norfolk", PROVIDER: "North Norfolk", OTHER_SCHOOL: "Norwich"}


def person(session: Session, key: str) -> Practitioner:
    return session.scalars(select(Practitioner).where(Practitioner.account_id == key)).one()


@pytest.fixture
def busy(session: Session) -> Session:
    """Referrals with nobody at two schools, one that is allocated, hours, an absence, a visit."""
    for urn, district in DISTRICTS.items():
        session.get_one(Establishment, urn).district = district
    session.flush()
    rows.referral(session, REF, status=Status.ACCEPTED)
    rows.referral(session, OTHER, urn=OTHER_SCHOOL, status=Status.ACCEPTED)
    rows.referral(session, "S2S-19-4446", urn=OTHER_SCHOOL)
    rows.referral(session, "S2S-19-4447", status=Status.CLOSED)
    row = rows.referral(session, "S2S-19-4443", status=Status.ALLOCATED)
    made = rows.allocation(session, row, "practitioner")
    ended = rows.referral(session, "S2S-19-4444", status=Status.ALLOCATED)
    rows.allocation(session, ended, "practitioner", ended=True)
    starts = clock.from_local(TODAY + timedelta(days=7), 10)
    session.add(
        Visit(
            referral_id=row.id,
            number=1,
            allocation_id=made.id,
            practitioner_id=made.practitioner_id,
            kind=VisitKind.VISIT,
            starts_at=starts,
            ends_at=starts + timedelta(hours=1),
            booked_by_id="practitioner",
            booked_by_name="Pat Practitioner",
        )
    )
    pat, cam = person(session, "practitioner"), person(session, "colleague")
    session.add_all(
        [
            Release(
                practitioner_id=pat.id,
                valid_from=date(2018, 9, 1),
                minutes=[0, 60, 0, 0, 0],
                **BY,
            ),
            Release(
                practitioner_id=cam.id,
                valid_from=date(2018, 9, 1),
                minutes=[60] * 5,
                **BY,
            ),
            Absence(
                practitioner_id=cam.id,
                starts=TODAY,
                ends=TODAY + timedelta(days=2),
                kind=AbsenceKind.TRAINING,
                **BY,
            ),
        ]
    )
    session.commit()
    return session


def pictures(page: Page) -> str:
    found = re.search(r"<svg.*?</svg>", page.text, re.DOTALL)
    assert found, page.words
    return found.group()


# One referral ------------------------------------------------------------------------------------


def test_a_referrals_map_says_in_the_picture_what_the_table_says(
    client: Client, busy: Session
) -> None:
    busy.get_one(Establishment, OTHER_PROVIDER).town = "Acle"
    busy.commit()
    page = client.sign_on("officer").get("allocation.referral_places", reference=REF)
    picture = pictures(page)
    assert "The nearest practitioner is Pat Practitioner" in page.words
    assert page.words.count("0.9 miles") >= 2
    # Two practitioners of one school are one mark; the first has the thick line.
    assert re.findall(r'class="s2s-map__number"[^>]*>([^<]+)<', picture) == ["2", "1+"]
    assert picture.count("s2s-map__way--first") == 1
    assert [mile for mile in (5, 10, 20) if f">{mile} miles<" in picture] == [5, 10, 20]
    numbers = page.all("//tbody/tr/td[1]")
    assert numbers == ["1", "2", "3"]
    asked = client.get("allocation.allocate", reference=REF)
    for number, name in zip(numbers, page.all("//tbody/tr/th"), strict=True):
        assert f"{number}. {name}" in asked.words
    assert "Broad Oak Complex Needs School, Acle" in page.words
    assert 'role="img"' in picture
    assert 'aria-labelledby="map-title map-words"' in picture


@pytest.mark.parametrize("banned", [r"<script", r"\sstyle=", r"\son[a-z]+=", r"href=", r"<style"])
def test_a_picture_lives_under_a_strict_policy_and_fetches_nothing(
    client: Client, busy: Session, banned: str
) -> None:
    client.sign_on("officer")
    for page in (
        client.get("allocation.referral_places", reference=REF),
        client.get("allocation.areas"),
    ):
        assert not re.search(banned, pictures(page))


def test_a_name_that_means_something_in_markup_is_only_a_name(
    client: Client, busy: Session
) -> None:
    for urn in (SCHOOL, PROVIDER):
        busy.get_one(Establishment, urn).name = NASTY
    busy.get_one(Establishment, SCHOOL).district = NASTY
    busy.commit()
    client.sign_on("officer")
    page = client.get("allocation.referral_places", reference=REF)
    assert page.all("//title")[1] == (
        f"Map of {NASTY} and of the schools of the practitioners, north at the top"
    )
    assert "<School>" not in page.text
    page = client.get("allocation.areas")
    assert NASTY in page.words
    assert "<School>" not in page.text


def test_no_child_is_on_a_map(client: Client, busy: Session) -> None:
    client.sign_on("officer")
    for page in (
        client.get("allocation.referral_places", reference=REF),
        client.get("allocation.areas"),
    ):
        for words in ("Canary", "SEMH", "Social, emotional"):
            assert words not in page.text


def test_where_the_register_knows_no_place_the_table_remains(client: Client, busy: Session) -> None:
    busy.get_one(Establishment, OTHER_PROVIDER).easting = None
    busy.commit()
    page = client.sign_on("officer").get("allocation.referral_places", reference=REF)
    assert "Not on the map" in page.words
    assert re.findall(r'class="s2s-map__number"[^>]*>([^<]+)<', pictures(page)) == ["1+"]
    busy.get_one(Establishment, SCHOOL).northing = None
    busy.commit()
    page = client.get("allocation.referral_places", reference=REF)
    assert "does not say where the referral’s school is" in page.words
    assert "<svg" not in page.text.split("<main", 1)[1].split("</main", 1)[0]
    assert page.words.count("Distance not known") == 3


def test_a_referral_that_has_somebody_has_no_map_of_those_it_could_go_to(
    client: Client, busy: Session
) -> None:
    client.sign_on("officer")
    client.get("allocation.referral_places", reference="S2S-19-4443", status=409)
    client.get("allocation.referral_places", reference="S2S-19-9999", status=404)


def test_without_practitioners_the_map_says_so(client: Client, busy: Session) -> None:
    busy.execute(text("UPDATE s2s.practitioner SET active = false"))
    busy.commit()
    page = client.sign_on("officer").get("allocation.referral_places", reference=REF)
    assert "There is no practitioner to show" in page.words


# The county --------------------------------------------------------------------------------------


def areas(page: Page) -> dict[str, list[str]]:
    names = page.all("//tbody/tr/th")
    cells = page.all("//tbody/tr/td")
    return {name: cells[5 * row : 5 * row + 5] for row, name in enumerate(names)}


@pytest.mark.parametrize("who", ["officer", "manager"])
def test_work_by_area_is_counted_the_same_for_an_officer_and_a_manager(
    client: Client, busy: Session, who: str
) -> None:
    page = client.sign_on(who).get("allocation.areas")
    found = areas(page)
    assert found["A. North Norfolk"][:4] == ["3", "1", "2", "21"]
    assert found["B. Norwich"] == ["2", "1", "0", "0", "Nobody based here"]
    assert found["C. District not known"][2:] == ["1", "0", "Hours not known"]
    assert "5 referrals are open; the most, 3, in North Norfolk." in page.words
    assert "2 accepted have nobody yet: 1 in North Norfolk and 1 in Norwich." in page.words
    picture = pictures(page)
    assert re.findall(r'class="s2s-map__letter"[^>]*>([^<]+)<', picture) == ["A", "B"]
    assert re.findall(r'class="s2s-map__count"[^>]*>([^<]+)<', picture) == ["3", "2"]
    assert re.findall(r'class="s2s-map__nobody-count"[^>]*>([^<]+)<', picture) == ["1", "1"]
    for words in (REF, OTHER, "Pat Practitioner", "Invented"):
        assert words not in page.text.split("<main", 1)[1]


def test_more_work_than_hours_is_said_and_has_a_thick_edge(client: Client, busy: Session) -> None:
    before = pictures(client.sign_on("manager").get("allocation.areas"))
    assert "s2s-map__area--over" not in before
    busy.execute(text("DELETE FROM s2s.practitioner_absence"))
    busy.execute(text("UPDATE s2s.practitioner SET active = false WHERE account_id = 'colleague'"))
    busy.commit()
    page = client.get("allocation.areas")
    assert "More work than hours" in areas(page)["A. North Norfolk"][4]
    assert "for the practitioners based in North Norfolk" in page.words
    assert pictures(page).count("s2s-map__area--over") == 1


def test_before_the_register_is_read_the_county_page_says_so(
    client: Client, session: Session
) -> None:
    session.execute(text("UPDATE s2s.establishment SET easting = NULL"))
    session.commit()
    page = client.sign_on("manager").get("allocation.areas")
    assert "does not say where the schools are" in page.words
    assert "There is no open referral." in page.words


# Who is told what --------------------------------------------------------------------------------


def test_what_is_measured_is_the_workload_that_an_officer_reads(busy: Session) -> None:
    made = busy.scalars(select(Allocation).where(Allocation.ended_at.is_(None))).one()
    row = busy.get_one(Referral, made.referral_id)
    rows.beside(busy, row, made, "colleague")
    starts = clock.from_local(TODAY + timedelta(days=8), 10)
    busy.add(
        Visit(
            referral_id=row.id,
            number=2,
            allocation_id=made.id,
            practitioner_id=made.practitioner_id,
            kind=VisitKind.VISIT,
            starts_at=starts,
            ends_at=starts + timedelta(hours=1),
            booked_by_id="practitioner",
            booked_by_name="Pat Practitioner",
            cancelled_at=clock.now(),
            cancelled_by_id="officer",
            cancelled_by_name="Ola Officer",
        )
    )
    busy.commit()
    with acting_as(ACTORS["officer"]):
        read = {one.practitioner_id: one.load for one in workload.team(None)}
    busy.rollback()
    weigh = workload.weights(TODAY)
    for who in ("officer", "manager", "administrator"):
        with acting_as(ACTORS[who]):
            found = workload_measured.people(TODAY)
            measured = {one.practitioner_id: one.load(weigh) for one in found}
        busy.rollback()
        assert measured == read
    assert any(one.visits == 1 and one.cases and one.available for one in read.values())
    assert any(one.supported and one.support_minutes for one in read.values())


@pytest.mark.parametrize(
    ("function", "may"),
    [
        (
            "workload_measure('2019-05-14')",
            {"officer", "other-officer", "manager", "administrator"},
        ),
        ("district_measure()", {"officer", "other-officer", "manager"}),
    ],
)
def test_the_database_tells_nobody_else(busy: Session, function: str, may: set[str]) -> None:
    told = set()
    for who, actor in ACTORS.items():
        busy.rollback()
        with acting_as(actor):
            if busy.scalar(text(f"SELECT count(*) FROM s2s.{function}")):
                told.add(who)
    busy.rollback()
    assert told == may


def test_as_many_statements_for_many_as_for_one(
    client: Client, busy: Session, connection: Connection
) -> None:
    statements: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda *given: statements.append(given[2]))
    client.sign_on("officer")
    pages = (("allocation.referral_places", {"reference": REF}), ("allocation.areas", {}))

    def asked() -> list[int]:
        found = []
        for endpoint, values in pages:
            client.get(endpoint, **values)  # what a process asks only once has been asked
            statements.clear()
            client.get(endpoint, **values)
            found.append(len(statements))
        return found

    few = asked()
    for number in range(30):
        busy.add(elsewhere(number))
        busy.flush()
        busy.add(
            Practitioner(
                provider_urn=910_000 + number,
                name=f"Another {number}",
                email=f"{number}@school.example",
                phases=["2"],
                areas=[],
                capacity=3,
            )
        )
    busy.commit()
    assert asked() == few
    page = client.get("allocation.referral_places", reference=REF)
    assert pictures(page).count("s2s-map__number") == 20  # no more than can be read
    assert page.words.count("Not on the map") >= 10


def elsewhere(number: int) -> Establishment:
    """A Complex Needs School with a place of its own."""
    return Establishment(
        urn=910_000 + number,
        local_authority=926,
        name=f"School {number}",
        type_code=7,
        status_code=1,
        easting=590_000 + 1500 * number,
        northing=300_000 + 700 * number,
    )
