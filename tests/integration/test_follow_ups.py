"""What became of recommendations: said by the school, read before the next visit, asked after."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.models.calendar import DateKind, TermDate
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.follow_up import FollowUp, FollowUpProgress, FollowUpReminder, Progress
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.visit import Recommendation, Visit, VisitRecord
from s2s_portal.services import follow_up_reminders
from tests import rows, world
from tests.client import Client, Page

REFERENCE = "S2S-19-7K4P"
OTHERS = "S2S-19-3336"
HERE = {"reference": REFERENCE}
WHY = "=1+1 was too <b>loud</b>, O'Brien-Łukasz said 🙂 رائع"

pytestmark = pytest.mark.usefixtures("may_2019")


@pytest.fixture
def referral(session: Session) -> Referral:
    """Two visits with an issued record and a draft; each record has two recommendations."""
    row = rows.referral(session, REFERENCE, status=Status.ALLOCATED)
    made = rows.allocation(session, row, "practitioner")
    for number, issued in ((1, True), (2, False)):
        record = rows.visit(session, row, made, number, issued=False)
        session.add(
            Recommendation(
                referral_id=row.id,
                record_id=record.id,
                position=2,
                strategy="Now and next board",
                owner="Class teacher",
                by_when=date(2019, 6, 14),
            )
        )
        session.flush()
        if issued:
            record.issued_at = clock.now()
    session.commit()
    return row


def numbers(session: Session) -> list[int]:
    """The numbers of the recommendations of the issued record, in their order."""
    return list(
        session.scalars(
            select(Recommendation.id)
            .join(VisitRecord, VisitRecord.id == Recommendation.record_id)
            .join(Referral, Referral.id == VisitRecord.referral_id)
            .where(VisitRecord.issued_at.is_not(None), Referral.reference == REFERENCE)
            .order_by(Recommendation.position)
        )
    )


def filled(client: Client, **typed: str) -> dict[str, str]:
    """The form as it is drawn now, with what is typed."""
    page = client.get("referrals.follow_up", **HERE)
    hidden = page.document.xpath("//form//input[@type='hidden'][starts-with(@name,'seen_')]")
    return {field.get("name"): field.get("value") for field in hidden} | typed


def say(client: Client, form: dict[str, str], status: int = 302) -> Page:
    return client.post("referrals.follow_up", form, status=status, **HERE)


def states(session: Session) -> list[tuple[Progress, str]]:
    session.commit()
    session.expire_all()
    return [
        (row.state, row.by_name)
        for row in session.scalars(select(FollowUpProgress).order_by(FollowUpProgress.id))
    ]


def kept(session: Session) -> dict[int, Progress]:
    session.commit()
    session.expire_all()
    return {row.recommendation_id: row.state for row in session.scalars(select(FollowUp))}


def test_each_recommendation_of_an_issued_record_is_followed_up(
    session: Session, referral: Referral
) -> None:
    first, second = numbers(session)
    rows_ = {row.recommendation_id: row for row in session.scalars(select(FollowUp))}
    assert rows_.keys() == {first, second}, "not those of the draft"
    assert rows_[second].due_on == date(2019, 6, 14)
    assert rows_[first].due_on == date(2019, 6, 11), "four weeks where no day was named"
    assert rows_[first].provider_urn == world.PROVIDER
    assert {row.state for row in rows_.values()} == {Progress.NOT_STARTED}


def test_a_school_says_how_it_gets_on_and_everybody_on_the_case_reads_it(
    client: Client, session: Session, referral: Referral
) -> None:
    first, second = numbers(session)
    client.sign_on("senco")
    page = client.get("referrals.follow_up", **HERE)
    assert "Quiet start" in page.words and "Now and next board" in page.words
    say(client, filled(client, **{f"state_{second}": "stopped", f"words_{second}": WHY}))
    assert states(session) == [(Progress.STOPPED, "Sam O'Brien-Łukasz")]
    assert kept(session) == {first: Progress.NOT_STARTED, second: Progress.STOPPED}
    page = client.get("referrals.follow_up", **HERE)
    assert WHY in page.words
    assert page.value(f"words_{second}") == "", "the next word is a new one"
    assert page.document.xpath(f"//input[@name='state_{second}'][@checked]/@value") == ["stopped"]
    for who, where in (
        ("senco", "referrals.show"),
        ("practitioner", "visits.show"),
        ("lead", "visits.show"),
        ("officer", "triage.show"),
    ):
        words = client.sign_on(who).get(where, **HERE).words
        assert WHY in words and "Not said yet" in words, who
    history = session.scalars(
        select(ReferralEvent.message).where(ReferralEvent.action == Action.FOLLOW_UP_SAID)
    ).all()
    assert history == ["Visit 1, recommendation 2: stopped."]


def test_to_read_what_was_recommended_leaves_a_trace(
    client: Client, referral: Referral, connection: Connection
) -> None:
    client.sign_on("senco").get("referrals.follow_up", **HERE)
    connection.execute(text("RESET ROLE"))
    found = connection.execute(
        text("SELECT by_id, entity_key FROM s2s.audit_entry WHERE action = 'looked at'")
    )
    assert [tuple(row) for row in found] == [("senco", REFERENCE)]


def test_the_practitioner_reads_it_beside_the_next_record(
    client: Client, session: Session, referral: Referral
) -> None:
    _first, second = numbers(session)
    say(client.sign_on("senco"), filled(client, **{f"state_{second}": "embedded"}))
    with clock.frozen(date(2019, 6, 10)):
        page = client.sign_on("practitioner").get("visits.record", number=2, **HERE)
    assert "What became of what was recommended before" in page.words
    assert "Embedded" in page.words


def test_stopped_needs_a_reason_and_a_word_needs_a_state(
    client: Client, session: Session, referral: Referral
) -> None:
    first, second = numbers(session)
    client.sign_on("senco")
    page = say(client, filled(client, **{f"state_{second}": "stopped", f"words_{first}": ""}), 422)
    assert page.errors == ["Enter why you stopped recommendation 2 of visit 1"]
    page = say(client, filled(client, **{f"words_{first}": WHY}), 422)
    assert page.errors == ["Choose how you get on with recommendation 1 of visit 1"]
    assert page.value(f"words_{first}") == WHY, "what was typed comes back"
    say(client, filled(client, **{f"state_{first}": "nonsense"}))
    assert states(session) == []


def test_what_is_as_it_was_is_not_written_again(
    client: Client, session: Session, referral: Referral
) -> None:
    _first, second = numbers(session)
    client.sign_on("senco")
    form = filled(client, **{f"state_{second}": "trying", f"words_{second}": "Since Monday"})
    say(client, form)
    say(client, form)  # the same form, sent twice
    say(client, filled(client, **{f"state_{second}": "trying"}))  # as it was drawn
    assert len(states(session)) == 1
    say(client, filled(client, **{f"state_{second}": "trying", f"words_{second}": "Daily now"}))
    assert len(states(session)) == 2


def test_two_colleagues_at_once_lose_nothing(
    client: Client, session: Session, referral: Referral
) -> None:
    first, second = numbers(session)
    client.sign_on("senco")
    drawn = filled(client)
    client.sign_on("head")
    say(client, filled(client, **{f"state_{second}": "embedded"}))
    client.sign_on("senco")
    # Of the other one nobody has spoken meanwhile: it goes in.
    say(client, drawn | {f"state_{first}": "trying"})
    page = say(client, drawn | {f"state_{second}": "stopped", f"words_{second}": WHY}, 422)
    assert "Hana Head said of recommendation 2 of visit 1 on 14 May 2019: embedded." in page.words
    assert page.value(f"words_{second}") == WHY
    assert page.document.xpath(f"//input[@name='state_{second}'][@checked]/@value") == ["stopped"]
    assert kept(session)[second] is Progress.EMBEDDED
    again = {f"seen_{number}": page.value(f"seen_{number}") for number in (first, second)}
    say(client, again | {f"state_{second}": "stopped", f"words_{second}": WHY})
    assert [state for state, _by in states(session)] == [
        Progress.EMBEDDED,
        Progress.TRYING,
        Progress.STOPPED,
    ]


def test_a_mark_that_nobody_gave_is_no_colleague(
    client: Client, session: Session, referral: Referral
) -> None:
    first, second = numbers(session)
    client.sign_on("senco")
    made_up = {f"state_{first}": "trying", f"seen_{first}": "999", f"seen_{second}": "x" * 5000}
    say(client, made_up)
    assert kept(session)[first] is Progress.TRYING


def test_nobody_speaks_for_another_school_or_once_the_support_has_stopped(
    client: Client, session: Session, referral: Referral
) -> None:
    first, _second = numbers(session)
    number = referral.id
    client.sign_on("other-senco").get("referrals.follow_up", status=404, **HERE)
    form = {f"state_{first}": "trying", f"seen_{first}": "0"}
    say(client, form, 404)
    session.rollback()
    session.get_one(Referral, number).status = Status.WITHDRAWN
    session.commit()
    client.sign_on("senco")
    page = client.get("referrals.follow_up", **HERE)
    assert "The support has stopped" in page.words and "Quiet start" in page.words
    assert say(client, form, 422).errors == [
        "The support for this referral has stopped, so you cannot say how you get on with it."
    ]
    assert states(session) == []


def test_a_closed_referral_can_still_be_spoken_of(
    client: Client, session: Session, referral: Referral
) -> None:
    first, _second = numbers(session)
    session.get_one(Referral, referral.id).status = Status.CLOSED
    session.commit()
    say(client.sign_on("senco"), filled(client, **{f"state_{first}": "embedded"}))
    assert kept(session)[first] is Progress.EMBEDDED


def test_the_database_keeps_every_word_and_hears_it_of_its_own_recommendation_alone(
    session: Session, referral: Referral, connection: Connection
) -> None:
    first, _second = numbers(session)
    other = rows.referral(session, OTHERS, status=Status.ALLOCATED)
    done = {"by_id": "senco", "by_name": "Sam", "state": Progress.TRYING}
    session.add(FollowUpProgress(**done, referral_id=referral.id, recommendation_id=first))
    session.flush()
    with (
        pytest.raises(DBAPIError, match="of an issued record of the referral"),
        session.begin_nested(),
    ):
        session.add(FollowUpProgress(**done, referral_id=other.id, recommendation_id=first))
        session.flush()
    for sql in (
        "UPDATE s2s.follow_up_progress SET words = 'x'",
        "DELETE FROM s2s.follow_up_progress",
    ):
        with pytest.raises(DBAPIError), connection.begin_nested():
            connection.execute(text("RESET ROLE"))
            connection.execute(text(sql))


# Lists -------------------------------------------------------------------------------------------


@pytest.fixture
def county(session: Session, referral: Referral) -> Referral:
    """The same at another school, made by another Complex Needs School."""
    row = rows.referral(session, OTHERS, urn=world.OTHER_SCHOOL, status=Status.ALLOCATED)
    made = rows.allocation(session, row, "other-practitioner")
    record = rows.visit(session, row, made, 1, issued=False)
    record.issued_at = clock.now()
    session.commit()
    return row


def listed(client: Client, where: str = "visits.follow_ups_due", **asked: Any) -> list[str]:
    page = client.get(where, **asked)
    links = page.all("//table//th/a")
    return [link.split(",")[0] + " " + link[-1] for link in links]


def test_what_is_overdue_and_what_nobody_has_said(
    client: Client, session: Session, county: Referral
) -> None:
    first, _second = numbers(session)
    client.sign_on("officer")
    assert listed(client) == [], "nothing is due yet"
    assert listed(client, pile="unconfirmed") == []
    with clock.frozen(date(2019, 6, 11)):  # due today, and four weeks since
        assert listed(client) == []
        assert listed(client, pile="unconfirmed") == [
            f"{REFERENCE} 1",
            f"{OTHERS} 1",
            f"{REFERENCE} 2",
        ]
    with clock.frozen(date(2019, 6, 12)):
        assert listed(client) == [f"{REFERENCE} 1", f"{OTHERS} 1"]
        say(client.sign_on("senco"), filled(client, **{f"state_{first}": "trying"}))
        client.sign_on("officer")
        assert listed(client) == [f"{REFERENCE} 1", f"{OTHERS} 1"], "trying is not done"
        assert listed(client, pile="unconfirmed") == [f"{OTHERS} 1", f"{REFERENCE} 2"]
        say(client.sign_on("senco"), filled(client, **{f"state_{first}": "embedded"}))
        assert listed(client.sign_on("officer")) == [f"{OTHERS} 1"]


def test_who_finds_what_in_the_lists(client: Client, county: Referral) -> None:
    mine, theirs = [f"{REFERENCE} 1", f"{REFERENCE} 2"], [f"{OTHERS} 1"]
    with clock.frozen(date(2019, 7, 1)):
        for who, found in {
            "officer": [mine[0], *theirs, mine[1]],
            "practitioner": mine,
            "lead": mine,
            "other-practitioner": theirs,
            "other-lead": theirs,
            "colleague": [],
        }.items():
            assert listed(client.sign_on(who)) == found, who
        for who, found in {"senco": mine, "head": mine, "other-senco": theirs}.items():
            client.sign_on(who)
            for pile in ("overdue", "unconfirmed"):
                assert listed(client, "referrals.follow_ups_due", pile=pile) == found, who
        assert "Quiet start" not in client.sign_on("officer").get("visits.follow_ups_due").words


def test_an_officer_filters_and_pages(
    client: Client, county: Referral, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.sign_on("officer")
    with clock.frozen(date(2019, 7, 1)):
        for asked in ({"q": "otherham"}, {"q": str(world.OTHER_SCHOOL)}, {"provider": "900202"}):
            assert listed(client, **asked) == [f"{OTHERS} 1"], asked
        assert "Nothing was found" in client.get("visits.follow_ups_due", q="%").words
        monkeypatch.setitem(client.app.config, "S2S_PAGE_SIZE", 2)
        page = client.get("visits.follow_ups_due")
        assert len(page.all("//tbody/tr")) == 2
        seen: list[str] = []
        event.listen(connection, "before_cursor_execute", lambda *given: seen.append(given[2]))
        page = Page(client.open(page.document.xpath("//a[@rel='next']/@href")[0]))
        assert page.all("//tbody/tr/th") == [f"{REFERENCE}, visit 1, recommendation 2"]
        assert sum("s2s.follow_up.due_on" in one for one in seen) == 1
        page = Page(client.open(page.document.xpath("//a[@rel='prev']/@href")[0]))
        assert len(page.all("//tbody/tr")) == 2
        assert not page.document.xpath("//a[@rel='prev']")


def test_the_lists_are_read_from_an_index(session: Session, connection: Connection) -> None:
    """In its order, and no row is sorted, as the plan for any number of rows is the same."""
    from s2s_portal.services import follow_up_lists

    connection.execute(text("RESET ROLE"))
    connection.execute(text("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off"))
    for pile in follow_up_lists.Pile:
        query = (
            select(FollowUp.recommendation_id)
            .where(
                follow_up_lists.UNDER_WAY,
                follow_up_lists.is_overdue(date(2019, 7, 1))
                if pile is follow_up_lists.Pile.OVERDUE
                else follow_up_lists.is_unconfirmed(date(2019, 7, 1)),
            )
            .order_by(FollowUp.due_on, FollowUp.recommendation_id)
            .limit(50)
        )
        compiled = query.compile(connection, compile_kwargs={"literal_binds": True})
        plan = "\n".join(connection.scalars(text(f"EXPLAIN {compiled}")))
        assert "ix_follow_up_due" in plan and "Sort" not in plan, plan


# Reminders ---------------------------------------------------------------------------------------

TERM = date(2019, 6, 12)  # a Wednesday


def run(session: Session, day: date) -> int:
    """Run the morning's job as if it were `day`."""
    session.commit()
    with clock.frozen(day):
        return follow_up_reminders.send_out()


