"""Every page, every person, every relation to the referral: who gets in, who gets nothing.

`POLICIES` is the rule as we mean it, written here a second time on purpose: a page that is not in
it fails, and so does one whose rule has changed. Row-level security is tested apart from this
(`test_row_level_security.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from flask import Flask
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from s2s_portal import Actor, access
from s2s_portal.database import UnitOfWork
from s2s_portal.errors import SignOnRefused
from s2s_portal.identity import SYSTEM
from s2s_portal.models.codes import Status
from s2s_portal.services import ledger, referrals
from s2s_portal.state import state
from tests import rows
from tests.client import Client, Page
from tests.world import ACTORS, OTHER_SCHOOL

MINE, DRAFT, OTHERS, FORMER = "S2S-19-3334", "S2S-19-3339", "S2S-19-3336", "S2S-19-3337"
ABSENT, MALFORMED = "S2S-19-9999", "1 OR 1=1"
SEES = {
    "officer": {MINE, OTHERS, FORMER},
    "other-officer": {MINE, OTHERS, FORMER},
    "senco": {MINE, DRAFT, FORMER},
    "head": {MINE, DRAFT, FORMER},
    "other-senco": {OTHERS},
    "practitioner": {MINE},
    "lead": {MINE},
    "other-practitioner": {FORMER},
    "other-lead": {FORMER},
}
SCHOOL = (
    "senco head other-senco academy-senco nursery-senco special-senco closed-senco suffolk-senco"
)
OFFICER = "officer other-officer"
PRACTITIONER = "practitioner colleague other-practitioner newcomer"
LEAD = "lead other-lead"
KEEPER = f"{LEAD} newcomer administrator"
FINANCE = "finance finance-approver"
EVERYBODY = " ".join(key for key in ACTORS if key not in {"outsider", "teacher"})
EVERYONE = set(EVERYBODY.split())
ANYBODY = "anybody at all"
SIGNED_ON = " ".join(ACTORS)

# Endpoint -> who may use it at all, whatever it is about.
POLICIES: dict[str, str] = {
    "static": ANYBODY,
    "home.live": ANYBODY,
    "home.ready": ANYBODY,
    "home.index": EVERYBODY,
    "home.sign_on": EVERYBODY,
    "referrals.index": SCHOOL,
    "referrals.start": SCHOOL,
    "referrals.screen": SCHOOL,
    "referrals.instead": SCHOOL,
    "referrals.show": SCHOOL,
    "referrals.kind": SCHOOL,
    "referrals.section": SCHOOL,
    "referrals.keep": SCHOOL,
    "referrals.check": SCHOOL,
    "referrals.submit": SCHOOL,
    "referrals.submitted": SCHOOL,
    "files.index": SCHOOL,
    "files.remove": SCHOOL,
    "files.download": f"{SCHOOL} {OFFICER} {PRACTITIONER} {LEAD}",
    "referrals.amend_what": SCHOOL,
    "referrals.amend": SCHOOL,
    "referrals.withdraw": SCHOOL,
    "referrals.copy": SCHOOL,
    "referrals.agreement_withdrawn": SCHOOL,
    "referrals.document": SCHOOL,
    "advice.index": f"{SCHOOL} {OFFICER}",
    "advice.ask": SCHOOL,
    "advice.show": f"{SCHOOL} {OFFICER}",
    "advice.convert": SCHOOL,
    "advice.helped": SCHOOL,
    "advice.close": OFFICER,
    "messages.index": f"{SCHOOL} {OFFICER} {PRACTITIONER} {LEAD}",
    "messages.show": f"{SCHOOL} {OFFICER} {PRACTITIONER} {LEAD}",
    "messages.settle": f"{SCHOOL} {OFFICER} {PRACTITIONER} {LEAD}",
    "triage.index": OFFICER,
    "triage.show": OFFICER,
    "triage.accept": OFFICER,
    "triage.decline": OFFICER,
    "triage.advise": OFFICER,
    "triage.redirect": OFFICER,
    "triage.wait": OFFICER,
    "triage.hold": OFFICER,
    "triage.note": OFFICER,
    "triage.flag": OFFICER,
    "triage.flags": OFFICER,
    "triage.resolve_flag": OFFICER,
    "triage.release": OFFICER,
    "triage.undo": OFFICER,
    "triage.reopen_answer": OFFICER,
    "triage.return_for_information": OFFICER,
    "triage.close": OFFICER,
    "triage.reopen": OFFICER,
    "triage.agreement_withdrawn": OFFICER,
    "triage.document": OFFICER,
    "triage.keep": OFFICER,
    "triage.delete_list": OFFICER,
    "triage.begin_with": OFFICER,
    "triage.daily_list": OFFICER,
    "triage.assign": OFFICER,
    "triage.take": OFFICER,
    **dict.fromkeys(
        (
            "triage.hand_over",
            "triage.panel_meetings",
            "triage.call_panel",
            "triage.panel",
            "triage.end_panel",
            "triage.put_on_panel",
            "triage.take_off_panel",
            "triage.comment_for_panel",
            "triage.open_panel_comments",
            "triage.several_at_once",
            "triage.several_done",
        ),
        OFFICER,
    ),
    "allocation.index": OFFICER,
    "allocation.allocate": OFFICER,
    "allocation.withdraw_offer": OFFICER,
    "allocation.refuse_request": OFFICER,
    "visits.offer": PRACTITIONER,
    "visits.release": f"{LEAD} newcomer",
    "visits.cases": PRACTITIONER,
    "visits.ask_for": PRACTITIONER,
    "practitioners.confirmation": KEEPER,
    "practitioners.index": f"{OFFICER} {KEEPER}",
    "practitioners.add": KEEPER,
    "practitioners.team": f"{OFFICER} {LEAD} newcomer",
    "practitioners.read_in": "administrator",
    "practitioners.show": f"{OFFICER} {LEAD} {PRACTITIONER} administrator",
    "practitioners.change": KEEPER,
    "practitioners.history": f"{OFFICER} {KEEPER}",
    "practitioners.state": KEEPER,
    "practitioners.add_absence": KEEPER,
    "practitioners.remove_absence": KEEPER,
    "practitioners.add_conflict": KEEPER,
    "practitioners.remove_conflict": KEEPER,
    "allocation.reallocate": OFFICER,
    "allocation.ask_hand_over": OFFICER,
    "allocation.take_back": OFFICER,
    "allocation.hand_on": OFFICER,
    "allocation.add_supporter": f"{OFFICER} {LEAD} newcomer",
    "allocation.end_supporter": f"{OFFICER} {LEAD} newcomer",
    "allocation.plan": OFFICER,
    "allocation.check_plan": OFFICER,
    "allocation.referral_places": OFFICER,
    "allocation.areas": f"{OFFICER} manager",
    "visits.index": f"{PRACTITIONER} {LEAD}",
    "visits.show": f"{PRACTITIONER} {LEAD}",
    "visits.book": PRACTITIONER,
    "visits.record": PRACTITIONER,
    "visits.issue": PRACTITIONER,
    "visits.addendum": PRACTITIONER,
    "visits.outcomes": PRACTITIONER,
    "visits.hand_over": PRACTITIONER,
    "visits.read": f"{SCHOOL} {OFFICER} {PRACTITIONER} {LEAD}",
    "visits.document": f"{SCHOOL} {OFFICER} {PRACTITIONER} {LEAD}",
    "visits.acknowledge": SCHOOL,
    "finance.index": FINANCE,
    "finance.statement": f"{FINANCE} {SCHOOL} trust-viewer",
    "finance.trust": "trust-viewer",
    "finance.pulls": FINANCE,
    "finance.pull": FINANCE,
    "finance.file": FINANCE,
    "finance.collect": FINANCE,
    "evaluation.index": "manager",
    "administration.index": "administrator",
    "administration.intake_windows": "administrator",
    "administration.close_intake": "administrator",
    "administration.allocation_caps": "administrator",
    "administration.weights": "administrator",
    "administration.plan_rules": "administrator",
    "administration.triage_teams": "administrator",
    "administration.officer_teams": "administrator",
    "administration.school_terms": "administrator",
    "administration.service_levels": "administrator",
    "administration.new_dates": "administrator",
    "administration.closures": "administrator",
    "administration.remove_closure": "administrator",
    "administration.decision_list": "administrator",
    "administration.audit_trail": "auditor",
    "administration.practitioner": "administrator",
    "administration.invite": "administrator",
    "administration.tie": "administrator",
    "administration.untie": "administrator",
    "administration.switch_off": "administrator",
    "administration.switch_on": "administrator",
    "invitations.show": SIGNED_ON,
    "referrals.colleague": SCHOOL,
    "referrals.ask_again": SCHOOL,
    "referrals.ask_no_longer": SCHOOL,
    "referrals.ask_head": SCHOOL,
    "referrals.agree": "head",
    "contributions.link": SIGNED_ON,
    "contributions.show": SIGNED_ON,
}


@pytest.fixture
def filled(session: Session, may_2019: None) -> Iterator[None]:
    """Referrals in each relation that the rules tell apart, with visits, records and a charge."""
    mine = rows.referral(session, MINE, status=Status.ALLOCATED)
    rows.referral(session, DRAFT, status=Status.DRAFT)
    rows.referral(session, OTHERS, urn=OTHER_SCHOOL)
    former = rows.referral(session, FORMER, status=Status.ALLOCATED)
    made = rows.allocation(session, mine, "practitioner")
    rows.visit(session, mine, made, 1, issued=True)
    rows.visit(session, mine, made, 2, issued=False)
    rows.allocation(session, former, "practitioner", ended=True)
    rows.allocation(session, former, "other-practitioner")
    ledger.post_charge(UnitOfWork(session), referrals.get(MINE, whole=True), by=SYSTEM)
    session.commit()
    yield


def ours(app: Flask) -> list[Rule]:
    """Every URL rule of ours."""
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("s2s.")]


def admitted(endpoint: str) -> set[str]:
    """Who may use an endpoint of ours."""
    who = POLICIES[endpoint.removeprefix("s2s.")]
    return {*ACTORS, ""} if who == ANYBODY else set(who.split())


def fill_in(rule: Rule, reference: str) -> dict[str, object]:
    """Arguments for a rule, about `reference`."""
    known: dict[str, object] = {
        "reference": reference,
        "number": 1,
        "urn": 900101,
        "row": 1,
        "part": "details",
        "section": "needs",
        "listed": "reasons",
        "question": "safety",
        "way": "early-years",
        "name": "absent.csv",
        "filename": "s2s.css",
        "token": "absent",
    }
    return {name: known[name] for name in rule.arguments}


def ask(client: Client, rule: Rule, method: str, reference: str = MINE) -> Page:
    """Send an empty request to a rule; no status is expected."""
    path = client.url(rule.endpoint.removeprefix("s2s."), **fill_in(rule, reference))
    form = {"csrf_token": client.token} if method == "POST" else None
    return Page(client.open(path, method=method, data=form))


def methods(rule: Rule) -> list[str]:
    """The methods of a rule that do something."""
    return sorted((rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"})


def test_every_page_is_listed_here(app: Flask) -> None:
    assert {name.removeprefix("s2s.") for name in state().policies} == POLICIES.keys()


def wrong_doors(client: Client, rules: list[Rule]) -> Iterator[tuple[str, str, str, int]]:
    """Who gets in where they should not, is kept out where they should get in, or meets a fault."""
    for key in ACTORS:
        client.sign_on(key)
        for rule in rules:
            for method in methods(rule):
                status = ask(client, rule, method).status
                if (status == 403) == (key in admitted(rule.endpoint)) or status >= 500:
                    yield key, method, rule.rule, status


def test_who_gets_into_each_page(app: Flask, filled: None, client: Client) -> None:
    assert list(wrong_doors(client, ours(app))) == []


def test_a_page_that_lost_its_policy_is_noticed(
    app: Flask, filled: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: opening any one page to everybody shows."""
    for rule in ours(app):
        if "" in admitted(rule.endpoint):
            continue
        opened = access.public if admitted(rule.endpoint) == EVERYONE else access.anyone
        with monkeypatch.context() as patch:
            patch.setitem(state().policies, rule.endpoint, opened)
            try:
                assert any(wrong_doors(client, [rule])), rule.endpoint  # the first is enough
            except SQLAlchemyError:
                continue  # noticed by the database, behind the page


