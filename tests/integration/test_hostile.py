"""What people send who do not use our forms: nonsense, too much, somebody else's, all at once.

Nothing here may end in a traceback, change what it should not, or tell anybody of a child who is
not theirs.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from lxml.html import HtmlElement
from sqlalchemy import Connection, create_engine, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from s2s_portal import clock, migrations
from s2s_portal.database import UnitOfWork
from s2s_portal.errors import Refused
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.answer import OutcomeWanted
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.conversation import AdviceEvent, Message
from s2s_portal.models.ledger import LedgerEntry, Pull
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.visit import Acknowledgement, Addendum, RecordDocument, Visit, VisitKind
from s2s_portal.services import ledger, pulls, referrals, visits
from s2s_portal.state import state
from tests import rows, world
from tests.answers import SECTIONS, complete, save, token
from tests.client import Client, Page
from tests.conftest import fresh_database
from tests.deciding import NO, YES
from tests.host import make_host
from tests.integration.test_access import (
    DRAFT,
    FORMER,
    MINE,
    OTHERS,
    admitted,
    audited,
    fill_in,
    methods,
    ours,
)
from tests.world import ACTORS, OTHER_SCHOOL

ADVICE = "ADV-19-3334"
NUMBERS = ["0", "32768", "2147483648", "9" * 20, "٣"]
WORDS = ["a\x00b", "9" * 20, "٣", "²", "-1", "'%\\", "x" * 5000, "0-0"]
REFERENCES = ["S2S-19-3334\x00", "S2S-١٩-3334", "S2S-19-3334'--", "../../etc/passwd", "x" * 5000]
ARGUMENTS = [
    "q",
    "status",
    "state",
    "after",
    "before",
    "urn",
    "kind",
    "year",
    "person",
    "key",
    "action",
    "filled",
]
STAFF = [
    "senco",
    "officer",
    "practitioner",
    "lead",
    "finance",
    "manager",
    "auditor",
    "administrator",
    "trust-viewer",
]
CANARIES = ("CANARY", "ZOSIA", "CALM WITH", "QUIET START", "NOW AND NEXT", "STAYS IN CLASS")


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
    rows.message(session, rows.advice(session, ADVICE))
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
        "row": NUMBERS,
        "part": WORDS,
        "section": WORDS,
        "question": WORDS,
        "way": WORDS,
        "listed": WORDS,
        "filename": WORDS,
        "token": WORDS,
    }
    return [
        filled_in(rule, good | {place: quote(bad)})
        for place in rule.arguments
        for bad in hostile[place]
    ]


def filled_in(rule: Rule, parts: dict[str, str]) -> str:
    """The path of a rule with `parts` in it as they are: `url_for` would refuse some of them."""
    return re.sub(r"<[^>]*?(\w+)>", lambda found: parts[found[1]], rule.rule)


def attempt(client: Client, path: str, **request: Any) -> str:
    """Make a request; what is wrong with the answer, empty when it is a page or a refusal."""
    try:
        answer = client.open(path, **request)
    except Exception as error:  # the host passes on what nobody handles
        return f"{path[:99]}: {error!r:.300}"
    return f"{path[:99]}: {answer.status}" if answer.status_code >= 500 else ""


@pytest.mark.parametrize("key", STAFF)
def test_no_address_ends_in_a_traceback(app: Flask, filled: None, client: Client, key: str) -> None:
    client.sign_on(key)
    wrong = [
        attempt(client, path, method=method, data={"csrf_token": client.token})
        for rule in ours(app)
        if key in admitted(rule.endpoint)
        for method in methods(rule)
        for path in paths(rule)
    ]
    assert [line for line in wrong if line] == []


@pytest.mark.parametrize("key", STAFF)
def test_no_query_ends_in_a_traceback(app: Flask, filled: None, client: Client, key: str) -> None:
    client.sign_on(key)
    wrong = []
    for rule in ours(app):
        if "GET" not in methods(rule) or key not in admitted(rule.endpoint):
            continue
        path = client.url(rule.endpoint.removeprefix("s2s."), **fill_in(rule, MINE))
        for word in WORDS:
            queries = [dict.fromkeys(ARGUMENTS, word), {"before": word}]
            wrong += [attempt(client, path, query_string=query) for query in queries]
    assert [line for line in wrong if line] == []


def fields(page: Page) -> dict[str, str]:
    """The fields of the last form of a page that posts, filled in as they are."""
    forms: list[HtmlElement] = page.document.xpath("//form[@method='post']")
    if not forms:
        return {}
    names = forms[-1].xpath(".//*[@name]")
    return {name.get("name"): name.get("value") or name.text or "" for name in names}


INDICES = ("²", "٣", "9" * 11, "9" * 5000, "", "-1")


def bodies(good: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Bodies of a form with something hostile in all of its fields, and in each in turn."""
    for word in (*WORDS, "\x01\x1b", "9" * 6000, "☃" * 9_000):
        yield {name: good[name] if name == "csrf_token" else word for name in good}
    for name, value in good.items():
        yield {**good, name: "a\x00b" + "9" * 6000}
        yield {**good, name: "9" * 6000}
        yield {other: good[other] for other in good if other != name}
        yield {**good, name: [value, "x", "1"]}
    for index in INDICES:
        yield {**good, f"rows-{index}-what": "x", f"recommendations-{index}-strategy": "x"}
        yield {**good, "rows": f"remove-{index}", "remove": index}


