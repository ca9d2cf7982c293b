"""Calendar feeds: private, revocable, and with nothing about a child in them (F63, F104)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import icalendar
import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from s2s_portal import clock
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.calendar_feed import CalendarFeed
from s2s_portal.models.codes import Status
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import AskedBy, Visit, VisitKind, WhyMoved
from s2s_portal.services import calendar_feeds
from tests import rows, world
from tests.client import Client, Page
from tests.world import OTHER_SCHOOL, PROVIDER, SCHOOL

REFERENCE, OTHER = "S2S-19-7K4P", "S2S-19-9CDF"
MINE = {"whose": "practitioner", "urn": PROVIDER}
OURS = {"whose": "school", "urn": SCHOOL}

pytestmark = pytest.mark.usefixtures("may_2019")


@pytest.fixture
def case(session: Session) -> Referral:
    """A referral that the practitioner has, with a visit on 20 May 2019 from 9:30am to 11am."""
    row = rows.referral(session, REFERENCE, status=Status.ALLOCATED)
    rows.coming(session, row, rows.allocation(session, row, "practitioner"), 1, note="Zosia")
    session.commit()
    return row


def make(client: Client, key: str, of: dict[str, Any]) -> str:
    """Make a feed as somebody; its address as a path."""
    page = client.sign_on(key).post("calendar.make", status=200, **of)
    return path_of(page)


def path_of(page: Page) -> str:
    (field,) = page.document.xpath("//input[@id='address']")
    return re.sub(r"^https?://[^/]+", "", field.get("value"))


def fetch(app: Flask, path: str, **headers: str) -> TestResponse:
    """Fetch a feed as a calendar does: without a sign-on."""
    return app.test_client().get(path, headers=headers)


def events(answer: TestResponse) -> list[icalendar.Event]:
    assert answer.status_code == 200
    found = icalendar.Calendar.from_ical(answer.get_data())
    return list(found.walk("VEVENT"))


def feeds(session: Session) -> list[CalendarFeed]:
    session.expire_all()
    session.commit()
    return list(session.scalars(select(CalendarFeed).order_by(CalendarFeed.id)))


@pytest.mark.parametrize(
    ("key", "of", "link"),
    [("practitioner", MINE, "/visits/"), ("senco", OURS, "/referrals/")],
)
def test_a_calendar_fetches_the_visits_without_a_sign_on(
    client: Client,
    app: Flask,
    session: Session,
    case: Referral,
    key: str,
    of: dict[str, Any],
    link: str,
) -> None:
    path = make(client, key, of)
    answer = fetch(app, path)
    assert answer.content_type == "text/calendar; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, max-age=900, must-revalidate"
    assert "Set-Cookie" not in answer.headers
    (event,) = events(answer)
    assert event["SUMMARY"] == f"S2S visit {REFERENCE}"
    assert event["LOCATION"] == "Little Snoring Invented Primary, Inventon, NR0 0AA"
    assert event["DTSTART"].dt == clock.from_local(date(2019, 5, 20), 9, 30)
    assert event["DTEND"].dt == clock.from_local(date(2019, 5, 20), 11)
    assert (event["STATUS"], event["SEQUENCE"]) == ("CONFIRMED", 0)
    assert event["URL"].endswith(f"{link}{REFERENCE}/")
    text = answer.get_data(as_text=True)
    for never in ("Zosia", "Canary", "Pat", "Practitioner", "DESCRIPTION", "senco@"):
        assert never not in text, never


def test_the_token_is_shown_once_and_kept_as_a_digest(
    client: Client, session: Session, case: Referral
) -> None:
    path = make(client, "practitioner", MINE)
    token = path.rsplit("/", 1)[1].removesuffix(".ics")
    assert len(token) >= 43
    (feed,) = feeds(session)
    assert feed.digest == calendar_feeds.digest(token) != token
    assert token not in client.get("calendar.index").text
    assert "You have an address, made on 14 May 2019" in client.get("calendar.index").words


def test_a_replaced_or_ended_address_opens_nothing(
    client: Client, app: Flask, session: Session, case: Referral
) -> None:
    first = make(client, "practitioner", MINE)
    second = make(client, "practitioner", MINE)
    assert fetch(app, first).status_code == 404
    assert len(events(fetch(app, second))) == 1
    _, feed = feeds(session)
    page = client.follow(client.post("calendar.end", number=feed.id))
    assert "has been ended" in page.words
    assert fetch(app, second).status_code == 404
    page = client.follow(client.post("calendar.end", number=feed.id))
    assert "has been ended already" in page.words
    session.commit()
    done = session.execute(
        select(AuditEntry.action, AuditEntry.by_id)
        .where(AuditEntry.entity == "calendar feed")
        .order_by(AuditEntry.id)
    ).all()
    assert [tuple(row) for row in done] == [
        ("made", "practitioner"),
        ("made", "practitioner"),
        ("used", "practitioner"),
        ("ended", "practitioner"),
    ]


@pytest.mark.parametrize("token", ["absent", "0" * 64, "%00", "é", "a" * 5000])
def test_another_token_opens_nothing(app: Flask, case: Referral, token: str) -> None:
    assert fetch(app, f"/s2s/calendar/feed/{token}.ics").status_code == 404


def test_only_the_first_use_of_a_day_is_audited_and_the_last_is_shown(
    client: Client, app: Flask, session: Session, case: Referral
) -> None:
    path = make(client, "practitioner", MINE)
    used = select(AuditEntry.at).where(AuditEntry.action == "used")
    for _ in range(3):
        fetch(app, path)
    session.commit()
    assert len(session.scalars(used).all()) == 1
    kept = session.scalars(select(AuditEntry.path).where(AuditEntry.action == "used")).one()
    assert kept == "/s2s/calendar/feed/....ics", "the token is kept nowhere"
    with clock.frozen(clock.from_local(date(2019, 5, 15), 0, 30)):  # the 14th in UTC
        fetch(app, path)
        session.commit()
        assert len(session.scalars(used).all()) == 2
        page = client.sign_on("practitioner").get("calendar.index")
        assert "Last used on 15 May 2019" in page.words


def test_what_has_not_changed_is_not_sent_again(
    client: Client, app: Flask, session: Session, case: Referral
) -> None:
    path = make(client, "practitioner", MINE)
    etag = fetch(app, path).headers["ETag"]
    with clock.frozen(clock.from_local(date(2019, 5, 16), 12)):
        assert fetch(app, path, **{"If-None-Match": etag}).status_code == 304
        visit = session.scalars(select(Visit)).one()
        visit.cancelled_at = clock.now()
        session.commit()
        answer = fetch(app, path, **{"If-None-Match": etag})
        assert events(answer)[0]["STATUS"] == "CANCELLED"


def untie(session: Session) -> None:
    person = session.scalars(
        select(Practitioner).where(Practitioner.account_id == "practitioner")
    ).one()
    person.account_id = None


def switch_off(session: Session) -> None:
    session.scalars(
        select(Practitioner).where(Practitioner.account_id == "practitioner")
    ).one().active = False


def go_elsewhere(session: Session) -> None:
    session.scalars(
        select(Practitioner).where(Practitioner.account_id == "practitioner")
    ).one().provider_urn = world.OTHER_PROVIDER


@pytest.mark.parametrize("leave", [untie, switch_off, go_elsewhere])
def test_a_practitioner_who_has_left_gets_nothing(
    client: Client,
    app: Flask,
    session: Session,
    case: Referral,
    leave: Callable[[Session], None],
) -> None:
    path = make(client, "practitioner", MINE)
    assert fetch(app, path).status_code == 200
    leave(session)
    session.commit()
    assert fetch(app, path).status_code == 404


def test_a_case_that_is_theirs_no_longer_is_gone_from_the_feed(
    client: Client, app: Flask, session: Session, case: Referral
) -> None:
    path = make(client, "practitioner", MINE)
    assert len(events(fetch(app, path))) == 1
    session.scalars(select(Allocation)).one().ended_at = clock.now()
    session.commit()
    assert events(fetch(app, path)) == []


def test_a_feed_ends_by_itself(
    client: Client, app: Flask, case: Referral, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "S2S_CALENDAR_DAYS", 10)
    path = make(client, "senco", OURS)
    with clock.frozen(clock.now() + timedelta(days=9)):
        assert fetch(app, path).status_code == 200
    with clock.frozen(clock.now() + timedelta(days=11)):
        assert fetch(app, path).status_code == 404
        page = client.sign_on("senco").get("calendar.index")
        assert "There is no address." in page.words
        fetch(app, make(client, "senco", OURS))


def test_a_school_s_feed_has_its_own_visits_alone(
    client: Client, app: Flask, session: Session, case: Referral
) -> None:
    row = rows.referral(session, OTHER, urn=OTHER_SCHOOL, status=Status.ALLOCATED)
    rows.coming(session, row, rows.allocation(session, row, "practitioner"), 1)
    session.commit()
    (event,) = events(fetch(app, make(client, "senco", OURS)))
    assert REFERENCE in event["SUMMARY"]
    assert len(events(fetch(app, make(client, "practitioner", MINE)))) == 2


def test_a_practitioner_s_feed_has_their_own_visits_alone(
    client: Client, app: Flask, session: Session, case: Referral
) -> None:
    joint = rows.beside(session, case, rows.allocation_of(session, case), "colleague")
    session.scalars(select(Visit)).one().practitioner_id = joint.practitioner_id
    session.commit()
    assert events(fetch(app, make(client, "practitioner", MINE))) == []
    assert len(events(fetch(app, make(client, "colleague", MINE)))) == 1


def test_a_moved_visit_stays_one_entry(
    client: Client, app: Flask, session: Session, case: Referral
) -> None:
    path = make(client, "senco", OURS)
    (before,) = events(fetch(app, path))
    old = session.scalars(select(Visit)).one()
    old.cancelled_at, old.cancelled_by_id = clock.now(), "practitioner"
    old.asked_by, old.why_moved, old.short_notice = AskedBy.SCHOOL, WhyMoved.CLASH, False
    session.flush()
    row = session.scalars(select(Referral)).one()
    rows.coming(
        session,
        row,
        rows.allocation_of(session, row),
        2,
        starts_at=old.starts_at + timedelta(days=1),
        ends_at=old.ends_at + timedelta(days=1),
        replaces_id=old.id,
        first_number=1,
        moves=1,
    )
    session.commit()
    (after,) = events(fetch(app, path))
    assert after["UID"] == before["UID"]
    assert (after["SEQUENCE"], after["STATUS"]) == (1, "CONFIRMED")
    assert after["DTSTART"].dt == before["DTSTART"].dt + timedelta(days=1)


def test_a_withdrawn_case_has_its_visits_marked_as_cancelled(
    client: Client, app: Flask, session: Session, case: Referral
) -> None:
    case.status = Status.WITHDRAWN
    session.commit()
    for key, of in (("senco", OURS), ("practitioner", MINE)):
        (event,) = events(fetch(app, make(client, key, of)))
        assert (event["STATUS"], event["SEQUENCE"]) == ("CANCELLED", 1)


def test_a_visit_of_school_staff_is_where_they_go(
    client: Client, app: Flask, session: Session, case: Referral
) -> None:
    session.scalars(select(Visit)).one().kind = VisitKind.REVERSE_VISIT
    session.commit()
    for key, of in (("senco", OURS), ("practitioner", MINE)):
        (event,) = events(fetch(app, make(client, key, of)))
        assert event["LOCATION"].startswith("Fen View Complex Needs School"), key


def test_visits_long_gone_by_are_left_out(
    client: Client, app: Flask, session: Session, case: Referral
) -> None:
    path = make(client, "senco", OURS)
    with clock.frozen(datetime.fromisoformat("2019-08-18T10:59:00+01:00")):
        assert len(events(fetch(app, path))) == 1
    with clock.frozen(datetime.fromisoformat("2019-08-18T11:01:00+01:00")):
        assert events(fetch(app, path)) == []


def test_colleagues_of_a_school_end_each_other_s(
    client: Client, app: Flask, session: Session, case: Referral
) -> None:
    path = make(client, "senco", OURS)
    (feed,) = feeds(session)
    client.sign_on("other-senco").post("calendar.end", status=404, number=feed.id)
    client.sign_on("practitioner").post("calendar.end", status=404, number=feed.id)
    page = client.sign_on("head").get("calendar.index")
    assert "Sam O'Brien-Łukasz, made on 14 May 2019" in page.words
    client.post("calendar.end", number=feed.id)
    assert fetch(app, path).status_code == 404
    (feed,) = feeds(session)
    assert feed.ended_by_name == "Hana Head"


@pytest.mark.parametrize(
    ("key", "of"),
    [
        ("senco", {"whose": "school", "urn": OTHER_SCHOOL}),
        ("senco", {"whose": "practitioner", "urn": SCHOOL}),
        ("practitioner", {"whose": "practitioner", "urn": world.OTHER_PROVIDER}),
        ("practitioner", OURS),
        ("newcomer", MINE),
        ("senco", {"whose": "everybody", "urn": SCHOOL}),
    ],
)
def test_nobody_makes_a_feed_that_is_not_theirs(
    client: Client, session: Session, case: Referral, key: str, of: dict[str, Any]
) -> None:
    client.sign_on(key).post("calendar.make", status=404, **of)
    assert feeds(session) == []


def test_an_account_that_is_nobody_reads_why(client: Client) -> None:
    page = client.sign_on("newcomer").get("calendar.index")
    assert "Your account is not linked to a practitioner yet" in page.words


def test_somebody_with_both_roles_has_both(client: Client, app: Flask, case: Referral) -> None:
    """As the tokens are made here, so they are read: one for each, neither ends the other."""
    actors = app.extensions["s2s"].identity.actors
    both = replace(
        world.ACTORS["practitioner"],
        roles=world.ACTORS["practitioner"].roles | world.ACTORS["senco"].roles,
        establishments=(SCHOOL,),
    )
    before, actors["practitioner"] = actors["practitioner"], both
    try:
        paths = [make(client, "practitioner", of) for of in (MINE, OURS)]
    finally:
        actors["practitioner"] = before
    assert [len(events(fetch(app, path))) for path in paths] == [1, 1]
