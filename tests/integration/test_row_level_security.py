"""What the database itself lets each person see and write, whatever the code above it forgets.

The tables below are the rule as people would say it; PostgreSQL is asked as each person in turn.
Taking any one policy away must show: a policy that no row here depends on is not tested.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import psycopg.errors
import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import Actor, clock
from s2s_portal.database import UnitOfWork
from s2s_portal.identity import SYSTEM
from s2s_portal.models.answer import DraftCopy
from s2s_portal.models.body import OfficerBody
from s2s_portal.models.bulk import Bulk, BulkRun
from s2s_portal.models.clocks import CouncilClosure
from s2s_portal.models.codes import Status
from s2s_portal.models.conversation import AdviceAction, AdviceEvent, Side
from s2s_portal.models.establishment import ImportRun
from s2s_portal.models.intake import IntakeClosing
from s2s_portal.models.invitation import Newcomer, PractitionerInvitation
from s2s_portal.models.ledger import LedgerVerification, Pull, PullFile, PullLine
from s2s_portal.models.match import MatchMark
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.models.sign_on import EndedSignOn
from s2s_portal.models.worklist import Officer, OfficerAssignment, SavedList
from s2s_portal.models.workload import Cap, CapScope
from s2s_portal.services import ledger, referrals
from tests import rows
from tests.world import ACTORS, OTHER_SCHOOL

MINE, DRAFT, OTHERS, FORMER = "S2S-19-3334", "S2S-19-3335", "S2S-19-3336", "S2S-19-3337"
EXPIRED = "S2S-19-3338"
ADVICE, OTHERS_ADVICE, BECAME = "ADV-19-3334", "ADV-19-3336", "ADV-19-3337"
PEOPLE = {**ACTORS, "system": SYSTEM}

# Which referrals each person sees. MINE is allocated to "practitioner"; FORMER was, and is now with
# "other-practitioner" of another school; DRAFT is not sent, nor was EXPIRED; OTHERS is another
# school's.
SEES = {
    "system": {MINE, DRAFT, EXPIRED, OTHERS, FORMER},
    "officer": {MINE, OTHERS, FORMER},
    "other-officer": {MINE, OTHERS, FORMER},
    "senco": {MINE, DRAFT, EXPIRED, FORMER},
    "head": {MINE, DRAFT, EXPIRED, FORMER},
    "other-senco": {OTHERS},
    "practitioner": {MINE},
    "colleague": {MINE},  # who shadows the practitioner there
    "lead": {MINE},
    "other-practitioner": {FORMER},
    "other-lead": {FORMER},
}
# Everything that hangs on a referral is seen by whoever sees the referral.
PARTS = (
    "referral_subject",
    "referral_need",
    "strategy_tried",
    "outcome_wanted",
    "agreement",
    "referral_event",
    "attachment",
)
ROLES = {key for key in PEOPLE if key not in {"outsider", "teacher"}}
OFFICERS = {"officer", "other-officer"}
FINANCE = {"finance", "finance-approver"}
LEDGER_READERS = {
    *FINANCE,
    *OFFICERS,
    "manager",
    "auditor",
    "system",
    "senco",
    "head",
    "trust-viewer",
}
OF_MINE = {person for person, seen in SEES.items() if MINE in seen}
# Who reads which request for advice: BECAME has become MINE, which a practitioner has.
ADVICE_SEES = {
    "system": {ADVICE, OTHERS_ADVICE, BECAME},
    "officer": {ADVICE, OTHERS_ADVICE, BECAME},
    "other-officer": {ADVICE, OTHERS_ADVICE, BECAME},
    "senco": {ADVICE, BECAME},
    "head": {ADVICE, BECAME},
    "other-senco": {OTHERS_ADVICE},
    "practitioner": {BECAME},
    "colleague": {BECAME},
    "lead": {BECAME},
}
OF_ALLOCATED = {person for person, seen in SEES.items() if seen & {MINE, FORMER}}

# Of "practitioner": an officer reads the record, the lead of the same school keeps it; what is kept
# of conflicts is not for the practitioner.
KEEPERS = {"lead", "administrator", "system"}
OWN_RECORD = {*KEEPERS, *OFFICERS, "practitioner"}

# Table -> who can read any of its rows.
READERS: dict[str, set[str]] = {
    "allocation": OF_ALLOCATED,
    # Of FORMER: officers and whoever has it now, not who had it and not its school.
    "allocation_ending": {*OFFICERS, "other-practitioner", "other-lead", "system"},
    "hand_over_note": {*OFFICERS, "practitioner", "colleague", "lead", "system"},
    "supporter": OF_MINE,
    "visit": OF_MINE,
    "visit_record": OF_MINE,
    "recommendation": OF_MINE,
    "addendum": OF_MINE,
    "acknowledgement": OF_MINE,
    "record_document": OF_MINE,
    "section_opening": OF_MINE,
    "section_change": OF_MINE,
    "agreement_withdrawal": OF_MINE,
    "decision": OF_MINE,
    "decision_check": {*OFFICERS, "system"},
    "internal_note": {*OFFICERS, "system"},
    "flag": {*OFFICERS, "system"},
    "flag_resolution": {*OFFICERS, "system"},
    "offer": {*OFFICERS, "system", "practitioner", "lead"},
    "case_request": {*OFFICERS, "system", "practitioner"},
    "lead_confirmation": {*OFFICERS, "administrator", "system", "lead"},
    "support_level": set(PEOPLE),
    "decision_reason": set(PEOPLE),
    "other_service": set(PEOPLE),
    "message_seen": {"senco", "system"},
    "service_level": set(PEOPLE),
    "council_closure": set(PEOPLE),
    # An administrator sees the dates alone, to know what a new rule would move.
    "referral_clock": {*OF_MINE, "administrator"},
    "clock_change": {*OF_MINE, "administrator"},
    "clock_breach": OF_MINE,
    "worklist_entry": {*OFFICERS, "system"},
    "triage_body": set(PEOPLE),
    "triage_rule": set(PEOPLE),
    "officer_body": {*OFFICERS, "administrator", "system"},
    # Two officers of the body; what "officer" wrote waits for the other, who has not written.
    "triage_handover": {*OFFICERS, "system"},
    "panel_meeting": {*OFFICERS, "system"},
    "panel_reviewer": {*OFFICERS, "system"},
    "panel_item": {*OFFICERS, "system"},
    "panel_comment": {"officer", "system"},
    "bulk_run": {"officer", "system"},
    "officer": {*OFFICERS, "administrator", "system"},
    "officer_assignment": {*OFFICERS, "system"},
    # Each their own: the one here is the first officer's.
    "saved_list": {"officer", "system"},
    "workload_weight": set(PEOPLE),
    "allocation_cap": set(PEOPLE),
    "plan_rule": {*OFFICERS, "administrator", "system"},
    "establishment": ROLES,
    "service_terms": set(PEOPLE),
    "fee": set(PEOPLE),
    "need_type": set(PEOPLE),
    "intake_window": set(PEOPLE),
    "intake_closing": set(PEOPLE),
    "term_date": set(PEOPLE),
    "ledger_verification": set(PEOPLE),
    "practitioner": {
        *OFFICERS,
        "administrator",
        "system",
        "practitioner",
        "colleague",
        "lead",
        "other-practitioner",
        "other-lead",
        "newcomer",
    },
    # Everybody there has needs, one alone the rest.
    "practitioner_need": {*OWN_RECORD, "colleague", "other-practitioner", "other-lead"},
    "practitioner_release": OWN_RECORD,
    "practitioner_absence": OWN_RECORD,
    **dict.fromkeys(("practitioner_conflict", "practitioner_event"), KEEPERS | set(OFFICERS)),
    "account": LEDGER_READERS,
    "ledger_entry": LEDGER_READERS,
    "posting": LEDGER_READERS,
    "ledger_head": {*FINANCE, *OFFICERS, "system"},
    "pull": {*FINANCE, "auditor", "system"},
    "pull_line": {*FINANCE, "auditor", "system"},
    "pull_file": {*FINANCE, "auditor", "system"},
    "import_run": {"administrator", "auditor", "system"},
    "ended_sign_on": {"senco", "administrator", "system"},
    "practitioner_invitation": {"administrator", "system"},
    "newcomer": {"administrator", "system"},
    "audit_entry": {"auditor", "system"},
    "referral_measure": {"manager", "system"},
    "draft_copy": {"senco", "system"},
    # Marks of what a referral is about: others are only told by `s2s.repeats_of`.
    "match_mark": {"system"},
    # The teacher has a section of DRAFT: they read that one row, and nothing of the referral.
    "contribution": {"senco", "head", "teacher", "system"},
    "head_decision": {"senco", "head", "system"},
    "head_remark": {"senco", "head", "system"},
    "school_referral_count": {"trust-viewer", "system"},
}

SCHOOL_STAFF = {"senco", "head"}
ALLOCATED = {"practitioner", "system"}
# What happens to a referral moves its clocks, whoever of these does it.
CLOCK_MOVERS = {*SCHOOL_STAFF, *OFFICERS, *ALLOCATED, "colleague"}
# Table -> who may add a copy of a row of MINE (or the like), who may change one, who remove one.
# While MINE is allocated its school may no longer write to it; DRAFT_WRITERS is about the draft.
WRITERS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "referral": ({"system"}, {*OFFICERS, "system"}, set()),
    # The rows there are signed by the service: nobody adds a row in another's name.
    "audit_entry": ({"system"}, set(), set()),
    **{part: ({"system"}, {"system"}, {"system"}) for part in PARTS[:3]},
    "outcome_wanted": ({"system"}, {"system", "practitioner"}, {"system"}),
    "agreement": ({"system"}, {"system"}, {"system"}),
    "attachment": ({"system"}, {"system"}, set()),
    "referral_event": (OF_MINE, set(), set()),
    "allocation": ({*OFFICERS, "system"}, {*OFFICERS, "system"}, set()),
    # The rows there are signed by the officer and by the practitioner who leads.
    "allocation_ending": ({"officer", "system"}, set(), set()),
    "hand_over_note": ({"practitioner", "system"}, set(), set()),
    # Who shadows writes nothing; the lead keeps their own staff's.
    "supporter": ({*OFFICERS, "lead", "system"}, {*OFFICERS, "lead", "system"}, set()),
    "visit": (ALLOCATED, {*OFFICERS, "system"}, set()),
    "visit_record": (ALLOCATED, ALLOCATED, ALLOCATED),
    "recommendation": (ALLOCATED, ALLOCATED, ALLOCATED),
    "addendum": (ALLOCATED, set(), set()),
    "acknowledgement": ({*SCHOOL_STAFF, "system"}, set(), set()),
    "record_document": (ALLOCATED, set(), set()),
    "match_mark": ({"system"}, set(), {"system"}),
    # A copy of a row names a transaction gone by, so the school may not add it.
    "section_opening": ({"system"}, set(), set()),
    "section_change": ({*SCHOOL_STAFF, "system"}, set(), set()),
    "agreement_withdrawal": ({*SCHOOL_STAFF, *OFFICERS, "system"}, set(), set()),
    "decision": ({*OFFICERS, "system"}, set(), set()),
    "decision_check": ({*OFFICERS, "system"}, set(), set()),
    # The rows there are signed by one officer: no other writes in that name.
    **dict.fromkeys(
        ("internal_note", "flag", "flag_resolution"), ({"officer", "system"}, set(), set())
    ),
    # The rows there are signed by one officer and by the lead. Who is asked answers through the
    # service, which acts in their name.
    "offer": ({"officer", "system"}, {*OFFICERS, "system"}, set()),
    "case_request": ({"system"}, {*OFFICERS, "system"}, set()),
    "lead_confirmation": ({"lead", "system"}, set(), set()),
    "support_level": ({"administrator", "system"}, set(), set()),
    "decision_reason": ({"administrator", "system"}, set(), set()),
    "other_service": ({"administrator", "system"}, set(), set()),
    # The rows there are the SENCo's: nobody writes in another's name, and what the database keeps
    # itself nobody writes at all.
    "message": ({"senco", "system"}, set(), set()),
    "conversation": (set(), set(), set()),
    "message_seen": ({"senco", "system"}, {"senco", "system"}, set()),
    "advice_request": ({"senco", "system"}, set(), set()),
    "advice_event": ({"senco", "system"}, set(), set()),
    "service_level": ({"administrator", "system"}, set(), set()),
    "council_closure": ({"administrator", "system"}, set(), {"administrator", "system"}),
    "referral_clock": (CLOCK_MOVERS, CLOCK_MOVERS, set()),
    "clock_change": (CLOCK_MOVERS, set(), set()),
    "clock_breach": (set(), set(), set()),
    "worklist_entry": (set(), set(), set()),
    "triage_body": (set(), set(), set()),
    "triage_rule": ({"administrator", "system"}, set(), set()),
    "officer_body": ({"administrator", "system"}, set(), {"administrator", "system"}),
    "triage_handover": ({*OFFICERS, "system"}, set(), set()),
    # Called, put on and written by "officer", who chairs: nobody does that in another's name.
    "panel_meeting": ({"officer", "system"}, {"officer", "system"}, set()),
    "panel_reviewer": ({"officer", "system"}, set(), set()),
    "panel_item": ({"officer", "system"}, {*OFFICERS, "system"}, set()),
    "panel_comment": ({"officer", "system"}, set(), set()),
    "bulk_run": ({"officer", "system"}, set(), set()),
    # The row there is the first officer's: nobody comes in another's name.
    "officer": ({"officer", "system"}, {"officer", "system"}, set()),
    "officer_assignment": ({*OFFICERS, "system"}, {*OFFICERS, "system"}, set()),
    "saved_list": (({"officer", "system"},) * 3),
    "workload_weight": ({"administrator", "system"}, set(), set()),
    "allocation_cap": ({"administrator", "system"}, set(), set()),
    # An officer locks the row but changes nothing; what is added again has an account, so no lead.
    "practitioner": ({"administrator", "system"}, KEEPERS, set()),
    **dict.fromkeys(("practitioner_absence", "practitioner_conflict"), (KEEPERS, set(), KEEPERS)),
    "practitioner_need": (KEEPERS, KEEPERS, KEEPERS),
    "practitioner_release": (KEEPERS, set(), set()),
    # The row there is the lead's: nobody keeps one in another's name.
    "practitioner_event": ({"lead", "system"}, set(), set()),
    "plan_rule": ({"administrator", "system"}, set(), set()),
    "establishment": ({"administrator", "system"}, {"administrator", "system"}, set()),
    "service_terms": ({"administrator", "system"}, set(), set()),
    "fee": ({"administrator", "system"}, set(), set()),
    "need_type": ({"administrator", "system"}, set(), set()),
    "intake_window": ({"administrator", "system"}, set(), set()),
    "intake_closing": ({"administrator", "system"}, set(), set()),
    "term_date": ({"administrator", "system"}, set(), {"administrator", "system"}),
    "import_run": ({"administrator", "system"}, set(), set()),
    "ended_sign_on": (
        {"senco", "administrator", "system"},
        {"senco", "administrator", "system"},
        {"system"},
    ),
    "practitioner_invitation": ({"administrator", "system"}, {"administrator", "system"}, set()),
    # The row there is of the newcomer: nobody comes in another's name.
    "newcomer": ({"newcomer", "system"}, set(), set()),
    "account": ({*FINANCE, *OFFICERS, "system"}, set(), set()),
    "ledger_head": ({*FINANCE, *OFFICERS, "system"}, {*FINANCE, *OFFICERS, "system"}, set()),
    "ledger_entry": ({*FINANCE, *OFFICERS, "system"}, set(), set()),
    "posting": ({*FINANCE, *OFFICERS, "system"}, set(), set()),
    "ledger_verification": ({*FINANCE, "system"}, set(), set()),
    "pull": ({*FINANCE, "system"}, set(), set()),
    "pull_line": ({*FINANCE, "system"}, set(), set()),
    "pull_file": ({*FINANCE, "system"}, set(), set()),
}
DRAFT_PARTS = (
    "referral_subject",
    "referral_need",
    "strategy_tried",
    "outcome_wanted",
    "agreement",
    "draft_copy",
)
DRAFT_WRITERS = {"senco", "head", "system"}
# Who writes to what hangs on a draft. A file is added in one's own name, and nobody but the service
# changes one, except to say that it is gone; no row of one is ever deleted.
DRAFT_RIGHTS = {
    **dict.fromkeys(DRAFT_PARTS, (DRAFT_WRITERS,) * 3),
    # What somebody typed and did not save is theirs alone, whoever shares the draft.
    "draft_copy": ({"senco", "system"},) * 3,
    # A copy of the row is tied to an account already, so no school may add it.
    "contribution": ({"system"}, {*DRAFT_WRITERS, "teacher"}, {"system"}),
    # The row there is the head's answer: nobody answers for them.
    "head_decision": ({"head", "system"}, set(), set()),
    "head_remark": ({"head", "system"}, set(), {"system"}),
    "attachment": ({"senco", "system"}, {"system"}, set()),
}


@pytest.fixture
def filled(session: Session, may_2019: None) -> Iterator[Session]:
    """Five referrals in the relations that the rules tell apart, a record, a charge, a pull."""
    work = UnitOfWork(session)
    mine = rows.referral(session, MINE, status=Status.ALLOCATED)
    draft = rows.referral(session, DRAFT, status=Status.DRAFT)
    rows.referral(session, EXPIRED, status=Status.EXPIRED)
    others = rows.referral(session, OTHERS, urn=OTHER_SCHOOL)
    former = rows.referral(session, FORMER, status=Status.ALLOCATED)
    made = rows.allocation(session, mine, "practitioner")
    rows.visit(session, mine, made, 1, issued=True)
    rows.visit(session, mine, made, 2, issued=False)
    rows.handed_on(session, former, "practitioner", "other-practitioner")
    rows.beside(session, mine, made, "colleague")
    rows.change(session, mine)
    rows.contribution(session, draft)
    rows.head_decision(session, draft)
    rows.agreement_withdrawal(session, mine)
    rows.decision(session, mine)
    rows.note_and_flag(session, mine)
    rows.offered(session, mine, "practitioner")
    rows.panel(session, mine)
    rows.handed_over(session, others)
    _conversations(session, mine, former)
    ledger.post_charge(work, referrals.get(MINE, whole=True), by=SYSTEM)
    done = {"at": clock.now(), "by_id": "finance", "by_name": "Fay Finance"}
    session.add_all(
        [
            Pull(
                **done,
                number=1,
                cutoff=clock.now(),
                first_entry=1,
                last_entry=1,
                entry_count=1,
                total_pence=10_000,
                previous_digest="",
                digest="",
                idempotency_key="once",
            ),
            LedgerVerification(at=clock.now(), last_number=1, sound=True),
            DraftCopy(referral_id=draft.id, section="needs", by_id="senco", fields=[["a", "b"]]),
            Cap(**done, scope=CapScope.TERM, valid_from=date(2019, 4, 1), most=50, source="A"),
            MatchMark(referral_id=mine.id, mark="0" * 64, basis="name", key_id="a"),
            EndedSignOn(key="account:senco", ended_at=clock.now()),
            IntakeClosing(window_id=1, closes=date(2019, 12, 31), by_id="a", by_name="A"),
            CouncilClosure(
                starts=date(2019, 12, 27),
                ends=date(2019, 12, 27),
                reason="x",
                by_id="a",
                by_name="A",
            ),
            Officer(account_id="officer", name="Ola Officer", seen_on=date(2019, 5, 14)),
            OfficerAssignment(
                referral_id=mine.id,
                officer_id="officer",
                officer_name="Ola Officer",
                by_id="officer",
                by_name="Ola Officer",
            ),
            SavedList(officer_id="officer", name="Late", query="status=overdue"),
            BulkRun(
                token="once", what=Bulk.FLAG, results=[], by_id="officer", by_name="Ola Officer"
            ),
            # Both bodies: what they see is what somebody sees of whom nothing is said.
            *(
                OfficerBody(account_id="officer", body=body, by_id="a", by_name="A")
                for body in ("send", "early_years")
            ),
            ImportRun(
                **done,
                file_name="gias.csv",
                digest="",
                rows_read=0,
                added=0,
                changed=0,
                closed=0,
                unchanged=0,
                skipped=0,
            ),
        ]
    )
    session.flush()
    session.add_all(
        [
            PullLine(entry_number=1, pull_number=1),
            PullFile(pull_number=1, name="a.csv", media_type="text/csv", sha256="", content=b""),
        ]
    )
    practitioner = session.scalars(
        select(Practitioner.id).where(Practitioner.account_id == "practitioner")
    ).one()
    session.add_all(rows.record(practitioner))
    session.add_all(
        [
            PractitionerInvitation(**done, practitioner_id=practitioner, expires_at=clock.now()),
            Newcomer(
                account_id="newcomer",
                name="Nat Newcomer",
                email="",
                is_practitioner=True,
                is_lead=True,
                at=clock.now(),
            ),
        ]
    )
    session.flush()
    rows.clock_broken(session, mine)
    yield session


def _conversations(session: Session, mine: Referral, former: Referral) -> None:
    """Messages on two referrals and on requests for advice, one of which has become MINE."""
    advice = rows.advice(session, ADVICE)
    others = rows.advice(session, OTHERS_ADVICE, urn=OTHER_SCHOOL)
    became = rows.advice(session, BECAME)
    first = rows.message(session, mine)
    for about in (former, advice, others, became):
        rows.message(session, about)
    rows.seen(session, first, "senco")
    done = {"by_id": "senco", "by_name": "Sam"}
    session.add(AdviceEvent(advice_id=advice.id, action=AdviceAction.ASKED, **done))
    session.add(AdviceEvent(advice_id=others.id, action=AdviceAction.ASKED, **done))
    session.add(
        AdviceEvent(advice_id=became.id, action=AdviceAction.CONVERTED, referral_id=mine.id, **done)
    )
    session.flush()


@dataclass
class Asked:
    """PostgreSQL, asked as one person."""

    connection: Connection

    def become(self, actor: Actor) -> None:
        """Act as `actor` from here on, as the session does at the start of a transaction."""
        self.connection.execute(
            text(
                "SELECT set_config('role', 's2s_app', true), set_config('s2s.actor_id', :i, true),"
                " set_config('s2s.roles', :r, true), set_config('s2s.establishments', :e, true),"
                " set_config('s2s.provider', :p, true)"
            ),
            {
                "i": actor.id,
                "r": "{" + ",".join(sorted(actor.roles)) + "}",
                "e": "{" + ",".join(map(str, actor.establishments)) + "}",
                "p": str(actor.provider or ""),
            },
        )

    def column(self, sql: str) -> set[object]:
        """The values of the first column."""
        return set(self.connection.scalars(text(sql)))

    def may(self, sql: str) -> bool:
        """Whether a write gets past rights and policies (a constraint or trigger may stop it)."""
        savepoint = self.connection.begin_nested()
        try:
            done = self.connection.execute(text(sql)).rowcount
        except DBAPIError as error:
            return not isinstance(error.orig, psycopg.errors.InsufficientPrivilege)
        finally:
            savepoint.rollback()
        return bool(done)


@pytest.fixture
def asked(filled: Session, connection: Connection) -> Iterator[Asked]:
    """The test's connection, where one can be anybody; the superuser again afterwards."""
    yield Asked(connection)
    connection.execute(text("RESET ROLE"))