def mails(connection: Connection) -> list[dict[str, Any]]:
    return list(
        connection.scalars(
            text(
                "SELECT args FROM s2s.procrastinate_jobs WHERE task_name = 's2s.send_follow_ups'"
                " ORDER BY id"
            )
        )
    )


def test_a_school_is_asked_once_a_week_and_no_more(
    session: Session, county: Referral, connection: Connection
) -> None:
    assert run(session, date(2019, 6, 10)) == 0, "nothing is due"
    assert run(session, TERM) == 2, "one mail for each school"
    for later in range(7):
        assert run(session, TERM + timedelta(days=later)) == 0
    assert run(session, TERM + timedelta(days=7)) == 2
    asked = mails(connection)
    assert asked[0]["lines"] == [f"{REFERENCE}: 1 recommendation"]
    assert asked[0]["addresses"] == ["senco@school.example"]
    assert asked[2]["lines"] == [f"{REFERENCE}: 2 recommendations"]
    assert "Canary" not in str(asked) and "Quiet" not in str(asked)
    assert asked[0]["link"].endswith("/s2s/referrals/follow-ups/")


def test_in_its_holidays_no_school_is_asked(session: Session, county: Referral) -> None:
    session.add(
        TermDate(
            academic_year=2018,
            kind=DateKind.INSET,
            urn=world.SCHOOL,
            starts=TERM,
            ends=TERM,
            by_id="a",
            by_name="A",
        )
    )
    assert run(session, TERM) == 1
    assert session.scalars(select(FollowUpReminder.urn)).all() == [world.OTHER_SCHOOL]
    assert run(session, TERM + timedelta(days=1)) == 1, "on the first day after"
    assert run(session, date(2019, 8, 6)) == 0
    assert run(session, date(2019, 6, 22)) == 0, "a Saturday"


