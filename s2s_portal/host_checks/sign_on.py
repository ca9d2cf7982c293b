"""The host's Flask-Login, and whether every page of ours asks it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from flask import Flask, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BuildError

from s2s_portal import access
from s2s_portal.host_checks import asking
from s2s_portal.services.doctor.findings import Look, Said, fail, warn, well


def looks(app: Flask) -> list[Look]:
    """Who may come in at all."""
    return [
        Look(
            "sign-on", partial(_login, app), "Flask-Login is set up, and its sign-on page is there."
        ),
        Look("access", partial(_guarded, app), ""),
    ]


def _login(app: Flask) -> Iterator[Said]:
    manager = app.login_manager
    if not (manager._user_callback or manager._request_callback):
        yield fail("Nobody can be signed on: give the LoginManager a user_loader.")
    if manager.login_view:
        if not _can_be_built(app, manager.login_view):
            yield fail(
                f"login_view is {manager.login_view!r}, which is no page of the app, so whoever is"
                " not signed on gets an error: set it to the endpoint of the sign-on page."
            )
    elif not _is_a_page(app, app.config["S2S_SIGN_IN_URL"]):
        yield warn(
            f"The LoginManager names no login_view, and the app has no page"
            f" {app.config['S2S_SIGN_IN_URL']} (S2S_SIGN_IN_URL). Set one of them, unless something"
            " in front of the app answers there."
        )
    if manager.session_protection is None:
        yield warn(
            "session_protection is off, so a stolen cookie works from anywhere. Set"
            " login_manager.session_protection = 'basic' or 'strong'."
        )


def _can_be_built(app: Flask, view: str) -> bool:
    """Whether Flask-Login finds the address of its `login_view`, an endpoint or an address."""
    if view.startswith(("https://", "http://", "/")):
        return True
    try:
        with app.test_request_context():
            url_for(view)
    except BuildError:
        return False
    return True


def _is_a_page(app: Flask, address: str) -> bool:
    if "://" in address:
        return True
    try:
        app.url_map.bind("localhost").match(address.partition("?")[0], method="GET")
    except HTTPException as answer:
        return answer.code is not None and answer.code < 400
    return True


def _guarded(app: Flask) -> Iterator[Said]:
    mounted = app.extensions["s2s"]
    views = [name for name in app.view_functions if name.startswith("s2s.")]
    bare = sorted(set(views) - set(mounted.policies))
    if bare:
        yield fail(f"These pages have no access policy: {', '.join(bare)}.")
    if access.guard not in app.before_request_funcs.get("s2s", []):
        yield fail(
            "The guard before every page is gone: mount the service by S2SPortal().init_app."
        )
    answers = {path: asking.ask(app, path).status_code for path in _closed_pages(app)}
    opened = [path for path, status in answers.items() if status < 300]
    if opened:
        yield fail(f"Somebody who is not signed on gets in at {', '.join(opened)}.")
    broken = [path for path, status in answers.items() if status >= 500]
    if broken:
        yield fail(
            f"Somebody who is not signed on gets an error, not the sign-on page, at {broken[0]}."
            " See what is said of sign-on; ask for that page to have it in the log."
        )
    if not (bare or opened or broken):
        yield well(f"Each of {len(views)} pages has an access policy, and keeps a stranger out.")


def _closed_pages(app: Flask) -> list[str]:
    """The addresses of the pages that are not for everybody and need no number or name."""
    policies = app.extensions["s2s"].policies
    return [
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint in policies
        and not policies[rule.endpoint].public
        and not rule.arguments
        and "GET" in (rule.methods or set())
    ]
