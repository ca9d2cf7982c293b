"""What a school disputes in visit records: until when it can, which parts, and what is still open.

Ten of the school's own school days from the day that a record is issued, and for what an addendum
says, from that addendum (features 3.8). The last day is fixed then: a date that moves later in the
calendar takes nothing away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import joinedload
from sqlalchemy.orm.attributes import set_committed_value

from s2s_portal import clock
from s2s_portal.database import session
from s2s_portal.models.referral import Referral
from s2s_portal.models.reply import RecordPart, RecordReply, ReplySettlement
from s2s_portal.models.visit import Addendum, Visit, VisitRecord
from s2s_portal.services import calendar
from s2s_portal.state import setting

PART_WORDS = {
    RecordPart.FACTS: "School, date, time or kind of visit",
    RecordPart.PEOPLE: "Who was met or seen",
    RecordPart.OBSERVED: "What was observed",
    RecordPart.DISCUSSED: "What was discussed",
    RecordPart.RECOMMENDATIONS: "Recommendations",
    RecordPart.RESOURCES: "Resources given",
    RecordPart.NEXT: "What happens next",
    RecordPart.OTHER: "Something else in the record",
}
SHOWN = 100  # of either list

OPEN = ~exists().where(ReplySettlement.reply_id == RecordReply.id)


def last_day(moment: datetime, urn: int) -> date:
    """The last day to dispute what was issued at `moment`, by the school's own calendar."""
    days: int = setting("S2S_DISPUTE_SCHOOL_DAYS")
    return calendar.add_school_days(clock.local(moment).date(), days, urn)


def until(issued: VisitRecord | Addendum, urn: int) -> date:
    """The last day to dispute a record, or an addendum; of one issued before there was such a day
    (an older release), the day that would have been fixed."""
    if issued.dispute_until is not None:
        return issued.dispute_until
    moment = issued.issued_at if isinstance(issued, VisitRecord) else issued.at
    if moment is None:
        raise ValueError("only an issued record can be disputed")
    return last_day(moment, urn)


@dataclass(frozen=True)
class Disputable:
    """One part of a record that can be disputed until a day: `value` as a form sends it."""

    value: str
    words: str
    until: date

    @property
    def is_over(self) -> bool:
        """Whether the last day has passed."""
        return clock.today() > self.until


def disputable(record: VisitRecord, urn: int) -> list[Disputable]:
    """Every part of `record` and each of its addenda, whether or not it is still in time."""
    own = until(record, urn)
    parts = [Disputable(part.value, words, own) for part, words in PART_WORDS.items()]
    return parts + [
        Disputable(f"addendum-{row.number}", f"Addendum {row.number}", until(row, urn))
        for row in record.addenda
    ]


def still_open(record: VisitRecord, urn: int) -> list[Disputable]:
    """The parts that can be disputed today."""
    return [one for one in disputable(record, urn) if not one.is_over]


def part_of(reply: RecordReply) -> str:
    """Which part a reply disputes, in words."""
    if reply.addendum_number is not None:
        return f"Addendum {reply.addendum_number}"
    return PART_WORDS[reply.part]


def value_of(reply: RecordReply) -> str:
    """The same as a form sends it."""
    if reply.addendum_number is not None:
        return f"addendum-{reply.addendum_number}"
    return reply.part.value


def open_replies(record: VisitRecord) -> list[RecordReply]:
    """What of `record` is disputed and not settled, first written first."""
    return [reply for reply in record.replies if reply.settlement is None]


def note_disputed(visits: Iterable[Visit]) -> None:
    """Say of each issued record of `visits` whether it is disputed: one statement, if any is."""
    issued = [one.record for one in visits if one.record is not None and one.record.issued_at]
    if not issued:
        return
    query = select(RecordReply.record_id).where(
        RecordReply.record_id.in_([record.id for record in issued]), OPEN
    )
    disputed = set(session().scalars(query))
    for record in issued:
        set_committed_value(record, "is_disputed", record.id in disputed)


@dataclass(frozen=True)
class Dispute:
    """A line of the officers' list: no word of what the record or the reply says."""

    reference: str
    school_name: str
    visit: int
    part: str
    reply: RecordReply
    answered: bool


def disputes(*, settled: bool) -> list[Dispute]:
    """Disputes that the acting officer sees: the open ones, oldest first; or the latest settled."""
    rows = session().execute(_listed(settled))
    return [
        Dispute(reference, name, number, part_of(reply), reply, answered)
        for reply, reference, name, number, answered in rows.unique()
    ]


def _listed(settled: bool) -> Select[RecordReply, str, str, int, bool]:
    answered = exists().where(Addendum.reply_id == RecordReply.id)
    query = (
        select(RecordReply, Referral.reference, Referral.school_name, Visit.number, answered)
        .join(Referral, Referral.id == RecordReply.referral_id)
        .join(VisitRecord, VisitRecord.id == RecordReply.record_id)
        .join(Visit, Visit.id == VisitRecord.visit_id)
        .options(joinedload(RecordReply.settlement))
        .limit(SHOWN)
    )
    if settled:
        return query.where(~OPEN).order_by(RecordReply.id.desc())
    return query.where(OPEN).order_by(RecordReply.id)


def waits(disputes_: Sequence[Dispute]) -> int:
    """How many of them nobody has answered yet."""
    return sum(1 for one in disputes_ if not one.answered)
