"""What an officer can decide, when, and what the school then reads: exactly what was shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError, NoResultFound
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.errors import OutOfOrder, Refused, S2SError
from s2s_portal.identity import acting_as
from s2s_portal.models.answer import StrategyTried
from s2s_portal.models.codes import Action, Checked, Status, Way
from s2s_portal.models.decision import Decision, DecisionCheck, DecisionReason
from s2s_portal.models.ledger import LedgerEntry
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import (
    decided,
    decision_lists,
    holding,
    repeats,
    returning,
    triage,
    undoing,
)
from tests import rows
from tests.client import Client, Page
from tests.deciding import EVERY_POINT, LEVEL, NO, YES
from tests.world import ACTORS, NURSERY, OTHER_SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
REF, OTHER = "S2S-19-7K4P", "S2S-19-7K4Q"
OFFICER = ACTORS["officer"]


@pytest.fixture
def referral(session: Session) -> Referral:
    """A referral that waits for a decision."""
    row = rows.referral(session, REF)
    session.commit()
    return row


def fresh(session: Session, reference: str = REF) -> Referral:
    session.expire_all()
    return session.scalars(select(Referral).where(Referral.reference == reference)).one()


def last_event(session: Session, reference: str = REF) -> ReferralEvent:
    query = select(ReferralEvent).join(Referral).where(Referral.reference == reference)
    return session.scalars(query.order_by(ReferralEvent.id.desc()).limit(1)).one()


def mails(connection: Connection) -> list[dict[str, Any]]:
    return list(connection.scalars(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id")))


def settled(page: Page, *more: str) -> dict[str, Any]:
    """What the page with the school's text sends on, unchanged."""
    return {n: page.value(n) for n in ("seen", "choice", "words", "message", "standard", *more)}


def decide(
    session: Session, act: Callable[[UnitOfWork, int], object], key: str = "officer"
) -> None:
    """Have a person do something on the referral as it is now."""
    version = fresh(session).version
    session.commit()
    with acting_as(ACTORS[key]), unit_of_work() as work:
        act(work, version)


# Two steps: nothing is sent unseen ----------------------------------------------------------------


