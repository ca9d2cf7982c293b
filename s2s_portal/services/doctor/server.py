"""PostgreSQL itself: its release, what our login may do, whether it keeps what it says, its clock.

These looks go by the login as it is, not by the role that our transactions take.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from s2s_portal import clock
from s2s_portal.database import APPLICATION_ROLE
from s2s_portal.services.doctor.findings import Look, Said, fail, warn, well
from s2s_portal.state import state

OLDEST_POSTGRESQL = 15
DRIFT = 2.0  # seconds that the two clocks may differ
KEEPS = {
    "synchronous_commit": "a charge that was acknowledged can be lost in a crash",
    "fsync": "a crash can destroy the whole database",
    "full_page_writes": "a crash can destroy the whole database",
}


def ask(statement: str, **values: Any) -> Any:
    """The one row that `statement` gives, asked by the login itself."""
    with state().engine.connect() as connection:
        return connection.execute(text(statement), values).one()


def configured(name: str) -> str:
    """A setting of PostgreSQL, as our connections have it."""
    return str(ask("SELECT current_setting(:name)", name=name)[0])


def _version() -> Iterator[Said]:
    major = int(configured("server_version_num")) // 10_000
    if major < OLDEST_POSTGRESQL:
        yield fail(f"PostgreSQL {major}: {OLDEST_POSTGRESQL} or later is needed.")
    else:
        yield well(f"PostgreSQL {major}.")


def _login() -> Iterator[Said]:
    found = ask(
        "SELECT session_user AS name, rolsuper AS super, rolbypassrls AS bypass,"
        " to_regrole(:role) IS NOT NULL AND pg_has_role(session_user, to_regrole(:role), 'MEMBER')"
        " AS member, (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 's2s')"
        " AS owner FROM pg_roles WHERE rolname = session_user",
        role=APPLICATION_ROLE,
    )
    if not found.member:
        yield fail(
            f"{found.name} may not become {APPLICATION_ROLE}. Run as a database administrator:"
            f' GRANT {APPLICATION_ROLE} TO "{found.name}"'
        )
    if found.super or found.bypass:
        yield warn(
            f"{found.name} has every right, so whoever learns its password has too. Make a login"
            " with the rights in the README (What a DBA must grant), and use that."
        )
    elif found.owner and found.owner != found.name:
        yield well(f"{found.name} serves pages; {found.owner} owns the schema and upgrades it.")


def _keeps() -> Iterator[Said]:
    for name, otherwise in KEEPS.items():
        if configured(name) == "off":
            yield fail(f"{name} is off: {otherwise}. Set {name} = on in postgresql.conf.")


def _clocks() -> Iterator[Said]:
    before = datetime.now(UTC)
    there = ask("SELECT clock_timestamp()")[0]
    after = datetime.now(UTC)
    drift = max((before - there).total_seconds(), (there - after).total_seconds(), 0.0)
    if drift > DRIFT:
        yield warn(
            f"This machine and the database differ by {drift:.0f} seconds, so days and deadlines"
            " may be wrong. Set both by a time server (NTP)."
        )
    noon = clock.local(datetime(2019, 7, 1, 11, tzinfo=UTC)).hour
    if noon != 12:
        yield fail("Norfolk's summer time is not known here. Run: pip install --upgrade tzdata")


VERSION = Look("database", _version, "")
LOOKS = (
    Look("database login", _login, "It has the rights it needs, and no more."),
    Look("durability", _keeps, "What was acknowledged survives a crash."),
    Look("clock", _clocks, "This machine and the database agree, and know Norfolk's time."),
)
