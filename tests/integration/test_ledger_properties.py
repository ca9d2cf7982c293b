"""The ledger against an independent model, over any order of what people do.

The model knows nothing of postings, digests or SQL: it counts pence.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.errors import NotFound, Refused
from s2s_portal.identity import SYSTEM
from s2s_portal.models.ledger import EntryKind, LedgerEntry, Posting, Pull, PullLine
from s2s_portal.services import accounts, ledger, pulls, verification
from tests import fees
from tests.world import OTHER_SCHOOL, SCHOOL

FEE = 10_000
SCHOOLS = (SCHOOL, OTHER_SCHOOL)
PLACES = st.integers(0, 7)  # which referral, entry or pull: some exist, some do not


@dataclass
class Model:
    """What ought to be: each entry as (kind, school, pence, the entry it is about)."""

    entries: list[tuple[str, int, int, int]] = field(default_factory=list)
    charged: dict[int, int] = field(default_factory=dict)
    reversed: set[int] = field(default_factory=set)
    batches: list[list[int]] = field(default_factory=list)
    collected: set[int] = field(default_factory=set)
    keys: dict[int, int] = field(default_factory=dict)

    def charge(self, referral: int) -> bool:
        if referral not in self.charged:
            self.entries.append(("charge", SCHOOLS[referral % 2], FEE, 0))
            self.charged[referral] = len(self.entries)
        return True

    def reverse(self, number: int) -> bool:
        known = 1 <= number <= len(self.entries)
        if not known or self.entries[number - 1][0] != "charge" or number in self.reversed:
            return False
        self.reversed.add(number)
        self.entries.append(("reversal", self.entries[number - 1][1], -FEE, number))
        return True

    def pull(self, key: int) -> bool:
        if key in self.keys:
            return True
        taken = {number for batch in self.batches for number in batch}
        batch = [
            number
            for number, (kind, *_) in enumerate(self.entries, start=1)
            if kind != "collection" and number not in taken
        ]
        if batch:
            self.batches.append(batch)
            self.keys[key] = len(self.batches)
        return bool(batch)

    def collect(self, number: int) -> bool:
        if not 1 <= number <= len(self.batches) or number in self.collected:
            return False
        self.collected.add(number)
        for settled in self.batches[number - 1]:
            _, school, pence, _ = self.entries[settled - 1]
            self.entries.append(("collection", school, -pence, settled))
        return True

    def balance(self, school: int) -> int:
        return sum(pence for _, where, pence, _ in self.entries if where == school)


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["charge", "reverse", "pull", "collect"]), PLACES), max_size=25
)


def do(work: UnitOfWork, verb: str, place: int) -> bool:
    """Do one thing for real; whether it was done rather than refused."""
    deeds = {
        "charge": lambda: fees.charge_alone(work, place, urn=SCHOOLS[place % 2]),
        "reverse": lambda: ledger.reverse(work, place, reason="x", by=SYSTEM),
        "pull": lambda: pulls.make(work, idempotency_key=f"key {place}", by=SYSTEM),
        "collect": lambda: pulls.collect(
            work, place, finance_reference="J1", collected_on=clock.today(), by=SYSTEM
        ),
    }
    try:
        deeds[verb]()
    except (Refused, NotFound):
        return False
    return True


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(operations=OPERATIONS)
def test_the_ledger_is_what_the_model_says(
    session: Session,
    connection: Connection,
    may_2019: None,
    operations: list[tuple[str, int]],
) -> None:
    savepoint = connection.begin_nested()
    work, model = UnitOfWork(session), Model()
    try:
        for verb, place in operations:
            assert do(work, verb, place) == getattr(model, verb)(place), (verb, place)
        session.commit()
        session.expire_all()
        same_entries(session, model)
        same_money(session, model)
        same_pulls(session, model)
        assert verification.verify() == verification.Verification(len(model.entries), ())
    finally:
        session.rollback()
        session.expunge_all()
        savepoint.rollback()


def same_entries(session: Session, model: Model) -> None:
    """I2: one fee for each referral; numbers without a gap; each entry as the model has it."""
    found = session.scalars(select(LedgerEntry).order_by(LedgerEntry.number)).all()
    assert [entry.number for entry in found] == list(range(1, len(model.entries) + 1))
    assert [
        (
            entry.kind.value,
            entry.urn,
            entry.amount_pence,
            entry.settles_number or entry.reverses_number or 0,
        )
        for entry in found
    ] == model.entries
    charges = [e.referral_reference for e in found if e.kind is EntryKind.CHARGE]
    assert len(charges) == len(set(charges)) == len(model.charged)


def same_money(session: Session, model: Model) -> None:
    """I1: what was charged less what was reversed; every account and the page's totals agree."""
    by_account = dict(
        session.execute(
            select(Posting.account_code, func.sum(Posting.amount_pence)).group_by(
                Posting.account_code
            )
        ).all()
    )
    earned = FEE * (len(model.charged) - len(model.reversed))
    assert sum(by_account.values()) == 0
    assert -by_account.get(ledger.INCOME, 0) == earned
    for school in SCHOOLS:
        assert ledger.balance(school) == model.balance(school)
    totals = accounts.totals()
    assert totals.collected == by_account.get(ledger.COLLECTED, 0)
    assert totals.due + totals.pulled == sum(map(model.balance, SCHOOLS))
    assert totals.due == pulls.due().total_pence


def same_pulls(session: Session, model: Model) -> None:
    """I6: the pulls and what is still due partition the charges and reversals."""
    rows = session.execute(
        select(PullLine.pull_number, PullLine.entry_number).order_by(PullLine.entry_number)
    ).all()
    batches: dict[int, list[int]] = {}
    for pull, entry in rows:
        batches.setdefault(pull, []).append(entry)
    assert [batches[number] for number in sorted(batches)] == model.batches
    made = session.scalars(select(Pull).order_by(Pull.number)).all()
    assert [pull.number for pull in made] == list(range(1, len(model.batches) + 1))
    assert [pull.total_pence for pull in made] == [
        sum(model.entries[number - 1][2] for number in batch) for batch in model.batches
    ]
    pullable = sum(kind != "collection" for kind, *_ in model.entries)
    assert len(rows) + pulls.due().count == pullable
