"""After the commit: the real worker scans and deletes, whatever breaks in between.

On a database of its own, in which everything really commits.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from s2s_portal import clock, scanner, storage
from s2s_portal.database import session, unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.attachment import Attachment, FileState, FileType
from s2s_portal.models.codes import Status
from s2s_portal.models.referral import Referral
from s2s_portal.services import attachments, drafting, file_upkeep
from s2s_portal.state import state
from s2s_portal.uploads import Accepted
from tests import rows, world
from tests.client import Client
from tests.conftest import migrated_database
from tests.files import made
from tests.files.clamd import MARK, Clamd, needs_clamd
from tests.files.conftest import names_in
from tests.host import make_host

pytestmark = needs_clamd
REFERENCE = "S2S-19-3334"
SENCO = world.ACTORS["senco"]


@pytest.fixture(scope="module")
def database(server_url: str, worker_id: str) -> str:
    """A filled database of this module's own."""
    url = migrated_database(server_url, f"s2s_files_{worker_id}")
    engine = create_engine(url)
    engine.dispose()
    app = make_host(url, dict(world.ACTORS))
    with app.app_context(), acting_as(SYSTEM):
        session().add_all(world.establishments())
        session().flush()
        session().add_all(world.practitioners())
        rows.referral(session(), REFERENCE, status=Status.RETURNED)
        session().commit()
    state_of(app).engine.dispose()
    return url


def state_of(app: Flask) -> Any:
    """The mounting in `app`."""
    with app.app_context():
        return state()


@pytest.fixture
def portal(database: str, clamd: Clamd, tmp_path: Path) -> Iterator[Flask]:
    """A host with a scanner and a folder; no file is left of the test before."""
    app = make_host(
        database,
        dict(world.ACTORS),
        S2S_CLAMD=clamd.address,
        S2S_CLAMD_TIMEOUT=5,
        S2S_STORAGE_FOLDER=str(tmp_path / "kept"),
    )
    owner = create_engine(database)
    with owner.begin() as connection:
        for table in ("attachment", "procrastinate_jobs", "audit_entry"):
            connection.execute(text("SET session_replication_role = replica"))
            connection.execute(text(f"DELETE FROM s2s.{table}"))
    with app.app_context(), acting_as(SYSTEM):
        yield app
        session().rollback()
        state().engine.dispose()
    owner.dispose()


def attach(content: bytes | None = None, *, fail: bool = False, label: str = "Plan") -> None:
    """The SENCo attaches a file, in a unit of work that stands or fails."""
    kind = "pdf" if content is None else "docx"
    with acting_as(SENCO), state_context():
        try:
            with unit_of_work() as work:
                attachments.add(
                    work,
                    drafting.in_hand(REFERENCE, by=SENCO),
                    Accepted(kind, made.pdf() if content is None else content),
                    type=FileType.PLAN,
                    label=label,
                    by=SENCO,
                )
                if fail:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            assert fail
    session().rollback()


def state_context() -> Any:
    """A request to make links in, in the same app context."""
    from flask import current_app

    session().rollback()
    return current_app.test_request_context()


def work_off() -> None:
    """What the worker does until nothing waits."""
    session().rollback()
    state().jobs.run_worker(wait=False, install_signal_handlers=False, listen_notify=False)
    session().rollback()


def row() -> Attachment:
    """The one file there is."""
    session().rollback()
    found = session().query(Attachment).one()
    session().refresh(found)
    return found


def kept() -> storage.Folder:
    """The folder."""
    return state().storage  # type: ignore[no-any-return]


def waiting_jobs() -> list[str]:
    """The tasks that wait, by name."""
    session().rollback()
    query = "SELECT task_name FROM s2s.procrastinate_jobs WHERE status = 'todo' ORDER BY id"
    return [name for name in session().scalars(text(query)) if name.endswith("_file")]


def test_the_worker_scans_what_was_added_and_deletes_what_was_removed(portal: Flask) -> None:
    attach()
    assert (row().state, waiting_jobs()) == (FileState.WAITING, ["s2s.scan_file"])
    work_off()
    assert row().state is FileState.CLEAN
    client = Client(portal).sign_on("senco")
    path = client.url("files.download", reference=REFERENCE, number=1)
    assert client.open(path).get_data() == made.pdf()
    client.post("files.remove", {"number": "1"}, reference=REFERENCE)
    assert (client.open(path).status_code, len(names_in(kept()))) == (404, 1)
    work_off()
    assert (row().deleted_at is not None, names_in(kept())) == (True, set())