POSTED = [
    ("senco", "referrals.start", {}),
    *(("senco", "referrals.section", {"reference": DRAFT, "section": name}) for name in SECTIONS),
    ("senco", "referrals.check", {"reference": DRAFT}),
    *(
        ("officer", f"triage.{name}", {"reference": OTHERS})
        for name in ("accept", "decline", "advise", "redirect", "wait", "hold")
    ),
    ("senco", "referrals.colleague", {"reference": DRAFT, "section": "needs"}),
    ("officer", "triage.return_for_information", {"reference": OTHERS}),
    ("officer", "triage.close", {"reference": MINE}),
    ("officer", "allocation.reallocate", {"reference": MINE}),
    ("officer", "allocation.add_supporter", {"reference": MINE}),
    ("officer", "allocation.hand_on", {"number": 1}),
    ("practitioner", "visits.hand_over", {"reference": MINE}),
    ("practitioner", "visits.book", {"reference": MINE}),
    ("practitioner", "visits.record", {"reference": MINE, "number": 2}),
    ("practitioner", "visits.issue", {"reference": MINE, "number": 2}),
    ("practitioner", "visits.addendum", {"reference": MINE, "number": 1}),
    ("practitioner", "visits.time", {"reference": MINE, "number": 1}),
    ("practitioner", "visits.outcomes", {"reference": MINE}),
    ("finance", "finance.pulls", {}),
    ("finance", "finance.collect", {"number": 1}),
    ("senco", "advice.ask", {}),
    ("officer", "advice.close", {"reference": ADVICE}),
    ("senco", "messages.show", {"reference": MINE}),
    ("officer", "messages.show", {"reference": ADVICE}),
]


@pytest.mark.parametrize(("key", "endpoint", "about"), POSTED)
def test_no_form_ends_in_a_traceback(
    filled: None, client: Client, key: str, endpoint: str, about: dict[str, Any]
) -> None:
    client.sign_on(key)
    path = client.url(endpoint, **about)
    query = "?kind=pupil" if about.get("section") == "subject" else ""
    drawn = Page(client.open(path + query, follow_redirects=True))
    good = fields(drawn) | {"csrf_token": client.token, "seen": "1"}
    target = path.replace("/check", "/submit")
    wrong = [attempt(client, target, method="POST", data=body) for body in bodies(good)]
    assert [line for line in wrong if line] == []


@pytest.mark.parametrize(("key", "endpoint", "about"), POSTED)
def test_what_is_no_form_changes_nothing(
    filled: None, client: Client, connection: Connection, key: str, endpoint: str, about: Any
) -> None:
    """Without a token, with a stranger's, as JSON, as a file, or too big: refused, and no row."""
    client.sign_on(key)
    path = client.url(endpoint, **about).replace("/check", "/submit")
    before = written(connection)
    big = {"csrf_token": "forged", "note": "x" * 1_000_000, "message": "x"}
    for request, expected in (
        ({"data": {"seen": "1"}}, {302, 422}),
        ({"data": {"csrf_token": "forged"}}, {302, 422}),
        ({"json": {"csrf_token": client.token, "seen": 1}}, {302, 422}),
        ({"json": [1]}, {302, 422}),
        ({"data": b"\xff\x00", "content_type": "application/json"}, {302, 422}),
        ({"data": big}, {302, 413, 422}),
    ):
        answer = client.open(path, method="POST", **request)
        assert answer.status_code in expected, (request.keys(), answer.status)
    assert written(connection) == before


