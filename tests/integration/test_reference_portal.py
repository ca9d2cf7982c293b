"""The reference portal in this process: signing on, its own pages, its mailbox, its headers."""

from __future__ import annotations

import os
import smtplib
import socket
import stat
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.reference_portal import accounts, create_app, folder, for_sqlalchemy, mailbox
from s2s_portal.reference_portal.demonstration_schools import ACADEMY, establishments
from s2s_portal.reference_portal.personas import PERSONAS
from s2s_portal.state import state
from tests.client import Client, Page
from tests.conftest import migrated_database

KEYS = [
    "senco",
    "head",
    "other-senco",
    "officer",
    "practitioner",
    "other-practitioner",
    "lead",
    "finance",
    "finance-approver",
    "manager",
    "auditor",
    "administrator",
    "outsider",
]
HOME = "/s2s/"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The portal's folder."""
    return tmp_path_factory.mktemp("instance")


@pytest.fixture(scope="module")
def database(server_url: str, worker_id: str) -> Iterator[str]:
    """A migrated database with the invented schools in it."""
    name = f"s2s_portal_{os.getpid()}_{worker_id}"
    url = migrated_database(server_url, name)
    engine = create_engine(url)
    engine.dispose()
    yield url
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    server.dispose()


@pytest.fixture(scope="module")
def portal(database: str, place: Path) -> Iterator[Flask]:
    """The portal, with its personas and schools."""
    app = create_app({"DATABASE_URL": database, "S2S_DATA_DIR": str(place), "TESTING": True})
    with app.app_context():
        accounts.prepare()
        with acting_as(SYSTEM):
            session = state().session()
            session.add_all(establishments())
            session.commit()
    yield app
    with app.app_context():
        state().engine.dispose()


@pytest.fixture
def visitor(portal: Flask) -> Client:
    """Somebody's browser at the portal, not signed on."""
    return Client(portal)


def fetch(visitor: Client, path: str, *, status: int = 200) -> Page:
    """Fetch a page and lint it."""
    return visitor.fetch("GET", path, status=status)


def sign_in(visitor: Client, persona: str, *, status: int = 303, **more: str) -> Page:
    """Sign on as a script would: with the token from the page."""
    token = fetch(visitor, "/sign-in").value("csrf_token")
    form = {"csrf_token": token, "persona": persona, **more}
    return visitor.fetch("POST", "/sign-in", status=status, data=form)


def test_the_sign_in_page_lists_exactly_the_personas(visitor: Client) -> None:
    page = fetch(visitor, "/sign-in")
    assert page.document.xpath("//button[@name='persona']/@value") == KEYS
    assert list(PERSONAS) == KEYS
    for persona in PERSONAS.values():
        assert persona.name in page.words
        assert persona.place in page.words
        assert persona.can in page.words


@pytest.mark.parametrize("key", KEYS)
def test_every_persona_signs_on_and_sees_the_service_as_their_role(
    visitor: Client, key: str
) -> None:
    answer = sign_in(visitor, key)
    if key == "outsider":
        assert answer.location == "/"
        assert "Signed in as Oz Thackery" in fetch(visitor, "/").words
        fetch(visitor, HOME, status=403)
        return
    assert answer.location == HOME
    assert f"Signed in as {PERSONAS[key].name}" in fetch(visitor, HOME).words


def test_the_senco_and_the_head_are_of_one_school_and_others_of_others() -> None:
    assert PERSONAS["senco"].establishment == PERSONAS["head"].establishment
    assert PERSONAS["other-senco"].establishment != PERSONAS["senco"].establishment
    assert PERSONAS["lead"].provider == PERSONAS["practitioner"].provider
    assert PERSONAS["other-practitioner"].provider != PERSONAS["practitioner"].provider


def test_the_service_sends_an_unsigned_visitor_to_sign_in_and_back(visitor: Client) -> None:
    there = visitor.fetch("GET", "/s2s/referrals/", status=302)
    assert there.location == "/sign-in?next=%2Fs2s%2Freferrals%2F"
    page = fetch(visitor, there.location)
    form = {
        "csrf_token": page.value("csrf_token"),
        "persona": "senco",
        "next": page.value("next"),
    }
    back = visitor.fetch("POST", "/sign-in", status=303, data=form)
    assert back.location == "/s2s/referrals/"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "/\t/evil.example/",
        "javascript:alert(1)",
        "evil",
        "/ok\r\nSet-Cookie: a=b",
    ],
)
def test_signing_on_never_leads_off_the_portal(visitor: Client, target: str) -> None:
    assert sign_in(visitor, "senco", next=target).location == HOME


def test_signing_on_needs_the_token_of_the_page(visitor: Client) -> None:
    page = visitor.fetch("POST", "/sign-in", status=400, data={"persona": "senco"})
    assert page.h1 == "The page had expired"
    assert "Sign in" in fetch(visitor, "/").words


def test_nobody_can_sign_on_as_somebody_who_is_not_a_persona(visitor: Client) -> None:
    sign_in(visitor, "root", status=400)
    sign_in(visitor, "", status=400)