# The reference that a part belongs to, by the person's own rights: NULL for a stray row.
OWNER = "(SELECT r.reference FROM s2s.referral r WHERE r.id = referral_id)"
ADVICE_OWNER = "(SELECT a.reference FROM s2s.advice_request a WHERE a.id = advice_id)"
ADVICE_OWNERS = {
    "advice_request": "reference",
    "advice_event": ADVICE_OWNER,
    "message": ADVICE_OWNER,
    "conversation": ADVICE_OWNER,
}
LOOKED_AT = {
    **{table: f"s2s.{table}" for table in READERS},
    "record, issued NULL": "s2s.visit_record WHERE issued_at IS NULL",
    "record, issued NOT NULL": "s2s.visit_record WHERE issued_at IS NOT NULL",
}


def readers(asked: Asked, people: Iterable[str] = PEOPLE) -> dict[str, set[object]]:
    """What each person reads: the references of referrals, or whether a table shows anything."""
    found: dict[str, set[object]] = {}
    for person in people:
        asked.become(PEOPLE[person])
        found.setdefault("referral", set()).update(
            (person, key) for key in asked.column("SELECT reference FROM s2s.referral")
        )
        for part in PARTS:
            found.setdefault(part, set()).update(
                (person, key) for key in asked.column(f"SELECT {OWNER} FROM s2s.{part}")
            )
        for table, sql in ADVICE_OWNERS.items():
            found.setdefault(f"{table} of advice", set()).update(
                (person, key) for key in asked.column(f"SELECT {sql} FROM s2s.{table}") if key
            )
        for table in ("message", "conversation"):
            found.setdefault(f"{table} of a referral", set()).update(
                (person, key) for key in asked.column(f"SELECT {OWNER} FROM s2s.{table}") if key
            )
        shown = asked.connection.execute(
            text("SELECT " + ", ".join(f"EXISTS (SELECT FROM {sql})" for sql in LOOKED_AT.values()))
        ).one()
        for name, any_row in zip(LOOKED_AT, shown, strict=True):
            found.setdefault(name, set()).update({person} if any_row else set())
        found.setdefault("colleagues", set()).add(
            (person, len(asked.column("SELECT id FROM s2s.practitioner")))
        )
    return found


