"""Our session and the host's, side by side on one engine: neither commits nor undoes the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask_login import current_user
from sqlalchemy import text

from s2s_portal.database import session
from tests.hosts.path import REFERENCE
from tests.hosts.towns import Town

Settled = Callable[[str], Town]


def stored(town: Town, statement: str) -> list[Any]:
    """What is committed, as the owner of the tables sees it."""
    with town.app.app_context(), town.app.extensions["sqlalchemy"].engine.connect() as connection:
        return list(connection.scalars(text(statement)))


def test_our_commit_does_not_write_what_the_host_has_half_done(settled: Settled) -> None:
    town = settled("modern")
    db = town.app.extensions["sqlalchemy"]

    def half_done() -> None:
        """As if a host counted visits, and meant to commit in the views that it counts."""
        if current_user.is_authenticated:
            current_user.display_name = "half done"
            db.session.flush()  # even sent to the database already

    senco = town.signed_on("senco")
    town.app.before_request_funcs[None].append(half_done)
    senco.front("/referrals/start").begin()
    assert REFERENCE.search(senco.page.h1)
    assert stored(town, "SELECT reference FROM s2s.referral") == [
        REFERENCE.search(senco.page.h1).group()  # type: ignore[union-attr]
    ]
    assert "half done" not in stored(town, "SELECT display_name FROM account")


def test_a_rollback_of_the_hosts_does_not_undo_ours(settled: Settled) -> None:
    town = settled("modern")
    senco = town.signed_on("senco")

    def undo(response: Any) -> Any:
        db = town.app.extensions["sqlalchemy"]
        db.session.rollback()
        return response

    town.app.after_request_funcs[None].append(undo)
    senco.front("/referrals/start").begin()
    assert len(stored(town, "SELECT reference FROM s2s.referral")) == 1


def test_what_we_refuse_does_not_undo_what_the_host_does(settled: Settled) -> None:
    """A host that commits at the end of each request keeps its row, though we rolled ours back."""
    town = settled("modern")
    officer = town.signed_on("officer")
    db = town.app.extensions["sqlalchemy"]

    def count() -> None:
        db.session.execute(text("UPDATE account SET organisation = 7 WHERE subject = 'officer'"))

    def commit(response: Any) -> Any:
        db.session.commit()
        return response

    town.app.before_request_funcs[None].append(count)
    town.app.after_request_funcs[None].append(commit)
    officer.front("/triage/S2S-26-7K4P/", status=404)
    assert 7 in stored(town, "SELECT organisation FROM account")


def test_the_host_never_meets_our_role_or_settings(settled: Settled) -> None:
    """Role, search path and time-out of ours are of our transaction alone."""
    town = settled("legacy")
    officer = town.signed_on("officer")
    officer.front("/triage/")
    with town.app.app_context():
        session = town.app.extensions["sqlalchemy"].session
        who = session.execute(
            text(
                "SELECT current_user = session_user, current_setting('search_path'),"
                " coalesce(current_setting('s2s.actor_id', true), ''),"
                " current_setting('statement_timeout')"
            )
        ).one()
    assert tuple(who) == (True, '"$user", public', "", "0")


def test_an_engine_that_commits_by_itself_still_gives_us_transactions(settled: Settled) -> None:
    """Under AUTOCOMMIT the role and the actor would be forgotten before the first row is read."""
    town = settled("hostile")
    senco = town.signed_on("senco").front("/referrals/start").begin()
    reference = REFERENCE.search(senco.page.h1).group()  # type: ignore[union-attr]
    town.signed_on("officer").front(f"/triage/{reference}/", status=404)  # a draft
    with town.app.app_context():
        with town.app.extensions["sqlalchemy"].engine.connect() as connection:
            assert connection.connection.driver_connection.autocommit  # the host's, as it was
        assert session().execute(text("SELECT current_user")).scalar() == "s2s_app"
        assert session().execute(text("SELECT count(*) FROM s2s.referral")).scalar() == 0
    assert stored(town, "SELECT DISTINCT last_seen FROM establishment") == [None]
