"""Every page of the service against every role: who gets in, and who does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.routing import Rule

from s2s_portal.access import Policy
from s2s_portal.identity import Actor
from s2s_portal.testing.client import REDIRECTS, Client
from s2s_portal.testing.page import Page
from s2s_portal.testing.sample import ACTORS, Sample

ACTING = {"GET", "POST", "PUT", "PATCH", "DELETE"}


@dataclass(frozen=True)
class Door:
    """One page by one method, with the rule that it was written with."""

    endpoint: str
    rule: Rule
    method: str
    policy: Policy
    root: str

    def __str__(self) -> str:
        return f"{self.method} {self.rule.rule}"


def doors(app: Flask) -> list[Door]:
    """Every door of the service in `app`."""
    return [
        Door(
            rule.endpoint,
            rule,
            method,
            app.view_functions[rule.endpoint].__s2s_policy__,
            app.config["S2S_URL_PREFIX"].rstrip("/"),
        )
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("s2s.")
        for method in sorted((rule.methods or set()) & ACTING)
    ]


def values(rule: Rule, sample: Sample) -> dict[str, object]:
    """What to fill the address of a page with, so that there is something to see."""
    known: dict[str, object] = {
        "reference": sample.reference,
        "number": sample.pull if ".finance." in rule.endpoint else sample.visit,
        "urn": sample.school,
        "section": "needs",
        "part": "details",
        "row": 1,
        "question": "safety",
        "way": "early-years",
        "listed": "reasons",
        "filename": "s2s.css",
    }
    return {name: known.get(name, "absent") for name in rule.arguments}


def knock(client: Client, door: Door, sample: Sample) -> Page:
    """Ask for a page, or send it an empty form; no status is expected."""
    path = client.url(door.endpoint.removeprefix("s2s."), **values(door.rule, sample))
    form = None if door.method == "GET" else {"csrf_token": client.token}
    return Page(client.open(path, method=door.method, data=form))


def wrong(door: Door, who: Actor | None, page: Page) -> str:
    """What is wrong with the answer that `who` got at `door`; empty when nothing is."""
    status = page.status
    if status >= 500 and status != 503:
        return f"{_name(who)} {door}: {status}, a fault"
    if door.policy.public:
        return "" if status not in {401, 403} else f"{_name(who)} {door}: {status}, but is public"
    if who is None:
        kept_out = status in REDIRECTS or status in {401, 403}
        return "" if kept_out else f"nobody {door}: {status}, but nobody is signed on"
    if door.policy.admits(who):
        inside = status not in {401, 403} and not _sent_away(door, page)
        return "" if inside else f"{_name(who)} {door}: {status}, but should get in"
    return "" if status == 403 else f"{_name(who)} {door}: {status}, but should not get in"


def _sent_away(door: Door, page: Page) -> bool:
    """Whether the answer is a redirect out of the service, as to a sign-on page."""
    root = page.response.request.root_path.rstrip("/") + door.root + "/"
    return page.status in REDIRECTS and not urlsplit(page.location).path.startswith(root)


def _name(who: Actor | None) -> str:
    return "nobody" if who is None else ",".join(sorted(who.roles))


def people() -> Iterator[Actor | None]:
    """Nobody, somebody without a role here, and one person of each role."""
    yield None
    yield Actor(id="s2s-testing-outsider", name="Test Outsider")
    yield from ACTORS.values()
