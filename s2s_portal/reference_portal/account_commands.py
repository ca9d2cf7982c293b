"""`flask accounts ...`: who has signed on at this portal, and who may not any more."""

from __future__ import annotations

import click
from flask.cli import AppGroup
from sqlalchemy import select

from s2s_portal import clock
from s2s_portal.reference_portal import sessions
from s2s_portal.reference_portal.accounts import ACCOUNT
from s2s_portal.reference_portal.tables import PortalAccount, db

commands = AppGroup("accounts", help="Accounts of people who signed on at an OpenID provider.")


@commands.command("list")
def list_accounts() -> None:
    """Each account: its key, provider and subject, its name, when it last signed on."""
    for account in db.session.scalars(select(PortalAccount).order_by(PortalAccount.first_seen_at)):
        state = "off" if account.switched_off_at else "on"
        last = clock.local(account.signed_on_at).strftime("%Y-%m-%d %H:%M")
        who = f"{account.provider}:{account.subject}"
        click.echo(f"{account.key}  {state:3}  {last}  {who}  {_name(account)}")


@commands.command("switch-off")
@click.argument("key")
def switch_off(key: str) -> None:
    """Shut the account KEY out, and end its sessions now."""
    account = _account(key)
    account.switched_off_at = account.switched_off_at or clock.now()
    db.session.commit()
    ended = sessions.end_all_of(f"{ACCOUNT}{key}")
    click.echo(f"Switched off. Sessions ended: {ended}.")


@commands.command("switch-on")
@click.argument("key")
def switch_on(key: str) -> None:
    """Let the account KEY sign on again."""
    _account(key).switched_off_at = None
    db.session.commit()
    click.echo("Switched on.")


def _name(account: PortalAccount) -> str:
    told = account.claims.get
    return str(told("name") or f"{told('given_name') or ''} {told('family_name') or ''}".strip())


def _account(key: str) -> PortalAccount:
    account = db.session.get(PortalAccount, key)
    if account is None:
        raise click.ClickException(f"there is no account {key!r}: see `flask accounts list`")
    return account
