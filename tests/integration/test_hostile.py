"""What people send who do not use our forms: nonsense, too much, somebody else's, all at once.

Nothing here may end in a traceback, change what it should not, or tell anybody of a child who is
not theirs. The database is real and so are the concurrent transactions.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from lxml.html import HtmlElement
from sqlalchemy import Connection, create_engine, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from s2s_portal import clock, migrations
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.ledger import EntryKind, LedgerEntry, Pull
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Action, Referral, ReferralEvent, Status
from s2s_portal.models.visit import Acknowledgement, Addendum, Visit, VisitKind, VisitRecord
from s2s_portal.services import ledger, pulls, referrals
from s2s_portal.state import state
from tests import rows, world
from tests.answers import SECTIONS, complete, start
from tests.client import Client, Page
from tests.conftest import NOON, fresh_database
from tests.host import make_host
from tests.integration.test_access import DRAFT, FORMER, MINE, OTHERS, fill_in, methods, ours
from tests.world import ACTORS, OTHER_SCHOOL

NUMBERS = ["0", "32768", "2147483648", "9" * 20, "٣", "007"]
WORDS = ["\x00", "a\x00b", "9" * 20, "٣", "²", "-1", "'", "%", "\\", "\u202e", "x" * 5000, "0-0"]
REFERENCES = [
    "S2S-19-3334\x00",
    "S2S-١٩-3334",
    "S2S-19-3334'--",
    "../../etc/passwd",
    "x" * 5000,
    "\ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
]
ARGUMENTS = (
    "q status state after before urn kind year person key action next".split()
)
STAFF = ("senco", "officer", "practitioner", "lead", "finance", "manager", "auditor",
         "administrator")


@pytest.fixture
def filled(session: Session, may_2019: None) -> Iterator[None]:
    """One of everything: referrals in each relation, visits, a record, a charge, a pull."""
    mine = rows.referral(session, MINE, status=Status.ALLOCATED)
    rows.referral(session, DRAFT, status=Status.DRAFT)
    rows.referral(session, OTHERS, urn=OTHER_SCHOOL)
    former = rows.referral(session, FORMER, status=Status.ALLOCATED)
    made = rows.allocation(session, mine, "practitioner")
    with clock.frozen(date(2019, 6, 30)):
        rows.visit(session, mine, made, 1, issued=True)
        rows.visit(session, mine, made, 2, issued=False)
    theirs = rows.allocation(session, former, "other-practitioner")
    rows.visit(session, former, theirs, 3, issued=True)
    work = UnitOfWork(session)
    ledger.post_charge(work, referrals.get(MINE, whole=True), by=SYSTEM)
    pulls.make(work, idempotency_key="page:" + "0" * 32, by=SYSTEM)
    ledger.post_charge(work, referrals.get(FORMER, whole=True), by=SYSTEM)
    session.commit()
    with clock.frozen(date(2019, 7, 1)):
        yield


def paths(rule: Rule) -> list[str]:
    """The paths of a rule with a hostile value in each place in turn."""
    good = {name: quote(str(value)) for name, value in fill_in(rule, MINE).items()}
    hostile = {
        "number": NUMBERS,
        "urn": NUMBERS,
        "reference": REFERENCES,
        "name": WORDS,
        "section": WORDS,
        "filename": WORDS,
    }
    return [
        re.sub(r"<[^>]*?(\w+)>", lambda part: (good | {place: quote(bad)})[part[1]], rule.rule)
        for place in rule.arguments
        for bad in hostile[place]
    ]


@pytest.mark.parametrize("key", [*STAFF, "outsider"])
def test_no_address_ends_in_a_traceback(app: Flask, filled: None, client: Client, key: str) -> None:
    client.sign_on(key)
    wrong = []
    for rule in ours(app):
        for method in methods(rule):
            form = {"csrf_token": client.token} if method == "POST" else None
            for path in paths(rule):
                try:
                    status = client.open(path, method=method, data=form).status_code
                except Exception as error:
                    status = 500
                    wrong.append((method, path[:120], repr(error)[:300]))
                if status >= 500:
                    wrong.append((method, path[:120], status))
    assert wrong == []


@pytest.mark.parametrize("key", STAFF)
def test_no_query_ends_in_a_traceback(app: Flask, filled: None, client: Client, key: str) -> None:
    client.sign_on(key)
    wrong = []
    for rule in ours(app):
        if "GET" not in methods(rule):
            continue
        path = client.url(rule.endpoint.removeprefix("s2s."), **fill_in(rule, MINE))
        for word in WORDS:
            query = {name: word for name in ARGUMENTS}
            for asked in (query, *({name: word} for name in ("after", "before"))):
                try:
                    status = client.open(path, query_string=asked).status_code
                except Exception as error:
                    status = 500
                    wrong.append((path, list(asked), word[:20], repr(error)[:300]))
                if status >= 500:
                    wrong.append((path, list(asked), word[:20], status))
    assert wrong == []


def fields(page: Page) -> dict[str, str]:
    """The fields of the last form of a page that posts, filled in as they are."""
    forms: list[HtmlElement] = page.document.xpath("//form[@method='post']")
    if not forms:
        return {}
    names = forms[-1].xpath(".//*[@name]")
    return {name.get("name"): name.get("value") or name.text or "" for name in names}


def bodies(good: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Bodies of a form with something hostile in each field in turn, then in all of them."""
    for word in (*WORDS, "\x01\x1b", "9" * 6000, "9" * 5000 + "-x"):
        for name in good:
            yield {**good, name: word}
        yield {name: good[name] if name == "csrf_token" else word for name in good}
    for name in good:
        yield {key: value for key, value in good.items() if key != name}
        yield {**good, name: [good[name], "x", "1"]}
    for name in ("rows-²-what", "rows-٣-what", "rows-99999999999-what", f"rows-{'9' * 5000}-what",
                 "recommendations-²-strategy", "recommendations-٣-strategy",
                 f"recommendations-{'9' * 5000}-strategy", "recommendations--strategy"):
        yield {**good, name: "x"}
    for rows_wanted in ("remove-²", "remove-٣", f"remove-{'9' * 5000}", "remove--1", "\x00"):
        yield {**good, "rows": rows_wanted}
        yield {**good, "remove": rows_wanted.removeprefix("remove-")}


