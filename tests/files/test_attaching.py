"""A school attaches files, sees how each stands, removes it; none is had before it is scanned."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from flask import Flask
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError

from s2s_portal import storage
from s2s_portal.database import session as our_session
from s2s_portal.identity import acting_as
from s2s_portal.models.attachment import FileState
from s2s_portal.models.codes import Status
from s2s_portal.models.referral import Referral
from s2s_portal.services import attachments
from tests import rows
from tests.answers import complete, start, token
from tests.client import Client, Page
from tests.files import made
from tests.files.clamd import MARK, needs_clamd
from tests.files.conftest import Desk, names_in
from tests.world import ACTORS

pytestmark = [needs_clamd, pytest.mark.usefixtures("may_2019")]
MARKED = made.docx(body=f"<w:t>{MARK.decode()}</w:t>")


@pytest.fixture
def draft(desk: Desk) -> str:
    """A draft of the SENCo's; its reference."""
    return start(desk.client.sign_on("senco"))


def test_without_a_scanner_there_are_no_files_at_all(client: Client) -> None:
    client.sign_on("senco")
    reference = start(client)
    assert "Files" not in client.get("referrals.show", reference=reference).all("//a")
    client.get("files.index", reference=reference, status=404)
    form = {"label": "a", "type": "ISP", "file": (BytesIO(made.pdf()), "plan.pdf")}
    client.post("files.index", form, reference=reference, status=404)
    assert "Files" not in client.get("referrals.check", reference=reference).words


def test_a_file_is_added_checked_and_had(desk: Desk, draft: str, kept: storage.Folder) -> None:
    task = desk.client.get("referrals.show", reference=draft)
    assert "Files Optional" in task.words
    page = desk.attach(draft, label="Łukasz's plan")
    assert desk.states(page) == ["Being checked for viruses"]
    desk.have(draft, status=409)
    desk.scan()
    assert desk.states(desk.client.get("files.index", reference=draft)) == []
    assert desk.have(draft).get_data() == made.pdf()
    assert names_in(kept) == {desk.row().name}
    assert "1 added" in desk.client.get("referrals.show", reference=draft).words


def test_a_file_leaves_so_that_it_can_do_nothing_in_a_browser(desk: Desk, draft: str) -> None:
    desk.attach(draft, label="Łukasz's plan\u202e", type="RISK")
    desk.scan()
    headers = desk.have(draft).headers
    assert (
        f"attachment; filename*=UTF-8''{draft}%20Risk%20assessment%20-%20%C5%81ukasz%27s%20plan.pdf"
        == re.sub(r' filename="[^"]*";| filename=[^;]*;', "", headers["Content-Disposition"])
    )
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert (headers["Cache-Control"], headers["Content-Type"]) == ("no-store", "application/pdf")
    desk.have(draft, status=403, Sec_Fetch_Site="cross-site")
    desk.have(draft, Sec_Fetch_Site="same-origin")


def test_what_the_scanner_finds_is_never_had(desk: Desk, draft: str, kept: storage.Folder) -> None:
    desk.attach(draft, MARKED, name="plan.docx")
    desk.scan()
    page = desk.client.get("files.index", reference=draft)
    assert desk.states(page) == ["Refused: it may contain a virus"]
    assert (desk.row().found, names_in(kept)) == ("S2S.Test.Private.UNOFFICIAL", set())
    desk.have(draft, status=404)
    assert "One was refused" in desk.client.get("referrals.show", reference=draft).words
    assert "Refused" in desk.client.get("referrals.check", reference=draft).words


def test_a_second_press_is_the_same_file(desk: Desk, draft: str) -> None:
    for _ in range(2):
        desk.attach(draft)
    desk.attach(draft, label="Another name")
    assert [row.number for row in desk.rows()] == [1, 2]


def test_a_file_is_removed_and_its_content_goes(
    desk: Desk, draft: str, connection: Connection
) -> None:
    desk.attach(draft)
    desk.scan()
    page = desk.client.post("files.remove", {"number": "1"}, reference=draft)
    assert "“The plan” has been removed" in desk.client.follow(page).words
    desk.have(draft, status=404)
    row = desk.row()
    assert (row.state, row.label, row.size > 0, row.sha256 != "") == ("removed", "", True, True)
    assert (row.gone_by_id, row.deleted_at) == ("senco", None)
    waiting = text("SELECT args->>'attachment_id' FROM s2s.procrastinate_jobs WHERE task_name = :t")
    connection.execute(text("RESET ROLE"))
    assert connection.scalars(waiting, {"t": "s2s.delete_file"}).all() == [str(row.id)]
    again = desk.client.post("files.remove", {"number": "1"}, reference=draft)
    assert "not there any more" in desk.client.follow(again).words
    desk.attach(draft)
    assert desk.row().number == 2  # an old link never leads to another file