def test_what_is_rolled_back_leaves_no_file_and_loses_none(portal: Flask) -> None:
    attach(fail=True)
    assert (session().query(Attachment).count(), waiting_jobs()) == (0, [])
    assert len(names_in(kept())) == 1  # content that nobody can ask for
    attach()
    work_off()
    with acting_as(SENCO), pytest.raises(ZeroDivisionError), unit_of_work() as work:
        attachments.remove(work, drafting.in_hand(REFERENCE, by=SENCO), 1, by=SENCO)
        raise ZeroDivisionError
    session().rollback()
    work_off()
    assert (row().state, row().name in names_in(kept())) == (FileState.CLEAN, True)
    assert file_upkeep.sweep() == (0, 0)  # a transaction may still be open
    with clock.frozen(clock.now() + timedelta(hours=25)):
        assert file_upkeep.sweep() == (0, 1)
    assert names_in(kept()) == {row().name}


def test_a_scanner_that_is_away_delays_and_nothing_is_had(portal: Flask, clamd: Clamd) -> None:
    clamd.stop()
    try:
        attach()
        work_off()
        assert (row().state, row().tried_at is not None) == (FileState.WAITING, True)
        client = Client(portal).sign_on("senco")
        page = client.get("files.index", reference=REFERENCE)
        assert "Could not be checked yet" in page.words
        assert "We try again by ourselves" in page.words
        path = client.url("files.download", reference=REFERENCE, number=1)
        assert client.open(path).status_code == 409
        assert waiting_jobs() == ["s2s.scan_file"]
    finally:
        clamd.start()
    assert file_upkeep.scan_left() == 0
    assert row().state is FileState.WAITING  # its own job comes first
    with clock.frozen(clock.now() + timedelta(minutes=31)):
        assert file_upkeep.scan_left() == 0
    assert row().state is FileState.CLEAN


def test_a_scanner_that_takes_less_than_the_file_gives_no_verdict(
    portal: Flask, clamd: Clamd
) -> None:
    clamd.stop()
    clamd.configure(stream="1K")
    clamd.start()
    try:
        big = made.docx(extra=(("word/media/1.png", os.urandom(400_000)),))
        with pytest.raises(scanner.NoVerdict):
            scanner.scan(big, address=clamd.address, timeout=5)
    finally:
        clamd.stop()
        clamd.configure(stream="11M")
        clamd.start()
    assert scanner.scan(big, address=clamd.address, timeout=5).clean


@pytest.mark.parametrize(
    "says",
    [b"", b"stream: OK?\n", b"OK\n", b"stream: x OK\n", b"stream: INSTREAM ERROR\n", b"\xff\n"],
)
def test_a_scanner_that_says_anything_else_gives_no_verdict(tmp_path: Path, says: bytes) -> None:
    with answering(says) as address, pytest.raises(scanner.NoVerdict):
        scanner.scan(b"x" * 100, address=address, timeout=2)


def test_a_scanner_that_says_nothing_gives_no_verdict_in_time() -> None:
    with answering(None) as address, pytest.raises(scanner.NoVerdict):
        scanner.scan(b"x" * 100, address=address, timeout=0.3)
    for address in ("127.0.0.1:9", "/nowhere/clamd.sock", "nonsense"):
        with pytest.raises(scanner.NoVerdict):
            scanner.scan(b"x", address=address, timeout=1)


class answering:
    """A server on loopback that answers one conversation with `says`, or never."""

    def __init__(self, says: bytes | None) -> None:
        self.says = says
        self.done = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)

    def __enter__(self) -> str:
        threading.Thread(target=self._answer, daemon=True).start()
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def _answer(self) -> None:
        near, _ = self.listener.accept()
        with near:
            near.recv(65536)
            if self.says is None:
                self.done.wait(10)
            else:
                near.sendall(self.says)
                near.shutdown(socket.SHUT_WR)
                while near.recv(65536):
                    pass

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.listener.close()


