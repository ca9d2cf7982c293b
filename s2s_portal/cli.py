"""`flask s2s ...`: what a council's operators and schedulers run.

Exit status 0 only when all is well; what went wrong is one line on standard error.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from s2s_portal import migrations
from s2s_portal.errors import S2SError
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.state import state

commands = AppGroup("s2s", help="School to School Support.")
db = AppGroup("db", help="The schema of School to School Support.")
imports = AppGroup("import", help="Read public files in.")
ledger_group = AppGroup("ledger", help="The fee ledger.")
intake_group = AppGroup("intake", help="When requests are taken, and how many.")
match_group = AppGroup("match", help="Finding referrals about the same pupil or class.")
commands.add_command(db)
commands.add_command(imports)
commands.add_command(ledger_group)
files_group = AppGroup("files", help="Files that schools attach.")
commands.add_command(files_group)
commands.add_command(intake_group)
commands.add_command(match_group)

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
            raise SystemExit(_fail(error)) from error

    return run  # type: ignore[return-value]


def _fail(error: BaseException) -> int:
    click.echo(f"s2s: {one_line(error)}", err=True)
    return 1


@db.command("upgrade")
@click.argument("revision", default="head")
@with_appcontext
@plainly
def upgrade(revision: str) -> None:
    """Bring the schema up to REVISION (head)."""
    migrations.upgrade(state().engine, revision)
    click.echo(f"The schema is at {migrations.current(state().engine)}.")


@db.command("downgrade")
@click.argument("revision")
@click.confirmation_option(prompt="Going back removes tables and what is in them. Go on?")
@with_appcontext
@plainly
def downgrade(revision: str) -> None:
    """Take the schema back to REVISION; `base` removes every table of ours."""
    migrations.downgrade(state().engine, revision)
    click.echo(f"The schema is at {migrations.current(state().engine) or 'base'}.")


@db.command("current")
@with_appcontext
@plainly
def current() -> None:
    """Say which revision the database is at; status 1 when it is not this release's."""
    found, head = migrations.current(state().engine), migrations.head()
    click.echo(found or "base")
    if found != head:
        raise SystemExit(_fail(S2SError(f"this release needs {head}: run flask s2s db upgrade")))


@db.command("sql")
@click.argument("revision", default="head")
def sql(revision: str) -> None:
    """Print the statements that make the schema, for a DBA to read or run."""
    click.echo(migrations.sql(revision))