def writers(asked: Asked, tables: dict[str, str]) -> dict[str, tuple[set[str], ...]]:
    """Who gets an insert, an update and a delete past rights and policies.

    `tables` maps a table to the rows it is tried on. An insert adds those rows a second time.
    """
    found: dict[str, tuple[set[str], ...]] = {}
    for table, where in tables.items():
        asked.connection.execute(text("RESET ROLE"))
        names = columns(asked, table)
        listed = ", ".join(names)
        changed = ([name for name in names if changeable(asked, table, name)] or names)[-1]
        asked.connection.execute(
            text(f"CREATE TEMP TABLE again AS SELECT {listed} FROM s2s.{table} {where}")
        )
        asked.connection.execute(text("GRANT SELECT ON again TO s2s_app"))
        tries = (
            f"INSERT INTO s2s.{table} ({listed}) SELECT {listed} FROM again",
            f"UPDATE s2s.{table} SET {changed} = {changed} {where}",
            f"DELETE FROM s2s.{table} {where}",
        )
        found[table] = tuple(set() for _ in tries)
        for person, actor in PEOPLE.items():
            asked.become(actor)
            for who, sql in zip(found[table], tries, strict=True):
                if asked.may(sql):
                    who.add(person)
        asked.connection.execute(text("RESET ROLE"))
        asked.connection.execute(text("DROP TABLE again"))
    return found


