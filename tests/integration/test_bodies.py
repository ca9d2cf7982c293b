"""Two teams, each with its own queue: routing, who sees what, and handing over (F30)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.body import Handover, OfficerBody, Routed
from s2s_portal.models.clocks import ClockBreach, ReferralClock
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.worklist import Officer, OfficerAssignment, WorklistEntry
from s2s_portal.services import bodies, officers, referrals, workload
from tests import rows
from tests.client import Client, Page
from tests.deciding import YES
from tests.world import ACTORS, NURSERY

pytestmark = pytest.mark.usefixtures("may_2019")
REF, EARLY = "S2S-19-7K4P", "S2S-19-7K4Q"
TO_EARLY = {"to": "early_years", "reason": "AGE", "note": "Ring Nia first"}


def member(session: Session, key: str, *teams: str) -> Officer:
    """`key` has been here, and is in these teams."""
    here = Officer(
        account_id=key, name=ACTORS[key].name, email=ACTORS[key].email, seen_on=clock.today()
    )
    session.add(here)
    session.add_all(
        OfficerBody(account_id=key, body=team, by_id="administrator", by_name="Adi")
        for team in teams
    )
    session.flush()
    return here


@pytest.fixture
def queues(session: Session) -> Iterator[None]:
    """REF in the queue of the SEND team, where "officer" is; EARLY in the other's, where
    "other-officer" is."""
    rows.referral(session, REF)
    rows.referral(session, EARLY, urn=NURSERY, body="early_years")
    member(session, "officer", "send")
    member(session, "other-officer", "early_years")
    session.commit()
    yield


def listed(page: Page) -> list[str]:
    return page.all("//tbody/tr/th/a")


def tiles(page: Page) -> dict[str, str]:
    """The tiles of the list: their words and numbers."""
    found = page.all("//a[contains(@class,'s2s-tile')]")
    return {words: number for number, words in (one.split(" ", 1) for one in found)}


@pytest.mark.parametrize(
    ("urn", "year", "team"),
    [
        (NURSERY, "4", "early_years"),
        (900101, "N2", "early_years"),
        (900101, "R", "send"),
        (900101, "4", "send"),
    ],
)
def test_what_is_sent_goes_to_the_team_that_the_rule_of_the_day_names(
    session: Session, urn: int, year: str, team: str
) -> None:
    row = referrals.get(rows.referral(session, REF, urn=urn).reference, whole=True)
    assert row.subject is not None
    row.subject.year_group = year
    row.body, row.body_rule_id = "send", None
    bodies.route(row, date(2019, 5, 14))
    assert row.body == team
    assert row.body_rule_id is not None
    # Where no rule has begun it stays where every referral begins.
    row.body, row.body_rule_id = "send", None
    bodies.route(row, date(1999, 12, 31))
    assert (row.body, row.body_rule_id) == ("send", None)


def test_a_rule_holds_from_its_day_on_and_moves_nothing_that_was_sent(
    client: Client, session: Session, queues: None
) -> None:
    client.sign_on("administrator")
    form: dict[str, Any] = {
        "what": "early_years_setting",
        "body": "send",
        "valid_from": ["13", "5", "2019"],
        "source": "Minutes of May",
    }
    page = client.post("administration.triage_teams", form, status=422)
    assert page.errors == ["The first day must be today or later"]
    assert page.value("source") == "Minutes of May"
    form["valid_from"] = ["15", "5", "2019"]
    client.post("administration.triage_teams", form)
    assert "Minutes of May" in client.get("administration.triage_teams").words
    session.expire_all()
    held = {
        rule.what: rule.body for rule in bodies.in_force(bodies.rules(), clock.today()).values()
    }
    assert held[Routed.EARLY_YEARS_SETTING] == "early_years"
    with clock.frozen(clock.from_local(date(2019, 5, 15), 9)):
        rules = bodies.in_force(bodies.rules(), clock.today())
    assert rules[Routed.EARLY_YEARS_SETTING].body == "send"
    assert session.scalars(select(Referral.body).where(Referral.reference == EARLY)).one() == (
        "early_years"
    )
    session.commit()
    audited = session.scalars(select(AuditEntry).where(AuditEntry.entity == "triage rule"))
    assert [entry.by_id for entry in audited] == ["administrator"]


def test_each_team_has_its_own_list_and_tiles_and_does_not_find_the_other_s(
    client: Client, session: Session, queues: None
) -> None:
    for key, own, other in (("officer", REF, EARLY), ("other-officer", EARLY, REF)):
        client.sign_on(key)
        page = client.get("triage.index")
        assert listed(page) == [own]
        assert tiles(page)["New"] == "1"
        assert page.all("//nav[@aria-label='Referrals by team']") == []
        # Asking for the other's queue shows one's own.
        other_team = "early_years" if key == "officer" else "send"
        asked = client.fetch("GET", f"{client.url('triage.index')}?team={other_team}&status=all")
        assert listed(asked) == [own]
        assert listed(client.fetch("GET", f"{client.url('triage.index')}?q={other}")) == []
        client.get("triage.show", reference=own)
        absent = client.get("triage.show", reference="S2S-19-9999", status=404).words
        for endpoint in ("show", "accept", "return_for_information", "hold", "assign", "flag"):
            page = client.get(f"triage.{endpoint}", reference=other, status=404)
            assert page.words == absent
        client.post("triage.accept", {**YES, "seen": "1"}, reference=other, status=404)
        client.post("triage.hand_over", TO_EARLY | {"seen": "1"}, reference=other, status=404)


def test_who_is_in_no_team_is_in_both_and_chooses_which_to_see(
    client: Client, session: Session, queues: None
) -> None:
    session.execute(text("DELETE FROM s2s.officer_body"))
    session.commit()
    page = client.sign_on("officer").get("triage.index")
    assert listed(page) == [REF, EARLY]
    assert page.all("//nav[@aria-label='Referrals by team']//a") == [
        "All teams",
        "SEND team",
        "Early years team",
    ]
    assert tiles(page)["New"] == "2"
    one = client.fetch("GET", f"{client.url('triage.index')}?team=early_years")
    assert listed(one) == [EARLY]
    assert tiles(one)["New"] == "1"
    assert one.all("//nav[@aria-label='Referrals by team']//a[@aria-current]") == [
        "Early years team"
    ]
    # The team stays in the address, on every tile and in the search.
    assert one.text.count("status=new&amp;team=early_years") == 1
    assert one.value("team") == "early_years"
    client.get("triage.show", reference=EARLY)


def test_the_database_itself_shows_an_officer_their_own_teams_alone(
    session: Session, connection: Connection, queues: None
) -> None:
    """Policy apart: with the check in `access` gone, nothing of the other's is read or written."""
    for reference in (REF, EARLY):
        row = session.scalars(select(Referral).where(Referral.reference == reference)).one()
        rows.note_and_flag(session, row)
        given = rows.handed_on(session, row, "practitioner", "other-practitioner")
        rows.beside(session, row, given, "colleague")
        rows.offered(session, row, "practitioner")
        session.add(
            OfficerAssignment(
                referral_id=row.id, officer_id="officer", officer_name="O", by_id="a", by_name="A"
            )
        )
    session.commit()
    actor = ACTORS["other-officer"]
    connection.execute(
        text(
            "SELECT set_config('role', 's2s_app', true), set_config('s2s.actor_id', :id, true),"
            " set_config('s2s.roles', '{send_officer}', true)"
        ),
        {"id": actor.id},
    )
    owner = "(SELECT r.reference FROM s2s.referral r WHERE r.id = referral_id)"
    for table in (
        *("internal_note", "flag", "officer_assignment", "referral_event", "decision"),
        *("allocation_ending", "hand_over_note", "case_request"),
    ):
        seen = set(connection.scalars(text(f"SELECT {owner} FROM s2s.{table}")))
        assert seen <= {EARLY}, table
        assert None not in seen, table
    for table in ("referral", "worklist_entry"):
        assert set(connection.scalars(text(f"SELECT reference FROM s2s.{table}"))) == {EARLY}
    assert connection.scalars(text("SELECT count(*) FROM s2s.flag_resolution")).one() == 1
    for change in ("referral SET version = version", "supporter SET ended_reason = ended_reason"):
        assert connection.execute(text(f"UPDATE s2s.{change}")).rowcount == 1, change
    connection.execute(text("RESET ROLE"))


