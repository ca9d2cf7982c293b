"""Which account is which practitioner: by invitation or by an administrator, never by name."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import Connection, create_engine, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, joinedload

from s2s_portal import Actor, Role, access, audit, clock
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.errors import NotAllowed
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.codes import Status
from s2s_portal.models.invitation import Newcomer, PractitionerInvitation
from s2s_portal.models.practitioner import Allocation, Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.services import invitations, links, notices
from s2s_portal.state import state
from tests import rows, world
from tests.client import Client, Page
from tests.conftest import migrated_database
from tests.host import make_host
from tests.world import ACTORS, OTHER_PROVIDER, PROVIDER

REF = "S2S-19-3334"
NEWCOMER = ACTORS["newcomer"]
TOKEN = "a-token-of-this-test"


@pytest.fixture
def nobody_yet(session: Session, may_2019: None) -> Practitioner:
    """A practitioner of PROVIDER without an account, to whom a referral is allocated."""
    row = Practitioner(
        name="Nora Nobody", email="nora@school.example", provider_urn=PROVIDER, phases=["2"]
    )
    session.add(row)
    session.flush()
    referral = rows.referral(session, REF, status=Status.ALLOCATED)
    made = rows.allocation(session, referral, "practitioner")
    made.practitioner_id, made.practitioner_name = row.id, row.name
    session.commit()
    return row


def invited(session: Session, row: Practitioner, token: str = TOKEN) -> PractitionerInvitation:
    """An invitation whose mail has gone out with `token`."""
    with acting_as(SYSTEM):
        made = PractitionerInvitation(
            practitioner_id=row.id,
            by_id="administrator",
            by_name="Adi Administrator",
            expires_at=clock.now() + invitations.VALID,
            digest=invitations.digest(token),
        )
        session.add(made)
        session.commit()
    return made


def account_of(session: Session, row: Practitioner) -> str | None:
    """The account that a practitioner has now."""
    session.commit()
    session.expire_all()
    return session.scalar(select(Practitioner.account_id).where(Practitioner.id == row.id))


def audited(connection: Connection) -> list[tuple[str, str, str, str]]:
    """Who did what to what, oldest first, but for what was looked at."""
    connection.execute(text("RESET ROLE"))
    found = connection.execute(
        text(
            "SELECT by_id, action, entity, entity_key FROM s2s.audit_entry"
            " WHERE action <> 'looked at' ORDER BY id"
        )
    )
    return [tuple(row) for row in found]  # type: ignore[misc]


def person_page(client: Client, row: Practitioner) -> Page:
    """The administrator's page of somebody."""
    return client.sign_on("administrator").get("administration.practitioner", number=row.id)


# The newcomer


@pytest.mark.parametrize("endpoint", ["home.index", "visits.index"])
def test_somebody_who_is_nobody_yet_reads_so_and_sees_nothing(
    client: Client, nobody_yet: Practitioner, endpoint: str
) -> None:
    page = client.sign_on("newcomer").get(endpoint)
    assert "Your account is not linked yet" in page.words
    assert "ask the SEND programme team" in page.words
    assert "Nothing is new" not in page.words
    assert "New to you" not in page.words
    client.get("visits.show", reference=REF, status=404)


def test_the_first_coming_is_written_down_once(
    client: Client, session: Session, connection: Connection, nobody_yet: Practitioner
) -> None:
    client.sign_on("newcomer").get("home.index")
    client.get("visits.index")
    client.get("home.index")
    session.expire_all()
    (row,) = session.scalars(select(Newcomer))
    assert (row.account_id, row.name, row.provider_urn) == ("newcomer", "Nat Newcomer", PROVIDER)
    assert (row.is_practitioner, row.is_lead) == (True, True)
    assert audited(connection) == [("newcomer", "first signed on", "account", "newcomer")]


@pytest.mark.parametrize("key", ["practitioner", "lead", "officer", "senco"])
def test_nobody_else_is_a_newcomer(client: Client, session: Session, key: str) -> None:
    page = client.sign_on(key).get("home.index")
    assert "not linked" not in page.words
    assert session.scalar(select(func.count()).select_from(Newcomer)) == 0


