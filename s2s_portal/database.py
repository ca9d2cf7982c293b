"""Our own session on the host's engine, one for each app context, and the unit of work.

Every transaction first becomes the database role `s2s_app` and tells PostgreSQL who is acting, so
that row-level security decides what can be seen even where a check was forgotten. The host's own
session is never touched. A view commits once, through `unit_of_work`; services flush.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from flask.globals import app_ctx
from procrastinate.exceptions import ConnectorException
from sqlalchemy import Connection, Engine, MetaData, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import (
    DeclarativeBase,
    ORMExecuteState,
    Session,
    SessionTransaction,
    scoped_session,
    sessionmaker,
)

from s2s_portal.errors import (
    AlreadyAllocated,
    AlreadyDecided,
    IntakeClosed,
    OutOfOrder,
    S2SError,
    Stale,
)
from s2s_portal.identity import Actor, Role, acting_as, current_actor
from s2s_portal.state import setting, state

SCHEMA = "s2s"
APPLICATION_ROLE = "s2s_app"

# PostgreSQL cannot be reached, is too slow, or has no connection left; also while deferring a job.
AWAY = (OperationalError, InterfaceError, PoolTimeout, ConnectorException)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# Which rule of the service a violated constraint stands for: races end here, in words.
CONSTRAINT_ERRORS: dict[str, Callable[[], S2SError]] = {
    "uq_allocation_open": lambda: AlreadyAllocated(
        "Somebody else has just allocated this referral."
    ),
    "uq_offer_open": lambda: OutOfOrder(
        "Somebody else has just offered this referral to a practitioner."
    ),
    "uq_case_request_open": lambda: OutOfOrder("You have just asked for this referral."),
    "uq_ledger_entry_one_charge": lambda: AlreadyDecided(
        "The engagement fee for this referral has already been charged."
    ),
    "uq_referral_submit_token": lambda: Stale("This referral has already been sent."),
    "ck_referral_intake_open": lambda: IntakeClosed(
        "Requests have just been closed. Nothing has been sent, and your draft is kept."
    ),
    "ck_referral_intake_quota": lambda: IntakeClosed(
        "Another school has just taken the last place. Nothing has been sent; your draft is kept."
        " A place may come free: look again later."
    ),
    "uq_practitioner_account": lambda: Stale("This account has just been linked to somebody else."),
    "uq_panel_item_listed": lambda: Stale("It has just been put on this agenda."),
    "uq_panel_comment_item_id_by_id": lambda: Stale(
        "You have written your comment on this referral already."
    ),
    "uq_bulk_run_token": lambda: Stale("This has been done already."),
    "uq_contribution_open": lambda: Stale("A colleague has already been asked for this section."),
    "uq_visit_record_visit_id": lambda: Stale("A record of this visit has already been started."),
}


# Who acts, for row-level security; made once, as every transaction begins with it.
INTRODUCTION = text(
    "SELECT set_config('role', :role, true), set_config('search_path', 's2s', true),"
    " set_config('statement_timeout', :timeout, true),"
    " set_config('lock_timeout', :timeout, true),"
    " set_config('plan_cache_mode', 'force_generic_plan', true),"
    " set_config('s2s.actor_id', :id, true), set_config('s2s.roles', :roles, true),"
    " set_config('s2s.establishments', :establishments, true),"
    " set_config('s2s.provider', :provider, true)"
)


class Base(DeclarativeBase):
    """Base of all our tables: schema `s2s`, every constraint named."""

    metadata = MetaData(schema=SCHEMA, naming_convention=NAMING)


class S2SSession(Session):
    """A session that tells the database who is acting at the start of each transaction.

    `has_written` is whether the open transaction may have changed something.
    """

    has_written = False

    def end_reading(self) -> None:
        """End the transaction: with COMMIT if it only read, for at each ROLLBACK psycopg forgets
        the statements it has prepared, and each page would be planned anew; else with ROLLBACK.
        """
        if self.has_written:
            self.rollback()
        elif self.in_transaction():
            self.expunge_all()  # what was changed and never flushed stays unwritten
            self.commit()


@event.listens_for(S2SSession, "after_flush")
def _note_flush(session_: S2SSession, *_: Any) -> None:
    session_.has_written = True


@event.listens_for(S2SSession, "do_orm_execute")
def _note_statement(execution: ORMExecuteState) -> None:
    if not execution.is_select:
        execution.session.has_written = True  # type: ignore[attr-defined]


@event.listens_for(S2SSession, "after_transaction_end")
def _note_end(session_: S2SSession, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session_.has_written = False


@event.listens_for(S2SSession, "after_begin")
def _introduce_actor(
    _session: Session, transaction: SessionTransaction, connection: Connection
) -> None:
    if transaction.nested:
        return
    actor = current_actor()
    connection.execute(
        INTRODUCTION,
        {
            "role": APPLICATION_ROLE,
            "timeout": str(setting("S2S_STATEMENT_TIMEOUT_MS")),
            "id": actor.id,
            "roles": "{" + ",".join(sorted(actor.roles)) + "}",
            "establishments": "{" + ",".join(str(urn) for urn in actor.establishments) + "}",
            "provider": str(actor.provider or ""),
        },
    )


def make_session(bind: Engine | Connection, **options: Any) -> scoped_session[S2SSession]:
    """A session for each app context on `bind`."""
    factory = sessionmaker(bind=bind, class_=S2SSession, autoflush=False, **options)
    return scoped_session(factory, scopefunc=lambda: id(app_ctx._get_current_object()))  # type: ignore[attr-defined]


def session() -> S2SSession:
    """This app context's session. Read freely; write only inside `unit_of_work`."""
    return state().session()  # type: ignore[no-any-return]