def test_a_sent_referral_changes_teams_by_a_hand_over_alone(
    session: Session, connection: Connection, queues: None
) -> None:
    for actor, sql in (
        # In no team, so in both: would still read it afterwards.
        ("third", f"UPDATE s2s.referral SET body = 'early_years' WHERE reference = '{REF}'"),
        ("officer", f"UPDATE s2s.referral SET body = 'early_years' WHERE reference = '{REF}'"),
        # Of a referral that is not theirs, nor of one that is decided.
        (
            "officer",
            "INSERT INTO s2s.triage_handover (event_id, referral_id, from_body, to_body, reason)"
            " SELECT 1, r.id, 'early_years', 'send', 'AGE' FROM s2s.referral r LIMIT 1",
        ),
    ):
        savepoint = connection.begin_nested()
        connection.execute(
            text(
                "SELECT set_config('role', 's2s_app', true), set_config('s2s.actor_id', :id, true),"
                " set_config('s2s.roles', '{send_officer}', true)"
            ),
            {"id": actor},
        )
        says = "hand-over alone" if actor == "third" else r"hand-over alone|row-level security"
        with pytest.raises(DBAPIError, match=says):
            connection.execute(text(sql))
        savepoint.rollback()


def test_a_referral_is_handed_over_with_its_promise_and_the_other_team_is_told(
    client: Client, session: Session, queues: None
) -> None:
    row = session.scalars(select(Referral).where(Referral.reference == REF)).one()
    rows.clock_broken(session, row)
    session.commit()
    before = [
        (one.id, one.due_on, one.state) for one in session.scalars(select(ReferralClock)).all()
    ]
    client.sign_on("officer")
    client.post("triage.take", {"seen": "0"}, reference=REF)
    page = client.get("triage.hand_over", reference=REF)
    assert "a promise that has been broken stays broken" in page.words
    seen = page.value("seen")
    refused = client.post(
        "triage.hand_over", {"note": "Kept", "seen": seen}, status=422, reference=REF
    )
    assert refused.errors == ["Choose which team gets it", "Choose why you hand it over"]
    assert refused.value("note") == "Kept"
    client.post("triage.hand_over", TO_EARLY | {"seen": seen}, reference=REF)
    with acting_as(SYSTEM):
        session.commit()
        moved = session.scalars(select(Referral).where(Referral.reference == REF)).one()
        assert (moved.body, moved.status) == ("early_years", Status.SUBMITTED)
        after = [
            (one.id, one.due_on, one.state) for one in session.scalars(select(ReferralClock)).all()
        ]
        assert after == before
        assert len(session.scalars(select(ClockBreach)).all()) == 1
        event = session.scalars(
            select(ReferralEvent).where(ReferralEvent.action == Action.HANDED_OVER)
        ).one()
        assert event.message.startswith("From the SEND team to the Early years team")
        assert event.note == "Ring Nia first"
        made = session.scalars(select(Handover)).one()
        assert (made.event_id, made.from_body, made.to_body) == (event.id, "send", "early_years")
        entry = session.scalars(select(WorklistEntry).where(WorklistEntry.reference == REF)).one()
        assert (entry.body, entry.officer_id) == ("early_years", None)
        told = session.scalars(
            text(
                "SELECT args ->> 'address' FROM s2s.procrastinate_jobs WHERE args ->> 'notice'"
                " = 'referral_handed_over' ORDER BY 1"
            )
        ).all()
        assert "other-officer@school.example" in told
        assert "officer@school.example" not in told
    session.commit()
    client.get("triage.show", reference=REF, status=404)
    shown = client.sign_on("other-officer").get("triage.show", reference=REF).words
    assert "Ring Nia first" in shown
    school = client.sign_on("senco").get("referrals.show", reference=REF).words
    assert "Handed to another team of the council" in school
    assert "Ring Nia first" not in school