def test_the_administrator_sees_who_is_not_linked(client: Client, nobody_yet: Practitioner) -> None:
    nothing = client.sign_on("administrator").get("administration.index")
    assert "Everybody who signed in as a practitioner or lead is linked" in nothing.words
    client.sign_on("newcomer").get("home.index")
    page = client.sign_on("administrator").get("administration.index")
    row = (
        "Nat Newcomer newcomer@school.example Fen View Complex Needs School Practitioner, Lead"
        " 14 May 2019 at midday Nora Nobody"
    )
    assert row in page.words


# An administrator ties


def test_an_administrator_ties_and_the_person_sees_their_case(
    client: Client, session: Session, connection: Connection, nobody_yet: Practitioner
) -> None:
    client.sign_on("newcomer").get("home.index")
    page = person_page(client, nobody_yet)
    assert "A name that looks the same proves nothing" in page.words
    done = client.post("administration.tie", {"account": "newcomer"}, number=nobody_yet.id)
    assert "The account has been linked" in client.follow(done).words
    assert account_of(session, nobody_yet) == "newcomer"
    assert audited(connection)[1:] == [
        ("administrator", "tied", "practitioner", str(nobody_yet.id)),
        ("administrator", "tied", "account", "newcomer"),
    ]
    visits = client.sign_on("newcomer").get("visits.index")
    assert "not linked" not in visits.words
    assert REF in visits.words
    client.get("visits.show", reference=REF)
    page = client.sign_on("administrator").get("administration.index")
    assert "Everybody who signed in as a practitioner or lead is linked" in page.words


@pytest.mark.parametrize(
    ("changes", "account"),
    [
        ({}, ""),
        ({}, "nobody-by-this-key"),
        ({}, "practitioner"),  # somebody else's, and never a newcomer
        ({"provider_urn": OTHER_PROVIDER}, "newcomer"),
        ({"provider_urn": None}, "newcomer"),
        ({"is_practitioner": False}, "newcomer"),
    ],
)
def test_an_account_that_does_not_fit_is_refused(
    client: Client,
    session: Session,
    nobody_yet: Practitioner,
    changes: dict[str, object],
    account: str,
) -> None:
    session.add(newcomer_row(**changes))
    session.commit()
    client.sign_on("administrator")
    page = client.post("administration.tie", {"account": account}, status=422, number=nobody_yet.id)
    assert page.errors == ["Choose the account of this person"]
    assert account_of(session, nobody_yet) is None


@pytest.mark.parametrize("account", ["\x00", "a\x00b", "9" * 6000, "☃" * 299, "' OR 1=1"])
def test_nonsense_for_an_account_is_refused(
    client: Client, session: Session, nobody_yet: Practitioner, account: str
) -> None:
    client.sign_on("administrator")
    client.post("administration.tie", {"account": account}, status=422, number=nobody_yet.id)
    assert account_of(session, nobody_yet) is None


def newcomer_row(**changes: object) -> Newcomer:
    """The row of a newcomer."""
    fields = {
        "account_id": "newcomer",
        "name": "Nat Newcomer",
        "email": "",
        "provider_urn": PROVIDER,
        "is_practitioner": True,
        "is_lead": True,
        "at": clock.now(),
    }
    return Newcomer(**(fields | changes))


def test_what_was_chosen_comes_back_when_somebody_was_quicker(
    client: Client, session: Session, nobody_yet: Practitioner
) -> None:
    session.add(newcomer_row())
    nobody_yet.account_id = "somebody"
    session.commit()
    client.sign_on("administrator")
    for endpoint in ("tie", "invite"):
        page = client.post(
            f"administration.{endpoint}",
            {"account": "newcomer"},
            status=422,
            number=nobody_yet.id,
        )
        assert page.errors == ["An account has already been linked to Nora Nobody."]


def test_an_account_is_tied_to_one_person_only(
    client: Client, session: Session, nobody_yet: Practitioner
) -> None:
    second = Practitioner(name="Nils", email="n@school.example", provider_urn=PROVIDER)
    session.add_all([second, newcomer_row()])
    nobody_yet.account_id = "newcomer"
    session.commit()
    client.sign_on("administrator")
    page = client.post("administration.tie", {"account": "newcomer"}, status=422, number=second.id)
    assert page.errors == ["This account has just been linked to somebody else."]


# Unlinked, switched off, gone elsewhere: from the next request on


