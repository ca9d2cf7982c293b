"""Panels: written apart, read together, recorded, and never seen by a school (F32)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.body import OfficerBody
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.panel import PanelComment, PanelItem, PanelMeeting
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.worklist import Officer, WorklistEntry
from s2s_portal.services import handing_over
from tests import rows
from tests.client import Client
from tests.deciding import YES
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"
YES_SAYS = {"recommends": "accept", "level": "2", "text": "Gull-A: two visits"}
NO_SAYS = {"recommends": "decline", "level": "", "text": "Gull-B: no evidence"}


def officers(session: Session) -> dict[str, int]:
    """Both officers have been here: their numbers."""
    for key in ("officer", "other-officer"):
        name = ACTORS[key].name
        session.add(Officer(account_id=key, name=name, email="", seen_on=clock.today()))
    session.flush()
    return dict(session.execute(select(Officer.account_id, Officer.id)).all())  # type: ignore[arg-type]


def called(numbers: dict[str, int], **more: Any) -> dict[str, Any]:
    return {
        "team": "send",
        "meets_on": ["17", "5", "2019"],
        "chair": str(numbers["officer"]),
        "reviewers": [str(number) for number in numbers.values()],
    } | more


@pytest.fixture
def meeting(client: Client, session: Session) -> int:
    """A meeting of both officers, chaired by the first, with REF on its agenda: the item."""
    rows.referral(session, REF)
    numbers = officers(session)
    session.commit()
    client.sign_on("officer").post("triage.call_panel", called(numbers))
    made = session.scalars(select(PanelMeeting)).one()
    page = client.get("triage.put_on_panel", reference=REF)
    form = {"meeting": str(made.id), "why": "Gull-W", "seen": page.value("seen")}
    client.post("triage.put_on_panel", form, reference=REF)
    return session.scalars(select(PanelItem.id)).one()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"team": ""}, "Choose which team’s panel it is"),
        ({"meets_on": ["13", "5", "2019"]}, "The day must be today or later"),
        ({"meets_on": ["", "", ""]}, "Enter when it meets"),
        ({"chair": "999"}, "Choose who chairs it, from that team"),
        ({"reviewers": []}, "Choose who writes a comment on each referral"),
        ({"reviewers": ["x"]}, "Choose who writes a comment on each referral"),
    ],
)
def test_a_meeting_needs_a_team_a_day_a_chair_and_reviewers(
    client: Client, session: Session, wrong: dict[str, Any], says: str
) -> None:
    form = called(officers(session), **wrong)
    session.commit()
    page = client.sign_on("officer").post("triage.call_panel", form, status=422)
    assert page.errors == [says]
    assert session.scalars(select(PanelMeeting)).all() == []


def test_the_agenda_is_on_the_list_and_the_page_of_the_referral(
    client: Client, session: Session, meeting: int
) -> None:
    assert "Panel on 17 May 2019" in client.get("triage.index").words
    assert "Gull-W" in client.get("triage.show", reference=REF).words
    made = session.scalars(select(PanelMeeting.id)).one()
    again = {"meeting": str(made), "why": "Again", "seen": "2"}
    seen = client.get("triage.put_on_panel", reference=REF).value("seen")
    page = client.post("triage.put_on_panel", again | {"seen": seen}, status=422, reference=REF)
    assert page.errors == [
        "It is on an agenda already: Panel on 17 May 2019, chaired by Ola Officer."
    ]
    assert page.value("why") == "Again"
    assert "1" in client.get("triage.panel_meetings").all("//tbody/tr/td")


def test_reviewers_write_apart_and_read_together(
    client: Client, session: Session, meeting: int
) -> None:
    empty = client.post("triage.comment_for_panel", {}, status=422, number=meeting)
    assert empty.errors == ["Choose what you recommend", "Enter why"]
    without = client.post(
        "triage.comment_for_panel", YES_SAYS | {"level": ""}, status=422, number=meeting
    )
    assert without.errors == ["Choose at which level to accept it"]
    assert without.value("text") == YES_SAYS["text"]
    client.post("triage.comment_for_panel", YES_SAYS, number=meeting)
    panel = session.scalars(select(PanelMeeting.id)).one()
    assert "Only you see this so far" in client.get("triage.panel", number=panel).words
    # The other reads that the first has written, and not what; not on any page.
    client.sign_on("other-officer")
    for page in (
        client.get("triage.panel", number=panel),
        client.get("triage.show", reference=REF),
        client.get("triage.accept", reference=REF),
    ):
        assert "Gull-A" not in page.text
    assert "1 of 2 have written: Ola Officer" in client.get("triage.panel", number=panel).words
    client.post("triage.comment_for_panel", NO_SAYS, number=meeting)
    second = client.post("triage.comment_for_panel", NO_SAYS, status=422, number=meeting)
    assert second.errors == ["You have written your comment on this referral already."]
    assert len(session.scalars(select(PanelComment)).all()) == 2
    for key in ("officer", "other-officer"):
        client.sign_on(key)
        for page in (
            client.get("triage.panel", number=panel),
            client.get("triage.show", reference=REF),
            client.get("triage.accept", reference=REF),
            client.get("triage.return_for_information", reference=REF),
        ):
            assert "Gull-A" in page.text
            assert "Gull-B" in page.text
    for key, endpoint in (("senco", "referrals.show"), ("head", "referrals.show")):
        page = client.sign_on(key).get(endpoint, reference=REF)
        assert "Gull" not in page.text
        assert "Put on the agenda of a panel" in page.words


def test_the_chair_opens_the_comments_and_nobody_else(
    client: Client, session: Session, meeting: int
) -> None:
    client.post("triage.comment_for_panel", YES_SAYS, number=meeting)
    panel = session.scalars(select(PanelMeeting.id)).one()
    other = client.sign_on("other-officer")
    other.post("triage.open_panel_comments", number=meeting, status=403)
    other.get("triage.end_panel", number=panel, status=403)
    assert "Gull-A" not in other.get("triage.panel", number=panel).text
    client.sign_on("officer").post("triage.open_panel_comments", number=meeting)
    client.post("triage.open_panel_comments", number=meeting)
    page = client.sign_on("other-officer").get("triage.panel", number=panel)
    assert "Gull-A" in page.text
    assert "Ola Officer opened the comments on 14 May 2019" in page.words
    session.commit()
    audited = session.scalars(
        select(AuditEntry.action).where(AuditEntry.action == "opened the comments on")
    )
    assert len(audited.all()) == 1


def test_the_record_says_who_was_there_what_was_recommended_and_what_was_decided(
    client: Client, session: Session, meeting: int
) -> None:
    client.post("triage.comment_for_panel", YES_SAYS, number=meeting)
    panel = session.scalars(select(PanelMeeting.id)).one()
    page = client.get("triage.end_panel", number=panel)
    assert page.value("present") == "Ola Officer\nRavi Officer"
    refused = client.post("triage.end_panel", {"present": " "}, status=422, number=panel)
    assert refused.errors == ["Enter who was there"]
    client.post("triage.end_panel", {"present": "Ola Officer"}, number=panel)
    client.get("triage.end_panel", number=panel, status=409)
    client.get("triage.take_off_panel", number=meeting, status=409)
    client.sign_on("other-officer")
    client.get("triage.comment_for_panel", number=meeting, status=409)
    # It has ended, so it is no longer ahead on the list, and its comments are shown.
    assert "Panel on 17 May" not in client.get("triage.index").words
    seen = client.get("triage.accept", reference=REF).value("seen")
    with clock.frozen(clock.from_local(date(2019, 5, 15), 9)):
        client.post("triage.accept", {**YES, "seen": seen}, reference=REF)
    words = client.get("triage.panel", number=panel).words
    assert "Record of the panel" in words
    assert "Who was there Ola Officer" in words
    assert "Ola Officer: Accept it" in words
    assert "Decided: Ravi Officer accepted this referral on 15 May 2019" in words


def test_it_is_taken_off_with_a_reason_and_by_a_hand_over(
    client: Client, session: Session, meeting: int
) -> None:
    refused = client.post("triage.take_off_panel", {"why": ""}, status=422, number=meeting)
    assert refused.errors == ["Enter why it is taken off"]
    client.post("triage.take_off_panel", {"why": "Decided without"}, number=meeting)
    again = client.post("triage.take_off_panel", {"why": "Late"}, status=422, number=meeting)
    assert again.errors == ["Ola Officer has taken this off the agenda."]
    panel = session.scalars(select(PanelMeeting.id)).one()
    assert "Decided without" in client.get("triage.panel", number=panel).words
    assert session.scalars(select(WorklistEntry.panel_on)).all() == [None]
    seen = client.get("triage.put_on_panel", reference=REF).value("seen")
    form = {"meeting": str(panel), "why": "After all", "seen": seen}
    client.post("triage.put_on_panel", form, reference=REF)
    seen = client.get("triage.hand_over", reference=REF).value("seen")
    moved = {"to": "early_years", "reason": "AGE", "seen": seen}
    client.post("triage.hand_over", moved, reference=REF)
    why = session.scalars(select(PanelItem.removed_why).order_by(PanelItem.id)).all()
    assert why == ["Decided without", "Handed over to the Early years team"]
    actions = session.scalars(select(ReferralEvent.action).order_by(ReferralEvent.id)).all()
    listed, removed = Action.PANEL_LISTED, Action.PANEL_REMOVED
    assert actions[-5:] == [listed, removed, listed, removed, Action.HANDED_OVER]


def test_what_is_decided_goes_before_no_panel(client: Client, session: Session) -> None:
    rows.referral(session, REF, status=Status.ACCEPTED)
    session.commit()
    client.sign_on("officer").get("triage.put_on_panel", reference=REF, status=409)


def test_the_database_keeps_what_was_written_apart(
    session: Session, connection: Connection
) -> None:
    row = rows.referral(session, REF)
    item = rows.panel(session, row)
    session.add(OfficerBody(account_id="stranger", body="early_years", by_id="a", by_name="A"))
    session.flush()

    def become(key: str) -> None:
        connection.execute(
            text(
                "SELECT set_config('role', 's2s_app', true), set_config('s2s.actor_id', :id, true),"
                " set_config('s2s.roles', '{send_officer}', true)"
            ),
            {"id": key},
        )

    counted = text("SELECT count(*) FROM s2s.panel_comment")
    # Its writer; the other reviewer, who has not written; an officer of the other team.
    for key, found in (("officer", 1), ("other-officer", 0), ("stranger", 0)):
        become(key)
        assert connection.scalars(counted).one() == found, key
    for table in ("panel_meeting", "panel_item", "panel_reviewer"):
        assert connection.scalars(text(f"SELECT count(*) FROM s2s.{table}")).one() == 0, table
    assert connection.scalars(text(f"SELECT s2s.panel_written({item.id})")).one() == []
    written = (
        "INSERT INTO s2s.panel_comment (item_id, recommends, text, at, by_id, by_name)"
        f" VALUES ({item.id}, 'unsure', 'x', now(), '{{}}', 'N')"
    )
    for key, name in (("stranger", "stranger"), ("other-officer", "officer")):
        become(key)
        savepoint = connection.begin_nested()
        with pytest.raises(DBAPIError, match="row-level security"):
            connection.execute(text(written.format(name)))
        savepoint.rollback()
    become("other-officer")
    connection.execute(text(written.format("other-officer")))
    assert connection.scalars(counted).one() == 2
    connection.execute(text("RESET ROLE"))


def test_every_reason_and_recommendation_has_words(session: Session) -> None:
    from s2s_portal.models.body import Handed
    from s2s_portal.models.panel import Recommends
    from s2s_portal.services import panel_comments

    assert set(handing_over.HANDED_WORDS) == set(Handed)
    assert set(panel_comments.RECOMMENDS_WORDS) == set(Recommends)
    assert session.scalars(select(Referral)).all() == []