@pytest.mark.parametrize("number", ["", "x", "0", "-1", "99999", "9" * 6000])
def test_nonsense_removes_nothing(desk: Desk, draft: str, number: str) -> None:
    desk.attach(draft)
    desk.client.post("files.remove", {"number": number}, reference=draft)
    assert desk.row().state is FileState.WAITING


@pytest.mark.parametrize(
    ("wrong", "says", "field"),
    [
        ({"label": ""}, "Enter what the file should be called", "label"),
        ({"label": "x" * 101}, "must be 100 characters or fewer", "label"),
        ({"type": ""}, "Choose what the file is", "type"),
        ({"type": "EXE"}, "Choose what the file is", "type"),
        ({"content": b""}, "The file is empty", "file"),
        ({"content": b"MZ"}, "This is not a PDF file", "file"),
        ({"name": "plan.exe"}, "Choose a PDF, Word", "file"),
        ({"name": ""}, "Choose a file", "file"),
    ],
)
def test_a_mistake_keeps_what_was_typed_and_says_what_to_do(
    desk: Desk, draft: str, wrong: dict[str, object], says: str, field: str
) -> None:
    page = desk.attach(draft, **{"label": "Plán <b>", "type": "ISP", **wrong}, status=422)  # type: ignore[arg-type]
    assert says in page.errors[0]
    assert page.document.xpath(f"//*[contains(@class,'error-summary')]//a[@href='#{field}']")
    if field == "file":
        assert page.value("label") == "Plán <b>"
        assert page.document.xpath("//input[@name='type'][@checked]/@value") == ["ISP"]
    else:
        assert "Choose the file again" in page.words
    assert desk.rows() == []


def test_a_file_in_the_place_of_text_and_text_in_the_place_of_a_file(
    desk: Desk, draft: str
) -> None:
    form = {"label": (BytesIO(b"x"), "label"), "type": "ISP", "file": "text"}
    page = desk.client.post("files.index", form, reference=draft, status=422)
    assert len(page.errors) == 2