def test_an_account_that_was_taken_off_opens_nothing(
    client: Client, session: Session, connection: Connection, nobody_yet: Practitioner
) -> None:
    nobody_yet.account_id = "newcomer"
    session.commit()
    person = Client(client.app).sign_on("newcomer")
    person.get("visits.show", reference=REF)
    client.sign_on("administrator").post("administration.untie", number=nobody_yet.id)
    person.get("visits.show", reference=REF, status=404)
    assert "Your account is not linked yet" in person.get("visits.index").words
    assert audited(connection)[:2] == [
        ("administrator", "untied", "practitioner", str(nobody_yet.id)),
        ("administrator", "untied", "account", "newcomer"),
    ]
    again = client.post("administration.untie", status=422, number=nobody_yet.id)
    assert "there is none to unlink" in again.errors[0]


def test_somebody_switched_off_sees_nothing_from_their_next_page_on(
    client: Client, session: Session, connection: Connection, nobody_yet: Practitioner
) -> None:
    nobody_yet.account_id = "newcomer"
    session.commit()
    person = Client(client.app).sign_on("newcomer")
    person.get("visits.show", reference=REF)
    client.sign_on("administrator").post("administration.switch_off", number=nobody_yet.id)
    person.get("visits.show", reference=REF, status=404)
    person.get("visits.book", reference=REF, status=404)
    page = person.get("visits.index")
    assert "Your account is no longer active" in page.words
    assert REF not in page.words
    assert audited(connection)[0][:2] == ("administrator", "switched off")
    again = client.post("administration.switch_off", status=422, number=nobody_yet.id)
    assert again.errors == ["This practitioner is already no longer active."]
    client.post("administration.switch_on", number=nobody_yet.id)
    person.get("visits.show", reference=REF)


@pytest.mark.parametrize("change", ["untie", "switch_off"])
def test_a_lead_goes_as_a_practitioner_does(
    client: Client, session: Session, nobody_yet: Practitioner, change: str
) -> None:
    lead = session.scalars(select(Practitioner).where(Practitioner.account_id == "lead")).one()
    number = lead.id
    person = Client(client.app).sign_on("lead")
    person.get("visits.show", reference=REF)
    client.sign_on("administrator").post(f"administration.{change}", number=number)
    person.get("visits.show", reference=REF, status=404)
    assert REF not in person.get("visits.index").words


@pytest.mark.parametrize("roles", [{Role.PRACTITIONER}, {Role.LEAD}])
def test_somebody_who_signs_on_for_another_school_sees_nothing(
    client: Client,
    session: Session,
    nobody_yet: Practitioner,
    monkeypatch: pytest.MonkeyPatch,
    roles: set[Role],
) -> None:
    nobody_yet.account_id = "newcomer"
    session.commit()
    moved = replace(NEWCOMER, provider=OTHER_PROVIDER, roles=frozenset(roles))
    monkeypatch.setitem(state().identity.actors, "newcomer", moved)
    client.sign_on("newcomer").get("visits.show", reference=REF, status=404)
    assert "You signed in for another school" in client.get("visits.index").words


@pytest.mark.parametrize("role", [Role.PRACTITIONER, Role.LEAD])
@pytest.mark.parametrize(
    ("change", "sees"),
    [
        ({}, {REF}),
        ({"active": False}, set()),
        ({"account_id": None}, set()),
        ({"provider": OTHER_PROVIDER}, set()),
        ({"provider": None}, set()),
    ],
)
def test_the_database_and_the_code_each_ask_for_all_four(
    session: Session,
    nobody_yet: Practitioner,
    role: Role,
    change: dict[str, object],
    sees: set[str],
) -> None:
    """Role, school, account and active: taken away alone, each closes both doors by itself."""
    nobody_yet.account_id = "newcomer"
    for name in change.keys() - {"provider"}:
        setattr(nobody_yet, name, change[name])
    session.commit()
    provider = change.get("provider", PROVIDER)
    person = replace(NEWCOMER, roles=frozenset({role}), provider=provider)  # type: ignore[arg-type]
    with acting_as(person):
        assert set(session.scalars(select(Referral.reference))) == sees
        session.commit()
    referral = session.scalars(select(Referral).where(Referral.reference == REF)).one()
    made = session.scalars(select(Allocation).options(joinedload(Allocation.practitioner))).one()
    if role is Role.PRACTITIONER:
        assert access.may_see(person, referral, made) is bool(sees)


