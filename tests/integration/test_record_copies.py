"""What is typed into a record and not saved: kept on the server, and offered back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.codes import Status, Withdrawal
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import Referral
from s2s_portal.models.reply import RecordCopy
from s2s_portal.models.visit import Addendum, Visit, VisitRecord
from s2s_portal.services import record_copies
from tests import rows
from tests.client import Client, Page
from tests.integration.test_records import FORM, HERE, As, count, issued, the_record, visit, write

__all__ = ["issued", "visit"]

pytestmark = pytest.mark.usefixtures("may_2019")
TYPED = FORM | {"observed": "Half a sent", "started_at": "quarter past", "visited_on": ["", "", ""]}


def keep(client: Client, status: int = 200, **changes: object) -> Page:
    return client.post("visits.keep", TYPED | changes, status=status, **HERE)  # type: ignore[arg-type]


def kept(session: Session) -> list[RecordCopy]:
    session.commit()
    session.expire_all()
    return list(session.scalars(select(RecordCopy)))


def test_what_is_typed_is_kept_as_it_is_and_offered_back(
    client: Client, session: Session, visit: Visit
) -> None:
    client.sign_on("practitioner")
    page = client.get("visits.record", **HERE)
    assert page.document.xpath("//form[@data-s2s-keep]/@data-s2s-keep") == [
        client.url("visits.keep", **HERE)
    ]
    keep(client)
    keep(client, observed="Half a sentence <b>")
    page = client.get("visits.record", **HERE)
    said = "You typed something here on 14 May 2019 at midday and did not save it."
    assert said in page.words
    assert page.value("observed") == "", "it is offered, not put in"
    page = client.get("visits.record", copy="yes", **HERE)
    assert page.value("observed") == "Half a sentence <b>"
    assert page.value("started_at") == "quarter past"
    assert "".join(page.document.xpath("//input[@name='visited_on']/@value")) == ""
    assert "You typed something" not in page.words
    assert count(session, VisitRecord) == 0, "a copy is no record"
    session.commit()
    written = session.scalars(
        select(AuditEntry).where(AuditEntry.action == "kept what was typed into")
    )
    assert len(written.all()) == 1, "once for a copy"


def test_nothing_of_it_may_stay_in_a_browser_s_store(client: Client, visit: Visit) -> None:
    client.sign_on("practitioner")
    response = client.open(client.url("visits.record", **HERE))
    assert response.headers["Cache-Control"] == "no-store"


def test_saved_or_deleted_it_is_gone(client: Client, session: Session, visit: Visit) -> None:
    client.sign_on("practitioner")
    keep(client)
    write(client)
    assert kept(session) == []
    keep(client)
    client.post("visits.keep", {"discard": "yes"}, **HERE)
    assert kept(session) == []
    assert the_record(session).observed == FORM["observed"]


def test_what_reaches_the_server_unsaved_is_kept_too(
    client: Client, session: Session, visit: Visit
) -> None:
    """Without JavaScript as well: a row is added, or a draft refused."""
    client.sign_on("practitioner")
    write(client, {"rows": "add", "observed": "Before a row"}, status=200)
    assert client.get("visits.record", copy="yes", **HERE).value("observed") == "Before a row"
    write(client, {"finished_at": "late", "observed": "Refused"}, status=422)
    assert client.get("visits.record", copy="yes", **HERE).value("observed") == "Refused"
    write(client, {"visited_on": ["15", "5", "2019"], "observed": "Not yet"}, status=422)
    assert client.get("visits.record", copy="yes", **HERE).value("observed") == "Not yet"
    # Saved, though not complete enough to issue: nothing is left to keep.
    write(client, {"check": "1", "people_met": ""}, status=422)
    assert kept(session) == []


def test_a_copy_of_an_older_version_is_shown_before_it_replaces(
    client: Client, session: Session, visit: Visit
) -> None:
    client.sign_on("practitioner")
    keep(client, observed="From the train")
    As("practitioner").save()
    page = client.get("visits.record", copy="yes", **HERE)
    sent = {"observed": page.value("observed"), "seen": page.value("seen")}
    page = write(client, sent, status=422)
    assert "saved from another window" in page.errors[0]
    assert page.value("observed") == "From the train"
    write(client, {"observed": "From the train", "seen": page.value("seen")})
    assert the_record(session).observed == "From the train"


def test_issued_every_copy_is_gone_and_none_is_kept_any_more(
    client: Client, session: Session, visit: Visit
) -> None:
    client.sign_on("practitioner")
    version = As("practitioner").save()
    keep(client)
    session.add(
        RecordCopy(visit_id=visit.id, referral_id=visit.referral_id, by_id="x", fields=[["a", "b"]])
    )
    session.commit()
    As("practitioner").issue(version)
    assert kept(session) == []
    keep(client, status=409)
    page = write(client, {"observed": "Too late"}, status=422)
    assert page.value("observed") == "Too late"
    assert kept(session) == []


def test_a_parent_who_no_longer_agrees_ends_the_typing(
    client: Client, session: Session, visit: Visit
) -> None:
    client.sign_on("practitioner")
    keep(client)
    session.commit()
    row = session.scalars(select(Referral)).one()
    row.status, row.withdrawal = Status.WITHDRAWN, Withdrawal.AGREEMENT
    session.commit()
    assert kept(session) == []
    keep(client, status=409)


def test_what_nobody_goes_on_with_is_deleted_as_old_drafts_are(
    client: Client, session: Session, visit: Visit
) -> None:
    keep(client.sign_on("practitioner"))
    for days, left in ((89, 1), (91, 0)):
        with clock.frozen(clock.now() + timedelta(days=days)), acting_as(SYSTEM):
            session.commit()
            record_copies.upkeep()
        assert len(kept(session)) == left


@pytest.mark.parametrize(
    ("key", "status"),
    [("colleague", 404), ("other-practitioner", 404), ("lead", 403), ("senco", 403)],
)
def test_nobody_else_keeps_anything_there(
    client: Client, session: Session, visit: Visit, key: str, status: int
) -> None:
    keep(client.sign_on(key), status)
    assert kept(session) == []


@pytest.mark.parametrize(
    "changes", [{"csrf_token": "forged"}, {"observed": "x" * 700_000}, {"a": ["x"] * 600}]
)
def test_without_a_token_or_beyond_all_measure_nothing_is_kept(
    client: Client, session: Session, visit: Visit, changes: dict[str, object]
) -> None:
    keep(client.sign_on("practitioner"), 422, **changes)
    assert kept(session) == []


def test_who_lost_the_case_gets_back_what_they_typed(
    client: Client, session: Session, visit: Visit
) -> None:
    client.sign_on("practitioner")
    keep(client)
    session.commit()
    row = session.scalars(select(Referral)).one()
    session.scalars(select(Allocation)).one().ended_at = clock.now()
    session.flush()
    rows.allocation(session, row, "colleague")
    session.commit()
    page = write(client, {"observed": "An hour of <b>typing"}, status=422)
    assert page.title.startswith("Error: This visit is no longer yours")
    assert "Nothing has been saved." in page.errors[0]
    for said in ("What did you observe?", "An hour of <b>typing", "What should be done (1)"):
        assert said in page.words
    client.post("visits.addendum", {"text": "And this"}, status=422, **HERE)
    keep(client, status=404)
    client.get("visits.record", status=404, **HERE)
    assert count(session, VisitRecord) == 0
    assert count(session, Addendum) == 0
    # Somebody who never had it finds nothing there, whatever they send.
    client.sign_on("other-practitioner")
    write(client, status=404)
