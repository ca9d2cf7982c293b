"""A sent referral amended with a reason: old and new for both sides, and nothing else (W5)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotFound, OutOfOrder, Refused
from s2s_portal.identity import acting_as
from s2s_portal.models.answer import Need, Subject
from s2s_portal.models.change import SectionChange, SectionOpening
from s2s_portal.models.codes import Action, Status
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import changes, drafting, evidence
from tests import rows
from tests.client import Client, Page
from tests.world import ACADEMY, ACTORS

pytestmark = pytest.mark.usefixtures("may_2019")
REF = "S2S-19-7K4P"
SENCO = ACTORS["senco"]


def sent(session: Session, status: Status = Status.ALLOCATED, **more: Any) -> Referral:
    """A referral that has been sent, with a practitioner if it is that far."""
    referral = rows.referral(session, REF, status=status, **more)
    if status is Status.ALLOCATED:
        rows.allocation(session, referral, "practitioner")
    session.commit()
    return referral


def fresh(session: Session) -> Referral:
    session.rollback()
    session.expire_all()
    return session.scalars(select(Referral).where(Referral.reference == REF)).one()


def mails(connection: Connection) -> list[dict[str, Any]]:
    return list(connection.scalars(text("SELECT args FROM s2s.procrastinate_jobs ORDER BY id")))


def amend(client: Client, section: str, *, status: int = 302, **form: Any) -> Page:
    page = client.get("referrals.amend", reference=REF, section=section)
    kept = {
        name: page.value(name)
        for name in ("kind", "surname", "forenames", "known_as", "upn", "contact_name")
        if page.document.xpath(f"//*[@name='{name}']")
    }
    form = {"seen": page.value("seen"), "amend_reason": "A new report", **kept, **form}
    return client.post("referrals.amend", form, reference=REF, section=section, status=status)


NEEDS = {"primary": "ASD", "secondary": ["SEMH"]}
BORN = {"date_of_birth": ["2", "9", "2010"], "sex": "F", "year_group": "3", "sen_provision": "K"}


def test_both_sides_see_old_and_new_and_are_told(
    client: Client, session: Session, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client.app.config, "S2S_OFFICER_MAILBOX", "officers@council.example")
    sent(session)
    amend(client.sign_on("senco"), "needs", **NEEDS)
    for key, endpoint in (
        ("senco", "referrals.show"),
        ("officer", "triage.show"),
        ("practitioner", "visits.show"),
    ):
        page = client.sign_on(key).get(endpoint, reference=REF)
        assert "What has changed since it was sent" in page.words, key
        assert "Why: A new report" in page.words
        assert page.all("//table[caption[contains(., 'before and now')]]//tbody/tr[1]/td") == [
            "Social, emotional and mental health (SEMH)",
            "Autistic spectrum disorder (ASD)",
        ]
    told = mails(connection)
    assert [mail["notice"] for mail in told] == ["referral_amended"] * 2
    assert told[0]["address"] == "officers@council.example"
    assert "practitioner_id" in told[1]
    assert "Canary" not in str(told)
    session.rollback()
    assert list(session.scalars(select(Need.code).order_by(Need.rank))) == ["ASD", "SEMH"]
    event = session.scalars(select(ReferralEvent).order_by(ReferralEvent.id.desc())).first()
    assert (event.action, event.by_id) == (Action.AMENDED, "senco")


def test_a_name_is_put_right(client: Client, session: Session) -> None:
    sent(session, Status.SUBMITTED)
    page = client.sign_on("senco").get("referrals.amend_what", reference=REF)
    assert "What cannot be amended" in page.words
    amend(client, "subject", **BORN, surname="Łukasz-O'Brien", kind="pupil")
    session.rollback()
    assert session.scalars(select(Subject.surname)).one() == "Łukasz-O'Brien"
    assert fresh(session).status is Status.SUBMITTED


def test_a_reason_is_needed_and_something_must_differ(client: Client, session: Session) -> None:
    sent(session)
    client.sign_on("senco")
    refused = amend(client, "needs", status=422, amend_reason=" ", **NEEDS)
    assert refused.errors == ["Enter why you are changing this"]
    assert refused.document.xpath("//input[@name='primary'][@value='ASD'][@checked]")
    same = amend(client, "needs", status=422, primary="SEMH")
    assert "Nothing is different" in same.errors[0]
    assert session.scalar(select(func.count()).select_from(SectionOpening)) == 0


def test_the_second_of_two_colleagues_sees_what_the_first_changed(
    client: Client, session: Session
) -> None:
    sent(session)
    client.sign_on("senco")
    seen = client.get("referrals.amend", reference=REF, section="needs").value("seen")
    amend(client, "needs", **NEEDS)
    late = client.sign_on("head").post(
        "referrals.amend",
        {"seen": seen, "amend_reason": "Mine", "primary": "MLD"},
        reference=REF,
        section="needs",
        status=422,
    )
    assert "Sam O'Brien-Łukasz saved this section" in late.errors[0]
    assert "Autistic spectrum disorder (ASD)" in late.words


@pytest.mark.parametrize(
    "status", [Status.DRAFT, Status.RETURNED, Status.DECLINED, Status.CLOSED, Status.WITHDRAWN]
)
def test_only_what_is_under_way_is_amended(
    client: Client, session: Session, status: Status
) -> None:
    sent(session, status)
    client.sign_on("senco").get("referrals.amend_what", reference=REF, status=409)
    client.get("referrals.amend", reference=REF, section="needs", status=409)
    form = {"amend_reason": "Why not", "primary": "ASD", "seen": ""}
    client.post("referrals.amend", form, reference=REF, section="needs", status=422)
    assert list(session.scalars(select(Need.code))) == ["SEMH"]


@pytest.mark.parametrize("section", ["support", "outcomes", "consent", "declaration"])
def test_what_was_decided_on_is_not_amended(client: Client, session: Session, section: str) -> None:
    sent(session)
    path = client.sign_on("senco").url("referrals.amend_what", reference=REF) + section
    assert client.open(path).status_code == 404
    with acting_as(SENCO), pytest.raises(NotFound), unit_of_work() as work:
        held = changes.held(REF, by=SENCO)
        changes.amend(
            work, held, section, evidence.save_outcomes, given={}, reason="Why not", by=SENCO
        )


def test_the_purchase_order_stays_once_the_fee_is_charged(client: Client, session: Session) -> None:
    referral = sent(session, Status.ACCEPTED, urn=ACADEMY)
    referral.purchase_order = "PO-1"
    session.commit()
    client.sign_on("academy-senco")
    page = client.get("referrals.amend", reference=REF, section="practicalities")
    assert not page.document.xpath("//*[@name='purchase_order']")
    amend(client, "practicalities", preferred_days="Mondays", purchase_order="PO-2")
    now = fresh(session)
    assert (now.preferred_days, now.purchase_order) == ("Mondays", "PO-1")


def test_before_the_charge_the_purchase_order_may_be_put_right(
    client: Client, session: Session
) -> None:
    sent(session, Status.SUBMITTED, urn=ACADEMY)
    amend(client.sign_on("academy-senco"), "practicalities", purchase_order="PO-2")
    assert fresh(session).purchase_order == "PO-2"


UNSAID = {
    "a column": "UPDATE s2s.referral SET visit_notes = 'x' WHERE id = {id}",
    "the fee": "UPDATE s2s.referral SET fee_pence = 0 WHERE id = {id}",
    "a name": "UPDATE s2s.referral_subject SET surname = 'x' WHERE referral_id = {id}",
    "a need": "DELETE FROM s2s.referral_need WHERE referral_id = {id}",
    "the agreement": "DELETE FROM s2s.agreement WHERE referral_id = {id}",
    "an outcome": "UPDATE s2s.outcome_wanted SET text = 'x' WHERE referral_id = {id}",
    "a decision": "UPDATE s2s.referral SET status = 'closed' WHERE id = {id}",
    "a change": "INSERT INTO s2s.section_opening (referral_id, event_id, section, reason, before,"
    " transaction_id) SELECT {id}, min(id), 'needs', 'x', '[]', 99 FROM s2s.referral_event",
}
SAID = (
    "INSERT INTO s2s.section_opening (referral_id, event_id, section, reason, before)"
    " SELECT {id}, min(id), '{section}', 'Why', '[]' FROM s2s.referral_event"
    " WHERE referral_id = {id}"
)


def done(session: Session, sql: str) -> bool:
    try:
        with session.begin_nested():
            return bool(session.execute(text(sql)).rowcount)
    except DBAPIError:
        return False


def test_the_database_lets_a_school_change_what_it_gave_a_reason_for_and_no_more(
    session: Session,
) -> None:
    referral = sent(session, Status.ACCEPTED)
    rows.change(session, referral)  # an amendment of long ago opens nothing today
    session.commit()
    about = referral.id
    session.rollback()
    with acting_as(SENCO):
        for what, sql in UNSAID.items():
            assert not done(session, sql.format(id=about)), what
        assert done(session, SAID.format(id=about, section="needs"))
        assert done(session, UNSAID["a need"].format(id=about))
        for what in ("a column", "the fee", "a name", "the agreement", "an outcome", "a decision"):
            assert not done(session, UNSAID[what].format(id=about)), what
        assert done(session, SAID.format(id=about, section="practicalities"))
        assert done(session, UNSAID["a column"].format(id=about))
        charged = f"UPDATE s2s.referral SET purchase_order = 'x' WHERE id = {about}"
        assert not done(session, charged)
    session.rollback()


def test_a_change_is_only_ever_added(session: Session, connection: Connection) -> None:
    rows.change(session, sent(session))
    session.commit()
    connection.execute(text("RESET ROLE"))
    for table in ("section_change", "section_opening"):
        for sql in (f"UPDATE s2s.{table} SET referral_id = 1", f"DELETE FROM s2s.{table}"):
            with pytest.raises(DBAPIError, match="only ever added"), connection.begin_nested():
                connection.execute(text(sql))


def test_differences_are_by_label_and_keep_what_went(session: Session) -> None:
    before = [["Surname", "Łukasz"], ["Known as", "Zo"], ["Sex", "F"]]
    after = [["Surname", "Lukasz"], ["Sex", "F"], ["UPN", "H801200001001"]]
    assert [(d.label, d.before, d.after) for d in changes.differences(before, after)] == [
        ("Surname", "Łukasz", "Lukasz"),
        ("UPN", "", "H801200001001"),
        ("Known as", "Zo", ""),
    ]


def test_another_schools_referral_is_not_there_to_amend(session: Session) -> None:
    sent(session)
    other = ACTORS["other-senco"]
    with acting_as(other), pytest.raises(NotFound), unit_of_work():
        changes.held(REF, by=other)
    assert session.scalar(select(func.count()).select_from(SectionChange)) == 0


def test_the_service_wants_a_reason_and_a_referral_under_way(session: Session) -> None:
    sent(session, Status.CLOSED)
    with acting_as(SENCO), pytest.raises(OutOfOrder), unit_of_work():
        changes.held(REF, by=SENCO)
    referral = fresh(session)
    with acting_as(SENCO), pytest.raises(Refused, match="why"), unit_of_work() as work:
        changes.amend(
            work, referral, "needs", drafting.save_needs, given=NEEDS, reason=" ", by=SENCO
        )
