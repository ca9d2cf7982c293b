"""What happened to a referral, in one list: each reader sees each kind, or does not."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.identity import SYSTEM
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.conversation import Message, Side
from s2s_portal.models.note import InternalNote, NoteLabel
from s2s_portal.models.panel import PanelComment, Recommends
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import ledger, referrals, timeline, timeline_sources
from s2s_portal.services.timeline_sources import Kind
from tests import endings, rows
from tests.client import Client
from tests.endings import act
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-3334"
READERS = ("senco", "officer", "practitioner", "lead")
# What stands in each source, and who reads it: nobody else may.
SHOWN: dict[str, set[str]] = {
    "canary-told": set(READERS),  # what the school was told of a decision
    "canary-note": {"officer"},  # the officers' own note beside it
    "canary-offer": {"officer"},  # how a practitioner was found
    "canary-internal": {"officer"},
    "Ring": {"officer"},  # the message of a flag
    "canary-panel": {"officer"},
    "Visit 1: Observation": set(),  # it is still to come
    "Outcomes scored, at the end": set(READERS),
    "How sure staff feel, before the support": set(READERS),
    "Message from the school to the council": set(READERS),
    "Email to a practitioner: Referral S2S-19-3334: a visit has been booked": {
        "officer",
        "practitioner",
        "lead",
    },
    "Email to the school: Referral S2S-19-3334 has been closed": {"senco", "officer"},
    "Email to the SEND officers: Referral S2S-19-3334 is ready to close": {"officer"},
    "File added: Individual support plan": set(READERS),
    "Not done in time: Contact the school": set(READERS),
    "Fee charged: £100": {"senco", "officer"},
    "Hand-over note written": {"officer", "practitioner", "lead"},
    "The school agrees to a case study": {"senco", "officer"},
}
# In tables that are read, and for nobody here: words about a child or by somebody to somebody.
HIDDEN = ("Plan of Canary", "Ring before you come", "canary-message", "Canary Parent", "Zosia")


@pytest.fixture
def row(session: Session) -> Iterator[Referral]:
    """A referral with something in every source."""
    mine = rows.referral(session, REF, status=Status.ALLOCATED)
    made = rows.allocation(session, mine, "practitioner")
    rows.visit(session, mine, made, 1, issued=True)
    rows.beside(session, mine, made, "colleague")
    endings.case_study(session, mine)
    endings.everything(session, mine)
    rows.note_and_flag(session, mine)
    rows.clock_broken(session, mine)
    for notice, to in (("referral_closed", "school"), ("referral_to_close", "council")):
        session.execute(select(func.s2s.note_mail(mine.id, clock.now(), notice, to)))
    item = rows.panel(session, mine)
    done = {"by_id": "officer", "by_name": "Ola Officer"}
    session.add_all(
        [
            ReferralEvent(
                **done,
                referral_id=mine.id,
                action=Action.ACCEPTED,
                message="canary-told",
                note="canary-note",
            ),
            ReferralEvent(
                **done, referral_id=mine.id, action=Action.OFFERED, message="canary-offer"
            ),
            InternalNote(**done, referral_id=mine.id, label=NoteLabel.CALL, text="canary-internal"),
            Message(
                referral_id=mine.id,
                side=Side.SCHOOL,
                to_side=Side.COUNCIL,
                needs_answer=True,
                text="canary-message",
                token="once",
                by_id="senco",
                by_name="Sam",
            ),
            PanelComment(
                item_id=item.id,
                recommends=Recommends.DECLINE,
                text="canary-panel",
                by_id="other-officer",
                by_name="Ravi Officer",
            ),
        ]
    )
    session.flush()
    ledger.post_charge(UnitOfWork(session), referrals.get(REF, whole=True), by=SYSTEM)
    session.commit()
    yield mine


def read(key: str, kind: Kind | None = None) -> list[timeline_sources.Entry]:
    with act(key):
        return timeline.of(REF, kind=kind, whole=True, by=ACTORS[key])[1].entries


def words(entries: list[timeline_sources.Entry]) -> str:
    return "\n".join(
        " ".join((entry.words, entry.by, *entry.lines, entry.note)) for entry in entries
    )


def test_each_reader_reads_each_source_or_does_not(row: Referral) -> None:
    found = {key: words(read(key)) for key in READERS}
    for canary, who in SHOWN.items():
        assert {key for key in READERS if canary in found[key]} == who, canary
    for canary in HIDDEN:
        assert [key for key in READERS if canary in found[key]] == [], canary


def test_every_source_is_tried_above(row: Referral) -> None:
    """A source that gives nothing here is not tested."""
    with act("officer"):
        referral = referrals.get(REF)
        reader = timeline_sources.Reader(officer=True, school=False)
        with clock.frozen(clock.now().replace(year=2020)):
            empty = [
                find.__name__
                for find, _ in timeline_sources.SOURCES
                if not list(find(referral, reader)) and find is not timeline_sources.pauses
            ]
    assert empty == []


@pytest.mark.parametrize("find", [find for find, _ in timeline_sources.SOURCES])
def test_row_level_security_alone_hides_what_is_not_a_readers(
    session: Session, row: Referral, find: timeline_sources.Find
) -> None:
    """Even if the list of readers were wrong: another school, and Finance, get no row of any."""
    one: Any = SimpleNamespace(id=row.id, reference=REF)
    session.commit()
    for key in ("other-senco", "other-practitioner", "outsider", "administrator"):
        with act(key):
            assert list(find(one, timeline_sources.Reader(officer=True, school=False))) == [], key


@pytest.mark.parametrize("key", ["finance", "manager", "auditor", "outsider"])
def test_nobody_else_reads_any_of_it(client: Client, row: Referral, key: str) -> None:
    client.sign_on(key).get("timeline.show", status=403, reference=REF)


@pytest.mark.parametrize("key", ["other-senco", "other-practitioner", "other-lead"])
def test_of_what_is_not_theirs_nothing_is_found(client: Client, row: Referral, key: str) -> None:
    client.sign_on(key).get("timeline.show", status=404, reference=REF)


def test_it_is_newest_first_and_narrowed_by_kind(client: Client, row: Referral) -> None:
    found = read("officer")
    instants = [entry.at for entry in found]
    assert instants == sorted(instants, reverse=True)
    page = client.sign_on("officer").get("timeline.show", reference=REF)
    assert "For officers only" in page.words
    assert "canary-internal" in page.words
    page = client.get("timeline.show", reference=REF, kind="fees")
    assert "1 entry about “Fees”" in page.words
    assert "canary-internal" not in page.words
    assert {entry.kind for entry in read("officer", Kind.NOTES)} == {Kind.NOTES}
    page = client.sign_on("senco").get("timeline.show", reference=REF, kind="notes")
    assert "Nothing of this kind has happened" in page.words
    assert "canary-internal" not in page.words
    client.get("timeline.show", reference=REF, kind="nonsense")


def test_it_goes_on_to_the_next_page_and_can_be_printed_whole(
    client: Client, session: Session, row: Referral
) -> None:
    for number in range(120):
        session.add(
            ReferralEvent(
                referral_id=row.id,
                action=Action.AMENDED,
                message=f"change {number:03}",
                by_id="senco",
                by_name="Sam",
            )
        )
    session.commit()
    senco = client.sign_on("senco")
    first = senco.get("timeline.show", reference=REF)
    assert first.text.count("<li><strong>") == 50
    assert "Older" in first.words
    second = senco.fetch("GET", f"/s2s/timeline/{REF}?from=50")
    assert second.text.count("<li><strong>") == 50
    assert "Newer" in second.words
    assert not {f"change {n:03}" for n in range(120) if f"change {n:03}" in first.text} & {
        f"change {n:03}" for n in range(120) if f"change {n:03}" in second.text
    }
    whole = senco.fetch("GET", f"/s2s/timeline/{REF}?all=yes")
    assert whole.text.count("Referral amended") == 120
    for nonsense in ("-1", "²", "9" * 30, "999999", "x"):
        senco.fetch("GET", f"/s2s/timeline/{REF}?from={nonsense}")


def test_as_many_statements_for_a_long_history_as_for_a_short_one(
    session: Session, connection: Connection, row: Referral
) -> None:
    def count() -> int:
        statements: list[str] = []

        def note(*given: object) -> None:
            statements.append(str(given[2]))

        event.listen(connection, "before_cursor_execute", note)
        read("officer")
        event.remove(connection, "before_cursor_execute", note)
        return len(statements)

    few = count()
    for number in range(2, 30):
        session.add(
            ReferralEvent(
                referral_id=row.id, action=Action.AMENDED, by_id="senco", by_name=str(number)
            )
        )
        session.add(
            InternalNote(
                referral_id=row.id,
                label=NoteLabel.CALL,
                text="Again",
                by_id="officer",
                by_name="Ola",
            )
        )
    session.commit()
    assert count() == few


def test_a_draft_has_none(client: Client, session: Session) -> None:
    rows.referral(session, REF, status=Status.DRAFT)
    session.commit()
    client.sign_on("senco").get("timeline.show", status=404, reference=REF)


def test_a_mail_is_noted_by_role_as_it_is_sent(client: Client, session: Session) -> None:
    """To whom, and its subject: never an address, nor what it said."""
    endings.given(session)
    endings.all_done()
    with act("officer"):
        found = timeline.of(endings.REF, whole=True, by=ACTORS["officer"])[1].entries
    mails = [entry.words for entry in found if entry.words.startswith("Email")]
    assert f"Email to the school: Referral {endings.REF} has been closed" in mails
    assert f"Email to a practitioner: Referral {endings.REF} has been closed" in mails
    assert "@" not in words(found)
