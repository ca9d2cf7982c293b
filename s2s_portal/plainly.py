"""How a command says what went wrong: one line on standard error, and an exit status."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from s2s_portal.errors import S2SError
from s2s_portal.identity import SYSTEM, acting_as

Command = TypeVar("Command", bound=Callable[..., Any])


def one_line(error: BaseException) -> str:
    """What went wrong, in one line."""
    if isinstance(error, DBAPIError):
        error = error.orig or error
    return " ".join(str(error).split("\n\n")[0].split()) or type(error).__name__


def plainly(command: Command) -> Command:
    """Run a command as the service itself; turn what it refuses into one line and status 1."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            with acting_as(SYSTEM):
                return command(*args, **kwargs)
        except (S2SError, SQLAlchemyError, OSError) as error:
            raise SystemExit(fail(error)) from error

    return run  # type: ignore[return-value]


def fail(error: BaseException) -> int:
    """Say what went wrong; the exit status."""
    click.echo(f"s2s: {one_line(error)}", err=True)
    return 1