def test_two_who_hand_over_or_decide_at_once_lose_nothing(
    client: Client, session: Session, queues: None
) -> None:
    client.sign_on("officer")
    seen = client.get("triage.hand_over", reference=REF).value("seen")
    session.execute(text("DELETE FROM s2s.officer_body WHERE account_id = 'officer'"))
    session.commit()
    stale = client.post("triage.hand_over", TO_EARLY | {"seen": "99"}, status=422, reference=REF)
    assert "This referral has changed since you opened this page" in stale.errors[0]
    client.post("triage.hand_over", TO_EARLY | {"seen": seen}, reference=REF)
    again = client.post("triage.hand_over", TO_EARLY | {"seen": seen}, status=422, reference=REF)
    assert again.value("note") == "Ring Nia first"
    decided = client.post("triage.accept", {**YES, "seen": seen}, status=422, reference=REF)
    assert "This referral has changed since you opened this page" in decided.errors[0]
    assert len(session.scalars(select(Handover)).all()) == 1


def test_what_is_decided_is_not_handed_over(client: Client, session: Session) -> None:
    rows.referral(session, REF, status=Status.ACCEPTED)
    session.commit()
    page = client.sign_on("officer").get("triage.hand_over", reference=REF, status=409)
    assert "Only a referral that waits for a decision can be handed over" in page.words
    assert "Hand it over" not in client.get("triage.show", reference=REF).words