TABLES = [
    "referral",
    "referral_event",
    "allocation",
    "allocation_ending",
    "hand_over_note",
    "supporter",
    "visit",
    "visit_record",
    "addendum",
    "acknowledgement",
    "pull",
    "ledger_entry",
    "procrastinate_jobs",
    "message",
    "advice_request",
    "advice_event",
]


def written(connection: Connection) -> list[int]:
    """How many rows there are of what our forms write."""
    connection.execute(text("RESET ROLE"))
    return [connection.scalar(text(f"SELECT count(*) FROM s2s.{name}")) or 0 for name in TABLES]


def test_a_denied_address_with_a_nul_is_denied_and_audited(
    client: Client, filled: None, connection: Connection
) -> None:
    client.sign_on("finance")
    assert client.open("/s2s/triage/%00/").status_code == 403
    assert audited(connection, "was denied")[-1] == ("finance", "/s2s/triage/\ufffd/", 403)


def test_a_visit_of_one_referral_is_not_found_under_another(client: Client, filled: None) -> None:
    for endpoint in ("visits.read", "visits.document"):
        client.sign_on("senco").get(endpoint, reference=MINE, number=1, status=200)
        client.get(endpoint, reference=MINE, number=3, status=404)
    client.sign_on("practitioner")
    for endpoint in ("visits.record", "visits.issue", "visits.addendum"):
        client.get(endpoint, reference=MINE, number=3, status=404)
    client.sign_on("senco").post("visits.acknowledge", reference=MINE, number=3, status=404)


def test_a_file_of_one_pull_is_not_found_under_another(
    client: Client, filled: None, session: Session
) -> None:
    pulls.make(UnitOfWork(session), idempotency_key="page:" + "1" * 32, by=SYSTEM)
    session.commit()
    client.sign_on("finance")
    name = "s2s-pull-0001-ledger.csv"
    client.get("finance.file", number=1, name=name)
    client.get("finance.file", number=2, name=name, status=404)


@pytest.mark.parametrize("key", ["finance", "finance-approver", "manager", "administrator"])
def test_whoever_has_no_part_in_it_reads_nothing_of_a_child(
    app: Flask, filled: None, client: Client, key: str
) -> None:
    """Every page and every answer to a form, refusals too; the files of a pull are read as well."""
    client.sign_on(key)
    answers = []
    for rule in ours(app):
        for method in methods(rule):
            path = client.url(rule.endpoint.removeprefix("s2s."), **fill_in(rule, MINE))
            form = {"csrf_token": client.token} if method == "POST" else None
            answers.append(client.open(path, method=method, data=form))
    if "finance" in key:
        name = "s2s-pull-0001-ledger"
        files = [
            client.open(client.url("finance.file", number=1, name=f"{name}.{kind}"))
            for kind in ("csv", "xlsx")
        ]
        assert b"S2S-19-3334" in files[0].data
        answers += files
    for answer in answers:
        said = f"{answer.headers} {answer.data.decode(errors='replace')}".upper()
        assert [word for word in CANARIES if word in said] == [], answer.request.path


def test_a_purchase_order_cannot_carry_the_pupils_name_to_finance(
    client: Client, session: Session, may_2019: None
) -> None:
    client.sign_on("academy-senco")
    reference = complete(client)
    page = save(client, reference, "practicalities", status=422, purchase_order="PO 7 for zosia")
    assert page.errors == [
        "The purchase order number must not have the pupil's name in it: Finance reads it"
    ]
    save(client, reference, "practicalities", purchase_order="PO 7 Robin")
    save(client, reference, "subject", forenames="Robin")
    page = client.post(
        "referrals.submit", {"token": token(client, reference)}, reference=reference, status=422
    )
    assert "must not have the pupil's name" in page.errors[0]
    save(client, reference, "practicalities", purchase_order="PO 7")
    client.post("referrals.submit", {"token": token(client, reference)}, reference=reference)


def test_every_answer_is_kept_by_nobody_on_the_way(
    app: Flask, filled: None, client: Client
) -> None:
    wrong = []
    for key in ("", *STAFF):
        client = client.sign_on(key) if key else client
        for rule in ours(app):
            if rule.endpoint == "s2s.static":
                continue
            path = client.url(rule.endpoint.removeprefix("s2s."), **fill_in(rule, MINE))
            for method in methods(rule):
                headers = client.open(path, method=method).headers
                if (headers.get("Cache-Control"), headers.get("X-Content-Type-Options")) != (
                    "no-store",
                    "nosniff",
                ):
                    wrong.append((key, method, path))
    assert wrong == []
    client.sign_on("finance")
    for kind in ("csv", "xlsx"):
        name = f"s2s-pull-0001-ledger.{kind}"
        headers = client.open(client.url("finance.file", number=1, name=name)).headers
        assert headers["Content-Disposition"] == f"attachment; filename={name}"
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == (
            "no-store",
            "nosniff",
        )