@commands.command("routes")
@with_appcontext
def routes() -> None:
    """List every page with its access rule."""
    here = state()
    for rule in sorted(current_app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if rule.endpoint in here.policies:
            methods = ",".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
            click.echo(f"{methods:10} {rule.rule:60} {here.policies[rule.endpoint].name}")


@commands.command("worker")
@click.option("--once", is_flag=True, help="Do what is waiting, then stop: for a scheduler.")
@with_appcontext
@plainly
def worker(once: bool) -> None:
    """Send mail and do the regular checks, until stopped."""
    if once:
        # The queue's own pool tries for half a minute before it says that nobody answers.
        with state().engine.connect():
            pass
    state().jobs.run_worker(wait=not once, listen_notify=not once, delete_jobs="successful")


@commands.command("sign-out")
@click.argument("account")
@with_appcontext
@plainly
def sign_out(account: str) -> None:
    """End every sign-in of ACCOUNT here (the id of its Actor), for a lost device or a leaver."""
    from s2s_portal import sign_ons

    sign_ons.end_account(account, SYSTEM)
    click.echo(f"Every sign-in of {account} has been ended.")


@commands.command("seed")
@click.option("--demo", is_flag=True, required=True, help="Fictional schools, pupils and staff.")
@with_appcontext
@plainly
def seed(demo: bool) -> None:
    """Fill an empty service with demonstration rows; does nothing when there are any."""
    from s2s_portal.reference_portal import demonstration

    click.echo(demonstration.seed() if demo else "")


@imports.command("establishments")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@with_appcontext
@plainly
def establishments(file: Path) -> None:
    """Read the national register's FILE (GIAS `edubasealldata`)."""
    from tqdm import tqdm

    from s2s_portal.services import establishments as register

    with tqdm(unit=" rows", disable=None) as bar:
        report = register.import_file(file, progress=bar.update)
    for line in report.lines():
        click.echo(line)


@imports.command("terms")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@with_appcontext
@plainly
def terms(file: Path) -> None:
    """Read school term dates from FILE (CSV): all of it, or nothing."""
    from s2s_portal.database import unit_of_work
    from s2s_portal.services import term_file

    with unit_of_work() as work:
        lines = term_file.import_file(work, file, by=SYSTEM)
    for line in lines:
        click.echo(line)


@imports.command("practitioners")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--preview", is_flag=True, help="Say what would change, and change nothing.")
@with_appcontext
@plainly
def practitioners(file: Path, preview: bool) -> None:
    """Read practitioners from FILE (CSV): all of it, or nothing."""
    from s2s_portal.database import unit_of_work
    from s2s_portal.services import practitioner_file

    text = practitioner_file.text_of(file.read_bytes())
    if preview:
        outcomes = practitioner_file.preview(text, by=SYSTEM)
    else:
        with unit_of_work() as work:
            outcomes = practitioner_file.import_text(work, text, by=SYSTEM)
    for outcome in outcomes:
        click.echo(str(outcome))


@commands.command("keep-drafts")
@with_appcontext
@plainly
def keep_drafts() -> None:
    """Give notice of old drafts and delete expired ones, as the worker does each morning."""
    from s2s_portal.services import drafts

    click.echo(str(drafts.upkeep()))


@intake_group.command("list")
@with_appcontext
@plainly
def intake_list() -> None:
    """List the windows in which requests are taken, newest first."""
    from s2s_portal.services import intake

    for line in intake.windows():
        click.echo(str(line))


@intake_group.command("open")
@click.argument("kind", type=click.Choice(["mainstream", "early_years"]))
@click.argument("opens", type=click.DateTime(["%Y-%m-%d"]))
@click.option("--closes", type=click.DateTime(["%Y-%m-%d"]), help="Last day; none: open-ended.")
@click.option("--quota", type=click.IntRange(min=1), help="Requests commissioned; none: no limit.")
@click.option("--source", required=True, help="Where this was decided or published.")
@with_appcontext
@plainly
def intake_open(
    kind: str, opens: datetime, closes: datetime | None, quota: int | None, source: str
) -> None:
    """Take requests of a KIND of setting from the day OPENS on."""
    from s2s_portal.database import unit_of_work
    from s2s_portal.models.establishment import SettingKind
    from s2s_portal.services import intake

    with unit_of_work() as work:
        window = intake.open_window(
            work,
            SettingKind(kind),
            opens=opens.date(),
            closes=closes.date() if closes else None,
            quota=quota,
            source=source,
            by=SYSTEM,
        )
        number = window.id
    click.echo(f"Window {number} has been added.")


@intake_group.command("close")
@click.argument("number", type=int)
@click.argument("closes", type=click.DateTime(["%Y-%m-%d"]))
@click.option("--reason", required=True, help="Why it closes early.")
@with_appcontext
@plainly
def intake_close(number: int, closes: datetime, reason: str) -> None:
    """Close window NUMBER early: CLOSES is its new last day."""
    from s2s_portal.database import unit_of_work
    from s2s_portal.services import intake

    with unit_of_work() as work:
        intake.close_window(work, number, closes=closes.date(), reason=reason, by=SYSTEM)
    click.echo(f"Window {number} now closes on {closes:%Y-%m-%d}.")


@ledger_group.command("verify")
@with_appcontext
@plainly
def ledger_verify() -> None:
    """Check every entry, posting and link of the chain; status 1 when one is wrong."""
    from s2s_portal.services import verification

    result = verification.verify_and_note()
    for problem in result.problems:
        click.echo(f"s2s: {problem}", err=True)
    if result.problems:
        raise SystemExit(1)
    click.echo(f"The ledger is sound: {result.last_number:,} entries.")


@files_group.command("sweep")
@click.option("--all", "all_of_them", is_flag=True, help="Even if most of what is kept goes.")
@with_appcontext
@plainly
def files_sweep(all_of_them: bool) -> None:
    """Delete the content of files that are gone, and what no file's row knows of."""
    from s2s_portal.services import file_upkeep

    gone, strays = file_upkeep.sweep(all_of_them=all_of_them)
    click.echo(f"Deleted the content of {gone} files that are gone, and {strays} strays.")


@files_group.command("scan")
@with_appcontext
@plainly
def files_scan() -> None:
    """Have what waits too long for the virus scanner scanned now; status 1 when it cannot be."""
    from s2s_portal.services import file_upkeep

    left = file_upkeep.scan_left(at_once=True)
    if left:
        raise SystemExit(_fail(S2SError(f"{left} files could not be scanned")))
    click.echo("Every file has been scanned.")


@match_group.command("rebuild")
@with_appcontext
@plainly
def match_rebuild() -> None:
    """Mark every referral under the S2S_MATCH_KEY of today: after it was set, or changed."""
    from s2s_portal.services import match_keys

    click.echo(f"Marked {match_keys.rebuild():,} referrals.")


@commands.command("pull")
@with_appcontext
@plainly
def pull() -> None:
    """Pull all that is due into a numbered batch, as Finance would on the page."""
    import secrets

    from s2s_portal.database import unit_of_work
    from s2s_portal.services import pulls

    with unit_of_work() as work:
        made = pulls.make(work, idempotency_key=f"cli:{secrets.token_hex(16)}", by=SYSTEM)
        line = pulls.summary(made)
    click.echo(line)


@commands.command("check")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for another program to read.")
@with_appcontext
@plainly
def check(as_json: bool) -> None:
    """Look at every part the service needs, and say what to do about what is wrong."""
    from s2s_portal import host_checks
    from s2s_portal.services import doctor

    findings = host_checks.examine(current_app._get_current_object())
    status = doctor.worst(findings)
    if as_json:
        report = {"status": status, "findings": [asdict(finding) for finding in findings]}
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            click.echo(f"{finding.state:4}  {finding.part}: {finding.says}")
    if status == "fail":
        raise SystemExit(_fail(S2SError("something needs doing; see above")))
