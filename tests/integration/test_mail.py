"""Mail over a real SMTP server by the real worker: sent after the transaction, or not at all."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask
from sqlalchemy import create_engine, text

from s2s_portal.database import session, unit_of_work
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.codes import Status
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.services import invitations, messages, notices
from tests import rows, world
from tests.conftest import migrated_database
from tests.host import make_host

REFERENCE = "S2S-19-3334"
LINK = "https://portal.example/s2s/referrals/S2S-19-3334/"


class Sink:
    """Keeps what it is sent; `answer` is what the server says to each message."""

    def __init__(self) -> None:
        self.received: list[Message] = []
        self.answer = "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            self.received.append(message_from_bytes(envelope.content or b""))
        return self.answer


@pytest.fixture
def port() -> int:
    """A free port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def mailing(server_url: str, worker_id: str, port: int) -> Iterator[Flask]:
    """A host on a database of its own that really commits and really mails."""
    url = migrated_database(server_url, f"s2s_mail_{worker_id}")
    engine = create_engine(url)
    app = make_host(
        url, dict(world.ACTORS), MAIL_SERVER="127.0.0.1", MAIL_PORT=port, MAIL_SUPPRESS_SEND=False
    )
    with app.app_context(), acting_as(SYSTEM):
        session().add_all(world.establishments())
        session().flush()
        session().add_all(world.practitioners())
        rows.referral(session(), REFERENCE, status=Status.SUBMITTED)
        session().commit()
        yield app
    engine.dispose()


@pytest.fixture
def sink(port: int) -> Iterator[Sink]:
    """An SMTP server on the port."""
    sink = Sink()
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    yield sink
    controller.stop()


def tell(*, fail: bool = False) -> None:
    """Tell the school in a unit of work that stands or fails."""
    with unit_of_work() as work:
        referral = work.session.query(Referral).filter_by(reference=REFERENCE).one()
        notices.tell_school(work, "referral_submitted", referral, LINK)
        if fail:
            raise RuntimeError("something later went wrong")


def run_worker(app: Flask) -> None:
    """`flask s2s worker --once`."""
    result = app.test_cli_runner().invoke(args=["s2s", "worker", "--once"])
    assert result.exit_code == 0, result.output


def waiting() -> int:
    """Jobs that are still to be done."""
    found = session().scalar(
        text("SELECT count(*) FROM s2s.procrastinate_jobs WHERE status = 'todo'")
    )
    session().rollback()
    return int(found or 0)


def due_now() -> None:
    """Let every waiting retry be due."""
    session().execute(text("UPDATE s2s.procrastinate_jobs SET scheduled_at = NULL"))
    session().commit()


def test_a_mail_goes_after_the_transaction(mailing: Flask, sink: Sink) -> None:
    tell()
    assert (waiting(), sink.received) == (1, [])
    run_worker(mailing)
    assert waiting() == 0
    (message,) = sink.received
    assert message["To"] == "senco@school.example"
    assert message["Subject"] == f"Referral {REFERENCE} has been received"
    body = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert LINK in body
    assert REFERENCE in body
    assert "Canary" not in message.as_string()
    assert "Zosia" not in message.as_string()


def test_nothing_goes_when_the_transaction_is_rolled_back(mailing: Flask, sink: Sink) -> None:
    with pytest.raises(RuntimeError):
        tell(fail=True)
    assert waiting() == 0
    run_worker(mailing)
    assert sink.received == []


def test_while_smtp_is_down_the_mail_waits_and_goes_when_it_is_back(
    mailing: Flask, port: int
) -> None:
    tell()
    run_worker(mailing)
    assert waiting() == 1
    sink = Sink()
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        run_worker(mailing)
        assert sink.received == [], "the next try is not due yet"
        due_now()
        run_worker(mailing)
    finally:
        controller.stop()
    assert (waiting(), len(sink.received)) == (0, 1)


def test_a_server_that_says_later_is_asked_again_with_the_same_message(
    mailing: Flask, sink: Sink
) -> None:
    tell()
    sink.answer = "451 try again later"
    run_worker(mailing)
    assert waiting() == 1
    sink.answer = "250 OK"
    due_now()
    run_worker(mailing)
    (message,) = sink.received
    assert message["Message-ID"].endswith("@s2s.invalid>")


