"""Looks at every part that the service needs, and says what to do about what is wrong.

`flask s2s check` prints it. Run it as the service itself. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from s2s_portal.database import APPLICATION_ROLE, session
from s2s_portal.identity import NOBODY
from s2s_portal.models.ledger import LedgerVerification
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import file_health, health, referrals
from s2s_portal.services.terms import written
from s2s_portal.state import state

OLDEST_POSTGRESQL = 15
READ_AT_ONCE = 1_000
NAMED = 5  # referrals named in one finding
UPGRADE = "Run: flask s2s db upgrade"


@dataclass(frozen=True)
class Finding:
    """One part: whether it is well, what it is, and what was seen or what to do."""

    state: Literal["ok", "warn", "fail"]
    what: str
    says: str


def examine() -> list[Finding]:
    """Every finding, in the order in which to put things right.

    Stops after the first parts when the database cannot be reached or its schema is not this
    release's: nothing after that could be looked at.
    """
    parts = health.ready()["parts"]
    findings = [_host_mail(), _routes(), *_ground(parts)]
    if any(finding.state == "fail" for finding in findings):
        return findings
    for what, look in LOOKS.items():
        findings.append(_looked(what, look))
    return [*findings, _worker(parts), _ledger(parts)]


def _looked(what: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except SQLAlchemyError as error:
        session().rollback()
        return Finding("fail", what, f"It could not be looked at: {type(error).__name__}.")


def _host_mail() -> Finding:
    sender = state().setting("S2S_MAIL_SENDER") or state().config.get("MAIL_DEFAULT_SENDER")
    if not sender:
        return Finding(
            "fail", "mail", "No sender: set S2S_MAIL_SENDER or the host's MAIL_DEFAULT_SENDER."
        )
    if not state().setting("S2S_EXTERNAL_URL"):
        return Finding(
            "warn",
            "mail",
            "S2S_EXTERNAL_URL is not set, so links in mail go by the address of each request.",
        )
    return Finding("ok", "mail", "The host's Flask-Mail was found, and a sender.")


def _routes() -> Finding:
    number = len(state().policies)
    if not number:
        return Finding("fail", "access", "No page has an access policy: was init_app called?")
    return Finding("ok", "access", f"Each of {number} pages has an access policy.")


def _ground(parts: dict[str, str]) -> Iterator[Finding]:
    if parts["database"] != "ok":
        yield Finding("fail", "database", "It cannot be reached: check the address and the server.")
        return
    yield _version()
    if parts["migrations"] != "ok":
        yield Finding("fail", "schema", f"It is {parts['migrations']}. {UPGRADE}.")
        return
    yield Finding("ok", "schema", "It is this release's.")


def _version() -> Finding:
    with state().engine.connect() as connection:
        version = connection.scalar(text("SHOW server_version_num"))
    major = int(version) // 10_000
    if major < OLDEST_POSTGRESQL:
        return Finding(
            "fail", "database", f"PostgreSQL {major}: {OLDEST_POSTGRESQL} or later is needed."
        )
    return Finding("ok", "database", f"PostgreSQL {major}.")


def _role() -> Finding:
    who = session().scalar(text("SELECT current_user"))
    if who != APPLICATION_ROLE:
        return Finding("fail", "role", f"Transactions run as {who}, not as {APPLICATION_ROLE}.")
    powers = session().scalar(
        text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
    )
    if powers:
        return Finding(
            "fail",
            "role",
            f"{APPLICATION_ROLE} may pass row-level security by. Run as a database administrator:"
            f" ALTER ROLE {APPLICATION_ROLE} NOSUPERUSER NOBYPASSRLS",
        )
    return Finding("ok", "role", f"Transactions run as {APPLICATION_ROLE}.")


def _row_level_security() -> Finding:
    bare = (
        session()
        .scalars(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 's2s'::regnamespace"
                r" AND relkind = 'r' AND NOT relrowsecurity AND relname <> 'alembic_version'"
                r" AND relname NOT LIKE 'procrastinate\_%' ORDER BY relname"
            )
        )
        .all()
    )
    if bare:
        return Finding(
            "fail",
            "row-level security",
            f"It is off for {', '.join(bare)}. Run: ALTER TABLE s2s.{bare[0]}"
            " ENABLE ROW LEVEL SECURITY",
        )
    seen = _seen_by_nobody()
    if seen:
        return Finding(
            "fail", "row-level security", f"It lets somebody without a role see {seen} referrals."
        )
    return Finding("ok", "row-level security", "It is on, and nobody without a role sees a row.")


def _seen_by_nobody() -> int:
    """How many referrals somebody without any role sees; the actor is put back afterwards."""
    with session().begin_nested() as savepoint:
        session().execute(
            text(
                "SELECT set_config('s2s.actor_id', :id, true), set_config('s2s.roles', '{}', true)"
            ),
            {"id": NOBODY.id},
        )
        seen = session().scalar(select(func.count()).select_from(Referral))
        savepoint.rollback()
    return seen or 0


def _statuses() -> Finding:
    rows = session().execute(
        select(Referral.reference, Referral.status, ReferralEvent.action)
        .outerjoin(ReferralEvent, ReferralEvent.referral_id == Referral.id)
        .order_by(Referral.id, ReferralEvent.id)
        .execution_options(yield_per=READ_AT_ONCE)
    )
    wrong = [
        reference
        for (reference, status), events in groupby(rows, key=lambda row: (row[0], row[1]))
        if referrals.derived_status(events) is not status
    ]
    if wrong:
        more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        return Finding(
            "fail",
            "statuses",
            f"The stored status is not what the history says: {', '.join(wrong[:NAMED])}{more}.",
        )
    return Finding("ok", "statuses", "Each referral stands where its history says.")


def _of_files(what: str, look: Callable[[], file_health.Said]) -> Finding:
    found, says = look()
    return Finding(found, what, says)


LOOKS: dict[str, Callable[[], Finding]] = {
    "role": _role,
    "row-level security": _row_level_security,
    "statuses": _statuses,
    "virus scanner": lambda: _of_files("virus scanner", file_health.scanning),
    "stored files": lambda: _of_files("stored files", file_health.keeping),
    "size of files": lambda: _of_files("size of files", file_health.limits),
}


def _worker(parts: dict[str, str]) -> Finding:
    if parts["worker"] != "ok":
        return Finding(
            "warn", "worker", f"It was {parts['worker']}, so no mail goes. Run: flask s2s worker"
        )
    return Finding("ok", "worker", "It has been seen lately.")


def _ledger(parts: dict[str, str]) -> Finding:
    if parts["ledger"] == "ok":
        last = session().scalar(select(func.max(LedgerVerification.at)))
        when = f" on {written(last.date())}" if last else ""
        return Finding("ok", "ledger", f"It was last verified{when}, and is sound.")
    if parts["ledger"] == "not verified yet":
        return Finding("warn", "ledger", "It is not verified yet. Run: flask s2s ledger verify")
    return Finding(
        "fail",
        "ledger",
        "It does not verify. Stop pulling, run: flask s2s ledger verify, and keep what it says.",
    )