def test_signing_on_begins_a_new_session(visitor: Client) -> None:
    fetch(visitor, "/sign-in")
    with visitor.browser.session_transaction() as session:
        session["left_by"] = "somebody before"
        before = session["csrf_token"]
    sign_in(visitor, "officer")
    fetch(visitor, "/")
    with visitor.browser.session_transaction() as session:
        assert "left_by" not in session
        assert session["csrf_token"] != before


def test_signing_out_leaves_nothing_of_the_session(visitor: Client) -> None:
    sign_in(visitor, "officer")
    token = fetch(visitor, "/").value("csrf_token")
    gone = visitor.fetch("POST", "/sign-out", status=303, data={"csrf_token": token})
    assert gone.location == "/"
    with visitor.browser.session_transaction() as session:
        assert not session
    visitor.fetch("GET", HOME, status=302)
    visitor.fetch("GET", "/sign-out", status=405)


def test_the_senco_can_act_for_another_school_that_is_imported(visitor: Client) -> None:
    sign_in(visitor, "senco", urn=f" {ACADEMY} ")
    assert f"for the school with URN {ACADEMY}" in fetch(visitor, HOME).words
    assert "Thornmere Academy" in fetch(visitor, "/s2s/referrals/start").words


@pytest.mark.parametrize(
    ("persona", "urn", "sentence"),
    [
        ("senco", "999999", "No school with this URN has been imported. Check the number"),
        ("senco", "12345", "The URN must be 6 numbers, for example 900302"),
        ("head", "９００３０２", "The URN must be 6 numbers, for example 900302"),
        ("officer", "900302", "Only a SENCo or a head teacher can sign in for another school"),
    ],
)
def test_a_urn_that_will_not_do_is_refused_as_typed(
    visitor: Client, persona: str, urn: str, sentence: str
) -> None:
    page = sign_in(visitor, persona, status=422, urn=urn)
    assert page.errors == [sentence]
    assert page.value("urn") == urn
    visitor.fetch("GET", HOME, status=302)


def test_a_forged_session_for_a_stranger_is_nobodys(visitor: Client) -> None:
    for identifier in ("stranger", "senco@900302x", "senco@"):
        with visitor.browser.session_transaction() as session:
            session["_user_id"] = identifier
        status = 200 if identifier == "senco@" else 302
        visitor.fetch("GET", HOME, status=status)


