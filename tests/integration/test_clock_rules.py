"""Service levels by date, closures, what they would move, and the daily list by mail."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.errors import NotAllowed
from s2s_portal.identity import SYSTEM
from s2s_portal.models.body import OfficerBody
from s2s_portal.models.clocks import ClockBreach, ClockKind, CouncilClosure, ReferralClock
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import ServiceLevel, Step, Unit
from s2s_portal.models.worklist import Officer, OfficerAssignment
from s2s_portal.services import clock_rules, clocks, daily_list, referrals
from tests import rows
from tests.client import Client
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")
REF, OTHER = "S2S-19-7K4P", "S2S-19-7K4Q"
LEVEL = {
    "step": "decision",
    "length": "10",
    "unit": "working_days",
    "warning": "",
    "valid_from": ["14", "5", "2019"],
    "source": "Schools Forum, 13 May 2019",
    "agreed": "",
}


def sent(session: Session, reference: str, day: date = date(2019, 5, 14)) -> Referral:
    row = rows.referral(session, reference)
    row.status = Status.DRAFT  # never written: it is sent in the same breath
    with clock.frozen(day):
        referrals.record(UnitOfWork(session), row, Action.SUBMITTED, by=SYSTEM)
    session.flush()
    return row


def decision(row: Referral) -> ReferralClock:
    return next(one for one in clocks.of(row) if one.step is Step.DECISION)


def test_a_rule_is_added_once_its_effect_has_been_seen_and_moves_nothing_by_itself(
    client: Client, session: Session
) -> None:
    row = sent(session, REF)
    session.commit()
    client.sign_on("administrator").get("administration.service_levels")
    seen = client.fetch(
        "POST",
        client.url("administration.service_levels"),
        data=LEVEL | {"csrf_token": client.token},
    )
    assert "Decide: 1 later" in seen.words
    assert "Nothing has been added yet" in seen.words
    assert REF not in seen.words, "an administrator sees dates, no referral"
    before = len(session.scalars(select(ServiceLevel.id)).all())
    again = LEVEL | {"agreed": seen.value("agreed"), "length": "9"}  # changed since: seen anew
    unsure = client.fetch(
        "POST",
        client.url("administration.service_levels"),
        data=again | {"csrf_token": client.token},
    )
    assert "Nothing has been added yet" in unsure.words
    client.post("administration.service_levels", LEVEL | {"agreed": seen.value("agreed")})
    session.commit()  # the end of the request’s own transaction: now the service looks
    assert len(session.scalars(select(ServiceLevel.id)).all()) == before + 1
    assert decision(row).due_on == date(2019, 5, 21)
    # What is sent from that day on has the new date.
    assert decision(sent(session, OTHER)).due_on == date(2019, 5, 29)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"valid_from": ["13", "5", "2019"]}, "The first day must be today or later"),
        ({"length": "0"}, "must be a number from 1"),
        ({"length": "201"}, "The length must be a number from 1 to 200"),
        ({"length": ""}, "Enter within how many days or weeks"),
        ({"source": " "}, "Enter where this was decided"),
        ({"unit": "fortnights"}, "Choose what it is counted in"),
        ({"step": ""}, "Choose what is promised"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(
    client: Client, change: dict[str, object], says: str
) -> None:
    client.sign_on("administrator")
    page = client.post("administration.service_levels", LEVEL | change, status=422)
    assert says in page.words


def test_dates_move_when_somebody_says_so_with_a_reason_and_none_that_was_broken(
    session: Session,
) -> None:
    broken, open_ = sent(session, REF, date(2019, 4, 1)), sent(session, OTHER)
    session.add_all(
        [
            ServiceLevel(
                step=Step.DECISION,
                valid_from=date(2019, 4, 1),
                length=50,
                unit=Unit.WORKING_DAYS,
                source="Later",
                by_id="administrator",
                by_name="Adi",
            ),
            CouncilClosure(
                starts=date(2019, 5, 15),
                ends=date(2019, 5, 15),
                reason="Flood",
                by_id="administrator",
                by_name="Adi",
            ),
        ]
    )
    session.flush()
    assert [(move.step, move.after) for move in clock_rules.moves()] == [
        (Step.ACKNOWLEDGEMENT, date(2019, 5, 17)),
        (Step.DECISION, date(2019, 7, 25)),
    ]
    done = {"reason": "The flood", "by_id": "administrator", "by_name": "Adi"}
    assert clock_rules.work_out_anew(**done) == 2
    assert clock_rules.work_out_anew(**done) == 0
    session.expire_all()
    moved = decision(open_)
    assert (moved.due_on, open_.due_on) == (date(2019, 7, 25), date(2019, 7, 25))
    [change] = [one for one in moved.changes if one.kind is ClockKind.RECOMPUTED]
    assert (change.reason, change.by_id) == ("The flood", "administrator")
    assert decision(broken).due_on == date(2019, 4, 8)
    assert set(session.scalars(select(ClockBreach.due_on))) == {date(2019, 4, 3), date(2019, 4, 8)}


def test_a_shorter_rule_moves_no_promise_to_a_day_gone_by(session: Session) -> None:
    row = sent(session, REF)
    session.add(
        ServiceLevel(
            step=Step.DECISION,
            valid_from=date(2019, 5, 14),
            length=1,
            source="Shorter",
            by_id="a",
            by_name="A",
        )
    )
    session.flush()
    with clock.frozen(date(2019, 5, 20)):
        clock_rules.work_out_anew(reason="Shorter", by_id="a", by_name="A")
        session.expire_all()
        assert decision(row).due_on == date(2019, 5, 20)


def test_an_administrator_asks_for_new_dates_and_the_worker_does_it(
    client: Client, session: Session
) -> None:
    sent(session, REF)
    session.commit()
    client.sign_on("administrator")
    page = client.get("administration.new_dates")
    assert "There is nothing to move" in page.words
    closed = {"starts": ["15", "5", "2019"], "ends": ["", "", ""], "reason": "Flood"}
    client.post("administration.closures", closed)
    assert "Decide: 1 later" in client.get("administration.new_dates").words
    empty = client.post("administration.new_dates", {"reason": ""}, status=422)
    assert "Enter why the dates are worked out anew" in empty.words
    client.post("administration.new_dates", {"reason": "The flood"})
    [args] = session.scalars(
        text("SELECT args FROM s2s.procrastinate_jobs WHERE task_name = 's2s.new_dates'")
    ).all()
    assert args == {
        "reason": "The flood",
        "by_id": "administrator",
        "by_name": "Adi Administrator",
    }


def test_closures_are_added_and_taken_away_until_they_begin(
    client: Client, session: Session
) -> None:
    client.sign_on("administrator").get("administration.closures")
    days = {"starts": ["27", "12", "2019"], "ends": ["31", "12", "2019"], "reason": "Christmas"}
    page = client.follow(client.post("administration.closures", days))
    assert "Christmas" in page.words
    again = client.post("administration.closures", days, status=422)
    assert "Some of these days are in the list already" in again.words
    for change, says in (
        ({"starts": ["1", "5", "2019"]}, "The first day must be today or later"),
        ({"ends": ["26", "12", "2019"]}, "The last day must not be before the first day"),
        ({"ends": ["31", "12", "2020"]}, "31 days at most"),
        ({"reason": ""}, "Enter why the council is closed"),
    ):
        assert says in client.post("administration.closures", days | change, status=422).words
    [one] = session.scalars(select(CouncilClosure)).all()
    with clock.frozen(date(2019, 12, 28)):
        late = client.post("administration.remove_closure", number=one.id, status=422)
    assert "These days have begun" in late.words
    client.post("administration.remove_closure", number=one.id)
    assert session.scalars(select(CouncilClosure)).all() == []


def test_nobody_but_an_administrator_makes_rules(session: Session) -> None:
    work = UnitOfWork(session)
    with pytest.raises(NotAllowed):
        clock_rules.close(
            work, starts=date(2019, 6, 1), ends=None, reason="x", by=ACTORS["officer"]
        )
    with pytest.raises(NotAllowed):
        clock_rules.ask_for_new_dates(work, reason="x", by=ACTORS["officer"])


def mails(session: Session) -> list[dict[str, object]]:
    return list(
        session.scalars(
            text(
                "SELECT args FROM s2s.procrastinate_jobs"
                " WHERE task_name = 's2s.send_daily_list' ORDER BY id"
            )
        )
    )


def test_the_daily_list_goes_to_the_mailbox_and_to_whoever_asked(
    client: Client, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client.app.config, "S2S_OFFICER_MAILBOX", "send@council.example")
    monkeypatch.setitem(client.app.config, "S2S_EXTERNAL_URL", "https://portal.example")
    late, mine = sent(session, REF, date(2019, 5, 1)), sent(session, OTHER, date(2019, 5, 10))
    for who, digest in (("officer", True), ("other-officer", False)):
        session.add(
            Officer(
                account_id=who,
                name=who,
                email=f"{who}@council.example",
                seen_on=clock.today(),
                digest=digest,
            )
        )
    session.add(
        OfficerAssignment(
            referral_id=mine.id,
            officer_id="officer",
            officer_name="Ola Officer",
            by_id="officer",
            by_name="Ola Officer",
        )
    )
    session.flush()
    assert daily_list.send_out() == 2
    mailbox, own = mails(session)
    assert mailbox["address"] == "send@council.example"
    assert mailbox["lines"] == [
        f"{late.reference}: Acknowledge, was due by 3 May 2019",
        f"{mine.reference}: Acknowledge, due today",
    ]
    assert own["address"] == "officer@council.example"
    assert own["lines"] == [f"{mine.reference}: Acknowledge, due today"]
    assert "/triage/?status=mine&sort=due" in str(own["link"])
    # In another team from now on, what was given to them is not theirs to read of.
    session.add(OfficerBody(account_id="officer", body="early_years", by_id="a", by_name="A"))
    session.flush()
    assert daily_list.send_out() == 1
    with clock.frozen(clock.from_local(date(2019, 5, 18), 7)):  # a Saturday
        assert daily_list.send_out() == 0
    monkeypatch.setitem(client.app.config, "S2S_DAILY_LIST", False)
    assert daily_list.send_out() == 0


def test_no_mail_where_nothing_is_due(client: Client, session: Session) -> None:
    session.add(
        Officer(
            account_id="officer",
            name="Ola",
            email="o@x.example",
            seen_on=clock.today(),
            digest=True,
        )
    )
    session.flush()
    assert daily_list.send_out() == 0
    assert mails(session) == []


def test_an_officer_switches_the_daily_list_on_and_off(client: Client, session: Session) -> None:
    client.sign_on("officer").get("triage.index")
    page = client.follow(client.post("triage.daily_list", {"wanted": "yes", "query": ""}))
    assert "Stop the daily email" in page.words
    assert session.scalars(select(Officer.digest)).all() == [True]
    client.post("triage.daily_list", {"wanted": "no", "query": ""})
    session.expire_all()
    assert session.scalars(select(Officer.digest)).all() == [False]


def test_the_mail_names_no_child_and_no_school(client: Client) -> None:
    from s2s_portal.rendering import fragment

    body = fragment(
        "s2s/mail/daily_list.txt",
        lines=["S2S-19-7K4P: Decide, due today"],
        more=True,
        day="14 May 2019",
        link="https://portal.example/s2s/triage/",
    )
    assert "S2S-19-7K4P: Decide, due today\nand more.\n" in body
    assert "https://portal.example/s2s/triage/" in body


def test_days_ahead_are_counted_from_a_rule_of_that_day(session: Session) -> None:
    ahead = date(2019, 5, 14) + timedelta(days=30)
    session.add(
        ServiceLevel(
            step=Step.DECISION,
            valid_from=ahead,
            length=1,
            source="x",
            by_id="a",
            by_name="A",
        )
    )
    session.flush()
    assert clock_rules.moves() == []
    holding = clock_rules.in_force(clock_rules.levels(), clock.today())
    assert len(holding) == len(Step)
