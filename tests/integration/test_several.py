"""Several referrals at a time: each by itself, told in words, and once (F31, W18, F28)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.body import Handover, OfficerBody
from s2s_portal.models.bulk import BulkRun
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.note import Flag
from s2s_portal.models.panel import PanelItem, PanelMeeting
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.worklist import Officer, OfficerAssignment
from s2s_portal.services import several
from tests import rows
from tests.client import Client, Page
from tests.deciding import YES
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")
ONE, TWO, THREE = "S2S-19-7K4P", "S2S-19-7K4Q", "S2S-19-7K4R"
ABSENT = "S2S-19-9999"


@pytest.fixture
def waiting(client: Client, session: Session) -> int:
    """Three referrals that wait, and the first officer, who is signed on: their number."""
    for reference in (ONE, TWO, THREE):
        rows.referral(session, reference)
    me = Officer(account_id="officer", name="Ola Officer", email="", seen_on=clock.today())
    session.add(me)
    session.commit()
    client.sign_on("officer")
    return me.id


def ask(client: Client, what: str, references: Iterable[str]) -> Page:
    """The page that confirms."""
    query = "&".join(f"reference={one}" for one in references)
    return client.fetch("GET", f"{client.url('triage.several_at_once')}?do={what}&{query}")


def confirmed(page: Page, references: Iterable[str], **more: Any) -> dict[str, Any]:
    """What the button of that page sends."""
    listed = list(references)
    names = [f"{name}-{one}" for name in ("seen", "held") for one in listed]
    return {
        "reference": listed,
        "run": page.value("run"),
        **{name: page.value(name) for name in names},
        **more,
    }


def results(client: Client, session: Session) -> dict[str, str]:
    """What is said of each on the page of the last run."""
    number = session.scalars(select(BulkRun.id).order_by(BulkRun.id.desc())).first()
    page = client.get("triage.several_done", number=number)
    rows_ = page.all("//tbody/tr/*")
    return {rows_[i]: f"{rows_[i + 1]}: {rows_[i + 2]}" for i in range(0, len(rows_), 3)}


def test_rows_are_ticked_and_all_of_a_page_without_a_script(
    client: Client, session: Session, waiting: int
) -> None:
    boxes = "//input[@type='checkbox' and @name='reference']"
    page = client.get("triage.index")
    assert len(page.all(boxes)) == 3
    assert page.all(f"{boxes}[@checked]") == []
    ticked = client.fetch("GET", f"{client.url('triage.index')}?status=submitted&tick=all")
    assert len(ticked.all(f"{boxes}[@checked]")) == 3


def test_each_is_done_or_refused_by_itself_and_all_of_it_once(
    client: Client, session: Session, waiting: int
) -> None:
    page = ask(client, "assign", (ONE, TWO, THREE, ABSENT))
    assert "3 of 4 that you chose" in page.words
    assert f"{ABSENT}: not found, or not one that you can see" in page.words
    form = confirmed(page, (ONE, TWO, THREE), do="assign", officer=str(waiting), note="Mine")
    # Meanwhile another officer takes one, and declines another.
    session.commit()
    session.add(
        Officer(account_id="other-officer", name="Ravi Officer", email="", seen_on=clock.today())
    )
    session.commit()
    client.sign_on("other-officer").post("triage.take", {"seen": "0"}, reference=TWO)
    client.post("triage.decline", {**DECLINE, "seen": "1"}, reference=THREE)
    client.sign_on("officer").post("triage.several_at_once", form)
    client.post("triage.several_at_once", form)
    assert results(client, session) == {
        ONE: "Done: Ola Officer looks after it.",
        TWO: "Not done: Ravi Officer now looks after this referral. Nothing has been changed by"
        " you.",
        THREE: "Not done: This referral has ended, so nobody needs to look after it.",
    }
    assert len(session.scalars(select(BulkRun)).all()) == 1
    held = session.scalars(
        select(OfficerAssignment.officer_id).where(OfficerAssignment.ended_at.is_(None))
    )
    assert sorted(held) == ["officer", "other-officer"]
    session.commit()
    audited = session.scalars(select(AuditEntry.action).where(AuditEntry.by_id == "officer")).all()
    assert audited.count("assigned") == 1
    assert audited.count("did with 3 referrals:") == 1


DECLINE = {
    "step": "send",
    "choice": "DECLINE_CAPACITY",
    "words": "Full",
    "message": "No room",
}


def test_a_step_that_is_refused_leaves_nothing_of_itself(
    client: Client, session: Session, waiting: int
) -> None:
    """A hand-over fails at its very last row: its event, its mail and its item stay undone."""
    page = ask(client, "hand-over", (ONE, TWO))
    form = confirmed(
        page, (ONE, TWO), do="hand-over", team="early_years", reason="AGE", note="Both"
    )
    form[f"words-{TWO}"] = "This one alone"
    session.commit()
    session.execute(text("RESET ROLE"))
    session.execute(
        text(
            "CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.referral_id = (SELECT id FROM s2s.referral WHERE reference = '" + ONE + "')"
            " THEN RAISE unique_violation USING CONSTRAINT = 'uq_bulk_run_token'; END IF;"
            " RETURN NEW; END $$"
        )
    )
    session.execute(
        text(
            "CREATE TRIGGER refuse BEFORE INSERT ON s2s.triage_handover FOR EACH ROW"
            " EXECUTE FUNCTION pg_temp.refuse()"
        )
    )
    session.commit()
    client.post("triage.several_at_once", form)
    said = results(client, session)
    assert said[ONE].startswith("Not done")
    assert said[TWO] == "Done: It is with the Early years team."
    moved = session.execute(
        select(Referral.reference, ReferralEvent.note)
        .join(ReferralEvent, ReferralEvent.referral_id == Referral.id)
        .where(ReferralEvent.action == Action.HANDED_OVER)
    ).all()
    assert moved == [(TWO, "This one alone")]
    assert len(session.scalars(select(Handover)).all()) == 1


def test_flags_go_up_on_each_with_words_of_its_own(
    client: Client, session: Session, waiting: int
) -> None:
    page = ask(client, "flag", (ONE, TWO))
    empty = client.post(
        "triage.several_at_once", confirmed(page, (ONE, TWO), do="flag"), status=422
    )
    assert empty.errors == ["Enter by when", "Enter what is to be done"]
    form = confirmed(
        empty, (ONE, TWO), do="flag", message="Ring", to="", due_on=["16", "5", "2019"]
    )
    past = client.post("triage.several_at_once", form | {"due_on": ["13", "5", "2019"]})
    assert past is not None
    assert results(client, session)[ONE] == "Not done: The day must be today or later"
    form |= {"run": ask(client, "flag", (ONE,)).value("run"), f"words-{TWO}": "Write"}
    client.post("triage.several_at_once", form)
    flags = session.scalars(select(Flag).order_by(Flag.id)).all()
    assert [(flag.message, flag.to_name, flag.due_on) for flag in flags] == [
        ("Ring", "All officers", date(2019, 5, 16)),
        ("Write", "All officers", date(2019, 5, 16)),
    ]


def test_several_go_before_one_panel(client: Client, session: Session, waiting: int) -> None:
    meeting = PanelMeeting(
        body="send",
        meets_on=date(2019, 5, 17),
        chair_id="officer",
        chair_name="Ola Officer",
        by_id="officer",
        by_name="Ola Officer",
    )
    session.add(meeting)
    session.commit()
    page = ask(client, "panel", (ONE, TWO))
    form = confirmed(page, (ONE, TWO), do="panel", meeting=str(meeting.id), why="Two needs")
    client.post("triage.several_at_once", form)
    assert len(session.scalars(select(PanelItem)).all()) == 2
    page = ask(client, "panel", (ONE, THREE))
    form = confirmed(page, (ONE, THREE), do="panel", meeting=str(meeting.id), why="Again")
    client.post("triage.several_at_once", form)
    said = results(client, session)
    assert said[ONE].startswith("Not done: It is on an agenda already")
    assert said[THREE] == "Done: It is on the agenda."


def test_what_was_not_answered_in_time_is_closed_with_one_reason(
    client: Client, session: Session, waiting: int
) -> None:
    session.commit()
    for reference, day in (("S2S-19-3334", 13), ("S2S-19-3337", 10), ("S2S-19-3336", 14)):
        row = rows.referral(session, reference, status=Status.RETURNED)
        row.answer_by = date(2019, 5, day)
    session.commit()
    chosen = ("S2S-19-3334", "S2S-19-3337", "S2S-19-3336", ONE)
    page = ask(client, "close", chosen)
    assert "Primary: the school has time to answer until 14 May 2019" in page.words
    assert f"{ONE}, Little Snoring Invented Primary: it is not back with its school" in page.words
    # Sent all the same: the service refuses what the page has left out.
    form = confirmed(page, chosen[:2], do="close", told="We heard nothing")
    form |= {"reference": list(chosen), "words-S2S-19-3337": "Nor by telephone"}
    form |= {"seen-S2S-19-3336": "2", f"seen-{ONE}": "1"}
    client.post("triage.several_at_once", form)
    assert [one[:8] for one in results(client, session).values()].count("Not done") == 2
    told = session.execute(
        select(ReferralEvent.message, ReferralEvent.by_id)
        .where(ReferralEvent.action == Action.UNANSWERED)
        .order_by(ReferralEvent.id)
    ).all()
    assert told == [("We heard nothing", "officer"), ("Nor by telephone", "officer")]


def test_a_version_that_has_gone_by_is_refused_for_that_one_alone(
    client: Client, session: Session, waiting: int
) -> None:
    page = ask(client, "hand-over", (ONE, TWO))
    form = confirmed(page, (ONE, TWO), do="hand-over", team="early_years", reason="AGE")
    client.post("triage.accept", {**YES, "seen": page.value(f"seen-{ONE}")}, reference=ONE)
    client.post("triage.several_at_once", form)
    said = results(client, session)
    assert said[ONE].startswith("Not done: Only a referral that waits for a decision")
    assert said[TWO].startswith("Done")


def test_another_team_s_are_as_if_they_were_not_there(
    client: Client, session: Session, waiting: int
) -> None:
    session.add(OfficerBody(account_id="officer", body="early_years", by_id="a", by_name="A"))
    session.commit()
    page = ask(client, "flag", (ONE, ABSENT))
    assert f"{ONE}: not found, or not one that you can see" in page.words
    assert "This can be done with none of them" in page.words
    form = {"do": "flag", "reference": [ONE], "run": "x" * 20, "message": "Ring", "to": ""}
    client.post("triage.several_at_once", form | {"due_on": ["16", "5", "2019"]})
    assert results(client, session) == {ONE: "Not done: Not found, or not one that you can see."}
    assert session.scalars(select(Flag)).all() == []


def test_none_too_many_or_nothing_to_do_is_said(client: Client, waiting: int) -> None:
    path = client.url("triage.several_at_once")
    for query, says in (
        ("do=flag", "Choose at least one referral from the list"),
        (f"do=eat&reference={ONE}", "Choose what to do with them"),
        (
            "do=flag" + "".join(f"&reference=S2S-19-{one}" for one in hundred_and_one()),
            "Choose 100 referrals or fewer at a time: you chose 101",
        ),
    ):
        page = client.fetch("GET", f"{path}?{query}", status=422)
        assert page.errors == [says]


def hundred_and_one() -> list[str]:
    letters = "34679CDFGHJKMNPQRTVWX"
    return [f"33{a}{b}" for a in letters[:11] for b in letters][:101]


def test_a_run_is_shown_to_whoever_did_it(client: Client, session: Session, waiting: int) -> None:
    form = confirmed(
        ask(client, "flag", (ONE,)),
        (ONE,),
        do="flag",
        message="Ring",
        to="",
        due_on=["16", "5", "2019"],
    )
    client.post("triage.several_at_once", form | {"run": "no"}, status=422)
    client.post("triage.several_at_once", form)
    number = session.scalars(select(BulkRun.id)).one()
    client.get("triage.several_done", number=number)
    client.sign_on("other-officer").get("triage.several_done", number=number, status=404)


def test_the_page_to_confirm_costs_the_same_for_one_and_for_many(
    client: Client, session: Session, waiting: int
) -> None:
    def cost(references: Iterable[str]) -> int:
        asked: list[str] = []

        def note(*given: Any) -> None:
            asked.append(given[2])

        event.listen(Engine, "before_cursor_execute", note)
        try:
            ask(client, "flag", references)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        return len(asked)

    cost((ONE,))
    assert cost((ONE,)) == cost((ONE, TWO, THREE))


def test_each_thing_that_can_be_done_has_words_and_a_rule() -> None:
    early, today = date(2019, 5, 13), date(2019, 5, 14)
    can = {
        what: {
            status
            for status in Status
            if not several.why_not(what, status, early if status is Status.RETURNED else None)
        }
        for what in several.WORDS
    }
    ended = {Status.CLOSED, Status.DECLINED, Status.WITHDRAWN}
    assert can[several.Bulk.ASSIGN] == set(Status) - ended
    assert can[several.Bulk.FLAG] == set(Status)
    undecided = {Status.SUBMITTED, Status.WAITING}
    assert can[several.Bulk.PANEL] == can[several.Bulk.HAND_OVER] == undecided
    assert can[several.Bulk.CLOSE] == {Status.RETURNED}
    assert "14 May 2019" in several.why_not(several.Bulk.CLOSE, Status.RETURNED, today)
    assert set(several.WORDS) == set(several.Bulk)
    assert ACTORS["officer"].name == "Ola Officer"