@contextmanager
def apart(reader: Actor) -> Iterator[S2SSession]:
    """A transaction of its own in which `reader` reads: for what must be known before anybody acts.

    Nothing of it stays; a page's own session has not begun, or has its own connection.
    """
    with acting_as(reader), state().session.session_factory() as own:
        yield own
        own.end_reading()


def close_session() -> None:
    """End this app context's transaction and hand its connection back."""
    try:
        session().end_reading()
    except DBAPIError:
        pass  # the database is away: nothing was written, and the connection is thrown away
    finally:
        state().session.remove()


class UnitOfWork:
    """One transaction being made: `session` to write with, `after_commit` for what must wait.

    `audited` is set by `audit.wrote`; a unit of work that changed something without an audit row
    is a defect and refuses to commit.
    """

    def __init__(self, session_: Session) -> None:
        self.session = session_
        self.audited = False
        self.wrote = False
        self._afterwards: list[Callable[[], None]] = []

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run `action` once the transaction stands."""
        self._afterwards.append(action)

    @contextmanager
    def step(self) -> Iterator[None]:
        """One step that may be refused by itself: it is undone with all that it asked for, and the
        transaction goes on. Raises what the step raises."""
        asked = len(self._afterwards)
        try:
            with self.session.begin_nested():
                yield
                self.flush()
        except BaseException as error:
            del self._afterwards[asked:]
            if isinstance(error, IntegrityError):
                _translate(error)
            raise

    def flush(self) -> None:
        """Send pending changes to the database, and note that there were some."""
        if self.session.new or self.session.dirty or self.session.deleted:
            self.wrote = True
        self.session.flush()


def _translate(error: IntegrityError) -> None:
    """Raise the domain error that a violated constraint stands for, if it stands for one."""
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    if constraint in CONSTRAINT_ERRORS:
        raise CONSTRAINT_ERRORS[constraint]() from error


@contextmanager
def unit_of_work() -> Iterator[UnitOfWork]:
    """One transaction: commits once at the end, or rolls everything back.

    Raises the domain error that a violated constraint stands for (`CONSTRAINT_ERRORS`).
    """
    work = UnitOfWork(session())
    try:
        yield work
        work.flush()
        if work.wrote and not work.audited:
            raise AssertionError("This unit of work changed something without an audit row.")
        work.session.commit()
    except IntegrityError as error:
        work.session.rollback()
        _translate(error)
        raise
    except BaseException:
        work.session.rollback()
        raise
    for action in work._afterwards:
        action()


@contextmanager
def in_the_name_of(by: Actor) -> Iterator[UnitOfWork]:
    """One transaction in which the service acts for `by`, who may not read what it has to change.

    The names in the history and in the audit trail are theirs, the eyes are the service's: whoever
    calls this has to look first whether what is done is theirs to do.
    """
    session().end_reading()
    with acting_as(replace(by, roles=by.roles | {Role.SYSTEM})), unit_of_work() as work:
        yield work
