"""The school's form: starting, its sections, what each refuses, and that nothing typed is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import unit_of_work
from s2s_portal.errors import MayNotRefer, NotFound, Refused, Stale
from s2s_portal.identity import Actor, Role
from s2s_portal.models.codes import Kind
from s2s_portal.models.referral import Referral
from s2s_portal.services import draft_rules, drafting, evidence, reading, referrals
from tests import answers, world
from tests.client import Client

pytestmark = pytest.mark.usefixtures("may_2019")


@pytest.fixture
def senco(client: Client, session: Session) -> Client:
    return client.sign_on("senco")


@pytest.fixture
def reference(senco: Client) -> str:
    return answers.start(senco)


def whole(session: Session, reference: str) -> Referral:
    session.commit()
    session.expire_all()
    return referrals.get(reference, whole=True)


# Starting ----------------------------------------------------------------------------------------


def test_start_page_says_cost_who_and_what_next(senco: Client) -> None:
    page = senco.get("referrals.start")
    assert "£100: mainstream school, received 14 May 2019, MI Sheet 44/19" in page.words
    assert "SENCo, the head teacher or a deputy" in page.words
    assert "What happens next" in page.words


def test_a_nursery_is_told_that_it_pays_nothing(client: Client) -> None:
    page = client.sign_on("nursery-senco").get("referrals.start")
    assert "£0: early years setting" in page.words
    assert "There is no engagement fee" in page.words


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("special-senco", "is a special school"),
        ("closed-senco", "has closed"),
        ("suffolk-senco", "is not in this council's area"),
    ],
)
def test_who_may_not_refer_is_told_why_and_refused(
    client: Client, session: Session, who: str, why: str
) -> None:
    page = client.sign_on(who).get("referrals.start")
    assert page.h1 == "This school cannot make a referral"
    assert why in page.words
    assert not page.document.xpath("//button")
    urn = world.ACTORS[who].establishments[0]
    page = client.post("referrals.start", {"urn": str(urn)}, status=422)
    assert why in page.errors[0]
    with pytest.raises(MayNotRefer, match=why), unit_of_work() as work:
        drafting.start(work, urn, by=world.ACTORS[who])
    assert session.scalars(select(Referral).where(Referral.urn == urn)).all() == []


@pytest.mark.parametrize("urn", [str(world.OTHER_SCHOOL), "0", "-1", "²", "9" * 30, "x", "1\x00"])
def test_a_school_that_is_not_mine_cannot_be_chosen(senco: Client, urn: str) -> None:
    senco.post("referrals.start", {"urn": urn}, status=404)
    senco.get("referrals.start", urn=urn, status=404)


def test_somebody_with_several_schools_chooses(
    client: Client, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = Actor(
        "both",
        "Bo Both",
        roles=frozenset({Role.REFERRER}),
        establishments=(world.SCHOOL, world.NURSERY, world.SPECIAL),
    )
    from s2s_portal.state import state

    monkeypatch.setitem(state().identity.actors, "both", both)
    client.sign_on("both")
    page = client.get("referrals.start")
    assert "Choose the school" in page.words
    assert not page.document.xpath("//main//button")
    page = client.get("referrals.start", urn=world.NURSERY)
    assert "£0" in page.words
    started = client.post("referrals.start", {"urn": page.value("urn")})
    page = client.follow(answers.screened(client, started))
    assert "Nar Invented Nursery" in page.words
    page = client.get("referrals.start", urn=world.SPECIAL)
    assert page.h1 == "This school cannot make a referral"


def test_the_draft_starts_with_the_contact_from_sign_on(senco: Client, reference: str) -> None:
    assert reference.startswith("S2S-19-")
    page = senco.get("referrals.section", reference=reference, section="school")
    assert page.value("contact_name") == "Sam O'Brien-Łukasz"
    assert page.value("contact_email") == "senco@school.example"


def test_a_clash_of_references_is_no_matter(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    from s2s_portal import references

    offered = iter(["S2S-19-CCCC", "S2S-19-CCCC", "S2S-19-DDDD"])
    monkeypatch.setattr(references, "new", lambda _day: next(offered))
    found = []
    for _ in range(2):
        with unit_of_work() as work:
            begun = drafting.start(work, world.SCHOOL, by=world.ACTORS["senco"])
            found.append(begun.reference)
    assert found == ["S2S-19-CCCC", "S2S-19-DDDD"]


# The task list -----------------------------------------------------------------------------------


def test_task_list_counts_what_is_left(senco: Client, reference: str) -> None:
    page = senco.get("referrals.show", reference=reference)
    assert "You have completed 1 of 14 sections" in page.words
    assert page.words.count("Not started") == 11
    assert page.words.count("Cannot start yet") == 2
    assert "First a parent or carer must have agreed." in page.words
    following = answers.save(senco, reference, "school")
    assert following.location.endswith("/subject")
    page = senco.get("referrals.show", reference=reference)
    assert "You have completed 2 of 14 sections" in page.words
    assert page.all("//*[@id='state-school']") == ["Completed"]


def test_a_colleague_goes_on_with_the_draft(client: Client, session: Session) -> None:
    reference = answers.start(client.sign_on("senco"))
    client.sign_on("head")
    answers.save(client, reference, "school")
    assert "2 of 14" in client.get("referrals.show", reference=reference).words
    client.sign_on("officer")
    client.get("triage.index")
    assert whole(session, reference).answered["school"]["by"] == "Hana Head"


def test_every_section_comes_back_as_saved(senco: Client, session: Session) -> None:
    reference = answers.complete(senco)
    for section, form in answers.SECTIONS.items():
        page = senco.get("referrals.section", reference=reference, section=section)
        for name, typed in form.items():
            if name in {"agree", "upn", "rows-0-current", "notice"} or typed in ("", ["", "", ""]):
                continue
            values = [typed] if isinstance(typed, str) else typed
            boxes = page.document.xpath(f"//*[@name='{name}']")
            kinds = {box.get("type") for box in boxes}
            if kinds & {"radio", "checkbox"}:
                shown = [box.get("value") for box in boxes if box.get("checked") is not None]
                assert sorted(shown) == sorted(values), name
            elif boxes[0].tag == "select":
                shown = page.document.xpath(f"//select[@name='{name}']/option[@selected]/@value")
                assert list(shown) == values, name
            elif len(boxes) == 3:
                assert [int(box.get("value")) for box in boxes] == [int(v) for v in values], name
            else:
                assert page.value(name) == values[0], name
    saved = whole(session, reference)
    assert saved.subject.upn == "H801200001001"
    assert [(need.code, need.rank) for need in saved.needs] == [
        ("SEMH", 1),
        ("ASD", 2),
        ("SLCN", 3),
    ]
    assert len(saved.strategies) == 1, "the row left empty is no row"
    keys = [part.key for part in reading.parts(saved)]
    assert keys == ["kind", *answers.SECTIONS]
    assert all("H801200001001" not in str(part) for part in reading.parts(saved, with_upn=False))


# What is refused, in words, with what was typed ---------------------------------------------------

REFUSALS: list[tuple[str, dict[str, Any], str, str]] = [
    ("school", {"contact_name": ""}, "contact_name", "Enter the name of the contact"),
    ("school", {"contact_role": "CARETAKER"}, "contact_role", "Choose the role"),
    ("school", {"contact_email": "a@b"}, "contact_email", "Enter an email address"),
    ("school", {"contact_email": "a@b.c\nBcc: d@e.f"}, "contact_email", "Enter an email address"),
    ("school", {"leader_agreed_on": ["15", "5", "2019"]}, "leader_agreed_on-day", "in the past"),
    ("school", {"leader_agreed_on": ["31", "2", "2019"]}, "leader_agreed_on-day", "a real date"),
    ("school", {"leader_agreed_on": ["", "", ""]}, "leader_agreed_on-day", "Enter the date"),
    ("subject", {"surname": " \x00 "}, "surname", "Enter the pupil's legal surname"),
    ("subject", {"surname": "x" * 201}, "surname", "200 characters or fewer"),
    ("subject", {"date_of_birth": ["15", "5", "2019"]}, "date_of_birth-day", "in the past"),
    ("subject", {"date_of_birth": ["1", "1", "1980"]}, "date_of_birth-day", "less than 26"),
    ("schooling", {"upn": "A801200005001"}, "upn", "wrong check letter"),
    ("schooling", {"year_group": "99"}, "year_group", "Choose the year group"),
    ("subject", {"sex": ""}, "sex", "Choose the pupil's sex"),
    ("schooling", {"sen_provision": "S"}, "sen_provision", "Choose the SEN provision"),
    ("needs", {"primary": ""}, "primary", "Choose one primary need"),
    ("needs", {"primary": ["SEMH", "ASD"], "secondary": []}, "primary", "one primary need"),
    ("needs", {"primary": "DS"}, "primary", "Choose one primary need"),
    ("needs", {"secondary": ["SEMH"]}, "secondary", "must not be among the other needs"),
    ("needs", {"secondary": ["ASD", "ASD"]}, "secondary", "each need once"),
    ("needs", {"secondary": ["ASD", "HI", "VI", "PD", "OTH"]}, "secondary", "4 other needs"),
    ("needs", {"secondary": ["WIZARD"]}, "secondary", "from the list"),
    ("tried", {"rows-0-what": ""}, "rows-0-what", "Enter what you planned"),
    ("tried", {"rows-0-result": ""}, "rows-0-result", "Enter what came of it"),
    (
        "tried",
        {"rows-0-started_on": ["15", "5", "2019"]},
        "rows-0-started_on-day",
        "today or in the past",
    ),
    (
        "tried",
        {"rows-0-ended_on": ["6", "1", "2019"]},
        "rows-0-ended_on-day",
        "must be after it started",
    ),
    ("tried", {"fewer_cycles": ""}, "fewer_cycles", "Enter 2 cycles, or say why"),
    ("criteria", {"criteria": []}, "criteria", "Choose at least one"),
    ("criteria", {"criteria": ["LUCK"]}, "criteria", "Choose from the list"),
    ("services", {"rows-0-code": ""}, "rows-0-code", "Choose the service"),
    ("services", {"rows-0-since": ["15", "5", "2019"]}, "rows-0-since-day", "in the past"),
    ("schooling", {"year_group": "5"}, "year_group", "is usually in Year 3 now"),
    ("outcomes", {"outcome_1": "", "baseline_1": ""}, "outcome_1", "at least one outcome"),
    ("outcomes", {"baseline_1": ""}, "baseline_1", "number from 0 to 10 for outcome 1"),
    ("outcomes", {"baseline_2": "11"}, "baseline_2", "number from 0 to 10 for outcome 2"),
    ("outcomes", {"outcome_2": ""}, "outcome_2", "Enter outcome 2"),
    ("sharing", {"scope": ["SHARING"]}, "scope", "must agree that a practitioner"),
    ("sharing", {"shared_with": ""}, "shared_with", "Enter the services"),
    ("sharing", {"evidence": ""}, "evidence", "where the evidence"),
    ("sharing", {"notice": None}, "notice", "Give them the privacy notice"),
    ("support", {"support": []}, "support", "at least one kind of support"),
    ("support", {"support": ["ADV", "MONEY"]}, "support", "from the kinds of support"),
    ("support", {"reason": "x" * 10_001}, "reason", "10,000 characters or fewer"),
    ("consent", {"agreed": ""}, "agreed", "Choose whether a parent or carer has agreed"),
    ("consent", {"given_by": ""}, "given_by", "Enter who agreed"),
    ("consent", {"parental_responsibility": ""}, "parental_responsibility", "Choose whether they"),
    ("consent", {"how": "TELEPATHY"}, "how", "Choose how they agreed"),
    ("consent", {"obtained_on": ["15", "5", "2019"]}, "obtained_on-day", "in the past"),
    ("consent", {"obtained_on": ["1", "9", "2010"]}, "obtained_on-day", "after the pupil was born"),
    ("declaration", {"agree": None}, "agree", "Tick the box"),
]


@pytest.mark.parametrize(("section", "changes", "target", "words"), REFUSALS)
def test_refusals(
    senco: Client,
    session: Session,
    reference: str,
    section: str,
    changes: dict[str, Any],
    target: str,
    words: str,
) -> None:
    for before in {"school": (), "sharing": ("subject", "consent")}.get(section, ("subject",)):
        answers.save(senco, reference, before)
    answered = whole(session, reference).answered
    form = {k: v for k, v in {**answers.SECTIONS[section], **changes}.items() if v is not None}
    form |= answers.seen(senco, reference, section)
    page = senco.post("referrals.section", form, reference=reference, section=section, status=422)
    assert words in page.errors[0]
    assert page.document.xpath("//*[contains(@class,'error-summary')]//a/@href")[0] == f"#{target}"
    assert page.title.startswith("Error: ")
    assert whole(session, reference).answered == answered, "nothing was saved"
    for name, typed in form.items():
        boxes = page.document.xpath(f"//*[@name='{name}']")
        if isinstance(typed, str) and boxes and boxes[0].tag == "textarea":
            assert page.value(name) == typed, "what was typed comes back"
        elif isinstance(typed, list) and len(boxes) == 3 and boxes[0].get("type") == "text":
            assert [box.get("value", "") for box in boxes] == typed


def test_nsa_goes_with_sen_support_alone(senco: Client, session: Session, reference: str) -> None:
    answers.save(senco, reference, "subject")
    answers.save(senco, reference, "schooling", sen_provision="E")
    page = answers.save(senco, reference, "needs", primary="NSA", secondary=[], status=422)
    assert "NSA is only for pupils on SEN Support" in page.errors[0]
    assert "“Year group and SEN support”" in page.errors[0]
    answers.save(senco, reference, "schooling", sen_provision="K")
    answers.save(senco, reference, "needs", primary="NSA", secondary=[])
    answers.save(senco, reference, "schooling", sen_provision="E")
    page = senco.get("referrals.show", reference=reference)
    assert page.all("//*[@id='state-needs']") == ["Check again"]


def test_down_syndrome_may_be_chosen_from_2025(session: Session) -> None:
    for day, good in ((date(2024, 12, 31), False), (date(2025, 1, 1), True)):
        with clock.frozen(day), unit_of_work() as work:
            draft = drafting.start(work, world.SCHOOL, by=world.ACTORS["senco"])
            draft = drafting.in_hand(draft.reference, by=world.ACTORS["senco"])
            try:
                drafting.save_needs(work, draft, primary="DS", by=world.ACTORS["senco"])
            except Refused:
                assert not good
            else:
                assert good


def test_birth_after_what_happened_to_the_pupil(senco: Client, reference: str) -> None:
    answers.save(senco, reference, "subject")
    answers.save(senco, reference, "tried")
    page = answers.save(senco, reference, "subject", date_of_birth=["8", "1", "2019"], status=422)
    assert page.errors == [
        "Date of birth must be before 7 January 2019, when you began something you tried"
    ]
    page = answers.save(
        senco, reference, "tried", **{"rows-0-started_on": ["1", "9", "2010"]}, status=422
    )
    assert "after the pupil was born on 2 September 2010" in page.errors[0]


# Rows --------------------------------------------------------------------------------------------


def test_add_and_remove_keep_what_was_typed(senco: Client, reference: str) -> None:
    where = {"reference": reference, "section": "tried", "status": 200}
    typed = {
        "rows-0-what": "First",
        "rows-0-started_on": ["99", "x", ""],
        "rows-1-what": "Second",
        "rows-1-result": "<b>Better</b>",
    }
    page = senco.post("referrals.section", {**typed, "add": "1"}, **where)
    assert page.value("rows-0-what") == "First"
    assert page.value("rows-2-what") == ""
    days = page.document.xpath("//*[@name='rows-0-started_on']/@value")
    assert days[:2] == ["99", "x"]
    page = senco.post("referrals.section", {**typed, "remove": "0"}, **where)
    assert page.value("rows-0-what") == "Second"
    assert page.value("rows-0-result") == "<b>Better</b>"
    assert not page.document.xpath("//*[@name='rows-1-what']")
    for odd in ("7", "-1", "x", "²", "9" * 5000):
        page = senco.post("referrals.section", {**typed, "remove": odd}, **where)
        assert page.value("rows-1-what") == "Second"


def test_there_are_ten_rows_at_most(senco: Client, reference: str) -> None:
    where = {"reference": reference, "section": "tried", "status": 200}
    typed = {f"rows-{n}-what": f"Try {n}" for n in range(15)}
    page = senco.post("referrals.section", {**typed, "add": "1"}, **where)
    assert page.value("rows-9-what") == "Try 9"
    assert not page.document.xpath("//*[@name='rows-10-what']")
    assert not page.document.xpath("//button[@name='add']")


def test_no_row_at_all_is_refused(senco: Client, reference: str) -> None:
    page = senco.post("referrals.section", {}, reference=reference, section="tried", status=422)
    assert page.errors == ["Enter 2 cycles, or say why there are fewer"]


def test_enter_in_a_box_saves(senco: Client, reference: str) -> None:
    page = senco.get("referrals.section", reference=reference, section="tried")
    first = page.document.xpath("//main//form//button")[0]
    assert first.get("name") is None


# Pupil or group ----------------------------------------------------------------------------------


def test_kind_comes_first(senco: Client, session: Session) -> None:
    reference = answers.start(senco, None)
    page = senco.get("referrals.show", reference=reference)
    assert "More follow when you have said what you need help with" in page.words
    assert "First say what you need help with." in page.words
    for early in ("subject", "consent"):
        page = senco.get("referrals.section", reference=reference, section=early, status=302)
        assert page.location.endswith("/kind")
    page = senco.post("referrals.kind", {}, reference=reference, status=422)
    assert page.errors == ["Choose what you need help with"]
    senco.post("referrals.kind", {"kind": "wizard"}, reference=reference, status=422)
    senco.post("referrals.kind", {"kind": "group"}, reference=reference)
    senco.post("referrals.section", answers.GROUP, reference=reference, section="subject")
    saved = whole(session, reference)
    assert saved.kind is Kind.GROUP
    assert saved.subject.group_size == 8


@pytest.mark.parametrize("size", ["1", "2001", "x", "", "-5", "9" * 5000, "8.5"])
def test_a_group_has_a_size(senco: Client, size: str) -> None:
    reference = answers.start(senco, "group")
    page = senco.post(
        "referrals.section",
        {**answers.GROUP, "group_size": size},
        reference=reference,
        section="subject",
        status=422,
    )
    assert "from 2 to 2000" in page.errors[0]
    assert page.value("group_size") == size


def test_from_pupil_to_group_nothing_about_the_pupil_stays(
    senco: Client, session: Session, reference: str
) -> None:
    for section in ("subject", "schooling", "needs", "consent"):
        answers.save(senco, reference, section)
    form = {"kind": "group", "seen": senco.get("referrals.kind", reference=reference).value("seen")}
    page = senco.post("referrals.kind", form, reference=reference, status=200)
    assert page.all("//main//ul/li") == [
        "The pupil",
        "Year group and SEN support",
        "Agreement of a parent or carer",
    ]
    saved = whole(session, reference)
    assert saved.kind is Kind.PUPIL, "nothing is dropped before it is said"
    assert saved.subject.surname == "Canary-Ólafsdóttir"
    again = {**form, "told": page.value("told"), "seen": page.value("seen")}
    senco.post("referrals.kind", again, reference=reference)
    saved = whole(session, reference)
    assert (saved.kind, saved.subject, saved.agreement) == (Kind.GROUP, None, None)
    assert [need.code for need in saved.needs] == ["SEMH", "ASD", "SLCN"], "what both ask stays"
    assert saved.answered.keys() == {"kind", "needs"}
    answers.save(senco, reference, "subject", answers.GROUP)
    answers.save(senco, reference, "consent", answers.GROUP_TOLD)
    assert whole(session, reference).agreement.how == "LETTER"


def test_what_was_answered_after_the_warning_is_not_dropped_unsaid(
    client: Client, session: Session
) -> None:
    reference = answers.start(client.sign_on("senco"))
    answers.save(client, reference, "subject")
    mark = client.get("referrals.kind", reference=reference).value("seen")
    form = {"kind": "training", "seen": mark}
    page = client.post("referrals.kind", form, reference=reference, status=200)
    told = {**form, "told": page.value("told"), "seen": page.value("seen")}
    client.sign_on("head")
    answers.save(client, reference, "needs")
    client.sign_on("senco")
    page = client.post("referrals.kind", told, reference=reference, status=200)
    assert "Needs" in page.all("//main//ul/li")
    assert whole(session, reference).kind is Kind.PUPIL


def test_agreement_not_yet_given_is_kept_and_shown(
    senco: Client, session: Session, reference: str
) -> None:
    answers.save(senco, reference, "subject")
    senco.post("referrals.section", {"agreed": "no"}, reference=reference, section="consent")
    assert "First a parent or carer" in senco.get("referrals.show", reference=reference).words
    saved = whole(session, reference)
    assert saved.agreement.agreed is False
    assert saved.agreement.privacy_notice == ""
    page = senco.get("referrals.show", reference=reference)
    assert page.all("//*[@id='state-consent']") == ["Not agreed yet"]
    answers.save(senco, reference, "consent")
    answers.save(senco, reference, "sharing")
    assert whole(session, reference).agreement.privacy_notice == "2019-04"


# Two people at once ------------------------------------------------------------------------------


def test_a_colleagues_save_is_not_overwritten_unseen(client: Client, session: Session) -> None:
    reference = answers.start(client.sign_on("senco"))
    with clock.frozen(date(2019, 5, 14)):
        mark = answers.seen(client, reference, "support")
        client.sign_on("head")
        answers.save(client, reference, "support", reason="What Hana wrote")
        client.sign_on("senco")
        mine = {"support": ["TRN"], "reason": "What Sam typed", **mark}
        where = {"reference": reference, "section": "support"}
        page = client.post("referrals.section", mine, status=422, **where)
        assert "Hana Head saved this section while you had it open" in page.errors[0]
        assert "What Hana wrote" in page.words
        assert page.value("reason") == "What Sam typed"
        assert whole(session, reference).reason == "What Hana wrote"
        again = {**mine, "seen": page.value("seen")}
        client.post("referrals.section", again, **where)
        assert whole(session, reference).reason == "What Sam typed"


def test_a_second_press_of_save_is_no_quarrel(
    senco: Client, session: Session, reference: str
) -> None:
    for section, form in answers.SECTIONS.items():
        first = {**form, **answers.seen(senco, reference, section)}
        where = {"reference": reference, "section": section}
        senco.post("referrals.section", first, **where)
        saved = whole(session, reference).answered
        senco.post("referrals.section", first, **where)
        assert whole(session, reference).answered == saved


def test_what_was_sent_meanwhile_is_not_changed(client: Client, session: Session) -> None:
    reference = answers.complete(client.sign_on("senco"))
    mark = answers.seen(client, reference, "support")
    token = answers.token(client, reference)
    client.post("referrals.submit", {"token": token}, reference=reference)
    typed = {"support": ["TRN"], "reason": "Too late", **mark}
    page = client.post(
        "referrals.section", typed, reference=reference, section="support", status=422
    )
    assert "has been sent" in page.errors[0]
    assert page.value("reason") == "Too late"
    assert whole(session, reference).reason != "Too late"
    with pytest.raises(Stale), unit_of_work():
        drafting.in_hand(reference, by=world.ACTORS["senco"])
    with pytest.raises(NotFound), unit_of_work():
        drafting.in_hand(reference, by=world.ACTORS["other-senco"])


# Practicalities ----------------------------------------------------------------------------------


def test_a_purchase_order_is_asked_of_an_academy_alone(client: Client, session: Session) -> None:
    for who, asked in (("senco", False), ("academy-senco", True)):
        reference = answers.start(client.sign_on(who))
        where = {"reference": reference, "section": "practicalities"}
        page = client.get("referrals.section", **where)
        assert bool(page.document.xpath("//*[@name='purchase_order']")) is asked
        client.post("referrals.section", {"purchase_order": "PO-1"}, **where)
        assert whole(session, reference).purchase_order == ("PO-1" if asked else "")


# The service by itself ---------------------------------------------------------------------------


def test_rules_hold_without_the_form(session: Session) -> None:
    senco = world.ACTORS["senco"]
    with unit_of_work() as work:
        reference = drafting.start(work, world.SCHOOL, by=senco).reference
    first, last = date(2019, 1, 1), date(2019, 2, 1)
    good = draft_rules.Cycle("a", "x", "d", first, last, "y")
    backwards = replace(good, started_on=last, ended_on=first)
    for rows, why in (([], ""), ([good], ""), ([backwards, good], ""), ([good] * 11, "")):
        with pytest.raises(Refused), unit_of_work() as work:
            draft = drafting.in_hand(reference, by=senco)
            evidence.save_tried(work, draft, rows=rows, fewer_cycles=why, by=senco)
    for outcomes in ([], [("x", 1)] * 5, [("x", None)], [("x", 11)]):
        with pytest.raises(Refused), unit_of_work() as work:
            draft = drafting.in_hand(reference, by=senco)
            evidence.save_outcomes(work, draft, outcomes=outcomes, by=senco)
    with pytest.raises(NotFound), unit_of_work() as work:
        drafting.start(work, world.OTHER_SCHOOL, by=senco)


# Hostile posts -----------------------------------------------------------------------------------


def test_json_and_files_are_not_answers(senco: Client, reference: str) -> None:
    import io

    headers = {"X-CSRFToken": senco.token}
    for section in answers.SECTIONS:
        path = senco.url("referrals.section", reference=reference, section=section)
        for body in ([1], {"kind": {"a": 1}}, "x", None):
            answer = senco.open(path, method="POST", json=body, headers=headers)
            assert answer.status_code in {302, 422}
        files = {name: (io.BytesIO(b"x"), "x.txt") for name in answers.SECTIONS[section]}
        answer = senco.open(path, method="POST", data={**files, "csrf_token": senco.token})
        assert answer.status_code in {302, 422}


def test_a_form_without_its_token_changes_nothing(
    senco: Client, session: Session, reference: str
) -> None:
    form = {**answers.SECTIONS["school"], "csrf_token": "forged"}
    page = senco.post("referrals.section", form, reference=reference, section="school", status=422)
    assert page.value("contact_phone") == "01603 000000"
    assert "school" not in whole(session, reference).answered


def test_the_upn_is_in_no_address(senco: Client, session: Session) -> None:
    reference = answers.submitted(senco)
    for endpoint in ("referrals.index", "referrals.show", "referrals.submitted"):
        where = {} if endpoint.endswith("index") else {"reference": reference}
        page = senco.get(endpoint, **where)
        assert not [url for url in page.document.xpath("//@href") if "H80120000" in url]