POSTED = [
    ("senco", "referrals.start", {}),
    *(("senco", "referrals.section", {"reference": DRAFT, "section": name}) for name in SECTIONS),
    ("senco", "referrals.check", {"reference": DRAFT}),
    ("officer", "triage.accept", {"reference": OTHERS}),
    ("officer", "triage.decline", {"reference": OTHERS}),
    ("officer", "triage.return_for_information", {"reference": OTHERS}),
    ("officer", "triage.close", {"reference": MINE}),
    ("practitioner", "visits.book", {"reference": MINE}),
    ("practitioner", "visits.record", {"reference": MINE, "number": 2}),
    ("practitioner", "visits.issue", {"reference": MINE, "number": 2}),
    ("practitioner", "visits.addendum", {"reference": MINE, "number": 1}),
    ("practitioner", "visits.outcomes", {"reference": MINE}),
    ("finance", "finance.pulls", {}),
    ("finance", "finance.collect", {"number": 1}),
]


@pytest.mark.parametrize(("key", "endpoint", "about"), POSTED)
def test_no_form_ends_in_a_traceback(
    filled: None, client: Client, key: str, endpoint: str, about: dict[str, Any]
) -> None:
    client.sign_on(key)
    path = client.url(endpoint, **about)
    query = "?kind=pupil" if about.get("section") == "subject" else ""
    drawn = Page(client.open(path + query, follow_redirects=True))
    good = fields(drawn) | {"csrf_token": client.token}
    target = path.replace("/check", "/submit") if endpoint == "referrals.check" else path
    wrong = []
    for body in bodies(good):
        try:
            status = client.open(target, method="POST", data=body).status_code
        except Exception as error:
            status = 500
            wrong.append(({k: str(v)[:20] for k, v in body.items()}, repr(error)[:300]))
        if status >= 500:
            wrong.append(({k: str(v)[:20] for k, v in body.items()}, status))
    assert wrong == []
