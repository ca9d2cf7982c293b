"""Where a charge stands: one decision table, held to the database; and what can happen to it."""

from __future__ import annotations

from itertools import product

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.errors import (
    AlreadyDecided,
    NotAllowed,
    NotFound,
    OutOfOrder,
    Refused,
    Stale,
)
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.charges import (
    ChargeEvent,
    ChargeState,
    EntryStanding,
    ReliefAnswer,
    ReliefKind,
    ReliefReason,
    ReliefRequest,
    Side,
)
from s2s_portal.services import (
    accounts,
    charge_history,
    charges,
    ledger,
    pulls,
    relief,
    verification,
)
from s2s_portal.services.charges import Facts
from tests import fees
from tests.client import Client
from tests.world import ACTORS, OTHER_SCHOOL, SCHOOL

FINANCE, APPROVER = ACTORS["finance"], ACTORS["finance-approver"]
WAIVE = {"kind": ReliefKind.WAIVE, "reason": ReliefReason.NO_VISIT, "words": "There was no visit"}

# (undone by, disputed, collected, rejected, pulled) -> where it stands: the first rule that holds.
TABLE = {
    Facts(): "posted",
    Facts(pull=1): "in_pull",
    Facts(pull=1, rejected=True): "rejected",
    Facts(pull=1, collected=True): "collected",
    Facts(pull=1, collected=True, rejected=True): "collected",
    Facts(disputed=True): "disputed",
    Facts(disputed=True, pull=1): "disputed",
    Facts(disputed=True, pull=1, rejected=True): "disputed",
    Facts(disputed=True, pull=1, collected=True): "disputed",
    Facts(disputed=True, pull=1, collected=True, rejected=True): "disputed",
}
TABLE |= {
    Facts(key, before.disputed, before.collected, before.rejected, before.pull): state
    for before, (key, state) in product(
        tuple(TABLE),
        (
            ("undone", "taken_back"),
            ("waive", "waived"),
            ("write_off", "written_off"),
            ("credit", "credited"),
            ("reversal", "credited"),
        ),
    )
}


@pytest.fixture
def work(session: Session, may_2019: None) -> UnitOfWork:
    """A transaction on 14 May 2019, with one charge."""
    fees.charge_alone(UnitOfWork(session), 1)
    return UnitOfWork(session)


def state(number: int = 1) -> ChargeState:
    """Where a charge stands, as the database keeps it."""
    return charges.standing(number).state


def test_where_a_charge_stands(session: Session, connection: Connection, work: UnitOfWork) -> None:
    """The function, the view and what is kept all say the same, and the ledger verifies."""
    session.commit()
    for facts in TABLE:
        savepoint = connection.begin_nested()
        stands_as(session, work, facts)
        session.rollback()
        session.expunge_all()
        savepoint.rollback()


def stands_as(session: Session, work: UnitOfWork, facts: Facts) -> None:
    """Make a charge with these facts, and look."""
    if facts.pull:
        fees.pulled(session)
    if facts.rejected:
        charges.reject(work, 1, "Cost centre closed", SYSTEM)
    if facts.collected:
        ledger.lock_head(work)  # what is rejected is collected by a response file alone
        pulls.settle(work, pulls.get(1), charges.entry(1), "J1", clock.today(), SYSTEM)
    if facts.disputed:
        charges.dispute(work, 1, "We withdrew", SYSTEM)
    if facts.undone_by:
        ledger.post_reversal(work, 1, reason="x", by=SYSTEM, key=f"{facts.undone_by}:")
    work.flush()
    assert charges.state_of(facts) == TABLE[facts]
    assert state() == TABLE[facts]
    kept = session.execute(text("SELECT state, due FROM s2s.charge_state WHERE number = 1")).one()
    assert kept.state == TABLE[facts]
    assert kept.due == (not facts.pull and not (facts.disputed and not facts.undone_by))
    if facts.undone_by not in {"waive", "credit", "write_off"}:  # those want a request (below)
        assert verification.verify().sound


