"""What the database itself refuses: these looks try it, in a transaction that is rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from s2s_portal.database import APPLICATION_ROLE, session
from s2s_portal.identity import NOBODY, Actor, Role
from s2s_portal.services.doctor import invented
from s2s_portal.services.doctor.findings import Look, Said, fail

# Tables of which a row never changes (0003_guards.sql, part 4).
NEVER_CHANGED = (
    "account",
    "acknowledgement",
    "addendum",
    "advice_event",
    "agreement_withdrawal",
    "allocation_cap",
    "allocation_ending",
    "audit_entry",
    "bulk_run",
    "clock_breach",
    "clock_change",
    "decision",
    "decision_check",
    "decision_reason",
    "fee",
    "flag",
    "flag_resolution",
    "hand_over_note",
    "head_decision",
    "import_run",
    "intake_closing",
    "internal_note",
    "lead_confirmation",
    "ledger_entry",
    "ledger_verification",
    "message",
    "newcomer",
    "other_service",
    "panel_comment",
    "panel_reviewer",
    "plan_rule",
    "posting",
    "practitioner_event",
    "practitioner_release",
    "pull",
    "pull_file",
    "pull_line",
    "record_document",
    "referral_event",
    "section_change",
    "section_opening",
    "service_level",
    "service_terms",
    "support_level",
    "triage_handover",
    "triage_rule",
    "workload_weight",
)
# What is really tried, of no row, so that nothing changes even where it is allowed.
TRIED = {
    ("UPDATE", "ledger_entry"): "UPDATE s2s.ledger_entry SET amount_pence = 0 WHERE false",
    ("DELETE", "ledger_entry"): "DELETE FROM s2s.ledger_entry WHERE false",
    ("UPDATE", "posting"): "UPDATE s2s.posting SET amount_pence = 0 WHERE false",
    ("DELETE", "posting"): "DELETE FROM s2s.posting WHERE false",
    ("UPDATE", "audit_entry"): "UPDATE s2s.audit_entry SET by_id = '' WHERE false",
    ("DELETE", "audit_entry"): "DELETE FROM s2s.audit_entry WHERE false",
}
# What belongs to a referral, each found by `referral_id`; the referral itself by `id`.
OF_A_REFERRAL = (
    "referral_subject",
    "referral_need",
    "strategy_tried",
    "outcome_wanted",
    "agreement",
    "referral_event",
    "allocation",
    "visit",
    "visit_record",
)


def _person(role: Role, *, school: int = 0, provider: int | None = None) -> Actor:
    return Actor(
        id=f"s2s-doctor-{role}",
        name="The doctor",
        roles=frozenset({role}),
        establishments=(school,) if school else (),
        provider=provider,
    )


# Who may see nothing of the invented referral, in words.
STRANGERS = {
    "somebody without a role": NOBODY,
    "another school": _person(Role.REFERRER, school=invented.PROVIDER),
    "a practitioner who does not have it": _person(Role.PRACTITIONER, provider=invented.PROVIDER),
    "the lead of another Complex Needs School": _person(Role.LEAD, provider=invented.SCHOOL),
    "Finance": _person(Role.FINANCE),
    "an approver of Finance": _person(Role.FINANCE_APPROVER),
    "a programme manager": _person(Role.MANAGER),
    "an auditor": _person(Role.AUDITOR),
    "an administrator": _person(Role.ADMINISTRATOR),
}
ITS_SCHOOL = _person(Role.REFERRER, school=invented.SCHOOL)


def _role() -> Iterator[Said]:
    who = session().scalar(text("SELECT current_user"))
    if who != APPLICATION_ROLE:
        yield fail(f"Transactions run as {who}, not as {APPLICATION_ROLE}.")
        return
    powers = session().scalar(
        text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
    )
    if powers:
        yield fail(
            f"{APPLICATION_ROLE} may pass row-level security by. Run as a database administrator:"
            f" ALTER ROLE {APPLICATION_ROLE} NOSUPERUSER NOBYPASSRLS"
        )
    if session().scalar(text("SELECT has_schema_privilege('s2s', 'CREATE')")):
        yield fail(
            f"{APPLICATION_ROLE} may make tables. Run as the owner of the schema:"
            f" REVOKE CREATE ON SCHEMA s2s FROM {APPLICATION_ROLE}, PUBLIC"
        )


def _row_level_security() -> Iterator[Said]:
    bare = _without_row_level_security()
    if bare:
        yield fail(
            f"It is off for {', '.join(bare)}. Run: ALTER TABLE s2s.{bare[0]}"
            " ENABLE ROW LEVEL SECURITY"
        )
        return
    with _rolled_back():
        made = invented.add(session())
        for who, actor in STRANGERS.items():
            seen = _seen_by(actor, made.referral_id)
            if seen:
                yield fail(f"It lets {who} see a referral that is not theirs: {', '.join(seen)}.")
        hidden = (
            {"referral", *OF_A_REFERRAL}
            - {"allocation"}
            - set(_seen_by(ITS_SCHOOL, made.referral_id))
        )
        if hidden:
            yield fail(f"It hides from a school its own {', '.join(sorted(hidden))}.")


def _without_row_level_security() -> list[str]:
    return list(
        session().scalars(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 's2s'::regnamespace"
                r" AND relkind = 'r' AND NOT relrowsecurity AND relname <> 'alembic_version'"
                r" AND relname NOT LIKE 'procrastinate\_%' ORDER BY relname"
            )
        )
    )


@contextmanager
def _rolled_back() -> Iterator[None]:
    """A part of the transaction that leaves nothing behind, who acts included."""
    savepoint = session().begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()
        session().expunge_all()


def _seen_by(actor: Actor, referral_id: int) -> list[str]:
    """The tables in which `actor` sees something of the referral."""
    columns = ", ".join(
        f"EXISTS (SELECT FROM s2s.{table} WHERE {key} = :id) AS {table}"
        for table, key in [("referral", "id"), *((name, "referral_id") for name in OF_A_REFERRAL)]
    )
    with session().begin_nested() as savepoint:
        session().execute(
            text(
                "SELECT set_config('s2s.actor_id', :actor, true),"
                " set_config('s2s.roles', :roles, true),"
                " set_config('s2s.establishments', :schools, true),"
                " set_config('s2s.provider', :provider, true)"
            ),
            {
                "actor": actor.id,
                "roles": "{" + ",".join(actor.roles) + "}",
                "schools": "{" + ",".join(map(str, actor.establishments)) + "}",
                "provider": str(actor.provider or ""),
            },
        )
        row = session().execute(text(f"SELECT {columns}"), {"id": referral_id}).one()
        savepoint.rollback()
    return [name for name, seen in row._mapping.items() if seen]


def _never_changed() -> Iterator[Said]:
    for (right, table), statement in TRIED.items():
        if _is_allowed(statement):
            yield fail(
                f"{APPLICATION_ROLE} may {right} {table}. Run as the owner of the schema:"
                f" REVOKE {right} ON s2s.{table} FROM {APPLICATION_ROLE}"
            )
    tried = {table for _right, table in TRIED}
    may = session().scalars(
        text(
            "SELECT name FROM unnest(CAST(:names AS text[])) AS name"
            " WHERE has_table_privilege(current_user, 's2s.' || name, 'UPDATE, DELETE, TRUNCATE')"
        ),
        {"names": [table for table in NEVER_CHANGED if table not in tried]},
    )
    for table in may:
        yield fail(
            f"{APPLICATION_ROLE} may change {table}. Run as the owner of the schema:"
            f" REVOKE UPDATE, DELETE, TRUNCATE ON s2s.{table} FROM {APPLICATION_ROLE}"
        )
    yield from _triggers()


def _is_allowed(statement: str) -> bool:
    try:
        with session().begin_nested():
            session().execute(text(statement))
    except ProgrammingError:
        return False
    return True


def _triggers() -> Iterator[Said]:
    """The owner is stopped too: each table has its triggers, and they are on."""
    gone = (
        session()
        .scalars(
            text(
                "SELECT name || ' (' || guard || ')' FROM unnest(CAST(:names AS text[])) AS name,"
                " (VALUES ('append_only'), ('no_truncate')) AS guards (guard)"
                " WHERE NOT EXISTS (SELECT FROM pg_trigger"
                " WHERE tgrelid = ('s2s.' || name)::regclass AND tgname = guard"
                " AND tgenabled IN ('O', 'A')) ORDER BY 1"
            ),
            {"names": list(NEVER_CHANGED)},
        )
        .all()
    )
    if gone:
        yield fail(
            f"Triggers are off or gone: {', '.join(gone)}. Find out who did it, then run as the"
            f" owner: ALTER TABLE s2s.{gone[0].split()[0]} ENABLE TRIGGER ALL"
        )


LOOKS = (
    Look(
        "role", _role, f"Transactions run as {APPLICATION_ROLE}, which may do no more than it must."
    ),
    Look(
        "row-level security",
        _row_level_security,
        "It is on; tried as nine people who may not see a referral, and as its school, who may.",
    ),
    Look(
        "what never changes",
        _never_changed,
        "Ledger, audit trail and history refuse every change, and their triggers are on.",
    ),
)
