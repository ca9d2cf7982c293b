"""Signing on and off at certified providers, with both shapes of claims."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import select

from s2s_portal.models.establishment import CLOSED, Establishment
from s2s_portal.reference_portal import create_app
from s2s_portal.reference_portal.demonstration_schools import PRIMARY
from s2s_portal.reference_portal.tables import PortalAccount, db
from s2s_portal.state import state
from tests.integration.test_reference_portal import fetch
from tests.oidc.liar import DISCOVERY, USERINFO
from tests.oidc.people import SCHOOL_ID, accounts, staff
from tests.oidc.provider import CLIENTS, TENANT, Providers
from tests.oidc.traveller import PORTAL, Traveller
from tests.role_api import RoleApi

HOME = "/s2s/"


def sign_out(visitor: Traveller) -> str:
    """Press "Sign out"; where the portal sends somebody then."""
    token = fetch(visitor, "/contact").value("csrf_token")
    return visitor.in_time("POST", "/sign-out", status=303, data={"csrf_token": token}).location


def test_council_staff_sign_on_with_their_app_roles(visitor: Traveller) -> None:
    assert visitor.sign_on_as("entra", "jo").location == HOME
    assert "Signed in as Jo Bloggs" in fetch(visitor, HOME).words
    fetch(visitor, "/s2s/triage/")
    fetch(visitor, "/s2s/finance/", status=403)


def test_a_senco_signs_on_for_the_school_chosen_at_dfe_sign_in(visitor: Traveller) -> None:
    assert visitor.sign_on_as("dfe", "sam").location == HOME
    assert "Signed in as Sam Reed" in fetch(visitor, HOME).words
    assert "Marram Staithe" in fetch(visitor, "/s2s/referrals/start").words


def test_a_practitioner_signs_on_for_a_complex_needs_school(visitor: Traveller) -> None:
    visitor.sign_on_as("dfe", "pat")
    fetch(visitor, "/s2s/visits/")
    fetch(visitor, "/s2s/referrals/", status=403)


def test_somebody_without_a_role_is_signed_on_and_sees_nothing_of_the_service(
    visitor: Traveller,
) -> None:
    assert visitor.sign_on_as("entra", "nell").location == "/"
    fetch(visitor, HOME, status=403)


def test_both_providers_are_offered_as_plain_buttons(visitor: Traveller) -> None:
    page = fetch(visitor, "/sign-in?next=/s2s/triage/")
    assert page.h1 == "Sign in"
    assert page.all("//main//button") == ["Sign in as council staff", "Sign in as school staff"]
    assert page.document.xpath("//main//form/@method") == ["post", "post"]
    assert page.value("next") == "/s2s/triage/"


@pytest.mark.parametrize("name", ["entra", "dfe"])
def test_one_provider_alone_is_one_button(
    config: dict[str, Any], providers: Providers, filled: Flask, name: str
) -> None:
    others = {key: None for key in config if key.startswith("PORTAL_")}
    app = create_app({**config, **others, **providers.config(name)})
    page = Traveller(app).fetch("GET", "/sign-in")
    assert len(page.all("//main//button")) == 1
    assert not page.all("//main//h2")
    other = next(key for key in CLIENTS if key != name)
    Traveller(app).fetch("GET", f"/sign-in/{other}/callback", status=404)
    with app.app_context():
        state().engine.dispose()


def test_the_request_to_the_provider_is_code_with_pkce_state_and_nonce(
    visitor: Traveller, providers: Providers
) -> None:
    asked = urlsplit(visitor.press("dfe").location)
    assert asked.geturl().startswith(providers.issuers["dfe"])
    query = {name: value[0] for name, value in parse_qs(asked.query).items()}
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert query["client_id"] == CLIENTS["dfe"]
    assert query["redirect_uri"] == f"{PORTAL}/sign-in/dfe/callback"
    assert query["scope"] == "openid profile email organisation"
    assert len(query["state"]) >= 20
    assert len(query["nonce"]) >= 20
    again = parse_qs(urlsplit(visitor.press("dfe").location).query)
    for name in ("state", "nonce", "code_challenge"):
        assert again[name][0] != query[name]


def test_the_verifier_goes_to_the_token_endpoint_and_no_secret_by_the_browser(
    visitor: Traveller, providers: Providers
) -> None:
    visitor.sign_on_as("entra", "jo")
    (body,) = [body for path, body in providers.liars["entra"].sent if path.endswith("/token")]
    assert b"code_verifier=" in body
    there = " ".join(path for path, _ in providers.liars["entra"].sent)
    assert "verifier" not in there
    assert "secret" not in there


def test_starting_needs_the_token_of_the_page(visitor: Traveller, providers: Providers) -> None:
    fetch(visitor, "/sign-in")
    visitor.fetch("POST", "/sign-in/entra", status=400, data={})
    visitor.fetch("GET", "/sign-in/entra", status=405)
    assert not providers.liars["entra"].sent


def test_next_survives_the_way_there_and_back_on_the_server_alone(visitor: Traveller) -> None:
    there = visitor.fetch("GET", "/s2s/triage/", status=302)
    page = fetch(visitor, there.location)
    path = visitor.go_there("entra", "jo", next=page.value("next"))
    assert "triage" not in path
    assert visitor.come_back(path).location == "/s2s/triage/"


def test_next_never_leads_off_the_portal(visitor: Traveller) -> None:
    assert visitor.sign_on_as("entra", "jo", next="https://evil.example/").location == HOME


def test_nothing_is_asked_of_a_provider_until_somebody_signs_on(
    visitor: Traveller, providers: Providers
) -> None:
    fetch(visitor, "/")
    fetch(visitor, "/sign-in")
    assert not providers.liars["entra"].sent
    visitor.sign_on_as("entra", "jo")
    Traveller(visitor.app).sign_on_as("entra", "fay")
    asked = providers.liars["entra"].asked
    assert (asked[DISCOVERY], asked["/jwks"], asked["/token"]) == (1, 1, 2)


def test_what_a_provider_says_of_itself_is_asked_again_after_an_hour(
    visitor: Traveller, providers: Providers
) -> None:
    visitor.sign_on_as("entra", "jo")
    visitor.app.extensions["portal_openid"]["entra"].read_at -= 3601
    Traveller(visitor.app).sign_on_as("entra", "jo")
    assert providers.liars["entra"].asked[DISCOVERY] == 2
    assert providers.liars["entra"].asked["/jwks"] == 2


class TestKeys:
    """Providers change their keys without telling anybody."""

    @pytest.mark.parametrize("alg", ["RS256", "ES256"])
    def test_after_a_change_of_keys_one_more_look_is_enough(
        self, visitor: Traveller, providers: Providers, alg: str
    ) -> None:
        visitor.sign_on_as("entra", "jo")
        providers.roll_over("entra", alg)
        asked = providers.liars["entra"].asked
        before = asked["/jwks"]
        another = Traveller(visitor.app)
        assert another.sign_on_as("entra", "fay").location == HOME
        assert asked["/jwks"] == before + 1
        Traveller(visitor.app).sign_on_as("entra", "fay")
        assert asked["/jwks"] == before + 1


class TestAccounts:
    """Whose account it is: by issuer and subject, and by nothing else."""

    def test_an_address_given_to_somebody_else_does_not_take_the_account_along(
        self, visitor: Traveller, providers: Providers
    ) -> None:
        visitor.sign_on_as("entra", "jo")
        people = accounts()["entra"]
        people["new"] = staff("3f2a0099", "Nia New", "S2S.Finance")
        people["new"]["email"] = people["jo"]["email"]
        people["new"]["preferred_username"] = people["jo"]["preferred_username"]
        people["jo"] |= {"email": "jo.smith@council.example", "name": "Jo Smith"}
        providers.change("entra", accounts=people)
        new, jo = Traveller(visitor.app), Traveller(visitor.app)
        new.sign_on_as("entra", "new")
        fetch(new, "/s2s/triage/", status=403)
        jo.sign_on_as("entra", "jo")
        assert "Signed in as Jo Smith" in fetch(jo, "/s2s/triage/").words
        with visitor.app.app_context():
            found = db.session.scalars(
                select(PortalAccount).where(PortalAccount.subject.in_(["jo", "new"]))
            ).all()
            assert len(found) == 2
            assert {account.issuer for account in found} == {providers.issuers["entra"]}

    def test_one_subject_at_two_providers_is_two_people(
        self, visitor: Traveller, providers: Providers
    ) -> None:
        people = accounts()["dfe"]
        people["jo"] = people["sam"]
        providers.change("dfe", accounts=people)
        visitor.sign_on_as("entra", "jo")
        Traveller(visitor.app).sign_on_as("dfe", "jo")
        with visitor.app.app_context():
            found = db.session.scalars(select(PortalAccount).filter_by(subject="jo")).all()
            assert {account.provider for account in found} == {"entra", "dfe"}

    def test_what_is_about_one_sign_on_is_not_kept(self, visitor: Traveller) -> None:
        visitor.sign_on_as("entra", "jo")
        with visitor.app.app_context():
            account = db.session.scalars(
                select(PortalAccount).filter_by(subject="jo", provider="entra")
            ).one()
            assert account.claims["tid"] == TENANT
            assert not {"nonce", "at_hash", "exp", "iat", "aud"} & set(account.claims)

    def test_an_account_of_an_issuer_that_is_no_longer_configured_is_nobodys(
        self, visitor: Traveller, config: dict[str, Any], providers: Providers
    ) -> None:
        visitor.sign_on_as("entra", "jo")
        app = create_app(
            {
                **config,
                "PORTAL_ENTRA_ISSUER": f"https://login.example/{TENANT}/v2.0",
                "S2S_EXTERNAL_URL": PORTAL,
                "SECRET_KEY": visitor.app.secret_key,
            }
        )
        moved = Traveller(app).with_cookie(visitor.cookie)
        moved.fetch("GET", HOME, status=302)
        with app.app_context():
            state().engine.dispose()


class TestOutAtTheNextRequest:
    """Whoever loses their school, role or account is out at once, not when the session ends."""

    def test_a_role_taken_away_at_dfe_sign_in(self, visitor: Traveller, api: RoleApi) -> None:
        visitor.sign_on_as("dfe", "sam")
        fetch(visitor, "/s2s/referrals/")
        api.codes = {("sam", SCHOOL_ID): []}
        fetch(visitor, "/s2s/referrals/", status=403)

    def test_a_school_that_closed(self, visitor: Traveller) -> None:
        visitor.sign_on_as("dfe", "sam")
        fetch(visitor, "/s2s/referrals/")
        with visitor.app.app_context(), state().engine.begin() as connection:
            school = Establishment.__table__.update().where(Establishment.urn == PRIMARY)
            connection.execute(school.values(status_code=CLOSED))
        try:
            away = fetch(visitor, "/s2s/referrals/", status=302)
            page = fetch(visitor, away.location, status=403)
            assert page.h1 == "You cannot use this account here"
            assert "has closed" in page.words
        finally:
            with visitor.app.app_context(), state().engine.begin() as connection:
                connection.execute(school.values(status_code=1))

    def test_an_account_that_the_portal_switches_off_and_on(self, visitor: Traveller) -> None:
        visitor.sign_on_as("entra", "fay")
        Traveller(visitor.app).sign_on_as("dfe", "sam")
        run = visitor.app.test_cli_runner().invoke
        listed = run(args=["accounts", "list"]).output
        assert "dfe:sam  Sam Reed" in listed
        (line,) = [line for line in listed.splitlines() if "Fay Ledger" in line]
        key = line.split()[0]
        assert "entra:fay" in line
        assert run(args=["accounts", "switch-off", key]).output.startswith("Switched off.")
        fetch(visitor, "/s2s/finance/", status=302)
        page = visitor.sign_on_as("entra", "fay", status=403)
        assert "Your account has been switched off in this portal." in page.words
        assert run(args=["accounts", "switch-on", key]).exit_code == 0
        visitor.sign_on_as("entra", "fay")
        fetch(visitor, "/s2s/finance/")
        missing = run(args=["accounts", "switch-off", "nobody"])
        assert missing.exit_code == 1
        assert "there is no account 'nobody'" in missing.output

    def test_switching_off_by_the_row_alone_is_enough(self, visitor: Traveller) -> None:
        visitor.sign_on_as("entra", "fay")
        with visitor.app.app_context(), state().engine.begin() as connection:
            table = PortalAccount.__table__.update().where(PortalAccount.subject == "fay")
            connection.execute(table.values(switched_off_at=PortalAccount.first_seen_at))
        try:
            fetch(visitor, "/s2s/finance/", status=302)
        finally:
            with visitor.app.app_context(), state().engine.begin() as connection:
                connection.execute(table.values(switched_off_at=None))

    def test_while_the_role_api_is_away_people_signed_on_work_on(
        self, visitor: Traveller, api: RoleApi
    ) -> None:
        visitor.sign_on_as("dfe", "sam")
        fetch(visitor, "/s2s/referrals/")
        api.status = 500
        fetch(visitor, "/s2s/referrals/")


class TestRefusals:
    """An account that is somebody's, but may not come in."""

    @pytest.mark.parametrize(
        ("name", "account", "sentence"),
        [
            ("entra", "guy", "guest accounts cannot use this service"),
            ("dfe", "cleo", "has closed"),
            ("dfe", "norma", "is not linked to a school or trust"),
        ],
    )
    def test_a_page_says_why_and_offers_another_account(
        self, visitor: Traveller, providers: Providers, name: str, account: str, sentence: str
    ) -> None:
        page = visitor.sign_on_as(name, account, status=403)
        assert page.h1 == "You cannot use this account here"
        assert sentence in page.words
        assert not visitor.is_signed_on()
        with visitor.browser.session_transaction() as session:
            assert "_user_id" not in session
        visitor.fetch("GET", HOME, status=302)
        token = page.value("csrf_token")
        gone = visitor.fetch("POST", "/sign-out", status=303, data={"csrf_token": token})
        assert gone.location.startswith(f"{providers.issuers[name]}/session/end")

    def test_a_school_that_the_register_does_not_know(
        self, visitor: Traveller, providers: Providers
    ) -> None:
        people = accounts()["dfe"]
        people["sam"]["organisation"] |= {"urn": "900888", "establishmentNumber": "0888"}
        providers.change("dfe", accounts=people)
        page = visitor.sign_on_as("dfe", "sam", status=403)
        assert "We cannot find your school in the national register" in page.words

    def test_somebody_who_turns_back_at_the_provider(self, visitor: Traveller) -> None:
        page = visitor.sign_on_as("entra", "nobody", status=400)
        assert "You did not finish signing in with the council’s sign-in." in page.words

    def test_the_role_api_hangs(self, visitor: Traveller, api: RoleApi) -> None:
        path = visitor.go_there("dfe", "pat")
        api.seconds_late = 5
        page = visitor.come_back(path, status=503)
        assert "DfE Sign-in does not answer at the moment" in page.words


