"""A second referral about the same pupil or class: who is told, who is not, and that it goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork
from s2s_portal.database import session as acting_session
from s2s_portal.errors import Refused
from s2s_portal.identity import SYSTEM, Actor, Role, acting_as
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.codes import Closure, DeclineReason, Status
from s2s_portal.models.match import MatchMark
from s2s_portal.models.referral import Referral
from s2s_portal.services import closing, match_keys, referrals, repeats, triage
from s2s_portal.services.doctor import records
from tests import answers, rows
from tests.client import Client, Page
from tests.world import ACTORS, OTHER_SCHOOL, SCHOOL

KEY = "a key for tests of repeats alone, long enough"
REASON = "The support helped, and she has changed class since"
TOLD = "Your school has asked about the same"


@pytest.fixture(autouse=True)
def keyed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeats are looked for."""
    monkeypatch.setitem(app.config, "S2S_MATCH_KEY", KEY)


@pytest.fixture
def now() -> Iterator[Any]:
    """Time that can be moved on by the test."""
    with clock.frozen(datetime.fromisoformat("2019-05-14T12:00:00+01:00")):
        yield


def first(client: Client, kind: str = "pupil") -> str:
    return answers.submitted(client.sign_on("senco"), kind)


def shown(client: Client, reference: str) -> Page:
    return client.get("referrals.show", reference=reference)


def row(session: Session, reference: str) -> Referral:
    session.expire_all()
    return session.scalars(select(Referral).where(Referral.reference == reference)).one()


def close(session: Session, reference: str, *, day: date) -> None:
    """Closed as achieved, with a practitioner, on a day."""
    held = row(session, reference)
    rows.allocation(session, held, "practitioner")
    work = UnitOfWork(session)
    held.status = Status.ALLOCATED
    with clock.frozen(day):
        held.closure = Closure.OUTCOMES_MET
        referrals.record(work, held, closing.Action.CLOSED, by=ACTORS["officer"])
    session.commit()


# The school -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pupil", "group"])
def test_the_school_is_told_and_must_say_why(client: Client, now: None, kind: str) -> None:
    before = first(client, kind)
    again = answers.complete(client, kind)
    assert TOLD in (page := shown(client, again)).text
    assert before in page.text
    assert "Waiting for a decision" in page.text
    check = client.get("referrals.check", reference=again)
    assert "Still to be completed" in check.text
    assert "Why you are asking again" in check.text
    page = client.get("referrals.section", reference=again, section="repeat")
    assert before in page.text
    refused = answers.save(client, again, "repeat", {"repeat_reason": " "}, status=422)
    assert "Enter why you are asking again" in refused.text
    answers.save(client, again, "repeat", {"repeat_reason": REASON})
    check = client.get("referrals.check", reference=again)
    assert REASON in check.text
    client.post("referrals.submit", {"token": check.value("token")}, reference=again)
    assert "Waiting" in shown(client, again).text or "decision" in shown(client, again).text


def test_without_a_reason_nothing_is_sent(client: Client, session: Session, now: None) -> None:
    first(client)
    again = answers.complete(client)
    client.post("referrals.submit", {"token": "x" * 20}, reference=again, status=422)
    assert row(session, again).status is Status.DRAFT


def test_a_colleague_s_draft_is_shown_and_needs_no_reason(client: Client, now: None) -> None:
    draft = answers.complete(client.sign_on("head"))
    mine = answers.complete(client.sign_on("senco"))
    page = shown(client, mine)
    assert draft in page.text
    assert "Go on with one of the two" in page.text
    check = client.get("referrals.check", reference=mine)
    client.post("referrals.submit", {"token": check.value("token")}, reference=mine)
    # The colleague's had no repeat when it was saved; now it has one, and nothing is sent.
    client.sign_on("head")
    check = client.get("referrals.check", reference=draft)
    asked = client.post("referrals.submit", {"token": check.value("token")}, reference=draft)
    assert asked.location.endswith(f"{draft}/repeat")
    page = client.get("referrals.section", reference=draft, section="repeat")
    assert mine in page.text
    answers.save(client, draft, "repeat", {"repeat_reason": REASON})
    check = client.get("referrals.check", reference=draft)
    done = client.post("referrals.submit", {"token": check.value("token")}, reference=draft)
    assert done.location.endswith("/submitted")