def test_practitioners_and_leads_are_found_when_the_mail_is_sent(
    mailing: Flask, sink: Sink
) -> None:
    with unit_of_work() as work:
        referral = work.session.query(Referral).filter_by(reference=REFERENCE).one()
        notices.tell_leads(work, "allocated_to_your_staff", world.PROVIDER, referral, LINK)
        first = work.session.scalar(
            text("SELECT id FROM s2s.practitioner WHERE account_id = 'practitioner'")
        )
        notices.tell_practitioner(work, "allocated_to_you", int(first or 0), referral, LINK)
    run_worker(mailing)
    assert sorted(message["To"] for message in sink.received) == [
        "lead@school.example",
        "practitioner@school.example",
    ]


def test_a_message_is_told_of_without_its_words(mailing: Flask, sink: Sink) -> None:
    officer = world.ACTORS["officer"]
    with mailing.test_request_context(), acting_as(officer), unit_of_work() as work:
        messages.send(work, messages.about(REFERENCE), text="Canary asks?", by=officer)
    with mailing.test_request_context(), acting_as(officer), unit_of_work() as work:
        messages.send(work, messages.about(REFERENCE), text="And Canary again?", by=officer)
    run_worker(mailing)
    (message,) = sink.received
    assert message["To"] == "senco@school.example"
    assert message["Subject"] == f"{REFERENCE}: there is a message for you"
    body = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert f"http://portal.example/s2s/messages/{REFERENCE}/" in body
    assert "Canary" not in message.as_string()


def test_an_invitation_goes_out_with_a_link_that_was_never_stored(
    mailing: Flask, sink: Sink
) -> None:
    adi = world.ACTORS["administrator"]
    with mailing.test_request_context(), acting_as(adi), unit_of_work() as work:
        row = Practitioner(name="Nora", email="nora@school.example", provider_urn=world.PROVIDER)
        work.session.add(row)
        work.flush()
        invitations.invite(work, row.id, by=adi)
    sink.answer = "451 try again later"
    run_worker(mailing)
    sink.answer = "250 OK"
    due_now()
    run_worker(mailing)
    (message,) = sink.received
    assert message["To"] == "nora@school.example"
    assert message["Subject"] == "You are invited to School to School Support"
    body = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "Adi Administrator has invited you" in body
    assert "as a practitioner of Fen View Complex Needs School" in body
    token = body.split("/s2s/invitations/")[1].split()[0]
    stored = session().scalar(text("SELECT digest FROM s2s.practitioner_invitation"))
    session().rollback()
    assert stored == invitations.digest(token)


def test_every_notice_has_its_text_and_no_notice_is_left_over() -> None:
    from pathlib import Path

    from s2s_portal import templates

    folder = Path(next(iter(templates.__path__))) / "s2s" / "mail"
    texts = {path.stem for path in folder.glob("*.txt")}
    # The daily list is about no one referral, so `services.daily_list` says its own subject.
    assert texts - {"daily_list"} == set(notices.SUBJECTS)


def test_a_subject_cannot_smuggle_a_header(mailing: Flask, sink: Sink) -> None:
    with unit_of_work() as work:
        referral = work.session.query(Referral).filter_by(reference=REFERENCE).one()
        referral.school_name = "School\r\nBcc: thief@example.com"
        work.audited = True
        notices.tell_address(work, "referral_submitted", "senco@school.example", referral, LINK)
    run_worker(mailing)
    (message,) = sink.received
    assert message["Bcc"] is None
    assert message["To"] == "senco@school.example"


def test_officers_hear_of_a_referral_only_at_the_mailbox_they_named(
    mailing: Flask, sink: Sink
) -> None:
    for mailbox in (None, "officers@council.example"):
        mailing.config["S2S_OFFICER_MAILBOX"] = mailbox
        with unit_of_work() as work:
            referral = work.session.query(Referral).filter_by(reference=REFERENCE).one()
            notices.tell_officers(work, "referral_to_decide", referral)
    run_worker(mailing)
    (message,) = sink.received
    assert message["To"] == "officers@council.example"
    assert f"/triage/{REFERENCE}/" in str(message.get_payload())
