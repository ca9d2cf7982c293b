"""What each kind of referral asks, what agreement it needs, and that a form keeps its version."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg.errors
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.errors import ConsentMissing, Refused, Stale
from s2s_portal.identity import SYSTEM
from s2s_portal.models.answer import Agreement, StrategyTried, Subject
from s2s_portal.models.codes import Kind
from s2s_portal.models.referral import Referral
from s2s_portal.services import (
    candidates,
    drafting,
    form_versions,
    reading,
    referrals,
    sections,
    subjects,
    submission,
    year_groups,
)
from tests import answers, rows, world
from tests.client import Client

pytestmark = pytest.mark.usefixtures("may_2019")

ASKED = {
    "pupil": "school subject schooling needs criteria tried services outcomes support consent"
    " sharing practicalities declaration",
    "group": "school subject needs criteria tried outcomes support consent practicalities"
    " declaration",
    "whole": "school subject outcomes support practicalities declaration",
    "training": "school subject outcomes practicalities declaration",
}
SAID = {
    "pupil": "Zosia",
    "group": "Year 2 phonics",
    "whole": "All Key Stage 2 staff",
    "training": "Visual timetables",
}


@pytest.fixture
def senco(client: Client, session: Session) -> Client:
    return client.sign_on("senco")


def whole(session: Session, reference: str) -> Referral:
    session.commit()
    session.expire_all()
    return referrals.get(reference, whole=True)


# Kinds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ASKED)
def test_each_kind_from_start_to_allocation(client: Client, session: Session, kind: str) -> None:
    """Asked what it needs and no more, sent, read by the officer, and still to be given."""
    client.sign_on("senco")
    reference = answers.start(client, kind)
    page = client.get("referrals.show", reference=reference)
    links = page.document.xpath("//a[contains(@class,'task-list__link')]/@href")
    cannot = page.document.xpath("//*[starts-with(@id,'why-')]/@id")
    shown = {link.rpartition("/")[2] for link in links} | {name[4:] for name in cannot}
    assert shown == {"kind", *ASKED[kind].split()}
    for section, form in answers.KINDS[kind].items():
        answers.save(client, reference, section, form)
    check = client.get("referrals.check", reference=reference)
    assert "Still to be completed" not in check.words
    form = {"token": check.value("token")}
    client.post("referrals.submit", form, reference=reference)
    assert "£100" in client.get("referrals.submitted", reference=reference).words
    client.get("referrals.index")
    client.sign_on("officer")
    page = client.get("triage.show", reference=reference)
    said = {
        "pupil": "Zosia",
        "group": "Year 2 phonics",
        "whole": "Key Stage 2",
        "training": "timet",
    }
    assert said[kind] in page.words
    assert ("Canary" in page.words) is (kind == "pupil")
    assert {"pupil": "Pupil", "whole": "Whole school", "training": "Training", "group": "Group"}[
        kind
    ] in client.get("triage.index").words
    version = client.get("triage.accept", reference=reference).value("seen")
    client.post("triage.accept", {"seen": version}, reference=reference)
    page = client.get("allocation.allocate", reference=reference)
    assert ("Covers the need" in page.words) is (kind in {"pupil", "group"})
    assert whole(session, reference).fee_pence == 10_000


def test_without_a_need_the_phase_decides(senco: Client, session: Session) -> None:
    reference = answers.submitted(senco, "training")
    found = candidates.ranked(whole(session, reference))
    assert [one.covers_phase for one in found] == [True, True, False]
    assert {one.covers_need for one in found} == {None}
    assert found[-1].cover_words == "Does not cover the phase"


@pytest.mark.parametrize("kind", [kind for kind in ASKED if kind != "pupil"])
def test_nothing_names_a_pupil_where_none_is_asked_for(
    senco: Client, session: Session, kind: str
) -> None:
    reference = answers.submitted(senco, kind)
    subject = whole(session, reference).subject
    assert (subject.surname, subject.forenames, subject.upn, subject.date_of_birth) == (
        *("", "", ""),
        None,
    )
    assert subject.title in {
        "Year 2 phonics",
        "Whole school: All Key Stage 2 staff",
        "Training: Visual timetables",
    }


def test_a_section_that_is_not_asked_is_not_there(senco: Client, session: Session) -> None:
    reference = answers.start(senco, "training")
    for section in ("needs", "tried", "consent", "sharing", "own"):
        where = {"reference": reference, "section": section}
        senco.get("referrals.section", status=302, **where)
        senco.post("referrals.section", answers.SECTIONS.get(section, {}), status=409, **where)
    assert whole(session, reference).answered.keys() == {"kind"}


@pytest.mark.parametrize(
    ("old", "new"),
    [("pupil", "group"), ("group", "training"), ("training", "pupil"), ("pupil", "whole")],
)
def test_a_change_of_kind_leaves_a_referral_that_can_be_completed(
    senco: Client, session: Session, old: str, new: str
) -> None:
    reference = answers.complete(senco, old)
    before = whole(session, reference)
    answered, said = set(before.answered), subjects.would_drop(before, Kind(new))
    answers.choose(senco, reference, new)
    after = whole(session, reference)
    assert answered - set(after.answered) == set(said) != set()
    assert after.answered.keys() <= {"kind", *ASKED[new].split()}
    for section in submission.missing(after):
        answers.save(senco, reference, section, answers.KINDS[new][section])
    assert submission.missing(whole(session, reference)) == []


def test_the_service_drops_nothing_that_was_not_said(senco: Client, session: Session) -> None:
    """Also when it is answered between the page's own look and the lock."""
    reference = answers.complete(senco, "group")
    session.commit()
    senco_herself = world.ACTORS["senco"]
    for told in ((), ("subject", "consent")):
        with pytest.raises(Stale), unit_of_work() as work:
            held = drafting.in_hand(reference, by=senco_herself)
            subjects.choose_kind(work, held, kind=Kind.TRAINING, told=told, by=senco_herself)
    assert whole(session, reference).kind is Kind.GROUP
    assert {"needs", "tried", "consent"} <= whole(session, reference).answered.keys()