def changeable(asked: Asked, table: str, column: str) -> bool:
    """Whether anybody may change a column: of some tables it is a few, and the rest stays."""
    return bool(
        asked.connection.scalar(
            text("SELECT has_column_privilege('s2s_app', :table, :column, 'UPDATE')"),
            {"table": f"s2s.{table}", "column": column.strip('"')},
        )
    )


def columns(asked: Asked, table: str) -> list[str]:
    """The columns of a table that can be written."""
    return list(
        asked.connection.scalars(
            text(
                "SELECT quote_ident(column_name) FROM information_schema.columns"
                " WHERE table_schema = 's2s' AND table_name = :table"
                " AND identity_generation IS NULL AND is_generated = 'NEVER' ORDER BY 1"
            ),
            {"table": table},
        )
    )


def tried_on(asked: Asked) -> dict[str, str]:
    """Which rows of each table the writes are tried on: those of MINE, its draft record."""
    asked.connection.execute(text("RESET ROLE"))
    mine = asked.column(f"SELECT id FROM s2s.referral WHERE reference = '{MINE}'").pop()
    draft = asked.column("SELECT id FROM s2s.visit_record WHERE issued_at IS NULL").pop()
    wheres = {
        table: f"WHERE referral_id = {mine}" if "referral_id" in columns(asked, table) else ""
        for table in WRITERS
    }
    hers = "WHERE practitioner_id = (SELECT id FROM s2s.practitioner WHERE account_id = '{}')"
    kept = ("need", "absence", "conflict", "release", "event")
    return wheres | {
        **{f"practitioner_{part}": hers.format("practitioner") for part in kept},
        "allocation_ending": "",
        "referral": f"WHERE reference = '{MINE}'",
        "visit_record": f"WHERE id = {draft}",
        "recommendation": f"WHERE record_id = {draft}",
        "practitioner": "WHERE account_id = 'practitioner'",
        "establishment": "WHERE urn = 900101",
        "advice_request": f"WHERE reference = '{ADVICE}'",
        "advice_event": f"WHERE {ADVICE_OWNER} = '{ADVICE}'",
        "triage_handover": "",
    }