def test_no_more_files_than_there_may_be(
    desk: Desk, draft: str, scanned: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(scanned.config, "S2S_FILES_MOST", 2)
    monkeypatch.setitem(scanned.config, "S2S_FILES_A_DAY", 3)
    for label in ("a", "b"):
        page = desk.attach(draft, label=label)
    assert "which is the most it can have" in page.words
    assert not page.document.xpath("//input[@type='file']")
    assert "2 files" in desk.attach(draft, label="c", status=422).errors[0]
    desk.client.post("files.remove", {"number": "1"}, reference=draft)
    desk.attach(draft, label="d")
    other = start(desk.client)
    assert "3 files in 24 hours" in desk.attach(other, label="e", status=422).errors[0]
    assert "3 files" not in desk.client.sign_on("head").get("files.index", reference=other).words
    desk.attach(other, label="e")


def test_a_file_too_large_says_how_large_it_may_be(
    desk: Desk, draft: str, scanned: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(scanned.config, "S2S_FILE_LARGEST_MB", 1)
    big = b"%PDF-" + bytes(made.MEGABYTE)
    page = desk.attach(draft, big, status=422, label="Big one")
    assert ("1 MB or smaller" in page.errors[0], page.value("label")) == (True, "Big one")
    assert "1 MB at most" in page.words
    far_too_big = b"%PDF-" + bytes(4 * made.MEGABYTE)
    refused = desk.attach(draft, far_too_big, status=413)  # no limit of the host's: ours
    assert "must be 1 MB or smaller. Nothing has been kept" in refused.words
    monkeypatch.setitem(scanned.config, "S2S_FILE_LARGEST_MB", 10)
    monkeypatch.setitem(scanned.config, "MAX_CONTENT_LENGTH", 2 * made.MEGABYTE)
    assert "must be 2 MB or smaller" in desk.attach(draft, far_too_big, status=413).words
    assert desk.rows() == []


def test_after_practicalities_come_files_and_then_the_rest(desk: Desk, draft: str) -> None:
    form = {"preferred_days": "Tuesdays", "seen": ""}
    page = desk.client.post("referrals.section", form, reference=draft, section="practicalities")
    assert page.location.endswith(f"/{draft}/files")
    onwards = desk.client.follow(page).document.xpath(
        "//a[starts-with(normalize-space(), 'Continue')]/@href"
    )
    assert onwards[0].endswith("/declaration")


def test_what_was_sent_can_be_had_but_not_changed(desk: Desk) -> None:
    client = desk.client.sign_on("senco")
    reference = complete(client)
    desk.attach(reference)
    desk.scan()
    seen_before = token(client, reference)
    desk.attach(reference, made.picture(), name="photo.JPG", label="Photo", type="OTH")
    stale = client.get("referrals.check", reference=reference)
    assert "A file can be opened once it has been checked" in stale.words
    client.post("referrals.submit", {"token": seen_before}, reference=reference)
    assert client.get("files.index", reference=reference, status=302).location.endswith("/")
    client.post("files.remove", {"number": "1"}, reference=reference, status=409)
    late = desk.attach(reference, label="Late", status=422)
    assert "has been sent, so it can no longer be changed" in late.errors[0]
    assert not late.document.xpath("//main//form[@enctype]")
    page = client.get("referrals.show", reference=reference)
    assert "The plan Individual support plan, PDF" in page.words
    assert "Photo Something else, JPG, 1 KB Being checked for viruses" in page.words
    client.sign_on("officer")
    assert "The plan" in client.get("triage.show", reference=reference).words
    desk.have(reference)
    desk.have(reference, 2, status=409)


@pytest.fixture
def sent(desk: Desk) -> str:
    """A referral that has been sent without a file."""
    reference = complete(desk.client.sign_on("senco"))
    form = {"token": token(desk.client, reference)}
    desk.client.post("referrals.submit", form, reference=reference)
    return reference


def crafted(desk: Desk, key: str, reference: str, status: int) -> Page:
    """Somebody posts the form that adds a file, which no page offers them."""
    page = desk.attach_as(key, reference, status=status)
    assert desk.rows() == []
    return page


def test_a_crafted_upload_to_what_was_sent(desk: Desk, sent: str) -> None:
    page = crafted(desk, "senco", sent, 422)
    assert "has been sent, so it can no longer be changed" in page.errors[0]
    crafted(desk, "other-senco", sent, 404)
    crafted(desk, "officer", sent, 403)


def test_a_crafted_upload_after_a_return_that_asked_for_no_files(desk: Desk, sent: str) -> None:
    def send_back(*sections: str) -> None:
        desk.client.sign_on("officer")
        page = desk.client.get("triage.return_for_information", reference=sent)
        form = {f"question_{section}": "Which?" for section in sections}
        form |= {"seen": page.value("seen"), "sections": list(sections)}  # type: ignore[dict-item]
        desk.client.post("triage.return_for_information", form, reference=sent)

    send_back("needs")
    page = crafted(desk, "senco", sent, 422)
    assert "The council did not ask about this section" in page.errors[0]
    assert not page.document.xpath("//main//form[@enctype]")
    crafted(desk, "other-senco", sent, 404)
    desk.client.sign_on("senco")
    again = {"token": token(desk.client, sent)}
    desk.client.post("referrals.submit", again, reference=sent)
    send_back("files")
    desk.client.sign_on("senco")
    desk.attach(sent)
    assert len(desk.rows()) == 1, "the control: a return that asks for files takes one"


def test_a_crafted_upload_to_what_was_withdrawn(desk: Desk, sent: str) -> None:
    page = desk.client.get("referrals.withdraw", reference=sent)
    form = {"seen": page.value("seen"), "reason": "SENT_BY_MISTAKE", "message": ""}
    desk.client.post("referrals.withdraw", form, reference=sent)
    crafted(desk, "senco", sent, 422)
    crafted(desk, "other-senco", sent, 404)


def test_the_database_refuses_those_uploads_too(desk: Desk, sent: str) -> None:
    """Without the service's own question, by each person who might try."""
    values = "1, 'ISP', 'x', 'pdf', 5, repeat('0', 64), repeat('a', 32), 'waiting', now()"
    add = (
        "INSERT INTO s2s.attachment (referral_id, number, type, label, extension, size, sha256,"
        f" name, state, added_at, added_by_id, added_by_name) SELECT :id, {values}, :by, 'X'"
    )
    referral_id = desk.session.scalars(select(Referral.id).where(Referral.reference == sent)).one()
    desk.session.commit()
    for key in ("senco", "other-senco", "officer", "practitioner"):
        with acting_as(ACTORS[key]), pytest.raises(DBAPIError, match="row-level security"):
            our_session().execute(text(add), {"id": referral_id, "by": key})
        our_session().rollback()


def test_a_page_to_check_is_stale_once_a_file_has_come(desk: Desk) -> None:
    client = desk.client.sign_on("senco")
    reference = complete(client)
    page = client.get("referrals.check", reference=reference)
    form = {"token": page.value("token"), "seen": page.value("seen")}
    desk.attach(reference)
    refused = client.post("referrals.submit", form, reference=reference, status=422)
    assert "have changed since" in refused.errors[0]


def test_who_may_have_a_file(desk: Desk, session: object, connection: Connection) -> None:
    made_by = rows.referral(desk.session, "S2S-19-3334", status=Status.DRAFT)
    referral_id = made_by.id
    desk.session.commit()
    desk.client.sign_on("senco")
    desk.attach("S2S-19-3334")
    desk.scan()
    for key, status in (("head", 200), ("other-senco", 404), ("officer", 404), ("lead", 404)):
        desk.client.sign_on(key)
        desk.have("S2S-19-3334", 2, status=status)
    sent = rows.RECEIVED
    connection.execute(text("RESET ROLE"))
    connection.execute(
        text(
            "UPDATE s2s.referral SET status = 'allocated', submitted_at = now(), fee_pence = 0,"
            " received_on = :day, terms_id = (SELECT min(id) FROM s2s.service_terms),"
            " intake_window_id = (SELECT id FROM s2s.intake_window"
            " WHERE setting_kind = 'mainstream' AND open_during @> CAST(:day AS date))"
            " WHERE id = :id"
        ),
        {"id": referral_id, "day": sent},
    )
    desk.session.expire_all()
    rows.allocation(desk.session, desk.session.get_one(Referral, referral_id), "practitioner")
    desk.session.commit()
    may = {"senco", "head", "officer", "other-officer", "practitioner", "lead"}
    for key in ("colleague", "other-practitioner", "other-lead", "other-senco", *sorted(may)):
        status = 200 if key in may else 404
        desk.client.sign_on(key)
        desk.have("S2S-19-3334", 2, status=status)
    for key in ("finance", "manager", "auditor", "administrator", "outsider"):
        desk.client.sign_on(key)
        desk.have("S2S-19-3334", 2, status=403)
    page = desk.client.sign_on("practitioner").get("visits.show", reference="S2S-19-3334")
    assert "The plan" in page.words
    connection.execute(text("RESET ROLE"))
    read = text(
        "SELECT DISTINCT by_id FROM s2s.audit_entry WHERE action = 'looked at'"
        " AND entity = 'file' AND entity_key = 'S2S-19-3334 file 2' AND outcome = 200"
    )
    assert set(connection.scalars(read)) == may


def test_what_was_changed_on_the_disk_is_not_handed_out(
    desk: Desk, draft: str, kept: storage.Folder
) -> None:
    desk.attach(draft)
    desk.scan()
    kept.put(desk.row().name, b"%PDF-something else")
    assert "This file is damaged" in desk.have(draft, status=503).get_data(as_text=True)
    kept.delete(desk.row().name)
    desk.have(draft, status=503)


def test_a_disk_that_takes_nothing_is_said_and_nothing_is_kept(
    desk: Desk, draft: str, scanned: Flask, kept: storage.Folder
) -> None:
    kept.place.parent.mkdir(exist_ok=True)
    kept.place.write_bytes(b"a file where the folder should be")
    page = desk.attach(draft, status=503)
    assert "We cannot reach our files" in page.words
    assert desk.rows() == []


def test_sizes_are_said_as_people_say_them() -> None:
    said = [attachments.size_words(size) for size in (1, 1500, 348_160, 1_258_291, 10_485_760)]
    assert said == ["1 KB", "1 KB", "340 KB", "1.2 MB", "10.0 MB"]
