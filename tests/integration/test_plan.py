"""A plan for the worklist: what an officer sees of it, changes in it, and allocates from it."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import islice, product
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from s2s_portal import clock, planning
from s2s_portal.identity import acting_as
from s2s_portal.models.answer import Need
from s2s_portal.models.codes import Status
from s2s_portal.models.practitioner import (
    Absence,
    AbsenceKind,
    Allocation,
    Conflict,
    ConflictKind,
    ConflictWeight,
    Practitioner,
    Release,
)
from s2s_portal.models.referral import Referral
from s2s_portal.models.terms import PlanRule
from s2s_portal.services import allocation, plans, referrals
from s2s_portal.services.plans import MOST_AT_ONCE, Choices
from tests import rows
from tests.client import Client, Page
from tests.world import ACADEMY, ACTORS, OTHER_SCHOOL, SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
FIRST, SECOND, THIRD = "S2S-19-4443", "S2S-19-4444", "S2S-19-4446"
OFFICER = ACTORS["officer"]
REFERENCES = [f"S2S-19-{''.join(more)}" for more in islice(product("679", repeat=4), 60)]


def waits(
    session: Session, reference: str, *, day: int, urn: int = SCHOOL, need: str = "SEMH"
) -> Referral:
    """An accepted referral that nobody has yet, received on a day of May."""
    row = rows.referral(session, reference, urn=urn, status=Status.ACCEPTED)
    row.received_on = date(2019, 5, day)
    if need != "SEMH":
        session.delete(session.get_one(Need, (row.id, "SEMH")))
        session.flush()
    if need not in {"", "SEMH"}:
        session.add(Need(referral_id=row.id, code=need, rank=1))
    session.flush()
    return row


def practitioner(session: Session, key: str) -> Practitioner:
    return session.scalars(select(Practitioner).where(Practitioner.account_id == key)).one()


@pytest.fixture
def two(session: Session) -> dict[str, int]:
    """Two that wait, and room for both only if the older goes to Quin, far away.

    One at a time Pat gets the older. Cam is full. The practitioners' ids, by name.
    """
    practitioner(session, "practitioner").capacity = 1
    practitioner(session, "colleague").capacity = 0
    waits(session, FIRST, day=3)
    waits(session, SECOND, day=10, need="ASD")
    found = {
        name: practitioner(session, key).id
        for name, key in (
            ("Pat", "practitioner"),
            ("Cam", "colleague"),
            ("Quin", "other-practitioner"),
        )
    }
    session.commit()
    return found


def planned(page: Page) -> list[tuple[str, ...]]:
    """Each proposed referral with its practitioner, as the page says."""
    return [
        (found.partition(":")[0], name)
        for found, name in zip(
            page.document.xpath("//input[@name='planned']/@value"),
            page.all("//li[contains(@class,'s2s-plan__row')]/div[2]/p[1]/strong[1]"),
            strict=True,
        )
    ]


def figures(page: Page) -> dict[str, list[str]]:
    return {
        row.xpath("string(th)"): [cell.text_content() for cell in row.xpath("td")]
        for row in page.document.xpath("//tbody/tr")
    }


def allocated(session: Session) -> dict[str, tuple[str, str]]:
    session.rollback()
    found = session.execute(
        select(Referral.reference, Allocation.practitioner_name, Allocation.reason)
        .join(Allocation, Allocation.referral_id == Referral.id)
        .where(Allocation.ended_at.is_(None))
    )
    given = {reference: (name, reason) for reference, name, reason in found}
    session.rollback()
    return given


def answers(page: Page) -> dict[str, str]:
    """The form of the check page as it stands."""
    return {
        field.get("name"): page.value(field.get("name"))
        for field in page.document.xpath("//form[@method='post']//*[@name]")
    }


def checked(client: Client, two: dict[str, int]) -> Page:
    """The check page with both referrals of `two` as planned."""
    return client.get(
        "allocation.check_plan",
        give=[FIRST, SECOND],
        planned=[f"{FIRST}:{two['Quin']}", f"{SECOND}:{two['Pat']}"],
    )


# The plan ---------------------------------------------------------------------------------------


def test_plan_stands_beside_one_at_a_time_and_names_no_child(
    client: Client, two: dict[str, int]
) -> None:
    page = client.sign_on("officer").get("allocation.index")
    page = client.open(page.document.xpath("//a[.='Plan them all together']/@href")[0])
    page = client.get("allocation.plan")
    assert planned(page) == [(FIRST, "Quin Practitioner"), (SECOND, "Pat Practitioner")]
    assert figures(page) == {
        "Referrals with a practitioner": ["2", "1"],
        "Of these, need and phase covered": ["1", "1"],
        "Miles, one way, in a straight line": ["35.2", "0.9"],
        "Referrals that wait on": ["0", "1"],
        "Days that these have waited": ["0", "4"],
        "Practitioners without a place left": ["2", "2"],
    }
    assert "gives 1 referral more a practitioner, who waited for 4 days between them" in page.words
    assert (
        "Covers the need, not the phase; 34.3 miles; open cases: 0 of 3 now, 1 of 3" in page.words
    )
    assert (
        "On its own this referral would go to Pat Practitioner (0.9 miles away), whose places the"
        " plan gives to others. One at a time: Pat Practitioner, 0.9 miles." in page.words
    )
    assert (
        "Also the first choice for this referral on its own. One at a time: nobody." in page.words
    )
    assert "Canary" not in page.text


def test_who_gets_nobody_is_told_why(client: Client, session: Session, two: dict[str, int]) -> None:
    waits(session, THIRD, day=12, need="ASD")
    waits(session, "S2S-19-4447", day=12, urn=ACADEMY, need="MSI")
    session.commit()
    page = client.sign_on("officer").get("allocation.plan")
    assert [reference for reference, _ in planned(page)] == [FIRST, SECOND, "S2S-19-4447"]
    assert "is full, or goes to referrals that have waited as long or longer" in page.words
    session.execute(text("UPDATE s2s.practitioner SET capacity = 0"))
    session.commit()
    page = client.get("allocation.plan")
    assert planned(page) == []
    assert "Everybody who covers the need or the phase is full." in page.words
    session.execute(text("UPDATE s2s.practitioner SET active = false WHERE name NOT LIKE 'Pat%'"))
    session.commit()
    assert "Nobody who takes referrals covers the need or the phase." in (
        client.get("allocation.plan").words
    )


@pytest.mark.parametrize(
    ("urn", "need"),
    [(SCHOOL, "SEMH"), (SCHOOL, "ASD"), (OTHER_SCHOOL, "MLD"), (ACADEMY, "SLCN"), (ACADEMY, "")],
)
def test_one_that_waits_alone_goes_to_the_first_in_its_table(
    session: Session, urn: int, need: str
) -> None:
    """The plan reads need, phase, miles, room and contact as the table of one referral does."""
    earlier = rows.referral(session, SECOND, urn=urn, status=Status.ALLOCATED)
    rows.allocation(session, earlier, "colleague")
    waits(session, FIRST, day=3, urn=urn, need=need)
    session.commit()
    with acting_as(OFFICER):
        table = allocation.candidates(referrals.get(FIRST))
        (line,) = plans.propose(Choices(), most=9).lines
        session.rollback()
    assert line.proposed == line.by_hand == table[0]
    assert line.others == [one for one in table[1:] if one.covers_need or one.covers_phase]


BY = {"by_id": "lead", "by_name": "Lena Lead"}


def keep_apart(session: Session, practitioner_id: int, weight: ConflictWeight) -> None:
    session.add(
        Conflict(
            practitioner_id=practitioner_id,
            urn=SCHOOL,
            kind=ConflictKind.FORMER_SCHOOL,
            weight=weight,
            reason="Taught there",
            **BY,
        )
    )
    session.commit()


@pytest.mark.parametrize("weight", list(ConflictWeight))
def test_nobody_with_a_conflict_is_proposed(
    session: Session, two: dict[str, int], weight: ConflictWeight
) -> None:
    keep_apart(session, two["Quin"], weight)
    with acting_as(OFFICER):
        found = plans.propose(Choices(), most=9)
        session.rollback()
    assert [(line.waiting.reference, line.proposed.name) for line in found.lines] == [
        (FIRST, "Pat Practitioner")
    ]
    for name in ("Pat", "Cam"):
        keep_apart(session, two[name], weight)
    with acting_as(OFFICER):
        found = plans.propose(Choices(), most=9)
        session.rollback()
    assert [one.why for one in found.without] == [
        "Everybody who covers the need or the phase is kept from this school."
    ] * 2


def test_nobody_who_is_away_or_without_hours_is_proposed(
    session: Session, two: dict[str, int]
) -> None:
    """Who can take nothing today is passed over, as the table of one referral says."""
    today = clock.today()
    session.add_all(
        [
            Absence(
                practitioner_id=two["Pat"], starts=today, ends=today, kind=AbsenceKind.AWAY, **BY
            ),
            Release(practitioner_id=two["Quin"], valid_from=today, minutes=[0, 10, 0, 0, 0], **BY),
        ]
    )
    session.commit()
    with acting_as(OFFICER):
        assert plans.propose(Choices(), most=9).lines == []
        session.rollback()


def test_as_many_statements_for_thirty_as_for_two(
    client: Client, session: Session, connection: Connection, two: dict[str, int]
) -> None:
    statements: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda *given: statements.append(given[2]))
    client.sign_on("officer").get("allocation.plan")
    few = len(statements)
    for number in range(28):
        waits(session, REFERENCES[number], day=11)
    session.commit()
    statements.clear()
    page = client.get("allocation.plan")
    assert figures(page)["Referrals that wait on"][0] == "26"
    assert len(statements) == few


def test_a_long_list_shows_those_that_have_waited_longest(
    client: Client, session: Session, two: dict[str, int]
) -> None:
    session.execute(text("UPDATE s2s.practitioner SET capacity = 40 WHERE NOT is_lead"))
    for number in range(30):
        waits(session, REFERENCES[number], day=11)
    session.commit()
    page = client.sign_on("officer").get("allocation.plan")
    assert len(planned(page)) == MOST_AT_ONCE
    assert planned(page)[0][0] == FIRST
    assert "These 25 have waited longest of the 32 that the plan gives a practitioner" in page.words
    # A choice for one that is not shown travels on.
    page = client.get("allocation.plan", choice=f"{REFERENCES[29]}:{two['Cam']}")
    hidden = "//input[@type='hidden'][@name='choice']/@value"
    assert page.document.xpath(hidden) == [f"{REFERENCES[29]}:{two['Cam']}"]


def test_weights_go_by_date_and_are_only_ever_added(
    client: Client, session: Session, connection: Connection, two: dict[str, int]
) -> None:
    today = clock.today()
    weights = dict(need_miles=200, contact_miles=2, full_miles=5, unknown_miles=50, source="Test")
    for day, phase_miles in ((today, 7), (today + timedelta(days=1), 9)):
        session.add(PlanRule(valid_from=day, phase_miles=phase_miles, **weights))
    session.commit()
    page = client.sign_on("officer").get("allocation.plan")
    assert "counts as 200 miles, a phase as 7;" in page.words
    assert "These weights hold from 14 May 2019." in page.words
    with pytest.raises(Exception, match="plan_rule"), connection.begin_nested():
        connection.execute(text("UPDATE s2s.plan_rule SET phase_miles = 1"))


# What the officer changes -----------------------------------------------------------------------


def test_a_choice_is_kept_and_the_plan_made_around_it(client: Client, two: dict[str, int]) -> None:
    client.sign_on("officer")
    page = client.get("allocation.plan", choice=f"{FIRST}:{two['Pat']}")
    assert planned(page) == [(FIRST, "Pat Practitioner")]
    assert page.all("//strong[contains(@class,'govuk-tag--blue')]") == ["Your choice"]
    assert page.document.xpath("//option[@selected]/@value") == [f"{FIRST}:{two['Pat']}"]
    assert figures(page)["Referrals that wait on"] == ["1", "1"]
    # Somebody full may be chosen, and is shown to be over.
    page = client.get("allocation.plan", choice=f"{SECOND}:{two['Cam']}")
    assert planned(page) == [(FIRST, "Pat Practitioner"), (SECOND, "Cam Colleague")]
    assert "0 of 0 now, 1 of 0 after: over capacity" in page.words


def test_one_that_is_left_out_is_planned_again_when_the_officer_says_so(
    client: Client, two: dict[str, int]
) -> None:
    page = client.sign_on("officer").get("allocation.plan", choice=f"{FIRST}:out")
    assert planned(page) == [(SECOND, "Pat Practitioner")]
    assert page.document.xpath("//option[@selected]/@value") == [f"{FIRST}:out"]
    assert figures(page)["Referrals with a practitioner"] == ["1", "1"]
    assert len(planned(client.get("allocation.plan", choice=""))) == 2


@pytest.mark.parametrize(
    "choice",
    ["x", f"{FIRST}:", f"{FIRST}:²", f"{FIRST}:999999999999999999", f"{FIRST}:{'9' * 40}", "S2S:1"],
)
def test_a_choice_that_makes_no_sense_is_passed_over(
    client: Client, two: dict[str, int], choice: str
) -> None:
    page = client.sign_on("officer").get("allocation.plan", choice=choice, give=choice)
    assert len(planned(page)) == 2
    assert page.document.xpath("//input[@checked]") == []


# Allocating -------------------------------------------------------------------------------------


def test_ticked_referrals_are_checked_with_their_reasons_and_allocated(
    client: Client, session: Session, connection: Connection, two: dict[str, int]
) -> None:
    page = checked(client.sign_on("officer"), two)
    assert page.all("//section/h2") == [
        f"{FIRST} to Quin Practitioner",
        f"{SECOND} to Pat Practitioner",
    ]
    assert page.value("rows-0-reason") == (
        "Covers the need, not the phase; 34.3 miles away; 1 of 3 open cases with this plan. On its"
        " own this referral would go to Pat Practitioner (0.9 miles away), whose places the plan"
        " gives to others."
    )
    assert "Canary" not in page.text
    form = answers(page) | {"rows-1-reason": "She knows the class"}
    shown = client.follow(client.post("allocation.check_plan", form))
    assert "2 referrals have a practitioner" in shown.words
    assert "nothing to plan" in shown.words
    found = allocated(session)
    assert found[FIRST] == ("Quin Practitioner", form["rows-0-reason"])
    assert found[SECOND] == ("Pat Practitioner", "She knows the class")
    told = connection.scalars(text("SELECT args->>'notice' FROM s2s.procrastinate_jobs")).all()
    assert sorted(told) == sorted(
        ["referral_allocated", "allocated_to_you", "allocated_to_your_staff"] * 2
    )
    connection.execute(text("RESET ROLE"))
    trail = connection.execute(
        text("SELECT by_id, action, entity_key FROM s2s.audit_entry WHERE action = 'allocated'")
    ).all()
    assert {(row.by_id, row.entity_key) for row in trail} == {
        ("officer", FIRST),
        ("officer", SECOND),
    }


def test_what_is_chosen_on_the_plan_counts_before_what_was_planned(
    client: Client, two: dict[str, int]
) -> None:
    page = client.sign_on("officer").get(
        "allocation.check_plan",
        give=[FIRST, SECOND, THIRD],
        planned=[f"{FIRST}:{two['Quin']}", f"{SECOND}:{two['Pat']}"],
        choice=[f"{FIRST}:{two['Cam']}", f"{SECOND}:out", ""],
    )
    assert page.all("//section/h2") == [f"{FIRST} to Cam Colleague"]
    assert page.value("rows-0-reason").endswith("Chosen by an officer.")
    assert f"they no longer wait, or the practitioner takes no referrals any more: {SECOND}," in (
        page.words
    )


def test_the_officer_gets_whom_they_saw_though_the_plan_has_changed_since(
    client: Client, session: Session, two: dict[str, int]
) -> None:
    session.execute(text("UPDATE s2s.practitioner SET capacity = 9 WHERE NOT is_lead"))
    session.commit()
    page = checked(client.sign_on("officer"), two)
    assert page.all("//section/h2")[0] == f"{FIRST} to Quin Practitioner"


def test_one_that_fails_takes_none_with_it(
    client: Client, session: Session, two: dict[str, int]
) -> None:
    """Another officer was quicker with the first; the second changed; the third is allocated."""
    session.execute(text("UPDATE s2s.practitioner SET capacity = 9 WHERE NOT is_lead"))
    waits(session, THIRD, day=12)
    session.commit()
    page = client.sign_on("officer").get(
        "allocation.check_plan",
        give=[FIRST, SECOND, THIRD],
        planned=[f"{reference}:{two['Pat']}" for reference in (FIRST, SECOND, THIRD)],
    )
    form = answers(page) | {"rows-0-reason": "Mine", "rows-1-reason": "Hers"}
    other = Client(client.app).sign_on("other-officer")
    single = other.get("allocation.allocate", reference=FIRST)
    chosen = {"seen": single.value("seen"), "practitioner": str(two["Cam"]), "reason": "Nearby"}
    other.post("allocation.allocate", chosen, reference=FIRST)
    session.execute(
        text("UPDATE s2s.referral SET version = version + 1 WHERE reference = :r"), {"r": SECOND}
    )
    session.commit()
    late = client.post("allocation.check_plan", form, status=422)
    assert late.errors == [
        f"{FIRST}: Ravi Officer allocated this referral to Cam Colleague of Fen View Complex Needs"
        " School on 14 May 2019 at midday. Nothing has been changed now.",
        f"{SECOND}: This referral has changed since you opened this page. What you typed is below"
        " and nothing has been done yet. Read the referral again before you go on.",
    ]
    assert f"{THIRD}: Pat Practitioner" in late.words
    assert "What you wrote: Mine" in late.words
    assert late.all("//section/h2") == [f"{SECOND} to Pat Practitioner"]
    assert late.value("rows-1-reason") == "Hers"
    assert set(allocated(session)) == {FIRST, THIRD}
    # Having read it again, the officer goes on.
    client.follow(client.post("allocation.check_plan", answers(late)))
    assert allocated(session)[SECOND] == ("Pat Practitioner", "Hers")


def test_a_practitioner_who_left_meanwhile_is_refused_and_the_others_go_on(
    client: Client, session: Session, two: dict[str, int]
) -> None:
    form = answers(checked(client.sign_on("officer"), two))
    session.execute(text("UPDATE s2s.practitioner SET active = false WHERE name LIKE 'Quin%'"))
    session.commit()
    page = client.post("allocation.check_plan", form, status=422)
    assert page.errors == [f"{FIRST}: This practitioner no longer takes referrals"]
    assert set(allocated(session)) == {SECOND}


def test_without_a_reason_nothing_is_allocated_and_what_was_typed_stays(
    client: Client, session: Session, two: dict[str, int]
) -> None:
    form = answers(checked(client.sign_on("officer"), two))
    form |= {"rows-0-reason": "A long story", "rows-1-reason": " "}
    page = client.post("allocation.check_plan", form, status=422)
    assert page.errors == [f"Enter why you chose Pat Practitioner for {SECOND}"]
    assert "open cases: 0 of 1 now, 1 of 1 after." in page.words
    assert page.value("rows-0-reason") == "A long story"
    assert page.all("//section/h2") == [
        f"{FIRST} to Quin Practitioner",
        f"{SECOND} to Pat Practitioner",
    ]
    assert allocated(session) == {}


def test_pressed_twice_each_is_allocated_once(
    client: Client, session: Session, connection: Connection, two: dict[str, int]
) -> None:
    form = answers(checked(client.sign_on("officer"), two))
    client.post("allocation.check_plan", form, status=302)
    again = client.post("allocation.check_plan", form, status=422)
    assert [line.partition(" to ")[0] for line in again.errors] == [
        f"{FIRST}: You allocated this referral",
        f"{SECOND}: You allocated this referral",
    ]
    assert connection.scalar(text("SELECT count(*) FROM s2s.allocation")) == 2


def test_when_the_database_goes_away_it_says_what_is_done(
    client: Client, session: Session, monkeypatch: pytest.MonkeyPatch, two: dict[str, int]
) -> None:
    form = answers(checked(client.sign_on("officer"), two))
    usual = allocation.allocate

    def goes_away(work: Any, reference: str, **given: Any) -> Allocation:
        if reference == SECOND:
            raise OperationalError("", {}, Exception("gone"))
        return usual(work, reference, **given)

    monkeypatch.setattr(allocation, "allocate", goes_away)
    page = client.post("allocation.check_plan", form, status=503)
    assert f"Allocated before that: {FIRST}. Look at {SECOND} before you" in page.words
    assert set(allocated(session)) == {FIRST}


def test_nothing_ticked_or_too_much_says_so_and_keeps_the_choices(
    client: Client, two: dict[str, int]
) -> None:
    client.sign_on("officer")
    choice = f"{FIRST}:{two['Pat']}"
    page = client.get("allocation.check_plan", status=422, choice=choice)
    assert page.errors == ["Tick the referrals that you want to allocate"]
    assert planned(page) == [(FIRST, "Pat Practitioner")]
    page = client.get("allocation.check_plan", status=422, give=[*REFERENCES, FIRST])
    assert page.errors == ["Tick 25 referrals or fewer to allocate at a time"]
    assert page.document.xpath("//input[@checked]/@value") == [FIRST]


def test_rows_that_no_page_of_ours_has_allocate_nothing(
    client: Client, session: Session, two: dict[str, int]
) -> None:
    client.sign_on("officer")
    row = {"rows-0-reference": "", "rows-0-practitioner": "1", "rows-0-reason": "x"}
    client.post("allocation.check_plan", row, status=422)
    rows.referral(session, "S2S-19-7K4Q", status=Status.DRAFT)
    session.commit()
    for reference, practitioner_id in (
        ("S2S-19-7K4Q", str(two["Pat"])),  # a draft looks like nothing
        ("S2S-19-XXXX", str(two["Pat"])),
        (FIRST, "x"),
        (FIRST, ""),
    ):
        row |= {"rows-0-reference": reference, "rows-0-practitioner": practitioner_id}
        client.post("allocation.check_plan", row, status=422)
    assert allocated(session) == {}


# Without ----------------------------------------------------------------------------------------


def test_without_the_extra_the_page_says_what_to_install(
    client: Client, monkeypatch: pytest.MonkeyPatch, two: dict[str, int]
) -> None:
    monkeypatch.setattr(planning, "find_spec", lambda name: None)
    page = client.sign_on("officer").get("allocation.plan")
    assert "pip install 's2s-portal[plan]'" in page.words
    assert "allocate the referrals one at a time" in page.words
    answer = client.get("allocation.check_plan", status=302, give=FIRST)
    assert answer.location.endswith("/allocation/plan")


def test_nothing_waits_or_nobody_is_there(client: Client, session: Session) -> None:
    client.sign_on("officer")
    assert "there is nothing to plan" in client.get("allocation.plan").words
    waits(session, FIRST, day=3)
    session.execute(text("UPDATE s2s.practitioner SET active = false"))
    session.commit()
    assert "There is no practitioner to plan with" in client.get("allocation.plan").words


@pytest.mark.parametrize("key", ["senco", "practitioner", "lead", "finance", "manager", "auditor"])
def test_nobody_but_an_officer_gets_in(client: Client, key: str) -> None:
    client.sign_on(key).get("allocation.plan", status=403)
    client.get("allocation.check_plan", status=403)
    client.post("allocation.check_plan", {}, status=403)