def test_a_disputed_charge_is_not_pulled_until_it_is_settled(
    session: Session, work: UnitOfWork
) -> None:
    charges.dispute(work, 1, "We withdrew", FINANCE)
    fees.charge_alone(work, 2)
    assert pulls.due() == pulls.Due(1, 10_000)
    assert (accounts.totals().due, accounts.totals().paused) == (10_000, 10_000)
    pull = pulls.get(fees.pulled(session), whole=True)
    assert [line.entry_number for line in pull.lines] == [2]
    charges.settle_dispute(work, 1, "It was accepted before you withdrew", FINANCE)
    assert (state(), pulls.due().count) == (ChargeState.POSTED, 1)
    assert accounts.totals().paused == 0


def test_a_dispute_that_is_credited_is_settled_and_both_entries_are_pulled(
    session: Session, work: UnitOfWork
) -> None:
    charges.dispute(work, 1, "We withdrew", FINANCE)
    asked = relief.ask(
        work,
        1,
        kind=ReliefKind.CREDIT,
        reason=ReliefReason.DISPUTE_UPHELD,
        words="They are right",
        by=FINANCE,
    )
    assert state() is ChargeState.DISPUTED
    relief.approve(work, asked.id, by=APPROVER)
    assert state() is ChargeState.CREDITED
    assert pulls.due() == pulls.Due(2, 0)
    assert [event.kind for event in session.scalars(select(ChargeEvent))] == [
        "disputed",
        "credited",
    ]
    assert ledger.balance(SCHOOL) == 0
    assert verification.verify().sound


def test_what_cannot_happen_to_a_charge(session: Session, work: UnitOfWork) -> None:
    with pytest.raises(OutOfOrder, match="Only a charge in a pull"):
        charges.reject(work, 1, "x", SYSTEM)
    with pytest.raises(OutOfOrder, match="Nobody disputes"):
        charges.settle_dispute(work, 1, "x", SYSTEM)
    with pytest.raises(NotFound):
        charges.dispute(work, 9, "x", SYSTEM)
    with pytest.raises(Refused, match="Enter why"):
        charges.dispute(work, 1, "  ", SYSTEM)
    with pytest.raises(Refused, match="1,000 characters"):
        charges.dispute(work, 1, "x" * 1001, SYSTEM)
    charges.dispute(work, 1, "x", SYSTEM)
    with pytest.raises(OutOfOrder, match="disputed already"):
        charges.dispute(work, 1, "x", SYSTEM)
    with pytest.raises(NotAllowed):
        charges.settle_dispute(work, 1, "x", ACTORS["officer"])
    ledger.reverse(work, 1, reason="x", by=SYSTEM)
    with pytest.raises(OutOfOrder, match="nothing left to dispute"):
        charges.dispute(work, 1, "x", SYSTEM)
    with pytest.raises(NotFound):
        charges.dispute(work, 2, "a reversal is no charge", SYSTEM)


def test_the_database_refuses_events_out_of_order(session: Session, work: UnitOfWork) -> None:
    charges.dispute(work, 1, "x", SYSTEM)
    first = session.scalars(select(ChargeEvent)).one()
    event = (
        "INSERT INTO s2s.charge_event (charge_number, urn, kind, side, words, follows, at, by_id,"
        " by_name) VALUES (1, {urn}, '{kind}', 'finance', 'x', {follows}, now(), 'system', 'x')"
    )
    for urn, kind, follows, says in (
        (SCHOOL, "stands", 0, "uq_charge_event_follows"),
        (SCHOOL, "disputed", first.id, "ck_charge_event_order"),
        (SCHOOL, "rejected", first.id, "ck_charge_event_order"),
        (OTHER_SCHOOL, "stands", first.id, "ck_charge_event_order"),
    ):
        with session.begin_nested() as savepoint:
            with pytest.raises(DBAPIError) as refused:
                session.execute(text(event.format(urn=urn, kind=kind, follows=follows)))
            assert refused.value.orig.diag.constraint_name == says
            savepoint.rollback()


def test_two_events_at_once_are_told_apart(session: Session, work: UnitOfWork) -> None:
    """Somebody else has written since this one looked: the constraint's own words."""
    stands = charges.standing(1)
    charges.dispute(work, 1, "first", SYSTEM)
    session.expunge(stands)
    stands.last_event = 0
    with pytest.raises(Stale, match="has just changed"), work.step():
        work.session.execute(
            text(
                "INSERT INTO s2s.charge_event (charge_number, urn, kind, side, words, follows, at,"
                f" by_id, by_name) VALUES (1, {SCHOOL}, 'disputed', 'finance', 'x', 0, now(), 'x',"
                " 'x')"
            )
        )