def expected_reads() -> dict[str, set[object]]:
    """`READERS` and `SEES` in the form that `readers` finds."""
    pairs = {(person, key) for person, seen in SEES.items() for key in seen}
    at_a_provider = {"practitioner": 3, "colleague": 3, "lead": 3, "newcomer": 3}
    at_the_other = {"other-practitioner": 2, "other-lead": 2}
    all_of_them = dict.fromkeys((*OFFICERS, "administrator", "system"), 5)
    colleagues = dict.fromkeys(PEOPLE, 0) | at_a_provider | at_the_other | all_of_them
    of_advice = {(person, key) for person, seen in ADVICE_SEES.items() for key in seen}
    talked = {(person, key) for person, key in pairs if key in {MINE, FORMER}}
    return {
        **{f"{table} of advice": of_advice for table in ADVICE_OWNERS},
        **{f"{table} of a referral": talked for table in ("message", "conversation")},
        "referral": set(pairs),
        **{part: set(pairs) for part in PARTS},
        **READERS,
        "record, issued NULL": {"practitioner", "colleague", "lead", "system"},
        "record, issued NOT NULL": OF_MINE,
        "colleagues": set(colleagues.items()),
    }


def test_who_reads_what(asked: Asked) -> None:
    found, expected = readers(asked), expected_reads()
    assert found.keys() == expected.keys()
    for table, who in expected.items():
        assert found[table] == who, table