# Agreement ---------------------------------------------------------------------------------------

YOUNG, OLD = date(2010, 9, 2), date(2003, 5, 14)  # eight, and sixteen on the day
AGREED = {"agreed": True, "scope": ["INVOLVEMENT"], "privacy_notice": "2019-04"}
TOLD = {"agreed": True, "how": "LETTER", "obtained_by": "Sam", "obtained_on": date(2019, 5, 1)}
NOTICE = {"privacy_notice": "2019-04"}

# Kind, birth, what the agreement says (None: there is none), and what stands in the way.
CONSENTS: list[tuple[Kind, date | None, dict[str, Any] | None, str]] = [
    (Kind.PUPIL, YOUNG, AGREED, ""),
    (Kind.PUPIL, YOUNG, None, "agreement of a parent or carer"),
    (Kind.PUPIL, YOUNG, {**AGREED, "agreed": False}, "agreement of a parent or carer"),
    (Kind.PUPIL, YOUNG, {**AGREED, "scope": ["SHARING"]}, "Complete every section"),
    (Kind.PUPIL, YOUNG, {**AGREED, "privacy_notice": ""}, "Complete every section"),
    (Kind.PUPIL, OLD, AGREED, "16 or older"),
    (Kind.PUPIL, OLD, {**AGREED, "pupil_agreed": False}, "16 or older"),
    (Kind.PUPIL, OLD, {**AGREED, "pupil_agreed": True}, ""),
    (Kind.PUPIL, date(2003, 5, 15), AGREED, ""),
    (Kind.GROUP, None, {**TOLD, **NOTICE}, ""),
    (Kind.GROUP, None, None, "Complete every section"),
    (Kind.GROUP, None, TOLD, "Complete every section"),
    (Kind.GROUP, None, {**TOLD, **NOTICE, "how": ""}, "Complete every section"),
    (Kind.GROUP, None, {**TOLD, **NOTICE, "obtained_by": ""}, "Complete every section"),
    (Kind.GROUP, None, {**TOLD, **NOTICE, "obtained_on": None}, "Complete every section"),
    (Kind.WHOLE, None, None, ""),
    (Kind.TRAINING, None, None, ""),
]


@pytest.mark.parametrize(("kind", "born", "says", "problem"), CONSENTS)
def test_what_agreement_a_referral_needs(
    session: Session, kind: Kind, born: date | None, says: dict[str, Any] | None, problem: str
) -> None:
    referral = draft(session, kind, born)
    referral.agreement = Agreement(**says) if says is not None else None
    session.flush()
    session.commit()
    try:
        submission._check(whole(session, referral.reference))
    except Refused as error:
        assert problem, error
        assert problem in str(error)
        assert isinstance(error, ConsentMissing) is ("every section" not in problem)
    else:
        assert not problem


def draft(session: Session, kind: Kind, born: date | None) -> Referral:
    """A draft in which everything but the agreement is answered."""
    made = Referral(
        reference="S2S-19-CCCC",
        urn=world.SCHOOL,
        kind=kind,
        form_version=2,
        created_by_id="senco",
        created_by_name="Sam",
        criteria=["COMPLEX"],
        fewer_cycles="New here",
        answered={key: {"at": "", "by": "Sam", "pence": 10_000} for key in answers.SECTIONS}
        | {"own": {"at": "", "by": "Sam"}},
    )
    session.add(made)
    session.flush()
    year = year_groups.expected(born, clock.today()) if born else ""
    made.subject = Subject(date_of_birth=born, year_group=year, sen_provision="K")
    session.flush()
    session.execute(
        text("INSERT INTO s2s.referral_need (referral_id, code, rank) VALUES (:id, 'SEMH', 1)"),
        {"id": made.id},
    )
    session.execute(
        text(
            "INSERT INTO s2s.outcome_wanted (referral_id, position, text, baseline)"
            " VALUES (:id, 1, 'x', 3)"
        ),
        {"id": made.id},
    )
    return made