# Relief ------------------------------------------------------------------------------------------


def test_a_second_person_approves(session: Session, work: UnitOfWork) -> None:
    asked = relief.ask(work, 1, **WAIVE, by=FINANCE)
    assert state() is ChargeState.POSTED, "nothing is posted before"
    with pytest.raises(NotAllowed, match="yourself"):
        relief.approve(work, asked.id, by=FINANCE)
    answer = relief.approve(work, asked.id, words="Agreed", by=APPROVER)
    assert (state(), answer.entry_number) == (ChargeState.WAIVED, 2)
    undone = session.get_one(ledger.LedgerEntry, 2)
    assert (undone.reverses_number, undone.amount_pence) == (1, -10_000)
    assert undone.reason == "There was no visit: There was no visit"
    assert (undone.recorded_by_name, ledger.balance(SCHOOL)) == (APPROVER.name, 0)
    with pytest.raises(AlreadyDecided, match="answered by Abe Approver: approved"):
        relief.approve(work, asked.id, by=ACTORS["finance-approver"])
    assert verification.verify().sound


@pytest.mark.parametrize(
    ("pence", "by", "allowed"),
    [(10_000, FINANCE, True), (10_001, FINANCE, False), (10_001, APPROVER, True)],
)
def test_how_much_somebody_may_approve(
    work: UnitOfWork, pence: int, by: object, allowed: bool
) -> None:
    assert relief.too_much(pence, by) is not allowed  # type: ignore[arg-type]