def test_who_writes_what(asked: Asked) -> None:
    found = writers(asked, tried_on(asked))
    for table, expected in WRITERS.items():
        assert found[table] == expected, table


def test_a_school_writes_only_while_the_referral_is_in_its_hands(asked: Asked) -> None:
    draft = asked.column(f"SELECT id FROM s2s.referral WHERE reference = '{DRAFT}'").pop()
    on_draft = dict.fromkeys(DRAFT_RIGHTS, f"WHERE referral_id = {draft}")
    found = writers(asked, on_draft | {"referral": f"WHERE id = {draft}"})
    assert found.pop("referral") == (DRAFT_WRITERS, DRAFT_WRITERS, set())
    for table, who in found.items():
        assert who == DRAFT_RIGHTS[table], table


def test_a_school_may_only_say_of_a_file_that_it_is_gone(asked: Asked) -> None:
    gone = "state = 'removed', gone_at = now(), label = ''"
    for change, who in ((gone, DRAFT_WRITERS), ("state = 'clean'", {"system"})):
        may = set()
        for person, actor in PEOPLE.items():
            asked.become(actor)
            if asked.may(f"UPDATE s2s.attachment SET {change} WHERE {OWNER} = '{DRAFT}'"):
                may.add(person)
        assert may == who, change


def test_a_file_is_added_unscanned_and_in_one_s_own_name(asked: Asked) -> None:
    add = (
        "INSERT INTO s2s.attachment (referral_id, number, type, extension, size, sha256, name,"
        " state, added_at, added_by_id, added_by_name) SELECT id, 2, 'ISP', 'pdf', 1, '', 'n',"
        " '{}', now(), '{}', '' FROM s2s.referral WHERE reference = '{}'"
    )
    asked.become(ACTORS["senco"])
    assert asked.may(add.format("waiting", "senco", DRAFT))
    assert not asked.may(add.format("clean", "senco", DRAFT))
    assert not asked.may(add.format("waiting", "head", DRAFT))
    assert not asked.may(add.format("waiting", "senco", MINE))  # it is out of the school's hands


