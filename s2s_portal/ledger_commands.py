"""`flask s2s ledger ...`: proving the ledger, here or from files alone, and writing it all down."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import AppGroup, ScriptInfo, with_appcontext

from s2s_portal import money
from s2s_portal.plainly import plainly

ledger_group = AppGroup("ledger", help="The fee ledger.")


@ledger_group.command("verify", with_appcontext=False)
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A folder with pulls, or a file of a pull: asks no database.",
)
@click.argument("more", nargs=-1, type=click.Path(path_type=Path))
@click.pass_context
def ledger_verify(context: click.Context, files: tuple[Path, ...], more: tuple[Path, ...]) -> None:
    """Check every entry, posting and link of the chain; status 1 when one is wrong.

    With --file BATCH..., check downloaded pulls instead, from their files alone.
    """
    if files:
        _verify_files([*files, *more])
    elif more:
        raise click.UsageError("Say --file before the files to check.")
    else:
        with context.ensure_object(ScriptInfo).load_app().app_context():
            _verify_ledger()


def _verify_files(files: list[Path]) -> None:
    from s2s_portal.exports import batches

    report = batches.check(files)
    for problem in report.problems:
        click.echo(f"s2s: {problem}", err=True)
    if report.problems:
        raise SystemExit(1)
    first, last = report.pulls[0], report.pulls[-1]
    which = f"Pull {first} is" if first == last else f"Pulls {first} to {last} are"
    before = f" Pulls before {first} were not given." if first > 1 else ""
    click.echo(
        f"{which} whole: {report.entries:,} entries,"
        f" {money.pounds(report.total_pence)}.{before}\n"
        f"Compare with the page of pull {last}: {report.last_digest}"
    )


@plainly
def _verify_ledger() -> None:
    from s2s_portal.services import verification

    result = verification.verify_and_note()
    for problem in result.problems:
        click.echo(f"s2s: {problem}", err=True)
    if result.problems:
        raise SystemExit(1)
    click.echo(f"The ledger is sound: {result.last_number:,} entries.")


@ledger_group.command("export")
@click.option(
    "--format", "form", type=click.Choice(["csv", "beancount"]), default="csv", show_default=True
)
@with_appcontext
@plainly
def ledger_export(form: str) -> None:
    """Write the whole ledger to standard output: as CSV, or for beancount to check."""
    from s2s_portal.services import ledger_export as whole

    for piece in whole.pieces(whole.Form(form)):
        click.echo(piece, nl=False)