def test_above_the_limit_it_takes_an_approver(
    session: Session, work: UnitOfWork, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    monkeypatch.setitem(client.app.config, "S2S_FINANCE_APPROVES_UP_TO_PENCE", 9_999)
    asked = relief.ask(work, 1, **WAIVE, by=APPROVER)
    with pytest.raises(NotAllowed, match=r"up to £99.99"):
        relief.approve(work, asked.id, by=FINANCE)


def test_a_refusal_says_why_and_leaves_the_charge(session: Session, work: UnitOfWork) -> None:
    asked = relief.ask(work, 1, **WAIVE, by=FINANCE)
    with pytest.raises(Refused, match="Enter why"):
        relief.refuse(work, asked.id, words=" ", by=APPROVER)
    relief.refuse(work, asked.id, words="There was a visit", by=APPROVER)
    assert state() is ChargeState.POSTED
    again = relief.ask(work, 1, **WAIVE, by=FINANCE)
    assert again.follows == asked.id


def test_only_the_asker_takes_a_request_back(work: UnitOfWork) -> None:
    asked = relief.ask(work, 1, **WAIVE, by=FINANCE)
    with pytest.raises(NotAllowed):
        relief.withdraw(work, asked.id, by=APPROVER)
    relief.withdraw(work, asked.id, by=FINANCE)
    with pytest.raises(AlreadyDecided):
        relief.approve(work, asked.id, by=APPROVER)


@pytest.mark.parametrize("change", ["dispute", "collect"])
def test_a_request_is_overtaken_when_its_charge_changes(
    session: Session, work: UnitOfWork, change: str
) -> None:
    fees.pulled(session)
    asked = relief.ask(work, 1, **WAIVE, by=FINANCE)
    assert not relief.waiting()[0].overtaken
    if change == "dispute":
        charges.dispute(work, 1, "x", FINANCE)
    else:
        pulls.collect(work, 1, finance_reference="J1", collected_on=clock.today(), by=SYSTEM)
    assert relief.waiting()[0].overtaken
    with pytest.raises(Stale, match="has changed since"):
        relief.approve(work, asked.id, by=APPROVER)
    again = relief.ask(work, 1, **WAIVE | {"kind": ReliefKind.CREDIT}, by=FINANCE)
    assert [(one.id, one.answer and one.answer.outcome) for one in relief.of_charge(1)] == [
        (asked.id, "overtaken"),
        (again.id, None),
    ]


def test_a_pull_made_meanwhile_overtakes_nothing(session: Session, work: UnitOfWork) -> None:
    asked = relief.ask(work, 1, **WAIVE, by=FINANCE)
    fees.pulled(session)
    relief.approve(work, asked.id, by=APPROVER)
    assert state() is ChargeState.WAIVED


@pytest.mark.parametrize(
    ("kind", "pulled", "says"),
    [
        (ReliefKind.WRITE_OFF, False, "due to be pulled"),
        (ReliefKind.WAIVE, True, "collected"),
        (ReliefKind.WRITE_OFF, True, "collected"),
    ],
)
def test_what_can_be_asked_for(
    session: Session, work: UnitOfWork, kind: ReliefKind, pulled: bool, says: str
) -> None:
    if pulled:
        fees.pulled(session)
        pulls.collect(work, 1, finance_reference="J1", collected_on=clock.today(), by=SYSTEM)
    with pytest.raises(Refused, match=says):
        relief.ask(work, 1, **WAIVE | {"kind": kind}, by=FINANCE)


def test_one_request_at_a_time(work: UnitOfWork) -> None:
    relief.ask(work, 1, **WAIVE, by=FINANCE)
    with pytest.raises(Stale, match="Somebody has asked"):
        relief.ask(work, 1, **WAIVE, by=APPROVER)
    with pytest.raises(NotAllowed):
        relief.ask(work, 1, **WAIVE, by=ACTORS["officer"])


@pytest.mark.parametrize(
    ("outcome", "entry", "by", "says"),
    [
        ("refused", "NULL", "finance", "ck_relief_answer_second_person"),
        ("approved", "1", "finance", "ck_relief_answer_second_person"),
        ("withdrawn", "NULL", "finance-approver", "ck_relief_answer_own"),
        ("approved", "1", "finance-approver", None),
        ("approved", "NULL", "finance-approver", "ck_relief_answer_posted"),
    ],
)
def test_the_database_holds_the_second_person(
    session: Session, work: UnitOfWork, outcome: str, entry: str, by: str, says: str | None
) -> None:
    asked = relief.ask(work, 1, **WAIVE, by=FINANCE)
    session.flush()
    with pytest.raises(DBAPIError) as refused:
        session.execute(
            text(
                "INSERT INTO s2s.relief_answer (request_id, outcome, words, entry_number, at,"
                f" by_id, by_name) VALUES ({asked.id}, '{outcome}', 'x', {entry}, now(),"
                f" '{by}', 'x')"
            )
        )
    assert refused.value.orig.diag.constraint_name == says


def test_a_mail_tells_finance_and_names_no_child(
    client: Client, session: Session, work: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client.app.config, "S2S_FINANCE_MAILBOX", "finance@council.example")
    relief.ask(work, 1, **WAIVE, by=FINANCE)
    job = session.execute(
        text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id DESC LIMIT 1")
    ).scalar_one()
    assert (job["notice"], job["address"]) == ("relief_asked", "finance@council.example")
    assert "There was no visit" not in str(job)


# Pages -------------------------------------------------------------------------------------------


@pytest.fixture
def charged(session: Session, may_2019: None) -> int:
    """The charge of a whole referral of SCHOOL about Zebedee Canary-Jones."""
    fees.charged(session, 1)
    session.commit()
    return 1


def test_two_people_take_a_charge_off(client: Client, session: Session, charged: int) -> None:
    client.sign_on("finance").get("finance.charge", number=1)
    answers = {"kind": "waive", "reason": "no_visit", "words": "=1+1 <b>O'Brien-Łukasz</b>"}
    page = client.post("finance.ask_relief", {}, number=1, status=422)
    assert "Choose what is to be done" in page.words
    assert "Choose why" in page.words
    page = client.post("finance.ask_relief", answers, number=1)
    request_id = session.scalars(select(ReliefRequest.id)).one()
    assert (
        "You asked for this yourself"
        in client.get("finance.relief_request", request_id=request_id).words
    )
    client.post("finance.relief_request", {"answer": "approve"}, request_id=request_id, status=403)
    assert (
        "Waive £100, charge 1" in client.sign_on("finance-approver").get("finance.requests").words
    )
    empty = client.post(
        "finance.relief_request", {"answer": "refuse"}, request_id=request_id, status=422
    )
    assert "Enter why" in empty.words
    client.post("finance.relief_request", {"answer": "approve"}, request_id=request_id)
    page = client.get("finance.charge", number=1)
    assert "Waived" in page.words
    assert "=1+1 <b>O'Brien-Łukasz</b>" in page.words
    assert "Nothing waits" in client.get("finance.requests").words
    session.expire_all()
    assert session.scalars(select(ReliefAnswer.outcome)).all() == ["approved"]


def test_a_request_can_be_taken_back_on_its_page(
    client: Client, session: Session, charged: int
) -> None:
    client.sign_on("finance").post(
        "finance.ask_relief", {"kind": "credit", "reason": "other", "words": "x"}, number=1
    )
    request_id = session.scalars(select(ReliefRequest.id)).one()
    client.post("finance.withdraw_relief", {}, request_id=request_id)
    assert "Withdrawn" in client.get("finance.charge", number=1).words


def test_a_school_disputes_and_finance_settles(
    client: Client, session: Session, charged: int
) -> None:
    client.sign_on("senco")
    assert "This fee is wrong" in client.get("finance.statement", urn=SCHOOL).words
    page = client.get("finance.dispute", number=1)
    assert "Do not name a child" in page.words
    client.post("finance.dispute", {"words": "We withdrew. Łukasz"}, number=1)
    assert "Disputed: not collected for now" in client.get("finance.statement", urn=SCHOOL).words
    client.sign_on("finance").get("finance.settle", number=1)
    assert "Enter why" in client.post("finance.settle", {"words": ""}, number=1, status=422).words
    client.post("finance.settle", {"words": "You withdrew a day after acceptance"}, number=1)
    assert client.get("finance.settle", number=1, status=409)
    seen = client.sign_on("senco").get("finance.dispute", number=1).words
    assert "You withdrew a day after acceptance" in seen


def test_another_school_disputes_nothing(client: Client, session: Session, charged: int) -> None:
    client.sign_on("other-senco").get("finance.dispute", number=1, status=404)
    client.post("finance.dispute", {"words": "x"}, number=1, status=404)
    with acting_as(ACTORS["other-senco"]), pytest.raises(NotFound):
        charges.dispute(UnitOfWork(session), 1, "x", ACTORS["other-senco"], side=Side.SCHOOL)


def test_a_schools_words_must_not_name_the_child(
    client: Client, session: Session, charged: int
) -> None:
    from s2s_portal.models.answer import Subject

    surname = session.scalars(select(Subject.surname)).first()
    client.sign_on("senco")
    page = client.post("finance.dispute", {"words": f"{surname} never came"}, number=1, status=422)
    assert "must not name a child" in page.words
    session.expire_all()
    assert session.scalars(select(ChargeEvent)).all() == []


def test_the_history_of_a_charge_is_in_words_and_in_order(
    session: Session, work: UnitOfWork
) -> None:
    fees.pulled(session)
    charges.reject(work, 1, "Cost centre closed", FINANCE)
    asked = relief.ask(work, 1, **WAIVE | {"kind": ReliefKind.WRITE_OFF}, by=FINANCE)
    relief.approve(work, asked.id, words="Agreed", by=APPROVER)
    said = [one.what for one in charge_history.of(1).history]
    assert sorted(said) == sorted(
        [
            "It fell due on 14 May 2019 and was posted",
            "Finance took it in pull 1",
            "Finance’s own system rejected it",
            "Write off: a second person was asked",
            "Entry 2 undid it",
            "Approved, the request",
        ]
    )


def test_lists_by_state_are_index_served(
    session: Session, connection: Connection, work: UnitOfWork
) -> None:
    """The index page filters by what the database keeps, whatever the ledger's length."""
    charges.dispute(work, 1, "x", SYSTEM)
    found = accounts.listing(standing=accounts.Standing.DISPUTED).lines
    assert [(line.number, line.words) for line in found] == [(1, "Disputed, paused")]
    assert accounts.listing(standing=accounts.Standing.DUE).lines == []


def test_what_is_kept_is_nobodys_to_write(session: Session, work: UnitOfWork) -> None:
    for statement in (
        "UPDATE s2s.entry_standing SET due = false",
        "DELETE FROM s2s.account_balance",
        "INSERT INTO s2s.entry_standing SELECT * FROM s2s.entry_standing",
    ):
        with session.begin_nested() as savepoint:
            with pytest.raises(DBAPIError, match="permission denied"):
                session.execute(text(statement))
            savepoint.rollback()
    assert session.get(EntryStanding, 1) is not None
    with unit_of_work():
        pass
