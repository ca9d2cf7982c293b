"""Offering a referral: asked, answered, lapsed, overtaken; and the lead who confirms release."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import in_the_name_of, unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.codes import Action, Status, Withdrawal
from s2s_portal.models.decision import DecisionReason
from s2s_portal.models.offer import Ended, LeadConfirmation, Offer, Refusal
from s2s_portal.models.practitioner import (
    Allocation,
    Conflict,
    ConflictKind,
    ConflictWeight,
    Practitioner,
    Rule,
)
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import (
    allocation,
    holding,
    offer_answers,
    offers,
    plans,
    referrals,
    withdrawing,
    workload,
)
from tests import rows
from tests.client import Client
from tests.world import ACTORS, PROVIDER, SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"
OFFICER, OTHER, PAT, LEAD = (
    ACTORS[key] for key in ("officer", "other-officer", "practitioner", "lead")
)


@pytest.fixture
def referral(session: Session) -> Referral:
    """An accepted referral at the first level, that nobody has yet."""
    row = rows.referral(session, REF, status=Status.ACCEPTED)
    rows.decision(session, row)
    session.commit()
    return row


@pytest.fixture
def confirming(session: Session) -> None:
    """The lead of Pat's school confirms release."""
    session.add(LeadConfirmation(provider_urn=PROVIDER, confirms=True, by_id="lead", by_name="L"))
    session.commit()


def number(session: Session, key: str = "practitioner") -> int:
    found = session.scalars(select(Practitioner.id).where(Practitioner.account_id == key)).one()
    session.commit()
    return found


def ask(session: Session, key: str = "practitioner", by: Any = OFFICER, **more: Any) -> int:
    """Offer the referral; the number of the offer."""
    who = number(session, key)
    with acting_as(by), unit_of_work() as work:
        given = {"practitioner_id": who, "reason": "Knows them", "seen": 1, "by": by} | more
        return offers.offer(work, REF, **given).id


def answer(made: int, what: Any = offer_answers.accept, by: Any = PAT, **more: Any) -> None:
    with acting_as(by), in_the_name_of(by) as work:
        what(work, made, by=by, **more)


def one(session: Session) -> Offer:
    session.expire_all()
    return session.scalars(select(Offer).order_by(Offer.id.desc()).limit(1)).one()