def test_a_reason_is_for_what_was_known(client: Client, session: Session, now: None) -> None:
    """Another repeat is sent after the reason was given: it is asked for again, and kept."""
    first(client)
    draft = answers.complete(client)
    answers.save(client, draft, "repeat", {"repeat_reason": REASON})
    second = answers.complete(client.sign_on("head"))
    answers.save(client, second, "repeat", {"repeat_reason": "Hana's reason"})
    check = client.get("referrals.check", reference=second)
    client.post("referrals.submit", {"token": check.value("token")}, reference=second)
    client.sign_on("senco")
    check = client.get("referrals.check", reference=draft)
    asked = client.post("referrals.submit", {"token": check.value("token")}, reference=draft)
    assert asked.location.endswith("/repeat")
    page = client.get("referrals.section", reference=draft, section="repeat")
    assert REASON in page.text
    assert second in page.text
    answers.save(client, draft, "repeat", {"repeat_reason": REASON})
    assert "Still to be completed" not in client.get("referrals.check", reference=draft).text


def test_another_pupil_after_all(client: Client, session: Session, now: None) -> None:
    """The name was wrong: no repeat, no reason left over."""
    first(client)
    draft = answers.complete(client)
    answers.save(client, draft, "repeat", {"repeat_reason": REASON})
    answers.save(client, draft, "schooling", upn="")
    answers.save(client, draft, "subject", surname="Somebody", forenames="Else", known_as="")
    held = row(session, draft)
    assert (held.repeats, held.repeat_reason) == ([], "")
    assert "repeat" not in held.answered
    assert TOLD not in shown(client, draft).text


def test_a_change_of_kind_forgets_the_repeat(client: Client, session: Session, now: None) -> None:
    first(client)
    draft = answers.complete(client)
    answers.save(client, draft, "repeat", {"repeat_reason": REASON})
    answers.choose(client, draft, "training")
    held = row(session, draft)
    assert (held.repeats, held.repeat_reason) == ([], "")
    marks = select(func.count()).where(MatchMark.referral_id == held.id)
    assert session.scalar(marks) == 0


@pytest.mark.parametrize(("ended", "told"), [(date(2019, 5, 13), False), (date(2019, 5, 14), True)])
def test_twelve_months_after_its_end(
    client: Client, session: Session, ended: date, told: bool
) -> None:
    with clock.frozen(date(2019, 5, 13)):
        before = first(client)
    close(session, before, day=ended)
    with clock.frozen(date(2020, 5, 14)):
        again = answers.complete(client.sign_on("senco"), schooling={"year_group": "4"})
        assert (TOLD in shown(client, again).text) is told
        assert (row(session, again).repeats == [before]) is told


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [
        (date(2019, 5, 14), 12, date(2018, 5, 14)),
        (date(2020, 2, 29), 12, date(2019, 2, 28)),
        (date(2019, 3, 31), 1, date(2019, 2, 28)),
        (date(2019, 1, 1), 1, date(2018, 12, 1)),
    ],
)
def test_months_before(day: date, months: int, before: date) -> None:
    assert repeats.months_before(day, months) == before


# Another school ---------------------------------------------------------------------------------


def test_another_school_learns_nothing(client: Client, session: Session, now: None) -> None:
    """It types the name, birth and UPN of a pupil of SCHOOL, and of nobody: every answer, page and
    row that it can get is the same."""
    first(client)
    seen = []
    for surname, forenames, upn in (
        ("Canary-Ólafsdóttir", "Zosia", "H801200001001"),
        ("Nobody-Ólafsdóttir", "Zofia", "X801200001002"),
    ):
        client.sign_on("other-senco")
        names = {"surname": surname, "forenames": forenames, "known_as": ""}
        reference = answers.complete(client, subject=names, schooling={"upn": upn})
        pages = [
            client.get(endpoint, reference=reference, **more).text
            for endpoint, more in (
                ("referrals.show", {}),
                ("referrals.section", {"section": "subject"}),
                ("referrals.section", {"section": "schooling"}),
                ("referrals.check", {}),
            )
        ]
        away = client.get("referrals.section", reference=reference, section="repeat", status=302)
        token = answers.token(client, reference)
        sent = client.post("referrals.submit", {"token": token}, reference=reference)
        pages += [away.location, sent.location, shown(client, reference).text]
        session.commit()
        reads = session.scalars(
            select(AuditEntry.action)
            .where(AuditEntry.by_id == "other-senco")
            .order_by(AuditEntry.id)
        ).all()
        seen.append((reference, surname, forenames, upn, pages, len(reads)))

    def tidy(one: tuple[Any, ...]) -> list[str]:
        reference, surname, forenames, upn, pages, _ = one
        typed = "|".join(map(re.escape, (reference, surname, forenames, upn)))
        return [re.sub(rf'{typed}|value="[\w.+:-]{{16,}}"', "", page) for page in pages]

    assert tidy(seen[0]) == tidy(seen[1])
    assert seen[1][5] == 2 * seen[0][5], "as many statements are audited"
    held = row(session, seen[0][0])
    assert held.repeats == []