ASK = (
    "INSERT INTO s2s.contribution (referral_id, reference, urn, school_name, section, form_version,"
    " colleague_name, colleague_email, expires_at, at, by_id, by_name) SELECT id, reference, urn,"
    " '', 'tried', 2, 'Tess', 't@school.example', now(), now(), '{}', '' FROM s2s.referral"
    " WHERE reference = '{}'"
)


def test_a_school_asks_a_colleague_in_its_own_name_and_of_a_draft_alone(asked: Asked) -> None:
    asked.become(ACTORS["senco"])
    assert asked.may(ASK.format("senco", DRAFT))
    assert not asked.may(ASK.format("head", DRAFT))
    assert not asked.may(ASK.format("senco", MINE))  # it has been sent
    for stranger in ("other-senco", "teacher", "officer"):
        asked.become(ACTORS[stranger])
        assert not asked.may(ASK.format(stranger, DRAFT)), stranger


def test_who_changes_what_of_a_contribution(asked: Asked) -> None:
    """The colleague what they write, the school that it ends, nobody whose it is."""
    people = {"senco", "head", "teacher", "outsider", "other-senco", "officer"}
    words = "answers = '{}', saved_at = now()"
    end = "ended_at = now(), ending = 'withdrawn', answers = NULL, about = '', message = ''"
    for change, who in {
        words: {"teacher"},
        "handed_back_at = now()": {"teacher"},
        end: {"senco", "head"},
        "expires_at = now()": {"senco", "head"},
        "account_id = 'outsider'": set(),
        "digest = 'x'": set(),
    }.items():
        may = set()
        for person in people:
            asked.become(ACTORS[person])
            if asked.may(f"UPDATE s2s.contribution SET {change}"):
                may.add(person)
        assert may == who, change


@pytest.mark.parametrize(
    "gone",
    [
        "ended_at = now(), ending = 'expired', answers = NULL, about = ''",
        "taken_at = now(), answers = NULL, about = ''",
    ],
)
def test_a_colleague_reads_nothing_once_it_is_used_or_over(asked: Asked, gone: str) -> None:
    asked.connection.execute(text("RESET ROLE"))
    asked.connection.execute(text(f"UPDATE s2s.contribution SET {gone}"))
    asked.become(ACTORS["teacher"])
    assert asked.column("SELECT id FROM s2s.contribution") == set()
    assert not asked.may("UPDATE s2s.contribution SET saved_at = now()")
    asked.become(ACTORS["senco"])
    assert len(asked.column("SELECT id FROM s2s.contribution")) == 1


def test_handed_back_is_read_by_the_colleague_and_changed_no_more(asked: Asked) -> None:
    asked.connection.execute(text("RESET ROLE"))
    asked.connection.execute(text("UPDATE s2s.contribution SET handed_back_at = now()"))
    asked.become(ACTORS["teacher"])
    assert len(asked.column("SELECT id FROM s2s.contribution")) == 1
    assert not asked.may("UPDATE s2s.contribution SET answers = '{}'")


def test_a_school_asks_the_head_and_does_not_answer_for_them(asked: Asked) -> None:
    add = (
        "INSERT INTO s2s.head_decision (referral_id, answer, statement, fee_pence, version, marks,"
        " at, by_id, by_name) SELECT id, '{answer}', '{words}', 0, 1, '{{}}', now(), '{by}', ''"
        " FROM s2s.referral WHERE reference = '{of}'"
    )
    asked.become(ACTORS["senco"])
    assert asked.may(add.format(answer="asked", words="", by="senco", of=DRAFT))
    assert not asked.may(add.format(answer="agreed", words="Yes", by="senco", of=DRAFT))
    assert not asked.may(add.format(answer="asked", words="", by="head", of=DRAFT))
    assert not asked.may(add.format(answer="asked", words="", by="senco", of=MINE))
    asked.become(ACTORS["head"])
    assert asked.may(add.format(answer="agreed", words="Yes", by="head", of=DRAFT))
    assert not asked.may(add.format(answer="agreed", words="Yes", by="senco", of=DRAFT))


WRITE = (
    "INSERT INTO s2s.message (referral_id, side, to_side, needs_answer, text, token, at, by_id,"
    " by_name) SELECT r.id, '{}', '{}', true, 'x', '{}', now(), '{}', '' FROM s2s.referral r"
    " WHERE r.reference = '{}'"
)
WRITE_ADVICE = WRITE.replace("referral_id", "advice_id").replace(
    "s2s.referral", "s2s.advice_request"
)


def writes(asked: Asked, sql: str, side: Side, reference: str) -> set[str]:
    """Who gets a message about `reference` in on `side`, each in their own name."""
    to = Side.COUNCIL if side is not Side.COUNCIL else Side.SCHOOL
    may = set()
    for person, actor in PEOPLE.items():
        asked.become(actor)
        if asked.may(sql.format(side, to, person, actor.id, reference)):
            may.add(person)
    return may