def told(connection: Connection) -> list[str]:
    jobs = connection.scalars(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id"))
    return [mail["notice"] for mail in jobs]


def happened(session: Session) -> list[tuple[Action, str, str]]:
    found = session.scalars(select(ReferralEvent).order_by(ReferralEvent.id)).all()
    return [(row.action, row.by_id, row.note) for row in found if row.action != Action.STARTED]


# From the first page to the last ------------------------------------------------------------------


def test_asked_on_the_page_and_accepted_on_the_page(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    form = {"seen": page.value("seen"), "practitioner": str(number(session)), "ask": "yes"}
    short = client.post("allocation.allocate", {**form, "reason": ""}, status=422, reference=REF)
    assert short.errors == ["Enter why you chose this practitioner"]
    done = client.post("allocation.allocate", {**form, "reason": "Knows Canary"}, reference=REF)
    assert "Pat Practitioner has been asked, to answer by 17 May 2019." in client.follow(done).words
    stands = "Offered to Pat Practitioner, answer by 17 May 2019"
    for address in (
        client.url("triage.show", reference=REF),
        client.url("triage.index") + "?status=accepted",
        client.url("allocation.index"),
    ):
        assert stands in client.fetch("GET", address).words
    assert "Offered to a practitioner" in client.get("triage.show", reference=REF).words
    assert "ffered" not in client.sign_on("senco").get("referrals.show", reference=REF).words
    made = one(session)

    client.sign_on("practitioner").get("visits.show", status=404, reference=REF)
    assert "Visits, 1 waiting" in client.get("home.index").words
    listed = client.get("visits.index")
    assert listed.words.index("Offered to you") < listed.words.index("New to you")
    asked = client.get("visits.offer", number=made.id)
    for words in (
        "Little Snoring Invented Primary",
        "Social, emotional and mental health",
        "0.9 miles, in a straight line",
        "Hours not known",
        "0 open referrals (0 h) and 0 visits",
        "17 May 2019",
    ):
        assert words in asked.words
    assert "Canary" not in listed.text + asked.text  # not even what the officer wrote
    nothing = client.post("visits.offer", {}, status=422, number=made.id)
    assert nothing.errors == ["Choose whether you take this referral"]
    done = client.post("visits.offer", {"answer": "yes"}, number=made.id)
    case = client.follow(done)
    assert "The referral is yours" in case.words
    assert "Canary7K4P" in case.text

    (given,) = session.scalars(select(Allocation))
    assert (given.by_id, given.by_name, given.reason, given.rule) == (
        "officer",
        "Ola Officer",
        "Knows Canary",
        Rule.LOCAL,
    )
    assert [(what, who) for what, who, _note in happened(session)[1:]] == [
        (Action.OFFERED, "officer"),
        (Action.OFFER_ACCEPTED, "practitioner"),
        (Action.ALLOCATED, "officer"),
    ]
    assert told(connection) == [
        "offered_to_you",
        "referral_allocated",
        "allocated_to_you",
        "allocated_to_your_staff",
        "offer_accepted",
    ]
    session.commit()
    audited = session.scalars(select(AuditEntry.by_id).where(AuditEntry.action == "allocated"))
    assert audited.all() == ["practitioner"]
    again = client.post("visits.offer", {"answer": "yes"}, number=made.id)  # pressed twice
    assert again.location.endswith(f"/visits/{REF}/")
    assert len(session.scalars(select(Allocation)).all()) == 1
    assert "This offer was accepted" in client.get("visits.offer", number=made.id).words


def test_declined_with_a_reason_back_to_the_officers_with_who_comes_next(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    made = ask(session)
    client.sign_on("practitioner")
    bare = client.post("visits.offer", {"answer": "no"}, status=422, number=made)
    assert bare.errors == ["Choose why you do not take it"]
    form = {"answer": "no", "refusal": "other"}
    bare = client.post("visits.offer", form, status=422, number=made)
    assert bare.errors == ["Enter why you do not take it"]
    done = client.post(
        "visits.offer", {"answer": "no", "refusal": "time", "comment": "Until June"}, number=made
    )
    assert "You have declined" in client.follow(done).words
    late = client.post("visits.offer", {"answer": "yes"}, status=422, number=made)
    assert late.errors == [
        "Pat Practitioner declined this offer on 14 May 2019. Nothing has been changed now."
    ]
    assert session.scalars(select(Allocation)).all() == []
    assert happened(session)[-1] == (
        Action.OFFER_DECLINED,
        "practitioner",
        "Pat Practitioner: no time (Until June).\nNext by the service’s rule: Quin Practitioner of"
        " Broad Oak Complex Needs School.",
    )
    assert told(connection)[-1] == "offer_declined"
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    assert "Quin Practitioner: " in page.words
    assert "Offered and declined on 14 May 2019: no time (Until June)" in page.words
    assert "Pat Practitioner" in page.all("//tbody/tr/td[1]")[-1]


@pytest.mark.parametrize("key", ["colleague", "other-practitioner", "lead", "senco", "newcomer"])
def test_nobody_else_reads_or_answers_it(
    client: Client, session: Session, referral: Referral, key: str
) -> None:
    made = ask(session)
    status = 403 if key in {"lead", "senco"} else 404
    client.sign_on(key).get("visits.offer", status=status, number=made)
    client.post("visits.offer", {"answer": "yes"}, status=status, number=made)
    with pytest.raises(NotFound):
        answer(made, by=ACTORS[key])
    assert one(session).accepted_at is None


def test_it_lapses_after_a_reminder_and_the_job_run_twice_changes_nothing(
    session: Session, connection: Connection, referral: Referral
) -> None:
    made = ask(session)
    said = []
    for day in (15, 16, 17, 18):
        with clock.frozen(clock.from_local(date(2019, 5, day), 9)), acting_as(SYSTEM):
            session.rollback()
            said.append([offer_answers.upkeep(), offer_answers.upkeep()])
    assert said == [[0, 0], [1, 0], [0, 0], [1, 0]]
    assert told(connection)[1:] == ["offer_due", "offer_lapsed"]
    assert one(session).ended is Ended.LAPSED
    assert happened(session)[-1][:2] == (Action.OFFER_LAPSED, "system")
    with pytest.raises(OutOfOrder, match="could be answered until 17 May 2019"):
        answer(made)


def test_after_its_last_day_it_is_not_answered_though_no_job_has_run(
    session: Session, referral: Referral
) -> None:
    made = ask(session)
    with clock.frozen(clock.from_local(date(2019, 5, 17), 23)):
        answer(made, offer_answers.decline, refusal=Refusal.TIME)
    session.rollback()
    again = ask(session)
    with (
        clock.frozen(clock.from_local(date(2019, 5, 20), 0)),
        pytest.raises(OutOfOrder, match="until 17 May 2019"),
    ):
        answer(again)


# Two at once --------------------------------------------------------------------------------------


def test_of_two_officers_who_offer_the_second_is_told(
    client: Client, session: Session, referral: Referral
) -> None:
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    ask(session, by=OTHER)
    form = {"seen": page.value("seen"), "practitioner": str(number(session, "colleague"))}
    late = client.post(
        "allocation.allocate", {**form, "reason": "Near", "ask": "yes"}, status=422, reference=REF
    )
    assert late.errors == [
        "Ravi Officer offered this referral to Pat Practitioner of Fen View Complex Needs School on"
        " 14 May 2019 at midday. Nothing has been changed now."
    ]
    assert late.value("reason") == "Near"
    assert "It waits for Pat Practitioner." in late.words
    assert late.all("//button[@name='ask']") == []


def test_the_database_has_one_open_offer_for_a_referral_at_most(
    session: Session, referral: Referral
) -> None:
    ask(session)
    first = session.scalars(select(Offer)).one()
    session.execute(
        text("CREATE TEMP TABLE copy AS SELECT * FROM s2s.offer; ALTER TABLE copy DROP COLUMN id;")
    )
    columns = ", ".join(c.name for c in Offer.__table__.columns if c.name != "id")
    with pytest.raises(IntegrityError, match="uq_offer_open"):
        session.execute(text(f"INSERT INTO s2s.offer ({columns}) SELECT {columns} FROM copy"))
    session.rollback()
    assert first.ended is None


def allocated(session: Session) -> None:
    who = number(session, "colleague")
    with acting_as(OFFICER), unit_of_work() as work:
        allocation.allocate(work, REF, practitioner_id=who, reason="At once", seen=1, by=OFFICER)


def held(session: Session) -> None:
    with acting_as(OFFICER), unit_of_work() as work:
        code = work.session.scalars(
            select(DecisionReason.code).where(DecisionReason.way == "hold")
        ).first()
        assert code
        holding.hold(work, REF, code=code, until=date(2019, 6, 3), seen=1, by=OFFICER)


def taken_back(session: Session) -> None:
    by = ACTORS["senco"]
    with acting_as(by), unit_of_work() as work:
        withdrawing.withdraw(work, REF, reason=Withdrawal.OTHER_SUPPORT, seen=1, by=by)


@pytest.mark.parametrize("goes_on", [allocated, held, taken_back])
def test_a_referral_that_goes_on_ends_the_offer_and_who_was_asked_is_told(
    client: Client, session: Session, connection: Connection, referral: Referral, goes_on: Any
) -> None:
    made = ask(session)
    goes_on(session)
    assert one(session).ended is Ended.OVERTAKEN
    assert told(connection).count("offer_ended") == 1
    late = client.sign_on("practitioner").post(
        "visits.offer", {"answer": "yes"}, status=422, number=made
    )
    assert late.errors == [
        "This offer ended on 14 May 2019: the referral was put on hold, taken back or given to"
        " somebody. Nothing has been changed now."
    ]
    assert "Offered to you" not in client.get("visits.index").words


def test_given_at_once_to_whom_it_is_offered_they_are_told_that_alone(
    session: Session, connection: Connection, referral: Referral
) -> None:
    ask(session)
    who = number(session)
    with acting_as(OTHER), unit_of_work() as work:
        allocation.allocate(work, REF, practitioner_id=who, reason="x", seen=1, by=OTHER)
    assert "offer_ended" not in told(connection)
    assert one(session).ended is Ended.OVERTAKEN


def test_the_database_lets_no_referral_go_on_with_an_open_offer(
    session: Session, referral: Referral
) -> None:
    ask(session)
    session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    with pytest.raises(IntegrityError, match="has an open offer"):
        session.execute(text("UPDATE s2s.referral SET status = 'withdrawn'"))


def test_an_offer_is_withdrawn_once_and_cannot_be_accepted_then(
    client: Client, session: Session, connection: Connection, referral: Referral
) -> None:
    made = ask(session)
    page = client.sign_on("officer").get("allocation.withdraw_offer", reference=REF)
    form = {"seen": page.value("seen"), "comment": "Too far"}
    bare = client.post(
        "allocation.withdraw_offer", {**form, "comment": ""}, status=422, reference=REF
    )
    assert bare.errors == ["Enter why you withdraw the offer"]
    other = client.post(
        "allocation.withdraw_offer", {**form, "seen": "0"}, status=422, reference=REF
    )
    assert "Another offer" in other.errors[0]
    client.post("allocation.withdraw_offer", form, reference=REF)
    late = client.post("allocation.withdraw_offer", form, status=422, reference=REF)
    assert late.errors == [
        "Pat Practitioner: Offered, and the offer withdrawn on 14 May 2019: Too far. Nothing has"
        " been changed now."
    ]
    assert "You had written: Too far" in late.words
    client.get("allocation.withdraw_offer", status=409, reference=REF)
    assert told(connection)[-1] == "offer_ended"
    with pytest.raises(OutOfOrder, match="Ola Officer withdrew this offer"):
        answer(made)
    ask(session)  # and it can be offered anew
    assert one(session).ended is None


# What holds for an allocation holds for an offer --------------------------------------------------


def test_an_offer_takes_room_and_its_own_referral_is_not_counted_twice(
    session: Session, referral: Referral
) -> None:
    other = rows.referral(session, "S2S-19-4443", status=Status.ACCEPTED)
    session.commit()
    seen = other.version
    ask(session, "colleague")
    with acting_as(OFFICER):
        found = {
            ref: next(
                one
                for one in allocation.candidates(referrals.get(ref))
                if one.name == "Cam Colleague"
            )
            for ref in (REF, "S2S-19-4443")
        }
        line = next(one for one in workload.team(None) if one.name == "Cam Colleague")
        proposal = plans.propose(plans.Choices(), most=9)
        session.rollback()
    assert (found[REF].open_cases, found["S2S-19-4443"].open_cases) == (0, 1)
    assert line.load.words.startswith("1 open referral, 1 of them on offer (2 h)")
    assert [each.waiting.reference for each in proposal.lines] == ["S2S-19-4443"]
    assert seen == 1


def test_who_did_not_take_it_is_not_proposed_for_it_again(
    session: Session, referral: Referral
) -> None:
    answer(ask(session), offer_answers.decline, refusal=Refusal.TIME)
    with acting_as(OFFICER):
        proposal = plans.propose(plans.Choices(), most=9)
        session.rollback()
    assert [line.proposed.name for line in proposal.lines] == ["Quin Practitioner"]


def test_who_is_kept_from_the_school_is_offered_it_only_by_saying_so(
    session: Session, referral: Referral
) -> None:
    who = number(session)
    session.add(
        Conflict(
            practitioner_id=who,
            urn=SCHOOL,
            kind=ConflictKind.RELATIVE,
            weight=ConflictWeight.EXCLUDED,
            reason="Her child is there",
            by_id="lead",
            by_name="Lena Lead",
        )
    )
    session.commit()
    with pytest.raises(Refused, match="Her child is there") as refused:
        ask(session)
    assert refused.value.field == "override"
    made = ask(session, override=True)
    answer(made)
    (given,) = session.scalars(select(Allocation))
    assert given.overridden == "Excluded: Her child is there"


def test_what_holds_for_them_is_looked_at_again_when_they_accept(
    session: Session, referral: Referral
) -> None:
    made = ask(session)
    who = number(session)
    session.add(
        Conflict(
            practitioner_id=who,
            urn=SCHOOL,
            kind=ConflictKind.RELATIVE,
            weight=ConflictWeight.EXCLUDED,
            reason="Her child is there",
            by_id="lead",
            by_name="Lena Lead",
        )
    )
    session.commit()
    with pytest.raises(OutOfOrder, match="can no longer be given to Pat") as refused:
        answer(made)
    assert "child" not in str(refused.value)
    assert (one(session).accepted_at, one(session).ended) == (None, None)
    assert happened(session)[-1][0] is Action.OFFERED


def test_who_has_no_account_could_not_answer(session: Session, referral: Referral) -> None:
    who = number(session)
    session.get_one(Practitioner, who).account_id = None
    session.commit()
    with (
        acting_as(OFFICER),
        pytest.raises(Refused, match="has no account here yet"),
        unit_of_work() as work,
    ):
        offers.offer(work, REF, practitioner_id=who, reason="x", seen=1, by=OFFICER)


def test_an_answer_that_was_given_is_never_changed(session: Session, referral: Referral) -> None:
    made = ask(session)
    answer(made, offer_answers.decline, refusal=Refusal.TIME)
    for statement in (
        "UPDATE s2s.offer SET comment = 'x'",
        "DELETE FROM s2s.offer",
        "TRUNCATE s2s.offer",
    ):
        session.rollback()
        with pytest.raises(IntegrityError, match=r"refused|only ever added"):
            session.execute(text(f"RESET ROLE; {statement}"))
    session.rollback()
    assert one(session).comment == ""


# The lead confirms release ------------------------------------------------------------------------


def test_with_a_lead_who_confirms_nothing_is_allocated_at_once(
    client: Client, session: Session, referral: Referral, confirming: None
) -> None:
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    assert "Their lead confirms release: ask first" in page.words
    form = {"seen": page.value("seen"), "practitioner": str(number(session)), "reason": "Near"}
    refused = client.post("allocation.allocate", form, status=422, reference=REF)
    assert refused.errors == [
        "The lead of Fen View Complex Needs School confirms release before their staff are given a"
        " referral: ask first."
    ]
    assert refused.value("reason") == "Near"


@pytest.mark.parametrize("lead_first", [True, False])
def test_both_answers_are_needed_in_either_order_and_each_is_shown(
    client: Client,
    session: Session,
    connection: Connection,
    referral: Referral,
    confirming: None,
    lead_first: bool,
) -> None:
    made = ask(session)
    assert told(connection) == ["offered_to_you", "offer_to_release"]

    def lead_says_yes() -> str:
        client.sign_on("lead")
        assert "Waiting for you to confirm release" in client.get("visits.index").words
        page = client.get("visits.release", number=made)
        assert "Canary" not in page.text
        client.post("visits.release", {"answer": "yes"}, number=made)
        return "Lena Lead confirmed release on 14 May 2019"

    def pat_says_yes() -> str:
        client.sign_on("practitioner").post("visits.offer", {"answer": "yes"}, number=made)
        return "Pat Practitioner accepted on 14 May 2019"

    first, second = (lead_says_yes, pat_says_yes) if lead_first else (pat_says_yes, lead_says_yes)
    shown = first()
    assert session.scalars(select(Allocation)).all() == []
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    assert shown in page.words
    second()
    (given,) = session.scalars(select(Allocation))
    assert given.by_id == "officer"
    assert one(session).ended is Ended.ACCEPTED


def test_a_lead_who_does_not_release_says_why(
    client: Client, session: Session, connection: Connection, referral: Referral, confirming: None
) -> None:
    made = ask(session)
    client.sign_on("other-lead").get("visits.release", status=404, number=made)
    with pytest.raises(NotFound):
        answer(made, offer_answers.release, by=ACTORS["other-lead"])
    client.sign_on("lead")
    bare = client.post("visits.release", {"answer": "no"}, status=422, number=made)
    assert bare.errors == ["Enter why you do not release them"]
    client.post("visits.release", {"answer": "no", "comment": "Exams"}, number=made)
    assert told(connection)[-1] == "offer_declined"
    page = client.sign_on("officer").get("allocation.allocate", reference=REF)
    assert "Offered, and not released by their lead on 14 May 2019: Exams" in page.words
    with pytest.raises(OutOfOrder, match="did not confirm release"):
        answer(made)


def test_a_lead_who_does_not_confirm_release_is_asked_nothing(
    client: Client, session: Session, referral: Referral
) -> None:
    made = ask(session)
    client.sign_on("lead").get("visits.release", status=404, number=made)
    with pytest.raises(NotFound):
        answer(made, offer_answers.release, by=LEAD)


def test_the_lead_and_an_administrator_say_whether_release_is_confirmed(
    client: Client, session: Session
) -> None:
    for key in ("lead", "administrator"):
        client.sign_on(key)
        assert "Fen View Complex Needs School" in client.get("practitioners.index").words
        before = client.get("practitioners.confirmation", urn=PROVIDER).words
        assert "The lead does not confirm release." in before
        for says, words in (
            ("yes", "The lead confirms release."),
            ("no", "The lead does not confirm release."),
        ):
            done = client.post("practitioners.confirmation", {"confirms": says}, urn=PROVIDER)
            assert words in client.follow(done).words
            client.post("practitioners.confirmation", {"confirms": says}, urn=PROVIDER)
    assert [row.confirms for row in session.scalars(select(LeadConfirmation))] == [
        True,
        False,
    ] * 2
    client.sign_on("other-lead").get("practitioners.confirmation", status=404, urn=PROVIDER)
    client.post("practitioners.confirmation", {"confirms": "yes"}, status=404, urn=PROVIDER)
