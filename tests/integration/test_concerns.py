"""What a practitioner tells officers alone: a worry passed on, and trouble with the work."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.body import OfficerBody
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.reply import Concern
from s2s_portal.models.visit import Visit
from s2s_portal.services.notices import SUBJECTS
from tests import rows
from tests.client import Client, Page
from tests.integration.test_records import HERE, REFERENCE, count, issued, mails, visit
from tests.unit.test_visit_record_document import words

__all__ = ["issued", "visit"]

pytestmark = pytest.mark.usefixtures("may_2019")
YES = {
    "concerned": "yes",
    "passed_to": ["school", "council"],
    "told_on": ["14", "5", "2019"],
    "told_at": "10:30am",
}


@pytest.fixture(autouse=True)
def mailbox(monkeypatch: pytest.MonkeyPatch, app: Flask) -> None:
    """The officers have a mailbox."""
    monkeypatch.setitem(app.config, "S2S_OFFICER_MAILBOX", "officers@council.example")


def say(client: Client, status: int = 302, **changes: object) -> Page:
    return client.post("visits.safeguarding", YES | changes, status=status, **HERE)  # type: ignore[arg-type]


def test_every_page_of_writing_begins_with_where_a_worry_goes(
    client: Client, session: Session, issued: None
) -> None:
    client.sign_on("practitioner")
    for endpoint in ("visits.addendum", "visits.safeguarding", "visits.tell_officer"):
        page = client.get(endpoint, **HERE)
        first = page.document.xpath("//main//*[self::strong or self::h1]")[0]
        assert "do not write it here" in first.text_content(), endpoint
        assert page.document.xpath("//main//a[@href='https://www.norfolk.gov.uk/safeguarding']")


def test_that_a_worry_was_passed_on_is_for_officers_and_its_author_alone(
    client: Client, session: Session, issued: None
) -> None:
    client.sign_on("practitioner")
    page = client.follow(say(client))
    assert "Your answer is kept for the SEND officers alone." in page.words
    said = "Told on 14 May 2019 at 10:30am: The school’s designated safeguarding lead"
    page = client.get("visits.safeguarding", **HERE)
    assert "that a safeguarding concern was passed on, on 14 May 2019 at 10:30am" in page.words
    page = client.sign_on("officer").get("triage.show", reference=REFERENCE)
    assert "Safeguarding concern passed on" in page.words
    assert said in page.words
    for key in ("senco", "head", "lead"):
        client.sign_on(key)
        for endpoint, about in (
            ("visits.read", HERE),
            ("referrals.show" if key != "lead" else "visits.show", {"reference": REFERENCE}),
        ):
            shown = client.get(endpoint, **about).words  # type: ignore[arg-type]
            assert "passed on" not in shown, (key, endpoint)
            assert "oncern" not in shown, (key, endpoint)
    pdf = client.sign_on("senco").open(client.url("visits.document", **HERE)).data
    assert "afeguarding" not in words(pdf)
    assert "oncern" not in words(pdf)
    session.commit()
    history = session.scalars(select(ReferralEvent)).all()
    assert not [one for one in history if "oncern" in one.message + one.note + one.action]


def test_the_officers_mail_has_the_reference_and_nothing_more(
    client: Client, session: Session, issued: None
) -> None:
    say(client.sign_on("practitioner"))
    (link,) = [one for name, one in mails(session) if name == "practitioner_told_officers"]
    assert link.endswith(f"/triage/{REFERENCE}/")
    subject = SUBJECTS["practitioner_told_officers"]
    assert "safeguarding" not in subject.lower()
    say(client)
    assert count(session, Concern) == 1, "the same said twice is one"
    say(client, passed_to=["council"])
    assert count(session, Concern) == 2


def test_a_no_is_kept_and_nobody_is_told(client: Client, session: Session, issued: None) -> None:
    client.sign_on("practitioner")
    assert "Answer about safeguarding" not in client.get("visits.read", **HERE).words
    say(client, concerned="no")
    session.commit()
    kept = session.scalars(select(Concern)).one()
    assert (kept.passed_to, kept.passed_at, kept.words) == ([], None, "")
    assert [name for name, _ in mails(session)] == ["record_issued"]
    assert "no safeguarding concern" in client.get("visits.safeguarding", **HERE).words
    page = client.sign_on("officer").get("triage.show", reference=REFERENCE)
    assert "There are no notes and no flags." in page.words
    for said in ("Safeguarding concern passed on", "concerned about the work"):
        assert said not in page.words


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"concerned": ""}, "Select yes if you had a safeguarding concern"),
        ({"concerned": "maybe"}, "Select yes if you had a safeguarding concern"),
        ({"passed_to": []}, "Select whom you have told"),
        ({"passed_to": ["police"]}, "Select whom you have told"),
        ({"told_on": ["", "", ""]}, "Enter when you told them"),
        ({"told_at": ""}, "Enter at what time you told them"),
        ({"told_on": ["15", "5", "2019"]}, "must be in the past"),
        ({"told_on": ["31", "6", "2019"]}, "must be a real date"),
    ],
)
def test_an_answer_that_cannot_be_comes_back_as_typed(
    client: Client, session: Session, issued: None, changes: dict[str, object], said: str
) -> None:
    page = say(client.sign_on("practitioner"), 422, **changes)
    assert any(said in error for error in page.errors), page.errors
    if "told_on" not in changes:
        assert page.document.xpath("//input[@name='told_on']/@value") == ["14", "5", "2019"]
    assert count(session, Concern) == 0


def test_the_database_keeps_no_word_about_a_worry(
    session: Session, connection: Connection, issued: None
) -> None:
    session.commit()
    connection.execute(text("SET LOCAL ROLE NONE"))
    with pytest.raises(DBAPIError, match="ck_concern_words"), connection.begin_nested():
        connection.execute(
            text(
                "INSERT INTO s2s.concern (referral_id, visit_id, kind, passed_to, passed_at, words,"
                " at, by_id, by_name) SELECT referral_id, id, 'safeguarding', '{school}', now(),"
                " 'a bruise', now(), 'practitioner', 'Pat' FROM s2s.visit"
            )
        )


def test_trouble_with_the_work_is_told_in_words_and_audited(
    client: Client, session: Session, issued: None
) -> None:
    client.sign_on("practitioner")
    page = client.post("visits.tell_officer", {"words": " "}, status=422, **HERE)
    assert page.errors == ["Enter what the SEND officer should know"]
    said = {"words": "Nothing <b>agreed</b> has been tried."}
    for _ in range(2):
        client.post("visits.tell_officer", said, **HERE)
    assert count(session, Concern) == 1
    assert "You told them on 14 May 2019" in client.get("visits.tell_officer", **HERE).words
    page = client.sign_on("officer").get("triage.show", reference=REFERENCE)
    assert "A practitioner is concerned about the work" in page.words
    assert "Nothing <b>agreed</b> has been tried." in page.words
    session.commit()
    looks = session.scalars(
        select(AuditEntry).where(AuditEntry.entity == "concern", AuditEntry.by_id == "officer")
    )
    assert [one.entity_key for one in looks] == [REFERENCE]
    page = client.sign_on("senco").get("referrals.show", reference=REFERENCE)
    assert "has been tried" not in page.words


def test_an_officer_of_another_team_and_a_former_practitioner_read_nothing(
    client: Client, session: Session, issued: None, connection: Connection
) -> None:
    say(client.sign_on("practitioner"))
    session.commit()
    session.add(OfficerBody(account_id="other-officer", body="early_years", by_id="a", by_name="A"))
    row = session.scalars(select(Referral)).one()
    session.scalars(select(Allocation)).one().ended_at = clock.now()
    session.flush()
    rows.allocation(session, row, "colleague")
    session.commit()
    client.sign_on("other-officer").get("triage.show", status=404, reference=REFERENCE)
    client.sign_on("practitioner").get("visits.safeguarding", status=404, **HERE)
    page = client.sign_on("colleague").get("visits.safeguarding", **HERE)
    assert "passed on, on" not in page.words
    # What somebody typed who has lost the case comes back to be copied; nothing is kept.
    client.sign_on("practitioner")
    page = client.post("visits.tell_officer", {"words": "Too late"}, status=422, **HERE)
    assert "no longer yours to write about" in page.errors[0]
    assert "Too late" in page.words
    assert count(session, Concern) == 1


@pytest.mark.parametrize(
    ("key", "status"), [("senco", 403), ("lead", 403), ("colleague", 404), ("officer", 403)]
)
def test_only_who_writes_there_tells(
    client: Client, session: Session, visit: Visit, key: str, status: int
) -> None:
    client.sign_on(key)
    say(client, status)
    client.post("visits.tell_officer", {"words": "x"}, status=status, **HERE)
    assert count(session, Concern) == 0