@pytest.mark.parametrize(
    ("key", "endpoint", "about", "what"),
    [
        ("practitioner", "visits.record", {"number": 2}, f"{MINE} visit 2"),
        ("senco", "visits.document", {"number": 1}, f"{MINE} visit 1"),
        ("lead", "visits.read", {"number": 1}, f"{MINE} visit 1"),
        ("officer", "triage.close", {}, MINE),
        ("practitioner", "visits.outcomes", {}, MINE),
        ("senco", "referrals.index", {}, MINE),
    ],
)
def test_whatever_shows_something_of_a_pupil_leaves_a_trace(
    client: Client,
    filled: None,
    connection: Connection,
    key: str,
    endpoint: str,
    about: dict[str, Any],
    what: str,
) -> None:
    place = {} if endpoint == "referrals.index" else {"reference": MINE}
    client.sign_on(key).get(endpoint, **place, **about)
    assert (key, what, 200) in audited(connection, "looked at")


def test_a_look_does_nothing_but_leave_a_trace(
    app: Flask, filled: None, client: Client, connection: Connection
) -> None:
    before = written(connection)
    for key in STAFF:
        client.sign_on(key)
        for rule in ours(app):
            if "GET" in methods(rule):
                path = client.url(rule.endpoint.removeprefix("s2s."), **fill_in(rule, MINE))
                client.open(path)
    assert written(connection) == before


TWICE = [
    ("officer", "triage.accept", {"reference": OTHERS}, {**YES, "seen": "1"}),
    (
        "officer",
        "triage.decline",
        {"reference": OTHERS},
        {**NO, "seen": "1"},
    ),
    (
        "officer",
        "triage.return_for_information",
        {"reference": OTHERS},
        {"seen": "1", "sections": ["needs"], "question_needs": "Why?"},
    ),
    (
        "officer",
        "triage.close",
        {"reference": FORMER},
        {"seen": "1", "closure": "NO_ENGAGEMENT", "message": "Over"},
    ),
    (
        "practitioner",
        "visits.book",
        {"reference": MINE},
        {"kind": "OBS", "day": ["2", "7", "2019"], "starts": "9am", "ends": "10am"},
    ),
    ("practitioner", "visits.addendum", {"reference": MINE, "number": 1}, {"text": "More"}),
    (
        "practitioner",
        "visits.time",
        {"reference": MINE, "number": 1},
        {"reason": "Wrong", "travel_minutes": "30"},
    ),
    (
        "practitioner",
        "visits.outcomes",
        {"reference": MINE},
        {"achieved_1": "partly", "comment_1": "Nearly"},
    ),
    (
        "senco",
        "messages.show",
        {"reference": MINE},
        {"text": "Which day?", "to": "practitioner", "token": "a" * 24, "seen": "0"},
    ),
    (
        "senco",
        "advice.ask",
        {},
        {
            "topic": "Calm",
            "question": "How?",
            "contact_name": "Sam",
            "contact_email": "senco@school.example",
            "token": "a" * 24,
        },
    ),
    ("senco", "advice.convert", {"reference": ADVICE}, {}),
    ("finance", "finance.pulls", {}, {"token": "a" * 32}),
    (
        "finance",
        "finance.collect",
        {"number": 1},
        {"finance_reference": "J 1", "collected_on": ["1", "7", "2019"]},
    ),
]


@pytest.mark.parametrize(("key", "endpoint", "about", "form"), TWICE)
def test_a_form_sent_twice_acts_once(
    filled: None,
    client: Client,
    connection: Connection,
    session: Session,
    key: str,
    endpoint: str,
    about: dict[str, Any],
    form: dict[str, Any],
) -> None:
    if endpoint == "triage.close":  # without a visit record it closes without results
        session.execute(text("UPDATE s2s.outcome_wanted SET achieved = 'not'"))
        session.commit()
    before = written(connection)
    client.sign_on(key).post(endpoint, form, **about)
    once = written(connection)
    assert once != before
    status = client.open(
        client.url(endpoint, **about), method="POST", data={"csrf_token": client.token} | form
    ).status_code
    assert status in {302, 422}
    assert written(connection) == once


