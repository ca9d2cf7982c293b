"""Rows put straight into the tables, for tests of the database's own guards and for benchmarks."""

from __future__ import annotations

import secrets
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from s2s_portal import clock
from s2s_portal.database import Base
from s2s_portal.models.answer import Agreement, Need, OutcomeWanted, StrategyTried, Subject
from s2s_portal.models.attachment import Attachment, FileType
from s2s_portal.models.body import Handed, Handover
from s2s_portal.models.change import AgreementWithdrawal, SectionChange, SectionOpening
from s2s_portal.models.clocks import ClockChange, ClockKind, ReferralClock
from s2s_portal.models.codes import UNSENT, Action, Checked, Kind, Status
from s2s_portal.models.colleague import Contribution, HeadAnswer, HeadDecision, HeadRemark
from s2s_portal.models.conversation import AdviceRequest, Conversation, Message, MessageSeen, Side
from s2s_portal.models.decision import Decision, DecisionCheck, SupportLevel
from s2s_portal.models.note import Flag, FlagResolution, InternalNote, NoteLabel
from s2s_portal.models.offer import AskedEnded, CaseRequest, Ended, LeadConfirmation, Offer
from s2s_portal.models.panel import (
    PanelComment,
    PanelItem,
    PanelMeeting,
    PanelReviewer,
    Recommends,
)
from s2s_portal.models.practitioner import (
    Absence,
    AbsenceKind,
    Allocation,
    Conflict,
    ConflictKind,
    ConflictWeight,
    Practitioner,
    PractitionerEvent,
    Release,
)
from s2s_portal.models.reallocation import (
    AllocationEnding,
    HandOverNote,
    Supporter,
    SupportRole,
    Why,
)
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.terms import ServiceLevel, ServiceTerms, Step
from s2s_portal.models.visit import (
    Acknowledgement,
    Addendum,
    Recommendation,
    RecordDocument,
    Visit,
    VisitKind,
    VisitRecord,
)
from tests.world import OTHER_SCHOOL, SCHOOL

RECEIVED = date(2019, 5, 14)


def referral(
    session: Session,
    reference: str,
    *,
    urn: int = SCHOOL,
    status: Status = Status.SUBMITTED,
    body: str = "send",
) -> Referral:
    """A whole referral in one state, about an invented pupil."""
    sent = status not in UNSENT
    terms = session.scalars(
        select(ServiceTerms).where(ServiceTerms.during.contains(RECEIVED))
    ).one()
    row = Referral(
        reference=reference,
        urn=urn,
        status=status,
        body=body,
        kind=Kind.PUPIL,
        created_by_id="senco",
        created_by_name="Sam O'Brien-Łukasz",
        contact_name="Sam O'Brien-Łukasz",
        contact_role="SENCO",
        contact_email="senco@school.example",
        reason="=1+1 is <b>hard</b>",
        support=["ADV"],
        school_name="Little Snoring Invented Primary" if sent else "",
        submitted_at=clock.from_local(RECEIVED, 12) if sent else None,
        submit_token=reference if sent else None,
        received_on=RECEIVED if sent else None,
        terms_id=terms.id if sent else None,
        fee_pence=10_000 if sent else None,
        fee_verdict="£100: mainstream school, received 14 May 2019, MI Sheet 44/19" if sent else "",
    )
    session.add(row)
    session.flush()
    session.add_all(
        [
            Subject(
                referral_id=row.id,
                surname=f"Canary{reference[-4:]}",
                forenames="Zosia",
                date_of_birth=date(2010, 9, 2),
                year_group="4",
                sen_provision="K",
            ),
            Agreement(referral_id=row.id, agreed=True, given_by="A Parent", how="SIGNED"),
            Need(referral_id=row.id, code="SEMH", rank=1),
            StrategyTried(
                referral_id=row.id,
                position=1,
                what="Now and next board",
                started_on=date(2019, 1, 7),
                ended_on=date(2019, 2, 15),
                result="Some help",
            ),
            OutcomeWanted(referral_id=row.id, position=1, text="Stays in class all morning"),
            Attachment(
                referral_id=row.id,
                number=1,
                type=FileType.PLAN,
                label="Plan of Canary",
                extension="pdf",
                size=5,
                sha256="0" * 64,
                name=secrets.token_hex(16),
                added_by_id="senco",
                added_by_name="Sam O'Brien-Łukasz",
            ),
            ReferralEvent(
                referral_id=row.id,
                action=Action.STARTED,
                by_id="senco",
                by_name="Sam O'Brien-Łukasz",
            ),
        ]
    )
    session.flush()
    return row