def test_the_school_reads_exactly_what_the_officer_saw(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    page = client.sign_on("officer").get("triage.accept", reference=REF)
    assert "A visit, and follow-up each term" in page.words
    first = {
        "seen": page.value("seen"),
        "choice": "2",
        "words": "Well written.\nThank you",
        "checks": EVERY_POINT,
    }
    shown = client.post("triage.accept", first, status=200, reference=REF)
    assert shown.h1 == "What the school will read"
    text_shown = shown.value("message")
    assert text_shown.split("\n")[0] == (
        "We have accepted this referral: a visit, and follow-up each term."
    )
    assert "Well written.\nThank you" in text_shown
    assert text_shown.endswith(
        "The engagement fee of £100 is charged to Little Snoring Invented Primary:"
        " mainstream school, received 14 May 2019, MI Sheet 44/19."
    )
    assert "Referral S2S-19-7K4P has been accepted" in shown.words
    assert "It goes to senco@school.example." in shown.words
    assert fresh(session).status is Status.SUBMITTED, "nothing is decided before the second step"
    assert mails(connection) == []
    client.post(
        "triage.accept",
        {**settled(shown), "checks": EVERY_POINT, "step": "send"},
        reference=REF,
    )
    assert last_event(session).message == text_shown
    school = client.sign_on("senco").get("referrals.show", reference=REF)
    assert "A practitioner visits, writes a report with recommendations" in school.words
    assert "Well written." in school.words
    body = client.app.jinja_env.get_template("s2s/mail/referral_accepted.txt").render(
        **{key: mails(connection)[0][key] for key in ("reference", "school", "link")}, day=""
    )
    for line in filter(str.strip, body.splitlines()):
        assert " ".join(line.split()) in shown.words, "the mail is the one that was shown"


def test_a_changed_text_is_kept_and_a_standard_one_follows_the_choice(
    client: Client, session: Session, referral: Referral
) -> None:
    client.sign_on("officer")
    first = {"seen": "1", "choice": "1", "checks": EVERY_POINT, "step": "preview"}
    shown = client.post("triage.accept", first, status=200, reference=REF)
    back = client.post(
        "triage.accept",
        {**settled(shown), "checks": EVERY_POINT, "step": "change"},
        status=200,
        reference=REF,
    )
    assert back.h1 == "Accept this referral"
    again = {**settled(back), "choice": "3", "checks": EVERY_POINT, "step": "preview"}
    other = client.post("triage.accept", again, status=200, reference=REF)
    assert "up to six visits, with training" in other.value("message")
    edited = {**settled(other), "message": "Dear Sam,\nyes.", "checks": EVERY_POINT}
    back = client.post("triage.accept", {**edited, "step": "change"}, status=200, reference=REF)
    again = {**settled(back), "choice": "1", "checks": EVERY_POINT, "step": "preview"}
    kept = client.post("triage.accept", again, status=200, reference=REF)
    assert kept.value("message") == "Dear Sam,\nyes."
    assert "The standard text for what you chose" in kept.words
    assert "one visit and a report" in kept.words
    client.post("triage.accept", {**again, "step": "send"}, reference=REF)
    assert last_event(session).message == "Dear Sam,\nyes."


def test_a_text_that_was_emptied_is_refused(
    client: Client, session: Session, referral: Referral
) -> None:
    form = {**YES, "seen": "1", "message": " \n "}
    page = client.sign_on("officer").post("triage.accept", form, status=422, reference=REF)
    assert page.errors == ["Enter what you want to tell the school"]
    assert fresh(session).status is Status.SUBMITTED


@pytest.mark.parametrize(
    ("endpoint", "choice", "status", "says"),
    [
        (
            "advise",
            "ADVICE_ENOUGH",
            Status.ADVISED,
            "No visit is arranged, and nothing is charged.",
        ),
        ("redirect", "VIRTUAL", Status.REDIRECTED, "designated teacher."),
        ("decline", "NO_PLAN", Status.DECLINED, "How to put it right: Write a support plan"),
        ("decline", "DUPLICATE", Status.DECLINED, "It repeats a referral that we already have."),
        ("wait", "WAIT_CAPACITY", Status.WAITING, "It keeps its place by the day we received it."),
    ],
)
def test_the_other_decisions(
    client: Client,
    session: Session,
    connection: Connection,
    referral: Referral,
    endpoint: str,
    choice: str,
    status: Status,
    says: str,
) -> None:
    page = client.sign_on("officer").get(f"triage.{endpoint}", reference=REF)
    form = {"seen": page.value("seen"), "choice": choice, "words": "With kind regards"}
    shown = client.post(f"triage.{endpoint}", form, status=200, reference=REF)
    assert says in shown.value("message")
    client.post(f"triage.{endpoint}", {**settled(shown), "step": "send"}, reference=REF)
    assert fresh(session).status is status
    event = last_event(session)
    assert event.message == shown.value("message")
    kept = session.get_one(Decision, event.id)
    assert (kept.service_id is None) is (endpoint != "redirect")
    assert session.scalars(select(LedgerEntry)).all() == []
    (mail,) = mails(connection)
    assert mail["notice"] == f"referral_{event.action.value}"
    school = client.sign_on("senco").get("referrals.show", reference=REF)
    assert says in school.words
    assert "With kind regards" in school.words
    client.get("referrals.index")
    client.sign_on("officer").get("triage.show", reference=REF)


def test_a_level_or_reason_that_has_ended_is_refused_and_the_old_words_stay(
    client: Client, session: Session, referral: Referral
) -> None:
    decide(session, lambda work, seen: triage.accept(work, REF, seen=seen, **LEVEL, by=OFFICER))
    rows.referral(session, OTHER)
    session.commit()
    administrator = client.sign_on("administrator")
    row = {
        "code": "1",
        "label": "One long visit",
        "more": "A whole day.",
        "offered": "yes",
        "valid_from": ["14", "5", "2019"],
        "source": "MI 1",
    }
    administrator.post("administration.decision_list", row, listed="levels")
    ended = {**row, "code": "3", "offered": "no"}
    administrator.post("administration.decision_list", ended, listed="levels")
    late = {**row, "valid_from": ["13", "5", "2019"]}
    page = administrator.post("administration.decision_list", late, status=422, listed="levels")
    assert page.errors == ["The first day must be today or later"]
    page = administrator.post("administration.decision_list", row, status=422, listed="levels")
    assert page.errors == ["This code has a row from that day already"]
    page = client.sign_on("officer").get("triage.accept", reference=OTHER)
    assert "One long visit" in page.words
    assert "Up to six visits" not in page.words
    refused = client.post(
        "triage.accept", {**YES, "seen": "1", "choice": "3"}, status=422, reference=OTHER
    )
    assert refused.errors == ["Choose how much support the school gets"]
    shown = client.get("triage.show", reference=REF).words
    assert "One visit and a report" in shown, "what was accepted keeps the words of its day"
    assert "One long visit" not in shown


def test_reasons_say_whether_they_can_be_put_right(client: Client, referral: Referral) -> None:
    page = client.sign_on("officer").get("triage.decline", reference=REF)
    can, cannot = (
        page.words.index("The school can put it right"),
        page.words.index("The school cannot put it right"),
    )
    assert can < page.words.index("There is no plan yet") < cannot
    assert cannot < page.words.index("It does not meet the criteria")
    assert "Another service suits it better" not in page.words, "that is a decision of its own"


def test_a_row_needs_what_its_list_needs(client: Client, session: Session) -> None:
    row = {"code": "X", "label": "X", "offered": "yes", "valid_from": ["14", "5", "2019"]}
    client.sign_on("administrator")
    for listed, words in (
        ("levels", "Enter what the school gets"),
        ("services", "Enter how to reach the service"),
        ("reasons", "Choose which decision it is a reason for"),
    ):
        page = client.post("administration.decision_list", row, status=422, listed=listed)
        assert page.errors == [words]
    client.post("administration.decision_list", {**row, "way": "wait"}, listed="reasons")
    (added,) = session.scalars(select(DecisionReason).where(DecisionReason.code == "X"))
    assert (added.way, added.can_fix) == (Way.WAIT, False)


# The checklist ------------------------------------------------------------------------------------


@pytest.fixture
def keyed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeats are looked for."""
    monkeypatch.setitem(app.config, "S2S_MATCH_KEY", "a key for these tests, long enough for one")


def to_tick(page: Page) -> list[str]:
    return list(page.document.xpath("//input[@name='checks']/@value"))


def checks(session: Session) -> dict[str, tuple[Checked, str]]:
    found = session.scalars(select(DecisionCheck))
    return {row.point: (row.answer, row.reason) for row in found}


def test_what_the_referral_does_not_prove_is_looked_at_or_overridden_with_a_reason(
    client: Client, session: Session, referral: Referral, keyed: None
) -> None:
    page = client.sign_on("officer").get("triage.accept", reference=REF)
    assert to_tick(page) == ["evidence"], "the data proves the rest"
    form = {"seen": page.value("seen"), "choice": "1", "words": "Mind the dog"}
    refused = client.post("triage.accept", form, status=422, reference=REF)
    assert refused.errors == [
        "Tick “The evidence is enough to decide on” once you have checked, or enter why you go on"
    ]
    assert refused.value("words") == "Mind the dog"
    with acting_as(OFFICER), pytest.raises(Refused), unit_of_work() as work:
        triage.accept(work, REF, seen=1, level="1", by=OFFICER)
    form |= {"override": "The head rang: the plan follows"}
    shown = client.post("triage.accept", form, status=200, reference=REF)
    client.post("triage.accept", {**settled(shown, "override"), "step": "send"}, reference=REF)
    assert checks(session) == {
        "eligibility": (Checked.PROVEN, ""),
        "agreement": (Checked.PROVEN, ""),
        "evidence": (Checked.OVERRIDDEN, "The head rang: the plan follows"),
        "duplicates": (Checked.PROVEN, ""),
    }
    assert "Why they went on: The head rang" in client.get("triage.show", reference=REF).words
    school = client.sign_on("senco").get("referrals.show", reference=REF)
    assert "The head rang" not in school.text


def test_each_point_follows_the_data(
    session: Session, client: Client, referral: Referral, keyed: None
) -> None:
    client.sign_on("officer")

    def left() -> list[str]:
        return to_tick(client.get("triage.accept", reference=REF))

    session.add(
        StrategyTried(
            referral_id=referral.id,
            position=2,
            what="Coloured overlays",
            started_on=date(2019, 3, 1),
            result="No help",
        )
    )
    session.commit()
    assert left() == []
    twin = rows.referral(session, OTHER, urn=OTHER_SCHOOL, status=Status.CLOSED)
    session.add(
        ReferralEvent(referral_id=twin.id, action=Action.CLOSED, by_id="officer", by_name="Ola")
    )
    for same in (referral.id, twin.id):
        repeats.set_marks(UnitOfWork(session), same, [("name", "zosia")])
    session.commit()
    assert left() == ["duplicates"]
    assert OTHER in client.get("triage.accept", reference=REF).words
    session.execute(text("UPDATE s2s.agreement SET agreed = false"))
    session.execute(text("UPDATE s2s.establishment SET status_code = 2 WHERE urn = 900101"))
    session.commit()
    assert left() == ["eligibility", "agreement", "duplicates"]
    decide(session, lambda work, seen: triage.accept(work, REF, seen=seen, **LEVEL, by=OFFICER))
    assert {answer for answer, _ in checks(session).values()} == {Checked.CHECKED, Checked.PROVEN}


# The waiting list ---------------------------------------------------------------------------------


def test_the_school_sees_its_place_and_not_the_others(
    client: Client, session: Session, connection: Connection
) -> None:
    earlier = rows.referral(session, OTHER, urn=OTHER_SCHOOL, status=Status.WAITING)
    rows.referral(session, REF, status=Status.WAITING)
    rows.referral(session, "S2S-19-7K4R", urn=NURSERY, status=Status.WAITING)
    earlier.submitted_at = clock.now() - timedelta(days=9)
    session.commit()
    page = client.sign_on("senco").get("referrals.show", reference=REF)
    assert "1 referral is before it; 2 are on the waiting list." in page.words
    assert "on the waiting list" in client.get("referrals.index").words
    nursery = client.sign_on("nursery-senco").get("referrals.show", reference="S2S-19-7K4R")
    assert "It is the only one on the waiting list." in nursery.words, "early years apart"
    with acting_as(ACTORS["senco"]):
        session.commit()
        place = text("SELECT place FROM s2s.waiting_place(:reference)")
        assert session.scalar(place, {"reference": REF}) == 2
        assert session.scalar(place, {"reference": OTHER}) is None, "it is not theirs"
        session.commit()
    decide(
        session,
        lambda work, seen: triage.accept(work, OTHER, seen=earlier.version, **LEVEL, by=OFFICER),
    )
    assert "It is the only one" in (
        client.sign_on("senco").get("referrals.show", reference=REF).words
    )


def test_what_waits_can_be_amended_and_withdrawn_by_its_school(
    client: Client, session: Session
) -> None:
    rows.referral(session, REF, status=Status.WAITING)
    session.commit()
    client.sign_on("senco")
    page = client.get("referrals.amend", reference=REF, section="needs")
    form = {"seen": page.value("seen"), "primary": "ASD", "amend_reason": "A new report"}
    client.post("referrals.amend", form, reference=REF, section="needs")
    assert last_event(session).action is Action.AMENDED
    page = client.get("referrals.withdraw", reference=REF)
    assert "Nothing has been charged, and nothing will be." in page.words
    form = {"seen": page.value("seen"), "reason": "MOVED_SCHOOL"}
    client.post("referrals.withdraw", form, reference=REF)
    assert fresh(session).status is Status.WITHDRAWN


# Put right in a new draft -------------------------------------------------------------------------


def declined(session: Session, code: str) -> None:
    decide(
        session,
        lambda work, seen: triage.decide(
            work, REF, way=Way.DECLINE, code=code, seen=seen, by=OFFICER
        ),
    )


def test_what_can_be_put_right_is_copied_into_one_draft(
    client: Client, session: Session, referral: Referral
) -> None:
    declined(session, "NO_PLAN")
    client.sign_on("other-senco").get("referrals.copy", status=404, reference=REF)
    page = client.sign_on("senco").get("referrals.copy", reference=REF)
    assert "Write a support plan with the family." in page.words
    form = {"token": page.value("token")}
    made = client.post("referrals.copy", form, reference=REF)
    again = client.post("referrals.copy", form, reference=REF)
    assert made.location == again.location, "pressed twice, there is one draft"
    session.expire_all()
    (copy,) = session.scalars(select(Referral).where(Referral.copied_from_id == referral.id))
    assert (copy.status, copy.reason, copy.kind) == (Status.DRAFT, referral.reason, referral.kind)
    counted = text(
        "SELECT (SELECT count(*) FROM s2s.referral_need WHERE referral_id = :id),"
        " (SELECT count(*) FROM s2s.strategy_tried WHERE referral_id = :id),"
        " (SELECT count(*) FROM s2s.outcome_wanted WHERE referral_id = :id),"
        " (SELECT count(*) FROM s2s.agreement WHERE referral_id = :id),"
        " (SELECT count(*) FROM s2s.attachment WHERE referral_id = :id)"
    )
    assert tuple(session.execute(counted, {"id": copy.id}).one()) == (1, 1, 1, 0, 0)
    shown = client.follow(made).words
    assert f"This is a copy of referral {REF}" in shown
    assert "Who agreed and the declaration are asked again" in shown


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.DECLINED])
def test_nothing_else_can_be_copied(client: Client, session: Session, status: Status) -> None:
    rows.referral(session, REF, status=status)
    session.commit()
    client.sign_on("senco").get("referrals.copy", status=409, reference=REF)


def test_what_cannot_be_put_right_cannot_be_copied(
    client: Client, session: Session, referral: Referral
) -> None:
    declined(session, "DUPLICATE")
    page = client.sign_on("senco").get("referrals.show", reference=REF)
    assert "Put it right" not in page.words
    client.get("referrals.copy", status=409, reference=REF)
    page = client.post("referrals.copy", {"token": "t" * 30}, status=422, reference=REF)
    assert page.errors == [
        "Only a referral that was declined for something you can put right can be copied."
    ]


# Everything in its order --------------------------------------------------------------------------

DECISIONS: dict[str, Callable[[UnitOfWork, int], object]] = {
    "accept": lambda work, seen: triage.accept(work, REF, seen=seen, **LEVEL, by=OFFICER),
    **{
        way.value: lambda work, seen, way=way, code=code: triage.decide(
            work, REF, way=way, code=code, seen=seen, by=OFFICER
        )
        for way, code in (
            (Way.DECLINE, "DUPLICATE"),
            (Way.ADVISE, "ADVICE_ENOUGH"),
            (Way.REDIRECT, "EPSS"),
            (Way.WAIT, "WAIT_CAPACITY"),
        )
    },
    "return": lambda work, seen: returning.return_for_information(
        work, REF, seen=seen, questions={"needs": "Which?"}, by=OFFICER
    ),
    "hold": lambda work, seen: holding.hold(
        work, REF, code="HOLD_PARENT", until=date(2019, 6, 1), seen=seen, by=OFFICER
    ),
    "release": lambda work, seen: holding.release(
        work, REF, comment="On we go", seen=seen, by=OFFICER
    ),
    "undo": lambda work, seen: undoing.undo(work, REF, message="Sorry", seen=seen, by=OFFICER),
    "reopen": lambda work, seen: returning.reopen(
        work, REF, reason="They rang", seen=seen, by=OFFICER
    ),
}
WAITS = {Status.SUBMITTED, Status.WAITING}
POSSIBLE: dict[str, set[Status]] = {
    **dict.fromkeys(("accept", "decline", "advise", "redirect", "return"), WAITS),
    "wait": {Status.SUBMITTED},
    "hold": {*WAITS, Status.ACCEPTED},
    "release": set(),  # nothing here is on hold
    "undo": {
        Status.ACCEPTED,
        Status.WAITING,
        Status.DECLINED,
        Status.ADVISED,
        Status.REDIRECTED,
    },
    "reopen": {Status.UNANSWERED},
}
UNDER_HOLD = {"release"}  # all that is possible while it is on hold


def refused(session: Session, decision: str, key: str) -> bool:
    """Whether a decision is refused, in words, and nothing at all has changed."""
    before = (fresh(session).status, fresh(session).version, last_event(session).id)
    try:
        decide(session, DECISIONS[decision], key)
    except S2SError as error:
        assert len(str(error)) > 20, "in words"
    except (DBAPIError, NoResultFound):
        pass  # by the database itself, behind the page
    else:
        return False
    session.rollback()
    assert (fresh(session).status, fresh(session).version, last_event(session).id) == before
    return True


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("status", Status)
def test_each_decision_in_each_state(session: Session, status: Status, decision: str) -> None:
    rows.referral(session, REF, status=status)
    session.commit()
    assert refused(session, decision, "officer") is (status not in POSSIBLE[decision])


@pytest.mark.parametrize("decision", DECISIONS)
def test_each_decision_while_on_hold(session: Session, referral: Referral, decision: str) -> None:
    decide(session, DECISIONS["hold"])
    assert refused(session, decision, "officer") is (decision not in UNDER_HOLD)


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("key", [key for key in ACTORS if "officer" not in key])
def test_each_decision_by_everybody_else_is_refused(
    session: Session, decision: str, key: str
) -> None:
    """The services themselves, without the pages in front: what then holds is the database."""
    state = min(POSSIBLE[decision], default=Status.SUBMITTED)
    row = rows.referral(session, REF, status=state)
    row.held_until = date(2019, 6, 1) if decision == "release" else None
    session.commit()
    assert refused(session, decision, key)


@pytest.mark.parametrize("decision", ["accept", "decline", "advise", "redirect", "wait", "return"])
def test_a_decision_twice_is_refused_and_says_who(
    session: Session, referral: Referral, decision: str
) -> None:
    decide(session, DECISIONS[decision])
    with pytest.raises(OutOfOrder):
        decide(session, DECISIONS[decision])
    made = (Action.RETURNED, *decided.DECIDING)
    counted = select(func.count()).where(ReferralEvent.action.in_(made))
    assert session.scalar(counted) == 1


def test_every_way_has_what_it_needs() -> None:
    assert set(NO) >= {"choice", "message"}
    assert {way for way in Way if way not in decision_lists.WAY_WORDS} == {
        Way.ACCEPT,
        Way.REDIRECT,
    }