def test_a_virus_found_after_sending_is_told_by_mail(portal: Flask) -> None:
    attach(made.docx(body=f"<w:t>{MARK.decode()}</w:t>"))
    with state().mail.record_messages() as told:
        work_off()
    assert (row().state, names_in(kept())) == (FileState.REFUSED, set())
    assert [message.subject for message in told] == [
        "Referral S2S-19-3334: a file has been refused"
    ]
    assert "://portal.example/s2s/referrals/S2S-19-3334/" in told[0].body
    assert "Canary" not in told[0].as_string()


def test_a_file_removed_while_it_is_scanned_stays_removed(
    portal: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach()
    usual = scanner.scan

    def meanwhile(content: bytes, **where: Any) -> scanner.Verdict:
        with acting_as(SENCO):
            session().rollback()
            with unit_of_work() as work:
                attachments.remove(work, drafting.in_hand(REFERENCE, by=SENCO), 1, by=SENCO)
        session().rollback()
        return usual(content, **where)

    monkeypatch.setattr(scanner, "scan", meanwhile)
    file_upkeep.scan(row().id)
    assert row().state is FileState.REMOVED
    said = session().scalars(text("SELECT action FROM s2s.audit_entry WHERE entity = 'file'"))
    assert "found nothing in" not in set(said)


def test_content_that_was_changed_before_it_was_scanned_is_not_scanned(portal: Flask) -> None:
    attach()
    kept().put(row().name, b"%PDF-another")
    work_off()
    assert row().state is FileState.WAITING


def test_a_referral_disposed_of_keeps_of_its_files_only_that_they_were(portal: Flask) -> None:
    attach()
    work_off()
    before = row()
    facts = (before.type, before.size, before.sha256)
    with unit_of_work() as work:
        referral = work.session.query(Referral).one()
        assert attachments.dispose(work, referral, by=SYSTEM) == 1
        assert attachments.dispose(work, referral, by=SYSTEM) == 0
    after = row()
    assert (after.state, after.label) == (FileState.DISPOSED, "")
    assert (after.type, after.size, after.sha256) == facts
    path = Client(portal).url("files.download", reference=REFERENCE, number=1)
    assert Client(portal).sign_on("senco").open(path).status_code == 404
    work_off()
    assert names_in(kept()) == set()


def test_a_crash_between_the_commit_and_the_deletion_is_made_up_for(portal: Flask) -> None:
    attach()
    with acting_as(SENCO), unit_of_work() as work:
        attachments.remove(work, drafting.in_hand(REFERENCE, by=SENCO), 1, by=SENCO)
    session().rollback()
    session().execute(text("DELETE FROM s2s.procrastinate_jobs"))
    session().commit()
    assert len(names_in(kept())) == 1
    assert file_upkeep.sweep() == (1, 0)
    assert names_in(kept()) == set()


def test_a_sweep_of_what_is_perhaps_another_s_asks_first(portal: Flask) -> None:
    attach()
    for _ in range(21):
        kept().put(storage.new_name(), b"somebody else's")
    with clock.frozen(clock.now() + timedelta(hours=25)):
        with pytest.raises(Refused, match="21 stored files are not known here"):
            file_upkeep.sweep()
        assert len(names_in(kept())) == 22
        runner = portal.test_cli_runner()
        assert runner.invoke(args=["s2s", "files", "sweep"]).exit_code == 1
        done = runner.invoke(args=["s2s", "files", "sweep", "--all"])
    assert (done.exit_code, "21" in done.output) == (0, True)
    assert names_in(kept()) == {row().name}


@pytest.mark.parametrize(
    "change",
    [
        "state = 'waiting'",
        "sha256 = 'x'",
        "name = 'x'",
        "size = 99",
        "label = 'x'",
        "added_by_id = 'x'",
    ],
)
def test_what_a_file_is_never_changes(portal: Flask, change: str) -> None:
    attach()
    work_off()
    session().rollback()
    with pytest.raises(Exception, match=r"never changes|does not become"):
        session().execute(text(f"UPDATE s2s.attachment SET {change}"))
    session().rollback()


def test_what_is_gone_stays_gone(portal: Flask) -> None:
    attach()
    with unit_of_work() as work:
        attachments.dispose(work, work.session.query(Referral).one(), by=SYSTEM)
    with pytest.raises(Exception, match="does not become clean after it was disposed"):
        session().execute(text("UPDATE s2s.attachment SET state = 'clean', gone_at = NULL"))
    session().rollback()
