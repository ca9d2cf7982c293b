"""A return for information names what is asked, opens that and no more, and shows what changed."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import acting_as
from s2s_portal.models.answer import Need
from s2s_portal.models.change import SectionChange, SectionOpening
from s2s_portal.models.codes import Kind, Status
from s2s_portal.models.referral import Referral
from s2s_portal.services import drafting, evidence, subjects, triage
from s2s_portal.services.openings import SectionClosed
from tests import answers
from tests.client import Client, Page
from tests.world import ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")
ASKED = {"needs": "Which need comes first?", "support": "What would change in class?"}


@pytest.fixture
def reference(client: Client, session: Session) -> str:
    """A referral that the officer has sent back with two questions; the SENCo is signed on."""
    reference = answers.submitted(client.sign_on("senco"))
    send_back(client, reference, ASKED)
    client.sign_on("senco")
    return reference


def send_back(client: Client, reference: str, questions: dict[str, str]) -> None:
    page = client.sign_on("officer").get("triage.return_for_information", reference=reference)
    form = {f"question_{section}": words for section, words in questions.items()}
    client.post(
        "triage.return_for_information",
        {"seen": page.value("seen"), "sections": list(questions), **form},
        reference=reference,
    )


def row(session: Session, reference: str) -> Referral:
    session.rollback()
    session.expire_all()
    return session.scalars(select(Referral).where(Referral.reference == reference)).one()


def send_again(client: Client, reference: str) -> Page:
    page = client.get("referrals.check", reference=reference)
    form = {"token": page.value("token"), "seen": page.value("seen")}
    return client.post("referrals.submit", form, reference=reference)


def test_the_task_list_opens_what_was_asked_and_no_more(client: Client, reference: str) -> None:
    page = client.get("referrals.show", reference=reference)
    assert page.all("//*[contains(@class,'task-list__link')]") == ["Needs", "Support you want"]
    hints = page.all("//*[contains(@class,'task-list__hint')]")
    assert set(ASKED.values()) <= set(hints)
    assert page.all("//*[contains(@class,'task-list__status')]").count("As you sent it") == 12
    assert page.words.count("Information needed") == 2
    section = client.get("referrals.section", reference=reference, section="needs")
    assert ASKED["needs"] in section.words


def test_a_closed_section_is_read_and_not_changed(
    client: Client, session: Session, reference: str
) -> None:
    page = client.get("referrals.section", reference=reference, section="school", status=302)
    assert page.location.endswith(f"{reference}/check#part-school")
    check = client.get("referrals.check", reference=reference)
    assert check.all("//li[contains(@class,'summary-card__action')]") == [
        "Change Needs",
        "Change Support you want",
    ]
    for section, form in answers.SECTIONS.items():
        if section in ASKED:
            continue
        crafted = {**form, "seen": row(session, reference).answered[section]["at"]}
        crafted |= {"contact_name": "Somebody Else", "surname": "Else", "outcome_1": "Else"}
        crafted |= {"rows-0-what": "Else", "given_by": "Else", "preferred_days": "Else"}
        crafted |= {"declared_by": "Else"}
        refused = client.post(
            "referrals.section", crafted, reference=reference, section=section, status=422
        )
        assert "The council did not ask about this section" in refused.errors[0], section
    referral = row(session, reference)
    assert (referral.contact_name, referral.declared_by) == ("Sam O'Brien-Łukasz", "Hana Head")


CHANGES = {
    "referral, a column": "UPDATE s2s.referral SET preferred_days = 'Else' WHERE id = {id}",
    "referral, its fee": "UPDATE s2s.referral SET fee_pence = 0 WHERE id = {id}",
    "referral, its school": "UPDATE s2s.referral SET school_name = '' WHERE id = {id}",
    "referral, decided": "UPDATE s2s.referral SET status = 'accepted' WHERE id = {id}",
    "subject": "UPDATE s2s.referral_subject SET surname = 'Else' WHERE referral_id = {id}",
    "subject, its schooling": "UPDATE s2s.referral_subject SET upn = '' WHERE referral_id = {id}",
    "subject, services": "UPDATE s2s.referral_subject SET services = '[{{}}]'"
    " WHERE referral_id = {id}",
    "subject, gone": "DELETE FROM s2s.referral_subject WHERE referral_id = {id}",
    "agreement, its scope": "UPDATE s2s.agreement SET scope = '{{}}' WHERE referral_id = {id}",
    "agreement, gone": "DELETE FROM s2s.agreement WHERE referral_id = {id}",
    "referral, criteria": "UPDATE s2s.referral SET criteria = '{{}}' WHERE id = {id}",
    "referral, cycles": "UPDATE s2s.referral SET fewer_cycles = 'Else' WHERE id = {id}",
    "referral, kind": "UPDATE s2s.referral SET kind = 'group' WHERE id = {id}",
    "referral, form": "UPDATE s2s.referral SET form_version = 1 WHERE id = {id}",
    "tried": "DELETE FROM s2s.strategy_tried WHERE referral_id = {id}",
    "outcomes": "DELETE FROM s2s.outcome_wanted WHERE referral_id = {id}",
    "agreement": "UPDATE s2s.agreement SET given_by = 'Else' WHERE referral_id = {id}",
}


def test_the_database_refuses_what_was_not_asked_about(
    client: Client, session: Session, reference: str
) -> None:
    about = row(session, reference).id
    session.rollback()
    with acting_as(ACTORS["senco"]):
        for what, sql in CHANGES.items():
            try:
                done = session.execute(text(sql.format(id=about))).rowcount
            except DBAPIError:
                done = 0
            assert not done, what
            session.rollback()
        open_ones = text(f"DELETE FROM s2s.referral_need WHERE referral_id = {about}")
        assert session.execute(open_ones).rowcount == 3, "and allows what was"
        session.rollback()


def test_one_section_of_a_shared_row_opens_no_other(client: Client, session: Session) -> None:
    reference = answers.submitted(client.sign_on("senco"))
    send_back(client, reference, {"schooling": "Which year?"})
    about = row(session, reference).id
    session.rollback()
    change = "UPDATE s2s.referral_subject SET {} WHERE referral_id = " + str(about)
    with acting_as(ACTORS["senco"]):
        assert session.execute(text(change.format("year_group = '4'"))).rowcount == 1
        session.rollback()
        for other in ("surname = 'Else'", "services = '[{}]'", "referral_id = referral_id + 1"):
            with pytest.raises(DBAPIError):
                session.execute(text(change.replace("{}", other)))
            session.rollback()


def test_files_are_closed_unless_asked_for(
    client: Client, session: Session, reference: str
) -> None:
    about = row(session, reference).id
    session.rollback()
    with acting_as(ACTORS["senco"]):
        asked = text("SELECT s2s.section_open(:id, 'files'), s2s.section_open(:id, 'needs')")
        assert session.execute(asked, {"id": about}).one() == (False, True)
        session.rollback()


def test_what_changed_is_marked_and_the_old_words_are_kept(
    client: Client, session: Session, reference: str
) -> None:
    with clock.frozen(date(2019, 5, 15)):
        answers.save(client, reference, "needs", primary="ASD", secondary=["SEMH"])
    page = client.get("referrals.show", reference=reference)
    assert page.words.count("Information needed") == 1
    assert "Changed" in page.all("//*[contains(@class,'task-list__status')]")
    send_again(client, reference)
    assert row(session, reference).status is Status.SUBMITTED
    seen = client.sign_on("officer").get("triage.show", reference=reference)
    assert "Changed since you returned it: Needs. See old and new" in seen.words
    assert seen.all("//*[contains(@class,'summary-card__title')]//strong") == ["Changed"]
    (table,) = seen.all("//table[caption[contains(., 'before and now')]]//tbody/tr[1]")
    assert table.startswith("Primary need Social, emotional and mental health (SEMH) Autistic")
    assert ASKED["needs"] in seen.words
    mine = client.sign_on("senco").get("referrals.show", reference=reference)
    assert "What has changed since it was sent" in mine.words


def test_sent_again_unchanged_marks_nothing_and_starts_the_clock_anew(
    client: Client, session: Session, reference: str
) -> None:
    send_again(client, reference)
    assert session.scalar(select(func.count()).select_from(SectionChange)) == 0
    assert row(session, reference).due_on == date(2019, 5, 21)
    assert (
        "Changed since"
        not in client.sign_on("officer").get("triage.show", reference=reference).words
    )


def test_the_page_says_what_the_agreement_opens_with_it(client: Client) -> None:
    """And so it is: what follows the agreement is opened with the same question."""
    reference = answers.submitted(client.sign_on("senco"))
    page = client.sign_on("officer").get("triage.return_for_information", reference=reference)
    assert "This opens “What the agreement covers” too, as it stands or falls with" in page.words
    send_back(client, reference, {"consent": "Who signed?"})
    page = client.sign_on("senco").get("referrals.show", reference=reference)
    assert page.all("//*[contains(@class,'task-list__link')]") == [
        "Agreement of a parent or carer",
        "What the agreement covers",
    ]


def test_from_sixteen_it_opens_three_sections_and_says_so(client: Client) -> None:
    reference = answers.start(client.sign_on("senco"))
    forms = answers.KINDS["pupil"]
    older = {"date_of_birth": ["2", "9", "2002"]}
    schooling = {"upn": "", "year_group": "11"}
    for section in (*list(forms)[:11], "own", *list(forms)[11:]):
        form = answers.OWN if section == "own" else forms[section]
        changes = {"subject": older, "schooling": schooling}.get(section, {})
        answers.save(client, reference, section, form, **changes)
    client.post(
        "referrals.submit", {"token": answers.token(client, reference)}, reference=reference
    )
    page = client.sign_on("officer").get("triage.return_for_information", reference=reference)
    assert (
        "This opens “What the agreement covers” and “The pupil's own agreement” too, as they stand"
        " or fall with the agreement."
    ) in page.words


def test_nothing_follows_what_a_group_was_told(client: Client) -> None:
    reference = answers.submitted(client.sign_on("senco"), "group")
    page = client.sign_on("officer").get("triage.return_for_information", reference=reference)
    assert "This opens" not in page.words


def test_a_second_return_opens_its_own_questions_alone(
    client: Client, session: Session, reference: str
) -> None:
    send_again(client, reference)
    send_back(client, reference, {"tried": "For how long?"})
    page = client.sign_on("senco").get("referrals.show", reference=reference)
    assert page.all("//*[contains(@class,'task-list__link')]") == ["What you have tried"]
    refused = answers.save(client, reference, "tried", **{"rows-0-result": "None"})
    assert refused.status == 302
    crafted = {"primary": "ASD", "seen": row(session, reference).answered["needs"]["at"]}
    client.post("referrals.section", crafted, reference=reference, section="needs", status=422)


def test_a_return_from_before_questions_were_named_leaves_all_open(
    client: Client, session: Session
) -> None:
    reference = answers.submitted(client.sign_on("senco"))
    referral = row(session, reference)
    with unit_of_work() as work:
        triage.referrals.record(
            work, referral, triage.Action.RETURNED, by=ACTORS["officer"], message="More"
        )
    answers.save(client, reference, "practicalities", preferred_days="Mondays")
    assert row(session, reference).preferred_days == "Mondays"


def test_whom_it_is_about_stays_and_nsa_stays_with_sen_support(
    client: Client, session: Session
) -> None:
    reference = answers.submitted(
        client.sign_on("senco"), needs={"primary": "NSA", "secondary": []}
    )
    send_back(client, reference, {"schooling": "Which SEN provision?"})
    client.sign_on("senco")
    refused = answers.save(client, reference, "schooling", sen_provision="E", status=422)
    assert "First change “Needs”" in refused.errors[0]
    client.get("referrals.kind", reference=reference, status=302)
    senco = ACTORS["senco"]
    with acting_as(senco), pytest.raises(SectionClosed), unit_of_work() as work:
        held = drafting.in_hand(reference, by=senco)
        subjects.choose_kind(
            work, held, kind=Kind.GROUP, told=subjects.would_drop(held, Kind.GROUP), by=senco
        )


@pytest.mark.parametrize(
    "questions", [{}, {"declaration": "Again"}, {"nonsense": "What?"}, {"needs": "  "}]
)
def test_the_service_refuses_no_question_and_a_section_that_is_none(
    client: Client, session: Session, questions: dict[str, str]
) -> None:
    reference = answers.submitted(client.sign_on("senco"))
    seen = row(session, reference).version
    officer = ACTORS["officer"]
    with acting_as(officer), pytest.raises(Refused), unit_of_work() as work:
        triage.return_for_information(work, reference, seen=seen, questions=questions, by=officer)
    assert row(session, reference).status is Status.SUBMITTED


def test_an_officer_opens_nothing_but_by_returning(client: Client, session: Session) -> None:
    reference = answers.submitted(client.sign_on("senco"))
    about = row(session, reference).id
    event = session.scalar(text("SELECT max(id) FROM s2s.referral_event"))
    session.rollback()
    for key in ("officer", "practitioner", "other-senco"):
        with acting_as(ACTORS[key]):
            session.add(
                SectionOpening(
                    referral_id=about, event_id=event, section="needs", reason="x", before=[]
                )
            )
            with pytest.raises(DBAPIError):
                session.flush()
            session.rollback()


def test_section_closed_is_said_by_the_service_too(
    client: Client, session: Session, reference: str
) -> None:
    senco = ACTORS["senco"]
    with acting_as(senco), pytest.raises(SectionClosed), unit_of_work() as work:
        held = drafting.in_hand(reference, by=senco)
        evidence.save_outcomes(work, held, outcomes=[("Else", 1)], by=senco)
    needs = session.scalars(select(Need.code).order_by(Need.rank)).all()
    assert needs == ["SEMH", "ASD", "SLCN"]


def test_questions_are_only_ever_added(
    client: Client, session: Session, reference: str, connection: Connection
) -> None:
    connection.execute(text("RESET ROLE"))
    for sql in ("UPDATE s2s.section_opening SET reason = 'x'", "DELETE FROM s2s.section_opening"):
        with pytest.raises(DBAPIError, match="only ever added"), connection.begin_nested():
            connection.execute(text(sql))