def test_nobody_of_the_other_team_is_given_the_referral_or_a_flag(
    client: Client, session: Session, queues: None
) -> None:
    client.sign_on("officer")
    page = client.get("triage.assign", reference=REF)
    assert page.all("//label[contains(@class,'radios')]") == ["Ola Officer"]
    other = session.scalars(select(Officer).where(Officer.account_id == "other-officer")).one()
    with acting_as(ACTORS["officer"]):
        session.rollback()
        with pytest.raises(Exception, match="is not in the team"), unit_of_work() as work:
            officers.assign(work, REF, officer=other.id, seen=0, by=ACTORS["officer"])


def test_an_administrator_says_who_is_in_which_team(client: Client, session: Session) -> None:
    here = member(session, "officer")
    session.commit()
    client.sign_on("administrator")
    assert "Every team" in client.get("administration.triage_teams").words
    client.post(
        "administration.officer_teams", {"bodies": ["early_years"], "seen": ""}, number=here.id
    )
    page = client.get("administration.triage_teams")
    assert "Nobody is in the SEND team" in page.words
    stale = client.post(
        "administration.officer_teams", {"bodies": ["send"], "seen": ""}, status=422, number=here.id
    )
    assert stale.errors == ["Somebody has just changed this. Nothing has been changed by you."]
    assert session.scalars(select(OfficerBody.body)).all() == ["early_years"]
    client.post(
        "administration.officer_teams",
        {"bodies": ["gone"], "seen": "early_years"},
        status=422,
        number=here.id,
    )
    client.post("administration.officer_teams", {"seen": "early_years"}, number=here.id)
    assert session.scalars(select(OfficerBody.body)).all() == []
    client.get("administration.officer_teams", number=here.id + 1, status=404)
    session.commit()
    audited = session.scalars(
        select(AuditEntry.action).where(AuditEntry.entity == "officer").order_by(AuditEntry.id)
    ).all()
    assert audited == ["acts for Early years team:", "acts for every team:"]


def test_practitioners_are_counted_by_what_either_team_gave_them(
    session: Session, queues: None
) -> None:
    given = rows.referral(session, "S2S-19-7K4R", status=Status.ALLOCATED)
    rows.allocation(session, given, "practitioner")
    session.commit()
    with acting_as(ACTORS["other-officer"]):
        session.rollback()
        with pytest.raises(NotFound):
            referrals.get("S2S-19-7K4R")
        loads = {line.name: line.load.cases for line in workload.team(None)}
    assert loads["Pat Practitioner"] == 1


def test_the_check_in_the_code_holds_without_the_database_s(
    session: Session, connection: Connection, queues: None
) -> None:
    connection.execute(text("RESET ROLE"))
    connection.execute(
        text("ALTER POLICY referral_read ON s2s.referral USING (s2s.acts_as('send_officer'))")
    )
    with acting_as(ACTORS["other-officer"]):
        session.rollback()
        with pytest.raises(NotFound):
            referrals.get(REF)
        assert referrals.get(EARLY).reference == EARLY