def test_the_pupil_is_asked_on_the_day_they_are_sixteen(senco: Client, session: Session) -> None:
    born = {"date_of_birth": ["15", "5", "2003"]}
    schooling = {"year_group": "11"}
    reference = answers.complete(senco, subject=born, schooling=schooling)
    assert "own" not in sections.keys(whole(session, reference))
    with clock.frozen(date(2019, 5, 15)):
        page = senco.get("referrals.check", reference=reference)
        assert "The pupil's own agreement" in page.words
        token = {"token": "t" * 30}
        page = senco.post("referrals.submit", token, reference=reference, status=422)
        assert "The pupil is 16 or older" in page.errors[0]
        answers.save(senco, reference, "own", answers.OWN, pupil_agreed="no")
        page = senco.get("referrals.show", reference=reference)
        assert page.all("//*[@id='state-own']") == ["Not agreed yet"]
        answers.save(senco, reference, "own", answers.OWN)
        form = {"token": answers.token(senco, reference)}
        senco.post("referrals.submit", form, reference=reference)
        assert "The pupil agrees Yes" in senco.get("referrals.show", reference=reference).words


def test_the_database_refuses_a_pupil_without_agreement(session: Session) -> None:
    row = rows.referral(session, "S2S-19-DDDD")
    session.execute(
        text("UPDATE s2s.referral SET status = 'returned' WHERE id = :i"), {"i": row.id}
    )
    session.execute(
        text("UPDATE s2s.agreement SET agreed = false WHERE referral_id = :i"), {"i": row.id}
    )
    with pytest.raises(DBAPIError) as caught:
        session.execute(
            text("UPDATE s2s.referral SET status = 'submitted' WHERE id = :i"), {"i": row.id}
        )
    assert isinstance(caught.value.orig, psycopg.errors.RestrictViolation)


def test_not_agreed_after_all_drops_what_it_was_to_cover(senco: Client, session: Session) -> None:
    reference = answers.complete(senco)
    answers.save(senco, reference, "consent", agreed="no")
    saved = whole(session, reference)
    assert "sharing" not in saved.answered
    assert (saved.agreement.scope, saved.agreement.privacy_notice) == ([], "")
    assert saved.agreement.given_by == ""


# Cycles, services, criteria, outcomes ------------------------------------------------------------

CYCLE = {
    "assessed": "What we saw",
    "what": "What we planned",
    "delivered": "TA, daily",
    "started_on": ["7", "1", "2019"],
    "ended_on": ["29", "3", "2019"],
    "result": "What came of it",
}


def cycles(number: int) -> dict[str, Any]:
    return {f"rows-{n}-{name}": typed for n in range(number) for name, typed in CYCLE.items()}


def test_two_cycles_need_no_reason_and_one_does(senco: Client, session: Session) -> None:
    reference = answers.start(senco)
    answers.save(senco, reference, "subject")
    answers.save(senco, reference, "tried", cycles(1), status=422)
    why = {"fewer_cycles": "He came to us <b>in March</b>"}
    answers.save(senco, reference, "tried", cycles(1) | why)
    lines = dict(reading.part_lines(whole(session, reference), "tried"))
    assert lines["Why there are fewer than two cycles"] == "He came to us <b>in March</b>"
    assert lines["Cycle 1"].splitlines() == [
        "7 January 2019 to 29 March 2019",
        "Assessed: What we saw",
        "Planned: What we planned",
        "Done: TA, daily",
        "Review: What came of it",
    ]
    answers.save(senco, reference, "tried", cycles(2) | why)
    saved = whole(session, reference)
    assert len(saved.strategies) == 2
    assert saved.fewer_cycles == "", "with two there is nothing to explain"


def test_the_reason_for_fewer_cycles_is_the_officers_to_read(client: Client) -> None:
    reference = answers.submitted(client.sign_on("senco"))
    page = client.sign_on("officer").get("triage.show", reference=reference)
    assert "She joined us in January" in page.words
    assert "Tia TherapistSince 3 September 2018Involved now" in page.words
    assert "Joins in at carpet timeNow: 2 out of 10" in page.words
    assert "The needs are complex" in page.words


def test_no_service_at_all_is_an_answer(senco: Client, session: Session) -> None:
    reference = answers.start(senco)
    answers.save(senco, reference, "subject")
    assert "services" in submission.missing(whole(session, reference))
    answers.save(senco, reference, "services", {})
    saved = whole(session, reference)
    assert "services" not in submission.missing(saved)
    assert reading.part_lines(saved, "services") == [("Services", "No other service is involved")]


