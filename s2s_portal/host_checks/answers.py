"""The headers of an answer: what the browser is told to refuse."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from flask import Flask

from s2s_portal.host_checks import asking
from s2s_portal.services.doctor.findings import Look, Said, fail, warn

ADVICE = (
    "default-src 'self'; script-src 'self'; style-src 'self'; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
YEAR = 31_536_000  # seconds


def looks(app: Flask) -> list[Look]:
    """What a page of ours leaves with."""
    return [
        Look("headers", partial(_headers, app), "Each that our pages send arrives."),
        Look("content security policy", partial(_policy, app), "It is there, and strict."),
        Look("HTTPS only", partial(_https, app), "Browsers are told to come by HTTPS alone."),
    ]


def _headers(app: Flask) -> Iterator[Said]:
    answer = asking.page_of_ours(app)
    if answer.status_code != 404:
        yield fail(
            f"A page of ours that says `not found` arrived with status {answer.status_code}:"
            " something in front of it answers instead."
        )
        return
    headers = answer.headers
    if headers.get("X-Content-Type-Options", "").lower() != "nosniff":
        yield fail("X-Content-Type-Options: nosniff is lost on the way: do not take it away.")
    if headers.get("Referrer-Policy", "unsafe-url") == "unsafe-url":
        yield fail("Referrer-Policy tells other sites our addresses. Set it to same-origin.")
    framed = "frame-ancestors" in headers.get("Content-Security-Policy", "")
    if not framed and headers.get("X-Frame-Options", "").upper() not in {"DENY", "SAMEORIGIN"}:
        yield fail(
            "Another site can put our pages into a frame: do not take X-Frame-Options away, or"
            " send frame-ancestors 'none' in the Content-Security-Policy."
        )


def directives(policy: str) -> dict[str, list[str]]:
    """A Content-Security-Policy by its directives; the first of a name counts."""
    found: dict[str, list[str]] = {}
    for directive in policy.split(";"):
        name, *values = directive.split() or [""]
        found.setdefault(name.lower(), [value.lower() for value in values])
    return found


def _policy(app: Flask) -> Iterator[Said]:
    policy = asking.page_of_ours(app).headers.get("Content-Security-Policy")
    if not policy:
        yield warn(f"There is none. Send with every page: Content-Security-Policy: {ADVICE}")
        return
    found = directives(policy)
    yield from _what_runs(found)
    if found.get("object-src", found.get("default-src")) != ["'none'"]:
        yield warn("It lets plug-ins in: add object-src 'none'.")
    if found.get("base-uri") not in (["'none'"], ["'self'"]):
        yield warn("It lets an injected tag move every link: add base-uri 'none'.")
    if "frame-ancestors" not in found:
        yield warn(
            "It does not say who may put our pages into a frame: add frame-ancestors 'none'."
        )


def _what_runs(found: dict[str, list[str]]) -> Iterator[Said]:
    """Beside a nonce or a digest browsers ignore 'unsafe-inline'."""
    anything = found.get("default-src", ["*"])
    scripts, styles = found.get("script-src", anything), found.get("style-src", anything)
    if "*" in scripts:
        yield warn("It lets scripts from anywhere run: add script-src 'self'.")
    if "'unsafe-inline'" in scripts and not _picks(scripts):
        yield warn("It lets inline scripts run: take 'unsafe-inline' out; our pages have none.")
    if "'unsafe-eval'" in scripts:
        yield warn("It lets text be run as a script: take 'unsafe-eval' out.")
    if "'unsafe-inline'" in styles and not _picks(styles):
        yield warn("It lets inline styles in: take 'unsafe-inline' out of style-src.")


def _picks(values: list[str]) -> bool:
    return any(value.startswith(("'nonce-", "'sha")) for value in values)


def _https(app: Flask) -> Iterator[Said]:
    header = asking.page_of_ours(app).headers.get("Strict-Transport-Security", "")
    parts = [part.strip().lower() for part in header.split(";")]
    age = next((part.removeprefix("max-age=") for part in parts if "max-age=" in part), "0")
    if not age.strip('"').isdigit() or int(age.strip('"')) < YEAR:
        yield warn(
            "Strict-Transport-Security is not sent by the app, or is for less than a year. Send"
            f" max-age={YEAR}; includeSubDomains, here or in the web server in front."
        )