def test_outcomes_of_an_old_window_do_not_replace_newer_ones(
    filled: None, client: Client, session: Session
) -> None:
    client.sign_on("practitioner")
    old = client.get("visits.outcomes", reference=MINE).value("seen")
    client.post("visits.outcomes", {"achieved_1": "achieved", "comment_1": "Yes"}, reference=MINE)
    page = client.post(
        "visits.outcomes",
        {"achieved_1": "not", "comment_1": "No", "seen": old},
        reference=MINE,
        status=422,
    )
    assert "recorded in another window" in page.errors[0]
    outcome = select(OutcomeWanted.comment).join(
        Referral, (Referral.id == OutcomeWanted.referral_id) & (Referral.reference == MINE)
    )
    assert session.scalar(outcome) == "Yes"
    again = {"achieved_1": "not", "comment_1": page.value("comment_1"), "seen": page.value("seen")}
    client.post("visits.outcomes", again, reference=MINE)
    assert session.scalar(outcome) == "No"


def test_what_is_sent_is_what_was_checked(client: Client, session: Session, may_2019: None) -> None:
    client.sign_on("senco")
    reference = complete(client)
    page = client.get("referrals.check", reference=reference)
    checked = {"token": page.value("token"), "seen": page.value("seen")}
    save(client.sign_on("head"), reference, "support", reason="Something else altogether")
    client.sign_on("senco")
    page = client.post("referrals.submit", checked, reference=reference, status=422)
    assert "have changed since you opened this page" in page.errors[0]
    assert "Something else altogether" in page.words
    again = {"token": page.value("token"), "seen": page.value("seen")}
    client.post("referrals.submit", again, reference=reference)
    client.post("referrals.submit", again, reference=reference)
    sent = (
        select(func.count())
        .select_from(ReferralEvent)
        .where(ReferralEvent.action == Action.SUBMITTED)
    )
    assert session.scalar(sent) == 1


def test_a_visit_in_the_hour_that_the_clocks_skip_is_refused_in_words(
    filled: None, session: Session
) -> None:
    """On 29 March 2020 there is no 1:30am in Norfolk: 2:15am then comes before it."""
    with clock.frozen(date(2019, 7, 1)), pytest.raises(Refused, match="later than the start"):
        visits.book(
            UnitOfWork(session),
            MINE,
            kind=VisitKind.VISIT,
            day=date(2020, 3, 29),
            starts=time(1, 30),
            ends=time(2, 15),
            by=ACTORS["practitioner"],
        )


def test_half_past_eleven_on_a_summer_night_is_still_today(
    client: Client, session: Session, may_2019: None
) -> None:
    """23:30 UTC on 13 May is half past midnight on 14 May in Norfolk: that day is not to come."""
    with clock.frozen(datetime.fromisoformat("2019-05-13T23:30:00+00:00")):
        client.sign_on("senco")
        reference = complete(
            client,
            school={"leader_agreed_on": ["14", "5", "2019"]},
            consent={"obtained_on": ["14", "5", "2019"]},
        )
        client.post("referrals.submit", {"token": token(client, reference)}, reference=reference)
    with clock.frozen(datetime.fromisoformat("2019-05-13T22:30:00+00:00")):
        second = complete(client, school={"leader_agreed_on": ["13", "5", "2019"]})
        save(client, second, "school", status=422, leader_agreed_on=["14", "5", "2019"])
        client.post("referrals.submit", {"token": token(client, second)}, reference=second)
    days = dict(session.execute(select(Referral.reference, Referral.received_on)).all())
    assert (days[reference], days[second]) == (date(2019, 5, 14), date(2019, 5, 13))


def test_what_went_into_a_failed_statement_is_not_in_its_message(session: Session) -> None:
    """The host logs what nobody handles: a pupil's name may not be in that line."""
    with pytest.raises(DBAPIError) as caught:
        session.execute(text("SELECT CAST(:name AS integer) / 0"), {"name": None})
        session.execute(text("SELECT :name, 1 / 0"), {"name": "Canary Zosia"})
    assert "Canary" not in str(caught.value)
    assert "hide_parameters" in str(caught.value)