@pytest.mark.parametrize(
    ("born", "day", "year"),
    [
        (date(2014, 8, 31), date(2019, 5, 14), "R"),
        (date(2014, 9, 1), date(2019, 5, 14), "N2"),
        (date(2010, 9, 2), date(2019, 8, 31), "3"),
        (date(2010, 9, 2), date(2019, 9, 1), "4"),
        (date(2015, 9, 1), date(2019, 5, 14), "N1"),
        (date(2017, 1, 1), date(2019, 5, 14), ""),
        (date(2000, 9, 1), date(2019, 5, 14), "13"),
        (date(1998, 9, 1), date(2019, 5, 14), ""),
    ],
)
def test_the_year_group_for_an_age(born: date, day: date, year: str) -> None:
    assert year_groups.expected(born, day) == year


def test_taught_out_of_year_is_the_answer(senco: Client, session: Session) -> None:
    reference = answers.start(senco)
    answers.save(senco, reference, "subject")
    answers.save(senco, reference, "schooling", year_group="2", status=422)
    answers.save(senco, reference, "schooling", year_group="2", out_of_year="y")
    assert whole(session, reference).subject.out_of_year
    answers.save(senco, reference, "schooling", year_group="X")
    answers.save(senco, reference, "schooling")
    answers.save(senco, reference, "subject", date_of_birth=["2", "9", "2009"])
    page = senco.get("referrals.show", reference=reference)
    assert page.all("//*[@id='state-schooling']") == ["Check again"]


# Versions ----------------------------------------------------------------------------------------


def test_a_referral_keeps_the_form_of_the_day_it_was_started(
    client: Client, session: Session
) -> None:
    senco = client.sign_on("senco")
    with clock.frozen(date(2019, 3, 29)):
        early = {"leader_agreed_on": ["1", "3", "2019"]}
        consent = {"obtained_on": ["1", "3", "2019"]}
        reference = answers.complete(senco, "first", school=early, consent=consent)
    saved = whole(session, reference)
    assert saved.form_version == 1
    page = senco.get("referrals.show", reference=reference)
    assert "of 9 sections" in page.words
    for section in answers.FIRST:
        senco.get("referrals.section", reference=reference, section=section)
    page = senco.get("referrals.section", reference=reference, section="tried")
    assert not page.document.xpath("//*[@name='rows-0-assessed']")
    answers.save(senco, reference, "declaration")
    form = {"token": answers.token(senco, reference)}
    senco.post("referrals.submit", form, reference=reference)
    page = client.sign_on("officer").get("triage.show", reference=reference)
    for words in (
        "Pupil or group",
        "Who it is about One pupil",
        "Tried 1 A calm corner7 January 2019 to nowResult: Fewer incidents in the morning",
        "Outcome 1 Joins in at carpet time Outcome 2 Asks for help",
        "Agreement of parents or carers",
    ):
        assert words in page.words
    assert "Cycle 1" not in page.words
    assert form_versions.current(date(2019, 3, 31)) is form_versions.FIRST
    assert form_versions.current(date(2019, 4, 1)) is form_versions.SECOND


def test_what_was_there_before_reads_as_it_did(session: Session) -> None:
    """A row of the first release: the migration says that it was asked by the first form."""
    row = rows.referral(session, "S2S-19-DDDD")
    assert row.form_version == 1
    found = {part.title: part.lines for part in reading.parts(whole(session, "S2S-19-DDDD"))}
    assert found["What you have tried"] == [
        (
            "Tried 1",
            "Now and next board\n7 January 2019 to 15 February 2019\nResult: Some help",
        )
    ]
    assert isinstance(row.strategies[0], StrategyTried)


def test_the_first_form_knows_two_kinds(client: Client, session: Session) -> None:
    senco = client.sign_on("senco")
    with clock.frozen(date(2019, 3, 29)):
        reference = answers.start(senco, None)
        page = senco.get("referrals.kind", reference=reference)
        assert len(page.document.xpath("//input[@name='kind']")) == 2
        senco.post("referrals.kind", {"kind": "training"}, reference=reference, status=422)
        senco.post("referrals.kind", {"kind": "group"}, reference=reference)
        answers.save(senco, reference, "subject", answers.GROUP)
        told = {"group_told": "A letter home on 1 March"}
        answers.save(senco, reference, "consent", told)
        saved = whole(session, reference)
        assert saved.agreement.privacy_notice == "2019-04"
        assert sections.complete(saved, "consent")
        with pytest.raises(Refused):
            subjects.choose_kind(UnitOfWork(session), saved, kind=Kind.WHOLE, by=SYSTEM)