def test_what_is_being_tried_is_asked_about_again_weeks_later(
    client: Client, session: Session, referral: Referral
) -> None:
    first, second = numbers(session)
    with clock.frozen(date(2019, 6, 17)):
        form = filled(
            client.sign_on("senco"), **{f"state_{first}": "trying", f"state_{second}": "embedded"}
        )
        say(client, form)
    assert run(session, date(2019, 6, 18)) == 0
    assert run(session, date(2019, 7, 15)) == 0
    assert run(session, date(2019, 7, 16)) == 1


def test_nobody_is_asked_about_a_referral_that_was_withdrawn(
    session: Session, referral: Referral
) -> None:
    session.get_one(Referral, referral.id).status = Status.WITHDRAWN
    assert run(session, TERM) == 0


def test_the_mail_says_nothing_of_a_child(
    session: Session, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(follow_up_reminders.notices, "deliver", lambda *given: sent.append(given))
    follow_up_reminders.send(
        ["senco@school.example"], "A", [f"{REFERENCE}: 1 recommendation"], True, "http://x/y", "<1>"
    )
    subject, body, to, _id = sent[0]
    assert to == ["senco@school.example"]
    assert REFERENCE in body and "and more." in body and "http://x/y" in body
    assert "waits" not in subject and REFERENCE not in subject


def test_a_draft_s_recommendations_are_followed_up_once_it_is_issued(
    session: Session, referral: Referral
) -> None:
    """A draft's recommendations are nobody's to follow up until it is issued; then at once."""
    draft = session.scalars(select(VisitRecord).where(VisitRecord.issued_at.is_(None))).one()
    before = len(kept(session))
    session.get_one(VisitRecord, draft.id).issued_at = clock.now()
    session.commit()
    assert len(kept(session)) == before + 2
    assert session.scalars(select(Visit.number)).all()