@pytest.mark.parametrize("key", [key for key in ACTORS if key != "administrator"])
def test_the_services_too_are_for_administrators_only(
    session: Session, nobody_yet: Practitioner, key: str
) -> None:
    by, number, work = ACTORS[key], nobody_yet.id, UnitOfWork(session)
    for refused in (
        lambda: links.tie(work, number, account_id="newcomer", by=by),
        lambda: links.untie(work, number, by=by),
        lambda: links.switch(work, number, active=False, by=by),
        lambda: invitations.invite(work, number, by=by),
    ):
        with pytest.raises(NotAllowed):
            refused()


# Invitations


def posted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str]]:
    """Where `notices.deliver` puts each mail from here on: whom to, and its text."""
    mails: list[tuple[list[str], str]] = []

    def deliver(_subject: str, body: str, recipients: list[str], _id: str) -> None:
        mails.append((recipients, body))

    monkeypatch.setattr(notices, "deliver", deliver)
    return mails


def link_in(mail: tuple[list[str], str]) -> str:
    """The address of the invitation in a mail."""
    (found,) = re.findall(
        r"http://portal\.example/s2s/invitations/[\w-]{43}$", mail[1], re.MULTILINE
    )
    return str(found)


def deferred(connection: Connection) -> list[dict[str, object]]:
    """The jobs that wait."""
    connection.execute(text("RESET ROLE"))
    return list(connection.scalars(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id")))


def test_from_the_invitation_to_the_first_case(
    client: Client,
    session: Session,
    connection: Connection,
    nobody_yet: Practitioner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = client.sign_on("administrator").get("administration.index")
    assert "No account Invite Nora Nobody" in page.words
    done = client.post("administration.invite", number=nobody_yet.id)
    assert "The invitation is on its way" in client.follow(done).words
    assert "No account Invited, until 28 May 2019" in client.get("administration.index").words
    (job,) = deferred(connection)
    mails = posted(monkeypatch)
    invitations.send(**job)  # type: ignore[arg-type]
    (mail,) = mails
    assert mail[0] == ["nora@school.example"]
    assert "It works once, until 28 May 2019." in mail[1]
    path = link_in(mail).removeprefix("http://portal.example")
    ask = client.sign_on("newcomer").fetch("GET", path)
    assert (
        "You are linking Nora Nobody, practitioner at Fen View Complex Needs School, to the account"
        " you signed in with: Name Nat Newcomer Email newcomer@school.example"
    ) in ask.words
    assert account_of(session, nobody_yet) is None, "looking ties nothing"
    done = client.send(path)
    assert "Your account has been linked" in client.follow(done).words
    assert account_of(session, nobody_yet) == "newcomer"
    client.get("visits.show", reference=REF)
    number = str(nobody_yet.id)
    assert audited(connection) == [
        ("administrator", "invited", "practitioner", number),
        ("system", "sent invitation", "practitioner", number),
        ("newcomer", "tied", "practitioner", number),
        ("newcomer", "tied", "account", "newcomer"),
    ]


def test_the_token_is_kept_nowhere(
    client: Client,
    session: Session,
    connection: Connection,
    nobody_yet: Practitioner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.sign_on("administrator").post("administration.invite", number=nobody_yet.id)
    mails = posted(monkeypatch)
    (job,) = deferred(connection)
    invitations.send(**job)  # type: ignore[arg-type]
    token = link_in(mails[0]).rsplit("/", 1)[1]
    connection.execute(text("RESET ROLE"))
    for table in ("procrastinate_jobs", "practitioner_invitation", "audit_entry"):
        whole = connection.scalar(
            text(f"SELECT coalesce(string_agg(t::text, ' '), '') FROM s2s.{table} t")
        )
        assert token not in str(whole), table
    assert invitations.digest(token) in str(
        connection.scalar(text("SELECT digest FROM s2s.practitioner_invitation"))
    )


def test_a_mail_that_is_sent_again_has_the_only_link_that_counts(
    client: Client,
    session: Session,
    connection: Connection,
    nobody_yet: Practitioner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.sign_on("administrator").post("administration.invite", number=nobody_yet.id)
    mails = posted(monkeypatch)
    (job,) = deferred(connection)
    for _time in range(2):
        invitations.send(**job)  # type: ignore[arg-type]
    first, second = (link_in(mail).rsplit("/", 1)[1] for mail in mails)
    client.sign_on("newcomer").get("invitations.show", token=first, status=404)
    client.get("invitations.show", token=second)


@pytest.mark.parametrize("change", ["invite", "switch_off"])
def test_an_invitation_that_was_withdrawn_is_not_sent_any_more(
    client: Client,
    connection: Connection,
    nobody_yet: Practitioner,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    client.sign_on("administrator").post("administration.invite", number=nobody_yet.id)
    client.post(f"administration.{change}", number=nobody_yet.id)
    mails = posted(monkeypatch)
    invitations.send(**deferred(connection)[0])  # type: ignore[arg-type]
    assert mails == []


REFUSED: dict[str, tuple[str, int, str]] = {
    "used": ("newcomer", 409, "has already been used"),
    "withdrawn": ("newcomer", 409, "no longer counts"),
    "expired": ("newcomer", 409, "has expired. Ask for a new one"),
    "role": ("officer", 422, "does not have the role which this invitation is for"),
    "no role at all": ("outsider", 422, "does not have the role which this invitation is for"),
    "provider": ("other-practitioner", 422, "for another school"),
    "tied": ("newcomer", 409, "An account has already been linked to the person"),
    "inactive": ("newcomer", 409, "is no longer active"),
    "account": ("colleague", 409, "Your account has already been linked to somebody else"),
    "lead": ("colleague", 422, "does not have the role which this invitation is for"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_invitation_that_cannot_be_used_says_why(
    client: Client, session: Session, nobody_yet: Practitioner, case: str, method: str
) -> None:
    made = invited(session, nobody_yet)
    key, status, sentence = REFUSED[case]
    match case:
        case "used":
            made.used_at, made.used_by_id = clock.now(), "somebody"
        case "withdrawn":
            made.withdrawn_at = clock.now()
        case "expired":
            made.expires_at = clock.now()
        case "tied":
            nobody_yet.account_id = "somebody"
        case "inactive":
            nobody_yet.active = False
        case "lead":
            nobody_yet.is_lead = True
    session.commit()
    before = account_of(session, nobody_yet)
    client.sign_on(key)
    path = client.url("invitations.show", token=TOKEN)
    form = {"csrf_token": client.token} if method == "POST" else None
    page = client.fetch(method, path, status=status, data=form)
    assert sentence in page.words
    assert page.words.count("ask the SEND programme team") == 1
    assert "Nora" not in page.words
    assert account_of(session, nobody_yet) == before


def test_an_old_invitation_does_not_come_back_when_the_account_is_taken_off(
    client: Client, session: Session, nobody_yet: Practitioner
) -> None:
    invited(session, nobody_yet)
    session.add(newcomer_row())
    session.commit()
    client.sign_on("administrator")
    client.post("administration.tie", {"account": "newcomer"}, number=nobody_yet.id)
    client.post("administration.untie", number=nobody_yet.id)
    page = client.sign_on("newcomer").get("invitations.show", token=TOKEN, status=409)
    assert "no longer counts" in page.words


def test_an_invitation_works_until_its_last_second(
    client: Client, session: Session, nobody_yet: Practitioner
) -> None:
    made = invited(session, nobody_yet)
    with clock.frozen(made.expires_at - timedelta(seconds=1)):
        client.sign_on("newcomer").get("invitations.show", token=TOKEN)
    with clock.frozen(made.expires_at):
        client.sign_on("newcomer").get("invitations.show", token=TOKEN, status=409)


@pytest.mark.parametrize("token", ["absent", "x" * 5000, "a b", "é", "%00", TOKEN + "0"])
def test_a_token_that_is_none(
    client: Client, session: Session, nobody_yet: Practitioner, token: str
) -> None:
    invited(session, nobody_yet)
    client.sign_on("newcomer")
    for method in ("GET", "POST"):
        form = {"csrf_token": client.token} if method == "POST" else None
        client.fetch(method, f"/s2s/invitations/{token}", status=404, data=form)


def test_a_press_without_the_form_s_token_ties_nothing(
    client: Client, session: Session, nobody_yet: Practitioner
) -> None:
    invited(session, nobody_yet)
    client.sign_on("newcomer").post(
        "invitations.show", {"csrf_token": "forged"}, status=422, token=TOKEN
    )
    assert account_of(session, nobody_yet) is None


def test_holding_a_token_opens_neither_table(session: Session, nobody_yet: Practitioner) -> None:
    """The functions answer about one invitation; the rows stay the administrator's."""
    invited(session, nobody_yet)
    with acting_as(NEWCOMER):
        assert session.scalars(select(PractitionerInvitation)).all() == []
        with pytest.raises(Exception, match="row-level security"), unit_of_work() as work:
            work.session.add(newcomer_row(account_id="in-another-s-name"))
        session.rollback()


# Two at once, for real


@pytest.fixture
def racing(server_url: str) -> Iterator[tuple[Flask, list[str]]]:
    """A host that really commits, with five invitations and two newcomers of one school."""
    url = migrated_database(server_url, f"s2s_test_{os.getpid()}_links")
    engine = create_engine(url)
    tokens = [f"token-{number}" for number in range(5)]
    with Session(engine) as session, session.begin():
        session.add_all(world.establishments())
        session.flush()
        for token in tokens:
            row = Practitioner(name=token, email="x@school.example", provider_urn=PROVIDER)
            session.add(row)
            session.flush()
            session.add(
                PractitionerInvitation(
                    practitioner_id=row.id,
                    by_id="administrator",
                    by_name="Adi",
                    expires_at=clock.now() + invitations.VALID,
                    digest=invitations.digest(token),
                )
            )
    app = make_host(url, dict(ACTORS) | {key: _another(key) for key in ("a", "b", "c")})
    yield app, tokens
    with app.app_context():
        state().engine.dispose()
    engine.dispose()
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)'))
    server.dispose()


def _another(key: str) -> Actor:
    return replace(NEWCOMER, id=key, name=f"Newcomer {key}")


def _press(who: Client, token: str, start: threading.Barrier) -> int:
    path = who.url("invitations.show", token=token)
    start.wait(timeout=20)
    return who.open(path, method="POST", data={"csrf_token": who.token}).status_code


def test_an_administrator_and_the_invited_at_once_make_one_tie(
    racing: tuple[Flask, list[str]],
) -> None:
    """The invited person waits for the administrator's lock, and then finds the account tied."""
    app, tokens = racing
    adi = ACTORS["administrator"]
    with app.app_context(), acting_as(adi), ThreadPoolExecutor(1) as pool:
        with unit_of_work() as work:
            row = work.session.scalars(
                select(Practitioner).where(Practitioner.name == tokens[0]).with_for_update()
            ).one()
            pressed = pool.submit(_press, Client(app).sign_on("a"), tokens[0], threading.Barrier(1))
            _wait_for_a_lock(app)
            row.account_id = "b"
            audit.wrote(work, "tied", "practitioner", row.id)
        assert pressed.result(timeout=20) == 409
    assert _tied(app) == [(tokens[0], "b")]


def _wait_for_a_lock(app: Flask) -> None:
    """Until somebody waits for a lock in the app's database; at most five seconds."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with create_engine(app.config["SQLALCHEMY_DATABASE_URI"]).connect() as connection:
        for _attempt in range(250):
            if connection.scalar(waiting):
                return
            connection.rollback()
            time.sleep(0.02)
    raise AssertionError("nobody waits")


def _at_once(app: Flask, pairs: list[tuple[str, str]]) -> list[int]:
    start = threading.Barrier(len(pairs))
    with ThreadPoolExecutor(len(pairs)) as pool:
        pressed = [
            pool.submit(_press, Client(app).sign_on(key), token, start) for key, token in pairs
        ]
    return sorted(answer.result() for answer in pressed)


def _tied(app: Flask) -> list[tuple[str, str]]:
    with app.app_context(), acting_as(SYSTEM):
        session = state().session()
        found = session.execute(
            select(Practitioner.name, Practitioner.account_id)
            .where(Practitioner.account_id.is_not(None))
            .order_by(Practitioner.name)
        ).all()
        session.rollback()
    return [tuple(row) for row in found]  # type: ignore[misc]


def test_of_two_people_with_one_invitation_one_is_tied_and_one_is_told(
    racing: tuple[Flask, list[str]],
) -> None:
    app, tokens = racing
    assert _at_once(app, [("a", tokens[0]), ("b", tokens[0])]) == [302, 409]
    ((name, account),) = _tied(app)
    assert name == tokens[0]
    assert account in {"a", "b"}


def test_of_two_invitations_pressed_by_one_account_one_ties(
    racing: tuple[Flask, list[str]],
) -> None:
    app, tokens = racing
    assert _at_once(app, [("c", token) for token in tokens]) == [302, 409, 409, 409, 409]
    assert [account for _name, account in _tied(app)] == ["c"]