@pytest.fixture
def lively(server_url: str, worker_id: str) -> Iterator[Flask]:
    """A host on a database of its own, where transactions really run at once and really commit."""
    url = fresh_database(server_url, f"s2s_hostile_{os.getpid()}_{worker_id}")
    engine = create_engine(url)
    migrations.upgrade(engine)
    engine.dispose()
    app = make_host(url, dict(ACTORS))
    with app.test_request_context(), acting_as(SYSTEM), clock.frozen(date(2019, 6, 30)):
        _fill(state().session())
    yield app
    with app.app_context():
        state().engine.dispose()
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)'))
    server.dispose()


def _fill(session: Session) -> None:
    session.add_all(world.establishments())
    session.flush()
    session.add_all(world.practitioners())
    session.flush()
    mine = rows.referral(session, MINE, status=Status.ALLOCATED)
    rows.referral(session, OTHERS, status=Status.ACCEPTED)
    rows.advice(session, ADVICE)
    made = rows.allocation(session, mine, "practitioner")
    draft = rows.visit(session, mine, made, 1, issued=False)
    draft.people_met = "The class teacher"
    session.execute(text("UPDATE s2s.recommendation SET by_when = '2019-12-31'"))
    session.flush()
    ledger.post_charge(UnitOfWork(session), referrals.get(MINE, whole=True), by=SYSTEM)
    session.commit()


def at_once(app: Flask, keys: str, endpoint: str, forms: list[Any], **about: Any) -> list[int]:
    """Everybody in `keys` sends their form at the same instant; the statuses in order of size."""
    people = keys.split()
    ready = threading.Barrier(len(people))

    def send(key: str, form: dict[str, Any]) -> int:
        client = Client(app).sign_on(key)
        path = client.url(endpoint, **about)
        with clock.frozen(date(2019, 7, 1)):
            ready.wait(timeout=30)
            form = {"csrf_token": client.token} | form
            return client.open(path, method="POST", data=form).status_code

    with ThreadPoolExecutor(len(people)) as pool:
        return sorted(pool.map(send, people, forms))


def test_races(lively: Flask) -> None:
    """Pull, collect, allocate, book, issue, acknowledge, add: several people, one effect."""
    finance = "finance finance-approver finance finance-approver"
    tokens = [{"token": letter * 32} for letter in "abcd"]
    assert at_once(lively, finance, "finance.pulls", tokens) == [302, 422, 422, 422]
    collected = {"finance_reference": "J 1", "collected_on": ["1", "7", "2019"]}
    answers = at_once(lively, finance, "finance.collect", [collected] * 4, number=1)
    assert answers == [302, 422, 422, 422]

    chosen = [
        {"seen": "1", "reason": "Near", "practitioner": str(number)} for number in (1, 2, 1, 2)
    ]
    officers = "officer other-officer other-officer officer"
    answers = at_once(lively, officers, "allocation.allocate", chosen, reference=OTHERS)
    assert answers == [302, 422, 422, 422]

    pat = "practitioner practitioner practitioner"
    slot = {"kind": "OBS", "day": ["2", "7", "2019"], "starts": "9am", "ends": "10am"}
    assert at_once(lively, pat, "visits.book", [slot] * 3, reference=MINE) == [302] * 3
    place = {"reference": MINE, "number": 1}
    assert at_once(lively, pat, "visits.issue", [{"seen": "2"}] * 3, **place) == [302] * 3
    more = [{"text": "One more thing"}] * 3
    assert at_once(lively, pat, "visits.addendum", more, **place) == [302] * 3
    readers = "senco head senco head"
    assert at_once(lively, readers, "visits.acknowledge", [{}] * 4, **place) == [302] * 4

    answers = at_once(lively, readers, "advice.convert", [{}] * 4, reference=ADVICE)
    assert answers == [302] * 4
    typed = [{"text": "Which day?", "to": "practitioner", "token": "a" * 24, "seen": "0"}] * 3
    assert at_once(lively, "senco senco senco", "messages.show", typed, reference=MINE) == [302] * 3

    with lively.app_context(), acting_as(SYSTEM):
        session = state().session()
        for model, number in (
            (Pull, 1),
            (LedgerEntry, 2),  # the charge and its collection
            (Allocation, 2),
            (Visit, 2),
            (Addendum, 1),
            (Acknowledgement, 1),
            (RecordDocument, 2),  # as issued, and with the addendum
            (Referral, 3),  # two, and the one that the request for advice became
            (AdviceEvent, 1),
            (Message, 1),
        ):
            assert session.scalar(select(func.count()).select_from(model)) == number, model
        happened = [
            action
            for action in session.scalars(select(ReferralEvent.action))
            if action is not Action.STARTED
        ]
        assert len(happened) == len(set(happened)) == 5
