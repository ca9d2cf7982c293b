"""Outcomes on a scale of 0 to 10: at the start, at the end, in the school's own view; all kept."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotAllowed, NotFound, OutOfOrder, Refused
from s2s_portal.models.codes import Achieved
from s2s_portal.models.impact import OutcomeScore, Rater, ScoreKind
from s2s_portal.services import outcome_scores, referrals
from tests.client import Client
from tests.endings import REF, act, all_done, assess, fresh, given
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")


def kept(session: Session) -> list[tuple[str, str, int | None, str | None]]:
    """Every row, in order: kind, rater, score, achieved."""
    session.expire_all()
    found = session.scalars(select(OutcomeScore).order_by(OutcomeScore.id))
    return [(row.kind.value, row.rater.value, row.score, row.achieved) for row in found]


def set_start(score: int = 2, key: str = "practitioner", on: date = date(2019, 5, 14)) -> None:
    with act(key), unit_of_work() as work:
        outcome_scores.set_baseline(work, REF, scores={1: score}, on=on, by=ACTORS[key])


def own_view(score: int = 6, key: str = "senco") -> None:
    with act(key), unit_of_work() as work:
        outcome_scores.add_school_view(work, REF, scores={1: score}, by=ACTORS[key])


def standing(key: str = "officer") -> outcome_scores.Standing:
    with act(key):
        (one,) = outcome_scores.standings(referrals.get(REF))
        return one


def test_the_end_is_held_against_the_start(client: Client, session: Session) -> None:
    given(session, baseline=3)
    page = client.sign_on("practitioner").get("visits.outcomes", reference=REF)
    assert "At the start: 3 of 10, as the school referred" in page.words
    form = {"achieved_1": "partly", "comment_1": "Most days", "seen": page.value("seen")}
    refused = client.post("visits.outcomes", form, status=422, reference=REF)
    assert refused.errors == ["Choose from 0 to 10 for outcome 1"]
    refused = client.post("visits.outcomes", form | {"score_1": "11"}, status=422, reference=REF)
    assert refused.errors == ["Choose from 0 to 10 for outcome 1"]
    done = client.post("visits.outcomes", form | {"score_1": "7"}, reference=REF)
    shown = client.follow(done)
    assert "Now write the end report" in shown.words
    assert "From 3 to 7, on a scale of 0 to 10" in shown.words
    for key, endpoint in (("senco", "referrals.show"), ("officer", "triage.show")):
        assert "From 3 to 7" in client.sign_on(key).get(endpoint, reference=REF).words
    assert kept(session) == [("end", "practitioner", 7, "partly")]


def test_each_recording_is_kept_and_the_newest_counts(session: Session) -> None:
    given(session)
    assess(5, Achieved.PARTLY)
    assess(5, Achieved.PARTLY)
    assess(8, Achieved.YES)
    assert kept(session) == [
        ("end", "practitioner", 5, "partly"),
        ("end", "practitioner", 8, "achieved"),
    ]
    assert standing().end == 8


@pytest.mark.parametrize("change", ["UPDATE {} SET score = 9", "DELETE FROM {}"])
def test_no_recording_is_ever_changed(
    session: Session, connection: Connection, change: str
) -> None:
    given(session)
    assess()
    connection.execute(text("RESET ROLE"))
    with pytest.raises(DBAPIError, match="outcome_score"), connection.begin_nested():
        connection.execute(text(change.format("s2s.outcome_score")))


def test_without_a_baseline_the_practitioner_sets_it_dated_and_signed(
    client: Client, session: Session
) -> None:
    given(session, baseline=None)
    case = client.sign_on("practitioner").get("visits.show", reference=REF)
    assert "Say where things were at the start" in case.words
    page = client.get("closing.baseline", reference=REF)
    assert "Stays in class all morning" in page.words
    empty = client.post("closing.baseline", {"on": ["", "", ""]}, status=422, reference=REF)
    assert set(empty.errors) == {
        "Enter the day of your first visit",
        "Choose from 0 to 10 for outcome 1",
    }
    form = {"on": ["13", "5", "2019"], "start_1": "2"}
    late = client.post("closing.baseline", form, status=422, reference=REF)
    assert late.errors == ["The day must be between when the referral was received and today"]
    client.post("closing.baseline", form | {"on": ["14", "5", "2019"]}, reference=REF)
    case = client.get("visits.show", reference=REF)
    assert "set by Pat Practitioner for 14 May 2019" in case.words
    assert "Say where things were at the start" not in case.words
    assert kept(session) == [("baseline", "practitioner", 2, None)]
    session.rollback()
    assess(7)
    assert standing().change == "From 2 to 7"


@pytest.mark.parametrize(
    ("key", "error"),
    [("lead", NotAllowed), ("colleague", NotFound), ("officer", NotAllowed), ("senco", NotAllowed)],
)
def test_nobody_else_sets_the_start(session: Session, key: str, error: type[Exception]) -> None:
    given(session, baseline=None)
    with pytest.raises(error):
        set_start(key=key)


def test_the_start_is_not_set_where_the_school_did_nor_after_the_end(session: Session) -> None:
    given(session, baseline=0)
    with pytest.raises(OutOfOrder, match="The school said"):
        set_start()
    session.execute(text("RESET ROLE"))
    session.execute(text("UPDATE s2s.outcome_wanted SET baseline = NULL"))
    session.commit()
    with pytest.raises(Refused, match="Choose from 0 to 10"):
        set_start(11)
    set_start(4)
    set_start(4)
    set_start(5)
    assess()
    with pytest.raises(OutOfOrder, match="scored at the end"):
        set_start(1)
    assert [row[2] for row in kept(session)] == [4, 5, 7]


def test_the_school_adds_its_own_view_beside_the_practitioners(
    client: Client, session: Session
) -> None:
    given(session)
    client.sign_on("senco").get("closing.school_view", status=409, reference=REF)
    with pytest.raises(OutOfOrder):
        own_view()
    assess(8)
    page = client.get("referrals.show", reference=REF)
    assert "Your own view of the outcomes" in page.words
    page = client.get("closing.school_view", reference=REF)
    refused = client.post("closing.school_view", {"school_1": ""}, status=422, reference=REF)
    assert refused.errors == ["Choose from 0 to 10 for outcome 1"]
    client.post("closing.school_view", {"school_1": "6"}, reference=REF)
    one = standing()
    assert (one.end, one.end_school, one.reached) == (8, 6, 6)
    assert (
        "The school itself says: 6"
        in client.sign_on("practitioner").get("visits.show", reference=REF).words
    )
    session.rollback()
    with pytest.raises(NotFound):
        own_view(key="other-senco")


def test_a_closed_referral_can_still_have_the_schools_view(session: Session) -> None:
    given(session)
    all_done()
    own_view(9)
    assert kept(session)[-1] == ("end", "school", 9, None)
    assert fresh(session).conclusion == "completed"


@pytest.mark.parametrize(
    ("key", "kind", "rater"),
    [
        ("practitioner", ScoreKind.END, Rater.SCHOOL),
        ("practitioner", ScoreKind.LATER, Rater.PRACTITIONER),
        ("senco", ScoreKind.END, Rater.PRACTITIONER),
        ("senco", ScoreKind.BASELINE, Rater.SCHOOL),
        ("officer", ScoreKind.END, Rater.PRACTITIONER),
        ("colleague", ScoreKind.END, Rater.PRACTITIONER),
        ("other-senco", ScoreKind.END, Rater.SCHOOL),
    ],
)
def test_the_database_lets_each_side_score_for_itself_alone(
    session: Session, key: str, kind: ScoreKind, rater: Rater
) -> None:
    number = given(session).id
    session.commit()
    with act(key), pytest.raises(DBAPIError, match="row-level security"), unit_of_work() as work:
        work.session.add(
            OutcomeScore(
                referral_id=number,
                position=1,
                kind=kind,
                rater=rater,
                score=9,
                by_id=key,
                by_name="x",
            )
        )
        work.flush()