def test_a_message_is_written_on_one_s_own_side_of_what_is_sent(asked: Asked) -> None:
    by_hand = {"system"}
    assert writes(asked, WRITE, Side.SCHOOL, MINE) == {"senco", "head"} | by_hand
    assert writes(asked, WRITE, Side.COUNCIL, MINE) == OFFICERS | by_hand
    assert writes(asked, WRITE, Side.PRACTITIONER, MINE) == {"practitioner"} | by_hand
    assert writes(asked, WRITE, Side.LEAD, MINE) == {"lead"} | by_hand
    assert writes(asked, WRITE, Side.SCHOOL, OTHERS) == {"other-senco"} | by_hand
    for side in Side:
        assert writes(asked, WRITE, side, DRAFT) == by_hand, side
        assert writes(asked, WRITE, side, EXPIRED) == by_hand, side
    asked.connection.execute(text("RESET ROLE"))
    asked.connection.execute(
        text(f"UPDATE s2s.referral SET status = 'closed' WHERE reference = '{MINE}'")
    )
    for side in (Side.PRACTITIONER, Side.LEAD):
        assert writes(asked, WRITE, side, MINE) == by_hand, "it is no longer with them"


def test_a_message_about_advice_is_for_its_school_and_officers_until_it_became_a_referral(
    asked: Asked,
) -> None:
    by_hand = {"system"}
    assert writes(asked, WRITE_ADVICE, Side.SCHOOL, ADVICE) == {"senco", "head"} | by_hand
    assert writes(asked, WRITE_ADVICE, Side.COUNCIL, ADVICE) == OFFICERS | by_hand
    for side in (Side.PRACTITIONER, Side.LEAD):
        assert writes(asked, WRITE_ADVICE, side, ADVICE) == by_hand
    for side in Side:
        assert writes(asked, WRITE_ADVICE, side, BECAME) == by_hand


def test_who_does_what_with_a_request_for_advice(asked: Asked) -> None:
    add = (
        "INSERT INTO s2s.advice_event (advice_id, action, outcome, at, by_id, by_name)"
        " SELECT a.id, '{}', {}, now(), '{}', '' FROM s2s.advice_request a"
        f" WHERE a.reference = '{ADVICE}'"
    )
    rights = {
        "closed": OFFICERS,
        "reopened": OFFICERS | SCHOOL_STAFF,
        "helped": SCHOOL_STAFF,
        "not_helped": SCHOOL_STAFF,
    }
    for action, who in rights.items():
        may = set()
        for person, actor in PEOPLE.items():
            asked.become(actor)
            outcome = "'ANSWERED'" if action == "closed" else "NULL"
            if asked.may(add.format(action, outcome, actor.id)):
                may.add(person)
        assert may == who | {"system"}, action


def test_advice_does_not_become_another_school_s_referral(asked: Asked) -> None:
    asked.become(ACTORS["senco"])
    convert = (
        "INSERT INTO s2s.advice_event (advice_id, action, referral_id, at, by_id, by_name)"
        " SELECT a.id, 'converted', {}, now(), 'senco', '' FROM s2s.advice_request a"
        f" WHERE a.reference = '{ADVICE}'"
    )
    asked.connection.execute(text("RESET ROLE"))
    ids = dict(asked.connection.execute(text("SELECT reference, id FROM s2s.referral")).all())
    asked.become(ACTORS["senco"])
    assert not asked.may(convert.format(ids[OTHERS]))
    assert asked.may(convert.format(ids[DRAFT]))
    asked.become(SYSTEM)
    savepoint = asked.connection.begin_nested()
    with pytest.raises(DBAPIError, match="of its own school"):
        asked.connection.execute(text(convert.format(ids[OTHERS])))
    savepoint.rollback()


def test_every_table_has_row_level_security(connection: Connection) -> None:
    bare = connection.scalars(
        text(
            "SELECT relname FROM pg_class WHERE relnamespace = 's2s'::regnamespace"
            " AND relkind = 'r' AND NOT relrowsecurity"
        )
    ).all()
    assert {name for name in bare if not name.startswith("procrastinate_")} == {"alembic_version"}


def of_one(person: str, reads: dict[str, set[object]]) -> dict[str, set[object]]:
    """What of `reads` one person does."""
    return {
        name: {one for one in seen if person in {one, one[0] if isinstance(one, tuple) else one}}
        for name, seen in reads.items()
    }


def test_without_any_one_policy_something_here_differs(asked: Asked) -> None:
    """The control of the tests above: each policy is load-bearing."""
    draft = asked.column(f"SELECT id FROM s2s.referral WHERE reference = '{DRAFT}'").pop()
    tried = tried_on(asked)
    on_draft = dict.fromkeys(DRAFT_RIGHTS, f"WHERE referral_id = {draft}")
    policies = asked.connection.execute(
        text("SELECT policyname, tablename, cmd FROM pg_policies WHERE schemaname = 's2s'")
    ).all()
    assert len(policies) > 50
    by_person = {one: of_one(one, expected_reads()) for one in PEOPLE}
    idle = []
    for policy, table, command in policies:
        savepoint = asked.connection.begin_nested()
        asked.connection.execute(text(f"DROP POLICY {policy} ON s2s.{table}"))
        some = {table: tried[table]} if table in tried else {}
        same = command == "SELECT" or writers(asked, some) == {name: WRITERS[name] for name in some}
        if same and table in DRAFT_RIGHTS:
            same = writers(asked, {table: on_draft[table]}) == {table: DRAFT_RIGHTS[table]}
        if same and command in {"SELECT", "ALL"}:
            same = all(readers(asked, [one]) == by_person[one] for one in PEOPLE)
        savepoint.rollback()
        if same:
            idle.append(policy)
    assert idle == []