def change(session: Session, row: Referral) -> SectionChange:
    """The needs of `row` opened by its school for an amendment, and changed."""
    event = ReferralEvent(
        referral_id=row.id, action=Action.AMENDED, by_id="senco", by_name="Sam O'Brien-Łukasz"
    )
    session.add(event)
    session.flush()
    opening = SectionOpening(
        referral_id=row.id,
        event_id=event.id,
        section="needs",
        reason="A new report",
        before=[["Primary need", "Autistic spectrum disorder (ASD)"]],
        transaction_id=0,  # gone by: what it opened is closed again
    )
    session.add(opening)
    session.flush()
    made = SectionChange(
        opening_id=opening.id,
        referral_id=row.id,
        after=[["Primary need", "Social, emotional and mental health (SEMH)"]],
        by_id="senco",
        by_name="Sam O'Brien-Łukasz",
    )
    session.add(made)
    session.flush()
    return made


def clock_broken(session: Session, row: Referral) -> ReferralClock:
    """A promise about `row` that was due the day before it was received, and is noted as broken."""
    level = session.scalars(select(ServiceLevel).where(ServiceLevel.step == Step.CONTACT)).first()
    made = ReferralClock(
        referral_id=row.id,
        urn=row.urn,
        step=Step.CONTACT,
        level_id=level.id if level else 0,
        started_at=clock.now(),
        day_zero=RECEIVED - timedelta(days=7),
        due_on=RECEIVED - timedelta(days=1),
        warn_on=RECEIVED - timedelta(days=2),
    )
    session.add(made)
    session.flush()
    session.add(
        ClockChange(
            clock_id=made.id,
            referral_id=row.id,
            kind=ClockKind.STARTED,
            on_day=made.day_zero,
            due_on=made.due_on,
            by_id="officer",
            by_name="Ola Officer",
        )
    )
    session.flush()
    session.execute(select(func.s2s.note_breaches(RECEIVED, None)))
    return made


def agreement_withdrawal(session: Session, row: Referral) -> AgreementWithdrawal:
    """A parent no longer agrees to `row`: written down, and nothing else done."""
    made = AgreementWithdrawal(
        referral_id=row.id,
        withdrawn_by="A Parent, mother",
        told_to="Hana Head",
        told_on=RECEIVED,
        by_id="senco",
        by_name="Sam O'Brien-Łukasz",
    )
    session.add(made)
    session.flush()
    return made


def decision(session: Session, row: Referral) -> ReferralEvent:
    """`row` was accepted by an officer at the first level, with a checklist; no charge is made."""
    event = ReferralEvent(
        referral_id=row.id,
        action=Action.ACCEPTED,
        by_id="officer",
        by_name="Ola Officer",
        message="We have accepted this referral.",
    )
    session.add(event)
    session.flush()
    level = session.scalars(select(SupportLevel.id).where(SupportLevel.code == "1")).one()
    session.add_all(
        [
            Decision(event_id=event.id, referral_id=row.id, level_id=level),
            DecisionCheck(
                event_id=event.id, point="evidence", referral_id=row.id, answer=Checked.CHECKED
            ),
        ]
    )
    session.flush()
    return event


def note_and_flag(session: Session, row: Referral) -> Flag:
    """A note on `row` and a flag for the team, resolved, all by one officer."""
    done = {"by_id": "officer", "by_name": "Ola Officer"}
    made = Flag(**done, referral_id=row.id, message="Ring", to_name="All officers", due_on=RECEIVED)
    note = InternalNote(**done, referral_id=row.id, label=NoteLabel.CALL, text="Rang the head")
    session.add_all([made, note])
    session.flush()
    session.add(FlagResolution(**done, flag_id=made.id, comment="Done"))


def panel(session: Session, row: Referral, **more: Any) -> PanelItem:
    """A meeting called and chaired by one officer of two, with `row` on its agenda and what the
    first has written about it."""
    done = {"by_id": "officer", "by_name": "Ola Officer"}
    chair = {"chair_id": "officer", "chair_name": "Ola Officer"}
    meeting = PanelMeeting(**done, **chair, body=row.body, meets_on=RECEIVED)
    session.add(meeting)
    session.flush()
    for key, name in (("officer", "Ola Officer"), ("other-officer", "Ravi Officer")):
        session.add(PanelReviewer(meeting_id=meeting.id, account_id=key, name=name))
    item = PanelItem(**done, meeting_id=meeting.id, referral_id=row.id, why="Two needs", **more)
    session.add(item)
    session.flush()
    session.add(
        PanelComment(**done, item_id=item.id, recommends=Recommends.DECLINE, text="No evidence")
    )
    session.flush()
    return item


def handed_over(session: Session, row: Referral, to: str = "early_years") -> None:
    """`row`, which waits for a decision, as one officer has handed it over."""
    event = ReferralEvent(
        referral_id=row.id, action=Action.HANDED_OVER, by_id="officer", by_name="Ola Officer"
    )
    session.add(event)
    session.flush()
    session.add(
        Handover(
            event_id=event.id,
            referral_id=row.id,
            from_body=row.body,
            to_body=to,
            reason=Handed.SENT_WRONG,
        )
    )
    session.flush()
    session.expire(row)