def test_personas_are_off_beside_a_real_provider(
    database: str, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(
        {
            "DATABASE_URL": database,
            "S2S_DATA_DIR": str(place),
            "PORTAL_DFE_ISSUER": "https://identity.example",
            "PORTAL_DFE_CLIENT_ID": "portal",
            "PORTAL_DFE_CLIENT_SECRET": "a secret",
            "S2S_EXTERNAL_URL": "http://localhost",
        }
    )
    assert "Personas are off, because PORTAL_DFE_ISSUER is set." in caplog.text
    visitor = Client(app)
    page = visitor.fetch("GET", "/sign-in")
    assert page.all("//main//button") == ["Sign in as school staff"]
    assert not page.all("//button[@name='persona']")
    refused = visitor.fetch(
        "POST", "/sign-in", status=403, data=_with_token(visitor, {"persona": "senco"})
    )
    assert refused.h1 == "Nobody can sign in as an invented person here"
    with visitor.browser.session_transaction() as session:
        session["_user_id"] = "senco"  # a session from before the provider was set
    visitor.fetch("GET", HOME, status=302)
    visitor.fetch("GET", "/mailbox", status=404)
    with app.app_context():
        state().engine.dispose()


def _with_token(visitor: Client, form: dict[str, str]) -> dict[str, str]:
    visitor.sign_on("nobody")
    return {**form, "csrf_token": visitor.token}


@pytest.mark.parametrize(
    ("path", "h1"),
    [
        ("/", "Norfolk Services"),
        ("/term-dates", "School term dates 2019 to 2020"),
        ("/contact", "Contact us"),
        ("/accessibility", "Accessibility statement"),
        ("/sign-in", "Choose who to sign in as"),
        ("/mailbox", "Mailbox"),
    ],
)
def test_the_portals_own_pages(visitor: Client, path: str, h1: str) -> None:
    page = fetch(visitor, path)
    assert page.h1 == h1
    assert "All people and schools are invented." in page.words
    headers = page.response.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "object-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_term_dates_are_those_of_the_council(visitor: Client) -> None:
    cells = fetch(visitor, "/term-dates").all("//tbody/tr/*")
    assert cells[:3] == ["Autumn term, first half", "4 September 2019", "18 October 2019"]
    assert cells[-3:] == ["Summer term, second half", "1 June 2020", "21 July 2020"]
    assert len(cells) == 6 * 3


def test_a_page_that_is_not_there(visitor: Client) -> None:
    assert fetch(visitor, "/nothing", status=404).h1 == "Page not found"
    assert fetch(visitor, "/s2s/nothing", status=404).h1 == "Page not found"


def test_the_services_pages_stand_in_the_portals_layout_under_its_policy(visitor: Client) -> None:
    sign_in(visitor, "officer")
    page = fetch(visitor, HOME)
    assert "Norfolk Services" in page.words
    assert page.all("//nav[@aria-label='School to School Support']//a") == [
        "Triage",
        "Allocation",
        "Practitioners",
        "Advice",
        "Messages",
    ]
    assert page.response.headers["Content-Security-Policy"].startswith("default-src 'self'")
    here = "//nav[@aria-label='Portal']//a[@aria-current='{}']"
    assert page.all(here.format("page")) == ["School to School Support"]
    below = fetch(visitor, "/s2s/triage/")
    assert below.all(here.format("true")) == ["School to School Support"]
    elsewhere = fetch(visitor, "/term-dates")
    assert elsewhere.all("//nav[@aria-label='School to School Support']//a")


def test_the_cookie_is_kept_from_scripts_and_other_sites(visitor: Client) -> None:
    cookie = sign_in(visitor, "senco").response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_any_usual_form_of_a_database_address_will_do(scheme: str) -> None:
    assert for_sqlalchemy(f"{scheme}://u:p@h/d") == "postgresql+psycopg://u:p@h/d"


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    key = folder.secret_key(tmp_path)
    assert len(key) == 64
    assert folder.secret_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600
    assert folder.secret_key(_sub(tmp_path)) != key
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["secret-key"]


def _sub(path: Path) -> Path:
    (path / "another").mkdir()
    return path / "another"


def test_while_the_database_is_away_pages_say_so(database: str, place: Path) -> None:
    away = "postgresql://nobody@127.0.0.1:1/nowhere"
    app = create_app({"DATABASE_URL": away, "S2S_DATA_DIR": str(place)})
    visitor = Client(app)
    visitor.browser.set_cookie("portal_session", "somebody's")
    assert visitor.fetch("GET", HOME, status=503).h1 == "The service is not available"
    assert visitor.fetch("GET", "/contact", status=503).h1 == "The portal is not available"
    assert Client(app).fetch("GET", "/contact").h1 == "Contact us"


class TestMailbox:
    """Mail really sent over SMTP to the sink, and read on the page."""

    @pytest.fixture
    def port(self, place: Path) -> Iterator[int]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            number = int(probe.getsockname()[1])
        sink = mailbox.sink(place / "mailbox", number)
        sink.start()
        yield number
        sink.stop()
        for letter in (place / "mailbox").iterdir():
            letter.unlink()

    @staticmethod
    def send(port: int, subject: str, body: str, **more: Any) -> None:
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = subject, "a@x.example", "b@y.example"
        message["Date"] = "Tue, 14 May 2019 09:05:00 +0100"
        message.set_content(body)
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
            smtp.send_message(message)

    def test_newest_first_as_plain_text_with_links_that_work(
        self, visitor: Client, port: int
    ) -> None:
        self.send(port, "First", "Nothing here.")
        address = "http://127.0.0.1:5000/s2s/referrals/S2S-26-7K4P/"
        self.send(port, "Zoë’s <b>second</b>", f"Read it at {address}.\n<script>alert(1)</script>")
        page = fetch(visitor, "/mailbox")
        assert page.all("//article/h2") == ["Zoë’s <b>second</b>", "First"]
        assert page.document.xpath("//article//a/@href") == [address]
        assert "<script>alert(1)</script>" in page.words
        assert "To b@y.example, 14 May 2019 at 9:05am" in page.words

    def test_what_the_hosts_flask_mail_sends_arrives(
        self, database: str, place: Path, port: int
    ) -> None:
        from flask_mail import Message

        app = create_app(
            {
                "DATABASE_URL": database,
                "S2S_DATA_DIR": str(place),
                "PORTAL_SMTP_PORT": str(port),
            }
        )
        with app.app_context():
            app.extensions["mail"].send(
                Message("Łódź", recipients=["x@y.example"], body="Hello, Łukasz")
            )
        page = Client(app).fetch("GET", "/mailbox")
        assert page.all("//article/h2") == ["Łódź"]
        assert "Hello, Łukasz" in page.words

    def test_long_mailboxes_come_in_pages(self, visitor: Client, port: int) -> None:
        for number in range(mailbox.PAGE + 3):
            self.send(port, f"Number {number}", "Text")
        first = fetch(visitor, "/mailbox")
        assert len(first.all("//article")) == mailbox.PAGE
        (older,) = first.document.xpath("//a[text()='Older mail']/@href")
        assert fetch(visitor, older).all("//article/h2") == ["Number 2", "Number 1", "Number 0"]

    def test_letters_are_kept_from_other_users_of_the_machine(self, place: Path, port: int) -> None:
        self.send(port, "One", "Text")
        assert stat.S_IMODE((place / "mailbox").stat().st_mode) == 0o700
        (letter,) = (place / "mailbox").iterdir()
        assert letter.suffix == ".eml"
        assert stat.S_IMODE(letter.stat().st_mode) == 0o600