class TestSigningOut:
    """The session here ends first; then the one at the provider."""

    def test_the_provider_is_told_and_sends_people_back(
        self, visitor: Traveller, providers: Providers
    ) -> None:
        visitor.sign_on_as("dfe", "sam")
        address = sign_out(visitor)
        query = parse_qs(urlsplit(address).query)
        assert address.startswith(f"{providers.issuers['dfe']}/session/end?")
        assert query["post_logout_redirect_uri"] == [f"{PORTAL}/signed-out"]
        assert query["id_token_hint"][0].count(".") == 2
        assert not visitor.is_signed_on()
        asked = visitor.elsewhere.get(address, timeout=10)
        assert "Sign out here too?" in asked.text
        page = fetch(visitor, "/signed-out")
        assert page.h1 == "You have signed out"
        assert "may still" not in page.words

    def test_while_the_provider_is_away_the_session_here_ends_all_the_same(
        self, visitor: Traveller, providers: Providers
    ) -> None:
        visitor.sign_on_as("dfe", "sam")
        cookie = visitor.cookie
        visitor.app.extensions["portal_openid"]["dfe"].read_at -= 3601
        providers.liars["dfe"].lies[DISCOVERY] = providers.liars["dfe"].hang
        assert sign_out(visitor) == "/signed-out?still=dfe"
        assert (
            "you may still be signed in with DfE Sign-in"
            in fetch(visitor, "/signed-out?still=dfe").words
        )
        assert not visitor.with_cookie(cookie).is_signed_on()

    def test_a_provider_without_a_way_to_sign_out(
        self, visitor: Traveller, providers: Providers
    ) -> None:
        def silent(answer: Any) -> Any:
            answer.json = {k: v for k, v in answer.json.items() if k != "end_session_endpoint"}
            return answer

        providers.liars["entra"].lies[DISCOVERY] = silent
        visitor.sign_on_as("entra", "jo")
        assert sign_out(visitor) == "/signed-out?still=entra"


def test_userinfo_is_asked_for_schools_alone(visitor: Traveller, providers: Providers) -> None:
    visitor.sign_on_as("entra", "jo")
    Traveller(visitor.app).sign_on_as("dfe", "sam")
    assert providers.liars["entra"].asked[USERINFO] == 0
    assert providers.liars["dfe"].asked[USERINFO] == 1


def test_personas_refuse_to_run_and_say_why(visitor: Traveller) -> None:
    token = fetch(visitor, "/sign-in").value("csrf_token")
    form = {"csrf_token": token, "persona": "officer"}
    page = visitor.fetch("POST", "/sign-in", status=403, data=form)
    assert "the council’s sign-in and DfE Sign-in" in page.words
    assert not visitor.is_signed_on()