def contribution(session: Session, row: Referral, **more: Any) -> Contribution:
    """The needs of a draft asked of a colleague, who has saved what they wrote."""
    fields: dict[str, Any] = {
        "section": "needs",
        "about": "Zosia",
        "account_id": "teacher",
        "account_name": "Tess Teacher",
        "tied_at": clock.now(),
        "answers": {"primary": "SEMH", "secondary": []},
        "saved_at": clock.now(),
    }
    made = Contribution(
        referral_id=row.id,
        reference=row.reference,
        urn=row.urn,
        school_name="Little Snoring Invented Primary",
        kind=row.kind,
        form_version=row.form_version,
        colleague_name="Tess Teacher",
        colleague_email="teacher@school.example",
        expires_at=clock.now() + timedelta(days=14),
        by_id="senco",
        by_name="Sam O'Brien-Łukasz",
        by_email="senco@school.example",
        **fields | more,
    )
    session.add(made)
    session.flush()
    return made


def message(
    session: Session,
    about: Referral | AdviceRequest,
    *,
    side: Side = Side.SCHOOL,
    to_side: Side = Side.COUNCIL,
    at: datetime | None = None,
    by_id: str = "senco",
) -> Message:
    """A message that needs an answer about a referral or a request for advice."""
    kind = "referral_id" if isinstance(about, Referral) else "advice_id"
    made = Message(
        **{kind: about.id},
        side=side,
        to_side=to_side,
        needs_answer=True,
        text="Canary asks: which mornings?",
        token=secrets.token_hex(8),
        at=at or clock.now(),
        by_id=by_id,
        by_name=by_id,
    )
    session.add(made)
    session.flush()
    return made


def advice(session: Session, reference: str, *, urn: int = SCHOOL) -> AdviceRequest:
    """A request for advice that has been asked, without its question."""
    made = AdviceRequest(
        reference=reference,
        urn=urn,
        school_name="Little Snoring Invented Primary",
        contact_name="Sam O'Brien-Łukasz",
        contact_email="senco@school.example",
        topic="Calm starts",
        may_become_referral=True,
        token=reference,
        asked_by_id="senco",
        asked_by_name="Sam O'Brien-Łukasz",
    )
    session.add(made)
    session.flush()
    return made


def head_decision(session: Session, row: Referral) -> HeadDecision:
    """The head of a draft's school does not agree yet, and says why."""
    made = HeadDecision(
        referral_id=row.id,
        answer=HeadAnswer.NOT_YET,
        fee_pence=10_000,
        version=row.version,
        marks={},
        by_id="head",
        by_name="Hana Head",
    )
    session.add(made)
    session.flush()
    session.add(HeadRemark(decision_id=made.id, referral_id=row.id, text="Say more"))
    session.flush()


def seen(session: Session, of: Message, person: str, side: Side = Side.SCHOOL) -> MessageSeen:
    """`person` has read up to and with the message `of`."""
    kind = Conversation.referral_id if of.referral_id else Conversation.advice_id
    talk = session.scalars(
        select(Conversation.id).where(kind == (of.referral_id or of.advice_id))
    ).one()
    made = MessageSeen(conversation_id=talk, person_id=person, side=side, up_to=of.id)
    session.add(made)
    session.flush()
    return made


def offered(session: Session, row: Referral, key: str) -> Offer:
    """`row` was offered to the practitioner whose account is `key`, and it went on without them;
    they had asked for it, and the lead of their school confirms release."""
    who = session.scalars(select(Practitioner).where(Practitioner.account_id == key)).one()
    about = {
        "referral_id": row.id,
        "practitioner_id": who.id,
        "practitioner_name": who.name,
        "reference": row.reference,
        "school_name": row.school_name,
    }
    over = {"ended_at": clock.now(), "ended_by_id": "officer", "ended_by_name": "Ola Officer"}
    made = Offer(
        **about,
        **over,
        provider_urn=who.provider_urn,
        provider_name="Fen View Complex Needs School",
        reason="Near",
        due_on=RECEIVED,
        remind_on=RECEIVED,
        needs_release=True,
        ended=Ended.OVERTAKEN,
        by_id="officer",
        by_name="Ola Officer",
    )
    session.add_all(
        [
            made,
            CaseRequest(
                **about,
                **over,
                why="Near",
                ended=AskedEnded.OVERTAKEN,
                by_id=key,
                by_name=who.name,
            ),
            LeadConfirmation(
                provider_urn=who.provider_urn, confirms=True, by_id="lead", by_name="Lena Lead"
            ),
        ]
    )
    session.flush()
    return made