def test_nor_does_the_database_tell_it(client: Client, session: Session, now: None) -> None:
    theirs = first(client)
    mine = answers.submitted(client.sign_on("other-senco"))
    ids = {key: row(session, key).id for key in (theirs, mine)}
    asked = text("SELECT referral_id FROM s2s.repeats_of(:id, '2000-01-01')")
    found = {}
    session.commit()
    for person in ("system", *ACTORS):
        with acting_as(SYSTEM if person == "system" else ACTORS[person]):
            reader = acting_session()
            found[person] = {
                one for id_ in ids.values() for one in reader.scalars(asked, {"id": id_})
            }
            reader.commit()
    who = {person for person, ones in found.items() if ones}
    assert who == {"system", "officer", "other-officer"}
    assert found["officer"] == set(ids.values())


def test_one_person_of_two_schools_marks_no_repeat_across_them(
    client: Client, session: Session, app: Flask, now: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even who may see both, and officers who refer: what is noted on a referral its whole school
    reads."""
    both = Actor(
        id="both",
        name="Bo Both",
        email="both@school.example",
        roles=frozenset({Role.REFERRER, Role.OFFICER}),
        establishments=(OTHER_SCHOOL,),
    )
    monkeypatch.setitem(ACTORS, "both", both)
    monkeypatch.setitem(app.extensions["s2s"].identity.actors, "both", both)
    login = app.login_manager  # type: ignore[attr-defined]
    monkeypatch.setattr(
        login,
        "_user_callback",
        lambda key: type(
            "User",
            (),
            {
                "id": key,
                "is_authenticated": True,
                "is_active": True,
                "is_anonymous": False,
                "get_id": lambda self: key,
            },
        )(),
    )
    first(client)
    mine = answers.submitted(client.sign_on("both"))
    assert row(session, mine).repeats == []
    # Returned as it was done before sections were named: all of them are open.
    session.commit()
    work = UnitOfWork(session)
    referrals.record(work, row(session, mine), closing.Action.RETURNED, by=ACTORS["officer"])
    session.commit()
    answers.save(client, mine, "subject", known_as="Zo-Zo")
    assert row(session, mine).repeats == []
    session.commit()
    with acting_as(both):
        held = referrals.get(mine, whole=True)
        assert (
            len(
                acting_session()
                .execute(repeats.found_by(), {"referral_id": held.id, "since": repeats.since(held)})
                .all()
            )
            == 1
        ), "the control"


def test_a_school_sets_no_marks_of_another(client: Client, session: Session, now: None) -> None:
    theirs = row(session, first(client)).id
    session.commit()
    for person in ("other-senco", "senco", "officer", "practitioner"):
        with acting_as(ACTORS[person]), pytest.raises(DBAPIError, match="not yours to set"):
            repeats.set_marks(UnitOfWork(acting_session()), theirs, [("name", "x")])
        session.rollback()


# The officer ------------------------------------------------------------------------------------


def test_the_officer_sees_every_repeat(client: Client, session: Session, now: None) -> None:
    before = first(client)
    close(session, before, day=date(2019, 5, 13))
    elsewhere = answers.submitted(client.sign_on("other-senco"))
    again = answers.complete(client.sign_on("senco"))
    answers.save(client, again, "repeat", {"repeat_reason": REASON})
    client.post("referrals.submit", {"token": answers.token(client, again)}, reference=again)
    client.sign_on("officer")
    page = client.get("triage.show", reference=again)
    assert "Possible repeat of" in page.text
    assert before in page.text
    assert "Closed on 13 May 2019: the outcomes were achieved." in page.text
    assert "Practitioner: Pat Practitioner, Fen View Complex Needs School." in page.text
    assert "The same UPN" in page.text
    assert elsewhere in page.text
    assert "Otherham Invented High" in page.text
    assert REASON in page.text
    for endpoint in ("triage.decline", "triage.accept"):
        assert elsewhere in client.get(endpoint, reference=again).text
    assert (
        "name only referrals of this school" in client.get("triage.decline", reference=again).text
    )
    looked = session.scalars(
        select(AuditEntry.entity_key).where(
            AuditEntry.by_id == "officer", AuditEntry.action == "looked at"
        )
    )
    assert {before, elsewhere, again} <= set(looked), "each that was shown was read"


def test_a_draft_is_no_officer_s_business(client: Client, now: None) -> None:
    draft = answers.complete(client.sign_on("head"))
    sent = answers.submitted(client.sign_on("other-senco"))
    page = client.sign_on("officer").get("triage.show", reference=sent)
    assert draft not in page.text
    assert "No other referral that is under way" in page.text


def test_how_a_declined_one_ended(client: Client, session: Session, now: None) -> None:
    before = first(client)
    triage.decline(
        UnitOfWork(session),
        before,
        seen=row(session, before).version,
        message="Try again",
        reason=DeclineReason.CAPACITY,
        by=ACTORS["officer"],
    )
    session.commit()
    again = answers.submitted(client.sign_on("other-senco"))
    page = client.sign_on("officer").get("triage.show", reference=again)
    assert "Declined on 14 May 2019: no practitioner has room for it." in page.text


def test_an_amendment_is_looked_at_again(client: Client, session: Session, now: None) -> None:
    """A name put right after sending finds its repeat; the school is not asked for a reason."""
    before = first(client)
    other = answers.submitted(
        client.sign_on("other-senco"), subject={"surname": "Wrong"}, schooling={"upn": ""}
    )
    page = client.sign_on("officer").get("triage.show", reference=other)
    assert before not in page.text
    client.sign_on("other-senco")
    drawn = client.get("referrals.amend", reference=other, section="subject")
    form = {**answers.SECTIONS["subject"], "seen": drawn.value("seen"), "amend_reason": "Misspelt"}
    client.post("referrals.amend", form, reference=other, section="subject")
    assert before in client.sign_on("officer").get("triage.show", reference=other).text


# The key ----------------------------------------------------------------------------------------


def test_without_a_key_none_is_looked_for(client: Client, app: Flask, now: None) -> None:
    app.config["S2S_MATCH_KEY"] = None
    first(client)
    again = answers.submitted(client)
    page = client.sign_on("officer").get("triage.show", reference=again)
    assert "Not looked for" in page.text
    with acting_as(SYSTEM), pytest.raises(Refused, match="set S2S_MATCH_KEY"):
        match_keys.rebuild()


def test_nothing_of_a_name_is_in_the_marks(client: Client, session: Session, now: None) -> None:
    first(client)
    marks = session.scalars(select(MatchMark)).all()
    assert {one.basis for one in marks} == {"upn", "name"}
    assert all(re.fullmatch(r"[0-9a-f]{64}", one.mark) for one in marks)
    assert KEY not in {one.key_id for one in marks}


def test_another_key_loses_none_once_rebuilt(
    client: Client, session: Session, app: Flask, now: None
) -> None:
    before = first(client)
    answers.submitted(client.sign_on("other-senco"), "training")
    old = {one.mark for one in session.scalars(select(MatchMark))}
    app.config["S2S_MATCH_KEY"] = "another key, as long as a key has to be, and no less"
    session.commit()
    (look,) = records.MARKS.findings()
    assert (look.state, look.says) == (
        "warn",
        "1 referrals are marked under another S2S_MATCH_KEY, so repeats of them are missed."
        " Run: flask s2s match rebuild",
    )
    result = app.test_cli_runner().invoke(args=["s2s", "match", "rebuild"])
    assert result.output == "Marked 1 referrals.\n"
    session.commit()
    new = {one.mark for one in session.scalars(select(MatchMark))}
    assert len(new) == len(old)
    assert not new & old
    assert [found.state for found in records.MARKS.findings()] == ["ok"]
    again = answers.complete(client.sign_on("senco"))
    assert before in shown(client, again).text


def test_the_doctor_finds_what_has_no_mark(session: Session, now: None) -> None:
    rows.referral(session, "S2S-19-3334", urn=SCHOOL)
    session.commit()
    (look,) = records.MARKS.findings()
    assert (look.state, look.says.partition(",")[0]) == ("warn", "Some referrals have no mark")
    assert match_keys.rebuild() == 1
    assert [found.state for found in records.MARKS.findings()] == ["ok"]


def test_an_expired_draft_forgets_its_marks(client: Client, session: Session) -> None:
    from s2s_portal.services import drafts

    with clock.frozen(date(2019, 9, 10)):
        draft = answers.complete(client.sign_on("senco"), schooling={"year_group": "4"})
    held = row(session, draft).id
    assert session.scalar(select(func.count()).where(MatchMark.referral_id == held))
    session.commit()
    for day in (date(2019, 12, 2), date(2019, 12, 9)):
        with clock.frozen(day):
            drafts.upkeep()
    assert row(session, draft).status is Status.EXPIRED
    assert not session.scalar(select(func.count()).where(MatchMark.referral_id == held))
