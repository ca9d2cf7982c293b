"""Ready-made tests: `from s2s_portal.testing.checks import *` in a test module of yours.

Each says in its message what to look at. They change nothing: what they write is rolled back.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from s2s_portal import host_checks
from s2s_portal.identity import SYSTEM, Role, acting_as
from s2s_portal.testing import ACTORS, Client, Sample, Who, lint, matrix
from s2s_portal.testing.client import REDIRECTS

__all__ = [
    "test_s2s_doctor_finds_nothing_wrong",
    "test_s2s_headers_are_on_every_answer",
    "test_s2s_pages_are_whole_in_this_layout",
    "test_s2s_somebody_signed_on_is_who_they_are",
    "test_s2s_who_gets_into_each_page",
]

WANTED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "",
    "Content-Security-Policy": "frame-ancestors",
}

# What `flask s2s check` looks at that goes by the code, not by where it runs.
OF_THE_CODE = {
    "sign-on",
    "access",
    "layout",
    "headers",
    "templates",
    "schema",
    "role",
    "row-level security",
    "what never changes",
}

Clients = Callable[[Who], Client]


def _nothing(found: list[str]) -> None:
    """Fail with all that was found, a line each; empty lines are nothing."""
    said = [line for line in found if line]
    if said:
        raise AssertionError("\n".join(said))


def test_s2s_who_gets_into_each_page(
    s2s_mounted: Flask, s2s_client: Clients, s2s_sample: Sample
) -> None:
    """Every page by every method, for nobody, for somebody without a role, and for each role."""
    found = []
    for who in matrix.people():
        client = s2s_client(who)
        for door in matrix.doors(s2s_mounted):
            found.append(matrix.wrong(door, who, matrix.knock(client, door, s2s_sample)))
    _nothing(found)


def test_s2s_pages_are_whole_in_this_layout(
    s2s_mounted: Flask, s2s_client: Clients, s2s_sample: Sample
) -> None:
    """Each page that a person gets: one heading, which the title begins with, labels, tokens."""
    for who in ACTORS.values():
        client = s2s_client(who)
        for door in matrix.doors(s2s_mounted):
            if door.method != "GET" or not door.policy.admits(who):
                continue
            page = matrix.knock(client, door, s2s_sample)
            if page.response.mimetype == "text/html" and page.status not in REDIRECTS:
                try:
                    lint(page, whole=False)
                except AssertionError as error:
                    raise AssertionError(f"{door} as {who.name}: {error}") from error


def test_s2s_headers_are_on_every_answer(
    s2s_mounted: Flask, s2s_client: Clients, s2s_sample: Sample
) -> None:
    """The headers that keep a browser from guessing, framing and telling, errors included."""
    missing = []
    for who in (None, ACTORS[Role.OFFICER], ACTORS[Role.FINANCE]):
        client = s2s_client(who)
        for door in matrix.doors(s2s_mounted):
            headers = matrix.knock(client, door, s2s_sample).response.headers
            missing += [
                f"{door}: {name} is {headers.get(name)!r}"
                for name, value in WANTED.items()
                if name not in headers or value not in headers[name]
            ]
    _nothing(missing)


def test_s2s_somebody_signed_on_is_who_they_are(s2s_client: Clients) -> None:
    """The front page shows each role its own entries: the stand-in reaches the service."""
    for role, actor in ACTORS.items():
        page = s2s_client(actor).get("home.index")
        assert page.status == 200, role


def test_s2s_doctor_finds_nothing_wrong(s2s_mounted: Flask) -> None:
    """`flask s2s check`, but for what differs from machine to machine: keys, mail, worker."""
    with acting_as(SYSTEM):
        findings = host_checks.examine(s2s_mounted)
    _nothing(
        [
            f"{finding.part}: {finding.says}"
            for finding in findings
            if finding.state == "fail" and finding.part in OF_THE_CODE
        ]
    )