def allocation(session: Session, row: Referral, key: str, *, ended: bool = False) -> Allocation:
    """`row` allocated to the practitioner whose account is `key`."""
    practitioner = session.scalars(select(Practitioner).where(Practitioner.account_id == key)).one()
    made = Allocation(
        referral_id=row.id,
        practitioner_id=practitioner.id,
        practitioner_name=practitioner.name,
        provider_urn=practitioner.provider_urn,
        provider_name="Fen View Complex Needs School",
        reason="Nearest with a place",
        by_id="officer",
        by_name="Ola Officer",
        ended_at=clock.now() if ended else None,
    )
    session.add(made)
    session.flush()
    return made


def handed_on(session: Session, row: Referral, before: str, now: str) -> Allocation:
    """`row` given by an officer to the practitioner of one account, and then to another's."""
    first = allocation(session, row, before, ended=True)
    made = allocation(session, row, now)
    session.add(
        AllocationEnding(
            allocation_id=first.id,
            referral_id=row.id,
            next_id=made.id,
            why=Why.LEFT,
            hand_over="The class teacher of Canary is new",
            by_id="officer",
            by_name="Ola Officer",
        )
    )
    session.flush()
    return made


def beside(session: Session, row: Referral, made: Allocation, key: str) -> Supporter:
    """Who shadows the practitioner of the allocation `made`, who has written a hand-over note."""
    person = session.scalars(select(Practitioner).where(Practitioner.account_id == key)).one()
    note = HandOverNote(
        referral_id=row.id,
        allocation_id=made.id,
        text="Ring before you come",
        by_id="practitioner",
        by_name="Pat Practitioner",
    )
    found = Supporter(
        referral_id=row.id,
        practitioner_id=person.id,
        practitioner_name=person.name,
        provider_urn=person.provider_urn,
        provider_name="Fen View Complex Needs School",
        role=SupportRole.SHADOWING,
        reason="To learn",
        by_id="officer",
        by_name="Ola Officer",
    )
    session.add_all([note, found])
    session.flush()
    return found


def record(practitioner_id: int) -> list[Base]:
    """What hangs on a practitioner's record, a row of each (their needs are there already)."""
    done = {"practitioner_id": practitioner_id, "by_id": "lead", "by_name": "Lena Lead"}
    return [
        Release(**done, valid_from=date(2018, 9, 1), minutes=[0, 210, 0, 420, 0]),
        Absence(**done, starts=date(2019, 6, 3), ends=date(2019, 6, 7), kind=AbsenceKind.TRAINING),
        Conflict(
            **done,
            urn=OTHER_SCHOOL,
            kind=ConflictKind.RELATIVE,
            weight=ConflictWeight.EXCLUDED,
            reason="Canary: a sister teaches there",
        ),
        PractitionerEvent(**done, version=2, part="conflicts", before=[], after=[["a", "b"]]),
    ]


def visit(
    session: Session, row: Referral, made: Allocation, number: int, *, issued: bool
) -> VisitRecord:
    """Visit `number` of a referral with its record, issued (with all that follows) or a draft."""
    starts = clock.from_local(RECEIVED + timedelta(days=10 * number), 10)
    booked = Visit(
        referral_id=row.id,
        number=number,
        allocation_id=made.id,
        practitioner_id=made.practitioner_id,
        kind=VisitKind.OBSERVATION,
        starts_at=starts,
        ends_at=starts + timedelta(hours=1),
        booked_by_id="practitioner",
        booked_by_name="Pat Practitioner",
    )
    session.add(booked)
    session.flush()
    record = VisitRecord(
        referral_id=row.id,
        visit_id=booked.id,
        kind=VisitKind.OBSERVATION,
        visited_on=RECEIVED + timedelta(days=10 * number),
        started_at=time(10),
        finished_at=time(11),
        observed="Calm with the class teacher.",
        author_id="practitioner",
        author_name="Pat Practitioner",
    )
    session.add(record)
    session.flush()
    session.add(
        Recommendation(
            referral_id=row.id, record_id=record.id, position=1, strategy="Quiet start", owner="TA"
        )
    )
    session.flush()
    if issued:
        _issue(session, row, record)
    return record


def _issue(session: Session, row: Referral, record: VisitRecord) -> None:
    record.issued_at = datetime.now(clock.UTC)
    session.flush()
    done = {"referral_id": row.id, "record_id": record.id}
    session.add_all(
        [
            Addendum(**done, number=1, text="One more thing", by_id="practitioner", by_name="Pat"),
            Acknowledgement(**done, by_id="senco", by_name="Sam"),
            RecordDocument(**done, addenda=0, sha256="0" * 64, content=b"%PDF-"),
        ]
    )
    session.flush()
