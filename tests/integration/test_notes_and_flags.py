"""What officers write for each other: kept, resolved once, seen by nobody else."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.codes import Status
from s2s_portal.models.note import Flag, FlagResolution, InternalNote, NoteLabel
from tests import rows
from tests.client import Client

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"


@pytest.fixture
def referral(session: Session) -> None:
    """A referral that is with Pat Practitioner, on which Ravi Officer has decided once."""
    row = rows.referral(session, REF, status=Status.ALLOCATED)
    rows.allocation(session, row, "practitioner")
    rows.decision(session, row)
    session.commit()


def raised(client: Client, **more: Any) -> dict[str, Any]:
    return {"message": "Ring the head", "to": "", "due_on": ["16", "5", "2019"]} | more


def test_a_note_is_for_officers_alone(client: Client, session: Session, referral: None) -> None:
    client.sign_on("officer")
    refused = client.post("triage.note", {"text": " "}, status=422, reference=REF)
    assert refused.errors == ["Choose what the note is about", "Enter the note"]
    form = {"label": "call", "text": "Rang: <b>the plan</b>\nfollows on Friday"}
    client.post("triage.note", form, reference=REF)
    (note,) = session.scalars(select(InternalNote))
    assert (note.label, note.by_id) == (NoteLabel.CALL, "officer")
    for key in ("officer", "other-officer"):
        shown = client.sign_on(key).get("triage.show", reference=REF).words
        assert "A call or visit, Ola Officer, 14 May 2019 at midday" in shown
        assert "Rang: <b>the plan</b>" in shown
    for key, endpoint in (
        ("senco", "referrals.show"),
        ("practitioner", "visits.show"),
        ("lead", "visits.show"),
    ):
        assert "the plan" not in client.sign_on(key).get(endpoint, reference=REF).text
    session.commit()
    audited = session.scalars(select(AuditEntry).where(AuditEntry.action == "wrote a note on"))
    assert [(entry.by_id, entry.entity_key) for entry in audited] == [("officer", REF)]


def test_a_flag_is_on_the_list_of_whom_it_is_for_until_it_is_resolved_once(
    client: Client, session: Session, referral: None
) -> None:
    client.sign_on("other-officer").post("triage.flag", raised(client, to="officer"), reference=REF)
    assert "No flag waits for you" in client.get("triage.flags").words
    listed = client.sign_on("officer").get("triage.flags").words
    assert "Ring the head" in listed
    assert "Overdue" not in listed
    with clock.frozen(clock.from_local(date(2019, 5, 17), 9)):
        assert "Overdue" in client.sign_on("officer").get("triage.flags").words
    (flag,) = session.scalars(select(Flag))
    assert (flag.to_id, flag.to_name, flag.due_on) == ("officer", "Ola Officer", date(2019, 5, 16))
    empty = client.post("triage.resolve_flag", {"comment": ""}, status=422, number=flag.id)
    assert empty.errors == ["Enter what became of it"]
    client.post("triage.resolve_flag", {"comment": "Rang her"}, number=flag.id)
    again = client.sign_on("other-officer").post(
        "triage.resolve_flag", {"comment": "Me too"}, status=422, number=flag.id
    )
    assert again.errors == ["Ola Officer has resolved this flag already."]
    assert again.value("comment") == "Me too"
    assert "Ola Officer resolved it on 14 May 2019 at midday: Rang her" in again.words
    client.get("triage.resolve_flag", status=409, number=flag.id)
    assert "No flag waits for you" in client.sign_on("officer").get("triage.flags").words
    assert len(session.scalars(select(FlagResolution)).all()) == 1
    assert "Ola Officer: Rang her" in client.get("triage.show", reference=REF).words
    assert "Ring the head" not in client.sign_on("senco").get("referrals.show", reference=REF).text


def test_a_flag_for_the_team_is_everybody_s_the_first_due_first(
    client: Client, session: Session, referral: None
) -> None:
    client.sign_on("officer").post("triage.flag", raised(client, message="Second"), reference=REF)
    sooner = raised(client, message="First", due_on=["15", "5", "2019"])
    client.post("triage.flag", sooner, reference=REF)
    for key in ("officer", "other-officer"):
        words = client.sign_on(key).get("triage.flags").words
        assert words.index("First") < words.index("Second")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"message": ""}, "Enter what is to be done"),
        ({"to": "senco"}, "Choose whom the flag is for"),
        ({"due_on": ["13", "5", "2019"]}, "The day must be today or later"),
        ({"due_on": ["31", "2", "2019"]}, "By when? must be a real date, for example 27 3 2019"),
    ],
)
def test_a_flag_without_what_it_needs_is_refused_and_keeps_what_was_typed(
    client: Client, session: Session, referral: None, wrong: dict[str, Any], says: str
) -> None:
    form = raised(client) | wrong
    page = client.sign_on("officer").post("triage.flag", form, status=422, reference=REF)
    assert page.errors == [says]
    assert page.value("message") == form["message"]
    assert session.scalars(select(Flag)).all() == []


def test_an_absent_flag_looks_like_none(client: Client, referral: None) -> None:
    client.sign_on("officer").get("triage.resolve_flag", status=404, number=99)
