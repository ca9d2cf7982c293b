"""What a referral costs by date: rules that are seen before they count, and move nothing."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.errors import NotAllowed, Refused
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.codes import Kind, Status
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.fees import DueEvent, FeeRule, FeeSetting
from s2s_portal.models.ledger import LedgerEntry, Route
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Attendance, Visit, VisitRecord
from s2s_portal.services import charging, fee_rules, ledger, referrals, terms, undoing
from s2s_portal.services.fee_rules import MAINSTREAM
from tests import fees, rows
from tests.client import Client
from tests.world import ACADEMY, ACTORS, NURSERY, SCHOOL

ADMINISTRATOR = ACTORS["administrator"]
JUNE = date(2019, 6, 1)
FREE = {
    "settings": MAINSTREAM,
    "kinds": tuple(Kind),
    "valid_from": JUNE,
    "amount_pence": 0,
    "due": DueEvent.ACCEPTANCE,
    "reason": "no fee",
    "source": "A paper of May 2019",
}
ANSWERS = {
    "settings": "mainstream",
    "kind": "all",
    "amount": "0",
    "due": "acceptance",
    "valid_from": ["1", "6", "2019"],
    "reason": "no fee",
    "source": "=1+1 O'Brien-Łukasz",
}


@pytest.fixture
def work(session: Session, may_2019: None) -> UnitOfWork:
    """A transaction on 14 May 2019."""
    return UnitOfWork(session)


def add(work: UnitOfWork, **changes: object) -> None:
    """Add the rule `FREE` with some of its answers changed."""
    rule = fee_rules.propose(**FREE | changes, by=ADMINISTRATOR)  # type: ignore[arg-type]
    fee_rules.add(work, rule, by=ADMINISTRATOR)
    work.session.flush()
    work.session.expire_all()


def cost(session: Session, day: date, *, urn: int = SCHOOL, kind: Kind = Kind.PUPIL) -> str:
    """What such a referral costs, in words."""
    return terms.verdict(session.get_one(Establishment, urn), day, kind).words


@pytest.mark.parametrize(
    ("type_code", "phase", "found"),
    [
        (1, 2, FeeSetting.MAINTAINED),
        (34, 4, FeeSetting.ACADEMY),
        (15, 1, FeeSetting.EARLY_YEARS),
        (34, 1, FeeSetting.EARLY_YEARS),
        (14, 0, FeeSetting.OTHER),
        (42, 0, FeeSetting.OTHER),
        (99, 0, FeeSetting.OTHER),
    ],
)
def test_kinds_of_setting(type_code: int, phase: int, found: FeeSetting) -> None:
    assert FeeSetting.of(Establishment(type_code=type_code, phase_code=phase)) is found


@pytest.mark.parametrize(
    ("setting", "day", "pence"),
    [
        (FeeSetting.MAINTAINED, date(2012, 9, 1), 2_500),
        (FeeSetting.MAINTAINED, date(2015, 3, 31), 2_500),
        (FeeSetting.MAINTAINED, date(2015, 4, 1), 0),
        (FeeSetting.ACADEMY, date(2019, 3, 31), 0),
        (FeeSetting.ACADEMY, date(2019, 4, 1), 10_000),
        (FeeSetting.OTHER, date(2030, 1, 1), 10_000),
        (FeeSetting.EARLY_YEARS, date(2019, 4, 1), 0),
    ],
)
def test_the_first_rules(session: Session, setting: FeeSetting, day: date, pence: int) -> None:
    for kind in Kind:
        rule = session.scalars(
            select(FeeRule).where(
                FeeRule.setting == setting, FeeRule.kind == kind, FeeRule.during.contains(day)
            )
        ).one()
        assert (rule.amount_pence, rule.due) == (pence, DueEvent.ACCEPTANCE)


def test_a_rule_changes_only_what_is_received_later(session: Session, work: UnitOfWork) -> None:
    fees.charged(session, 1)
    add(work)
    assert cost(session, date(2019, 5, 31)).startswith("£100: mainstream school")
    assert cost(session, JUNE) == "£0: no fee, received 1 June 2019, A paper of May 2019"
    assert cost(session, JUNE, urn=ACADEMY).startswith("£0: no fee")
    assert cost(session, JUNE, urn=NURSERY).startswith("£0: early years setting")
    whole = referrals.get(fees.reference(1), whole=True)
    assert (whole.fee_pence, ledger.balance(SCHOOL)) == (10_000, 10_000)


def test_a_rule_of_one_kind_leaves_the_others(session: Session, work: UnitOfWork) -> None:
    add(work, kinds=(Kind.TRAINING,), settings=(FeeSetting.ACADEMY,), amount_pence=4_250)
    assert cost(session, JUNE, urn=ACADEMY, kind=Kind.TRAINING).startswith("£42.50: no fee")
    assert cost(session, JUNE, urn=ACADEMY, kind=Kind.GROUP).startswith("£100")
    assert cost(session, JUNE, kind=Kind.TRAINING).startswith("£100")


def test_a_slip_is_put_right_before_it_begins_and_stays_as_history(
    session: Session, work: UnitOfWork
) -> None:
    add(work)
    add(work, amount_pence=10_000, reason="mainstream school", source="Undone")
    assert cost(session, JUNE) == "£100: mainstream school, received 1 June 2019, Undone"
    lines = fee_rules.listing()
    assert [(line.rule.amount_pence, line.replaced) for line in lines[:2]] == [
        (10_000, False),
        (0, True),
    ]
    assert lines[1].settings.count(";") == 2


def test_a_rule_before_a_later_one_ends_where_that_begins(
    session: Session, work: UnitOfWork
) -> None:
    add(work, valid_from=date(2019, 9, 1))
    add(work, amount_pence=5_000, reason="half")
    found = {day: cost(session, day)[:5] for day in (JUNE, date(2019, 8, 31), date(2019, 9, 1))}
    assert list(found.values()) == ["£50: ", "£50: ", "£0: n"]


def test_the_same_rule_twice_is_one(session: Session, work: UnitOfWork) -> None:
    add(work)
    before = len(session.scalars(select(FeeRule.id)).all())
    add(work)
    assert len(session.scalars(select(FeeRule.id)).all()) == before


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"valid_from": date(2019, 5, 14)}, "tomorrow or later"),
        ({"amount_pence": -1}, "from £0"),
        ({"amount_pence": 10_000_001}, "from £0"),
        ({"reason": " "}, "Enter why"),
        ({"source": ""}, "where this was decided"),
    ],
)
def test_what_is_refused(work: UnitOfWork, changes: dict[str, object], says: str) -> None:
    with pytest.raises(Refused, match=says):
        add(work, **changes)


def test_only_an_administrator_adds_a_rule(session: Session, work: UnitOfWork) -> None:
    with pytest.raises(NotAllowed):
        fee_rules.propose(**FREE, by=ACTORS["finance"])  # type: ignore[arg-type]


INSERT = (
    "INSERT INTO s2s.fee_rule (setting, kind, valid_from, during, amount_pence, due, reason,"
    " source, at, by_id, by_name) VALUES ('academy', 'pupil', '{day}', 'empty', 1, 'acceptance',"
    " 'x', 'x', '2019-05-14', 'x', 'x')"
)


def test_the_database_holds_the_rules_too(
    session: Session, connection: Connection, work: UnitOfWork
) -> None:
    session.commit()
    with acting_as(ADMINISTRATOR), pytest.raises(DBAPIError, match="tomorrow at the earliest"):
        session.execute(text(INSERT.format(day="2019-05-14")))
    session.rollback()
    with acting_as(ACTORS["finance"]), pytest.raises(DBAPIError, match="row-level security"):
        session.execute(text(INSERT.format(day="2019-05-15")))
    session.rollback()
    session.close()
    connection.execute(text("RESET ROLE"))
    for statement in (
        "UPDATE s2s.fee_rule SET amount_pence = 1",
        "UPDATE s2s.fee_rule SET during = daterange(valid_from, valid_from + 1)",
        "DELETE FROM s2s.fee_rule",
        "TRUNCATE s2s.fee_rule CASCADE",
    ):
        with connection.begin_nested() as savepoint:
            with pytest.raises(DBAPIError, match="only ever added"):
                connection.execute(text(statement))
            savepoint.rollback()
    # With the trigger that fits a rule away, the exclusion constraint still holds.
    connection.execute(text("ALTER TABLE s2s.fee_rule DISABLE TRIGGER fits"))
    with pytest.raises(DBAPIError, match="ex_fee_rule_overlap"):
        connection.execute(
            text(INSERT.format(day="2019-06-01").replace("'empty'", "'[2019-06-01,)'"))
        )


def test_a_rule_is_tried_on_recent_referrals(session: Session, work: UnitOfWork) -> None:
    fees.charged(session, 1)
    rows.referral(session, fees.reference(2), urn=NURSERY, status=Status.ACCEPTED).fee_pence = 0
    session.flush()
    seen = fee_rules.preview(fee_rules.propose(**FREE, by=ADMINISTRATOR))  # type: ignore[arg-type]
    assert seen.words == (
        "Tried on the last 2 referrals: £0 for 2. It was £0 for 1 and £100 for 1."
    )


def test_the_page_shows_what_a_rule_would_do_before_it_counts(
    client: Client, session: Session, may_2019: None
) -> None:
    fees.charged(session, 1)
    session.commit()
    client.sign_on("administrator").get("administration.fee_rules")
    page = client.post("administration.fee_rules", ANSWERS, status=200)
    assert "Tried on the last referral: £0 for 1. It was £100 for 1." in page.words
    session.expire_all()
    assert cost(session, JUNE).startswith("£100"), "nothing is added yet"
    changed = client.post(
        "administration.fee_rules",
        ANSWERS | {"amount": "50", "agreed": page.value("agreed")},
        status=200,
    )
    assert "£50 for 1. It was" in changed.words, "other answers are shown first"
    client.post("administration.fee_rules", ANSWERS | {"agreed": page.value("agreed")})
    session.expire_all()
    assert "O'Brien-Łukasz" in cost(session, JUNE)
    assert "=1+1 O'Brien-Łukasz" in client.get("administration.fee_rules").words


def test_the_example_is_filled_in_and_in_force_for_nobody(
    client: Client, session: Session, may_2019: None
) -> None:
    page = client.sign_on("administrator").get("administration.fee_rules", example=1)
    assert page.value("amount") == "0"
    assert page.document.xpath("//input[@name='valid_from']/@value") == ["1", "9", "2024"]
    assert cost(session, date(2024, 9, 1)).startswith("£100")


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"amount": "ten"}, "must be pounds, for example 100 or 12.50"),
        ({"amount": "1.5"}, "must be pounds"),
        ({"amount": "²"}, "must be pounds"),
        ({"amount": ""}, "Enter the fee in pounds"),
        ({"settings": "nonsense"}, "Choose which settings"),
        ({"valid_from": ["14", "5", "2019"]}, "tomorrow or later"),
        ({"valid_from": ["31", "2", "2019"]}, "must be a real date"),
    ],
)
def test_what_the_page_refuses(
    client: Client, may_2019: None, answers: dict[str, object], says: str
) -> None:
    client.sign_on("administrator")
    page = client.post("administration.fee_rules", ANSWERS | answers, status=422)
    assert says in page.words


# When it falls due ------------------------------------------------------------------------------


def sent(session: Session, due: DueEvent, status: Status = Status.ACCEPTED) -> Referral:
    """A whole referral whose rule says that its fee falls due then."""
    referral = rows.referral(session, fees.reference(1), status=status)
    rule = FeeRule(
        setting=FeeSetting.MAINTAINED,
        kind=Kind.PUPIL,
        valid_from=JUNE,
        amount_pence=10_000,
        due=due,
        reason="x",
        source="x",
        by_id="system",
        by_name="x",
    )
    session.add(rule)
    session.flush()
    referral.fee_rule_id = rule.id
    session.commit()
    return referrals.get(fees.reference(1), whole=True)


def jobs(session: Session) -> list[dict[str, str]]:
    """What the service has been asked to charge."""
    found = session.execute(
        text("SELECT args FROM s2s.procrastinate_jobs WHERE task_name = 's2s.post_fee' ORDER BY id")
    )
    return [row.args for row in found]


@pytest.mark.parametrize("due", DueEvent)
@pytest.mark.parametrize("happened", DueEvent)
def test_a_fee_falls_due_when_its_rule_says(
    session: Session, work: UnitOfWork, due: DueEvent, happened: DueEvent
) -> None:
    referral = sent(session, due)
    by = SYSTEM if happened is DueEvent.ACCEPTANCE else None
    charging.fall_due(work, referral, happened, by=by)
    charged = ledger.charge_for(referral.reference)
    assert (charged is not None) == (due is happened is DueEvent.ACCEPTANCE)
    assert len(jobs(session)) == (due is happened and by is None)


def test_a_fee_of_the_first_visit_is_charged_once_on_its_day(
    session: Session, work: UnitOfWork
) -> None:
    referral = sent(session, DueEvent.FIRST_VISIT)
    visit = Visit(starts_at=clock.from_local(date(2019, 5, 10), 9, 30))
    charging.visited(work, referral, visit, VisitRecord(attendance=Attendance.PUPIL_ABSENT))
    assert jobs(session) == [], "the pupil was away, so there was no visit"
    for _ in range(2):
        charging.visited(work, referral, visit, VisitRecord(attendance=Attendance.HAPPENED))
    asked = jobs(session)
    assert asked == [{"reference": referral.reference, "day": "2019-05-10"}] * 2
    session.commit()
    for one in asked:
        charging.post(**one)
    entry = session.scalars(select(LedgerEntry)).one()
    assert (entry.event_date, entry.fee_rule_id) == (date(2019, 5, 10), referral.fee_rule_id)


def test_taking_back_an_acceptance_leaves_a_fee_of_sending(
    session: Session, work: UnitOfWork
) -> None:
    referral = sent(session, DueEvent.SUBMISSION)
    charging.post(referral.reference, "2019-05-14")
    assert "Nothing has been charged" in undoing.reversal_words(
        referrals.get(referral.reference, whole=True)
    )
    with unit_of_work() as again:
        undoing.undo(
            again, referral.reference, message="x", seen=referral.version, by=ACTORS["officer"]
        )
    assert ledger.balance(SCHOOL) == 10_000


def test_a_school_that_converts_later_moves_nothing(session: Session, work: UnitOfWork) -> None:
    """Payer, route, VAT code and amount were frozen as the fee fell due (domain.md 6.2)."""
    charge = fees.charged(session, 1)
    before = (charge.payer_name, charge.route, charge.vat_code, charge.amount_pence, charge.hash)
    assert charge.route is Route.INTERNAL
    school = session.get_one(Establishment, SCHOOL)
    school.type_code, school.trust_name, school.name = 34, "A Converting Trust", "Renamed Academy"
    session.flush()
    session.expire_all()
    undone = ledger.reverse(work, 1, reason="x", by=SYSTEM)
    charge = session.get_one(LedgerEntry, 1)
    after = (charge.payer_name, charge.route, charge.vat_code, charge.amount_pence, charge.hash)
    assert after == before
    assert (undone.payer_name, undone.route) == before[:2]
    later = fees.charge_alone(work, 2)
    assert (later.route, later.payer_name) == (Route.INVOICE, "A Converting Trust")