def test_an_account_that_a_claim_map_refuses_reads_why(
    client: Client,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The person reads the sentence, the log has the code, and neither has the other."""
    refusal = SignOnRefused("Guest accounts cannot use this service. Ask Jo.", "guest")

    def refuse(_user: object) -> Actor:
        raise refusal

    monkeypatch.setattr(state(), "identity", SimpleNamespace(actor=refuse))
    page = client.sign_on("officer").get("triage.index", status=403)
    assert "Guest accounts cannot use this service. Ask Jo." in page.words
    assert {record.getMessage() for record in caplog.records} == {"S2S: sign-on refused: guest"}
    assert audited(connection, "was denied") == [("", "/s2s/triage/", 403)]
    refusal = SignOnRefused("DfE Sign-in does not answer.", "roles-unknown", status=503)
    page = client.get("triage.index", status=503)
    assert page.h1 == "The service is not available"
    assert len(audited(connection, "was denied")) == 1, "nobody was denied anything"


def test_nobody_gets_in_without_signing_on(app: Flask, filled: None, client: Client) -> None:
    for rule in ours(app):
        for method in methods(rule):
            page = ask(client, rule, method)
            if "" in admitted(rule.endpoint):
                assert page.status in {200, 404, 503}, rule.rule
            else:
                assert page.status == 302, rule.rule
                assert "/sign-in" in page.location


def test_a_form_from_nobody_comes_back_with_what_was_typed(
    app: Flask, filled: None, client: Client
) -> None:
    for rule in ours(app):
        if "POST" in methods(rule):
            values = fill_in(rule, MINE)
            path = client.url(rule.endpoint.removeprefix("s2s."), **values)
            headers = {"Origin": "http://portal.example"}
            page = client.fetch(
                "POST", path, status=401, data={"reason": "Lisa's <own> words"}, headers=headers
            )
            assert page.value("reason") == "Lisa's <own> words", rule.rule


def test_a_referral_that_is_not_yours_looks_like_none_at_all(
    app: Flask, filled: None, client: Client
) -> None:
    wrong = []
    for key in ACTORS:
        client.sign_on(key)
        for rule in ours(app):
            if "reference" not in rule.arguments or key not in admitted(rule.endpoint):
                continue
            for method in methods(rule):
                absent = ask(client, rule, method, ABSENT)
                malformed = ask(client, rule, method, MALFORMED)
                assert (absent.status, malformed.status) == (404, 404), (key, rule.rule)
                for reference in (MINE, DRAFT, OTHERS, FORMER):
                    page = ask(client, rule, method, reference)
                    if reference in SEES.get(key, set()):
                        fine = page.status < 500 and page.status != 403
                    else:
                        fine = (page.status, scrubbed(page)) == (404, scrubbed(absent))
                    if not fine:
                        wrong.append((key, method, rule.rule, reference, page.status))
    assert wrong == []


def scrubbed(page: Page) -> str:
    """The words of a page without tokens that differ each time."""
    return re.sub(r'value="[^"]{40,}"', "", page.text)


def audited(connection: Connection, action: str) -> list[tuple[str, str, int]]:
    """Who did `action` to what, with what outcome, as the audit trail has it."""
    connection.execute(text("RESET ROLE"))
    return [
        tuple(row)  # type: ignore[misc]
        for row in connection.execute(
            text(
                "SELECT by_id, entity_key, outcome FROM s2s.audit_entry"
                " WHERE action = :action AND by_id <> 'system' ORDER BY id"
            ),
            {"action": action},
        )
    ]


def test_what_is_denied_is_audited(client: Client, filled: None, connection: Connection) -> None:
    client.sign_on("finance").get("triage.show", reference=MINE, status=403)
    assert audited(connection, "was denied") == [("finance", f"/s2s/triage/{MINE}/", 403)]


@pytest.mark.parametrize(
    ("key", "endpoint"),
    [
        ("senco", "referrals.show"),
        ("officer", "triage.show"),
        ("practitioner", "visits.show"),
        ("lead", "visits.show"),
    ],
)
def test_a_read_of_a_referral_is_audited_once(
    client: Client, filled: None, connection: Connection, key: str, endpoint: str
) -> None:
    client.sign_on(key).get(endpoint, reference=MINE)
    assert audited(connection, "looked at") == [(key, MINE, 200)]


def test_a_read_that_was_refused_is_not_a_read(
    client: Client, filled: None, connection: Connection
) -> None:
    client.sign_on("colleague").get("visits.show", reference=MINE, status=404)
    assert audited(connection, "looked at") == []
