"""What the record of each kind of activity asks, and what a reader sees of it, in order (F49).

One table, `OUTLINES`: the form, the check for what is missing, the page and the PDF all read it. A
part is a column of the record, or one of its lists (`RECOMMENDATIONS`, `ATTENDEES`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from s2s_portal.models.visit import EDITION, Attendance, Attendee, ReachedBy, VisitKind, VisitRecord

RECOMMENDATIONS = "recommendations"
ATTENDEES = "attendees"
LISTS = frozenset({RECOMMENDATIONS, ATTENDEES})

ATTENDANCE_WORDS = {
    Attendance.HAPPENED: "Yes, it took place",
    Attendance.SCHOOL_NOT_READY: "No, the school was not ready",
    Attendance.PUPIL_ABSENT: "No, the pupil was away",
    Attendance.PRACTITIONER_UNAVAILABLE: "No, the practitioner could not come",
    Attendance.WEATHER: "No, because of the weather",
}
TALKED_WORDS = "The pupil was away; staff were advised"
REACHED_WORDS = {
    ReachedBy.PHONE: "Phone",
    ReachedBy.VIDEO: "Video call",
    ReachedBy.EMAIL: "Email",
}
SEEN_WORDS = {True: "Yes", False: "No", None: "Not part of this visit"}


@dataclass(frozen=True)
class Part:
    """One part of a record: what is asked (`label`, `hint`), and the `heading` it is read under.

    `needed` is what a practitioner is told when it is missing; empty where it may be left out.
    `otherwise` stands where nothing was written.
    """

    name: str
    heading: str
    label: str
    needed: str = ""
    hint: str = ""
    otherwise: str = "Nothing was written here."
    rows: int = 4

    @property
    def asked(self) -> str:
        """The label, which says so where an answer may be left out."""
        return self.label if self.needed or self.name in LISTS else f"{self.label} (optional)"


@dataclass(frozen=True)
class Outline:
    """What the record of one kind asks. `either`: of these at least one must be written.

    `timed`: it has a start and a finish, and somebody may not have come. `reached`: by phone, video
    or email. `seen`: whether the pupil or group was. `travels`: the practitioner went there.
    """

    parts: tuple[Part, ...]
    either: tuple[str, ...] = ()
    timed: bool = True
    reached: bool = False
    seen: bool = False
    travels: bool = True

    def asks(self, name: str) -> bool:
        """Whether the part called `name` is asked."""
        return any(part.name == name for part in self.parts)


@dataclass(frozen=True)
class Section:
    """A part as a reader sees it. `name` tells the lists, whose rows the reader gets from elsewhere
    or, of those who took part, in `words`, one to a line."""

    name: str
    heading: str
    words: str
    otherwise: str


PEOPLE = Part(
    "people_met",
    "People met",
    "Who did you meet?",
    "Enter who you met",
    "Names and roles of staff",
    rows=3,
)
FOCUS = Part("focus", "Lesson or focus", "What was the lesson or focus?", rows=2)
PROGRESS = Part(
    "progress",
    "Progress since last time",
    "How far have earlier recommendations come?",
    hint="What has been tried, and what came of it",
)
OBSERVED = Part(
    "observed",
    "What was observed",
    "What did you observe?",
    "Enter what you observed",
    "Only what you saw and heard. What you made of it goes below.",
    "Nothing was observed on this visit.",
    8,
)
DISCUSSED = Part(
    "discussed",
    "What was discussed",
    "What did you discuss?",
    "Enter what you discussed",
    otherwise="Nothing was discussed on this visit.",
    rows=8,
)
VOICE = Part(
    "pupil_voice", "The pupil's own view", "What did the pupil say or show?", hint="In their words"
)
ADVICE = Part(
    RECOMMENDATIONS,
    "Recommendations",
    "Recommendations",
    hint="Put one strategy in each.",
    otherwise="No strategies were recommended.",
)
RESOURCES = Part(
    "resources_given", "Resources given", "Resources you gave", otherwise="None.", rows=3
)
NEXT = Part(
    "next_visit",
    "What happens next",
    "What happens next",
    hint="For example, when you will come again and why",
    otherwise="No further visit is planned at the moment.",
    rows=3,
)
AGREED = Part("agreed", "What was agreed", "What did you agree?", "Enter what was agreed")
COVERED = Part(
    "covered", "What was covered", "What did the training cover?", "Enter what was covered", rows=6
)
WHO_CAME = Part(
    ATTENDEES,
    "Who took part",
    "Who took part?",
    "Enter who took part",
    "How many in which role. A name only of staff, and only if they want it here: never a pupil.",
    "Nobody is listed.",
)
MADE = Part("made", "What was made", "What did you make?", "Enter what you made")
FOR_WHOM = Part(
    "intended_for", "For whom", "For whom did you make it?", "Enter for whom you made it", rows=2
)
HOW_TO_USE = Part(
    "how_to_use", "How to use it", "How should it be used?", "Enter how it should be used"
)
SERVICE = Part(
    "service", "Service", "Which service did you point to?", "Enter the name of the service", rows=2
)
REASON = Part("reason", "Why", "Why this service?", "Enter why you chose it")
REACH = Part(
    "how_to_reach", "How to reach it", "How does the school reach it?", "Enter how to reach it"
)


def _optional(part: Part) -> Part:
    return replace(part, needed="")


EITHER = (_optional(OBSERVED), _optional(DISCUSSED))
# What every record was asked before kinds had their own, whatever its kind: edition 1.
FIRST = Outline((PEOPLE, *EITHER, ADVICE, RESOURCES, NEXT), ("observed", "discussed"), seen=True)

OUTLINES: dict[VisitKind, Outline] = {
    VisitKind.VISIT: Outline(
        (PEOPLE, PROGRESS, *EITHER, VOICE, ADVICE, RESOURCES, NEXT),
        ("observed", "discussed"),
        seen=True,
    ),
    VisitKind.OBSERVATION: Outline(
        (PEOPLE, FOCUS, OBSERVED, _optional(DISCUSSED), VOICE, ADVICE, RESOURCES, NEXT), seen=True
    ),
    VisitKind.ADVICE: Outline(
        (
            PEOPLE,
            replace(
                DISCUSSED,
                heading="Advice given",
                label="What did you advise on?",
                needed="Enter what you advised on",
            ),
            ADVICE,
            RESOURCES,
            NEXT,
        )
    ),
    VisitKind.MODELLING: Outline(
        (
            PEOPLE,
            replace(FOCUS, label="In which lesson or activity?"),
            replace(
                OBSERVED,
                heading="What was shown",
                label="What did you show, and how did it go?",
                needed="Enter what you showed",
                hint="",
            ),
            _optional(DISCUSSED),
            ADVICE,
            RESOURCES,
            NEXT,
        ),
        seen=True,
    ),
    VisitKind.TRAINING: Outline(
        (
            COVERED,
            WHO_CAME,
            replace(RESOURCES, heading="Materials", label="Materials you used or left"),
            replace(
                _optional(DISCUSSED),
                heading="Questions that came up",
                label="What came up?",
                otherwise="None were noted.",
                rows=4,
            ),
            NEXT,
        )
    ),
    VisitKind.RESOURCES: Outline((MADE, FOR_WHOM, HOW_TO_USE, NEXT), timed=False, travels=False),
    VisitKind.PLAN_REVIEW: Outline(
        (
            PEOPLE,
            PROGRESS,
            replace(DISCUSSED, label="What did you review?", needed="Enter what you reviewed"),
            ADVICE,
            NEXT,
        )
    ),
    VisitKind.MEETING: Outline((PEOPLE, DISCUSSED, _optional(AGREED), ADVICE, NEXT)),
    VisitKind.REVERSE_VISIT: Outline(
        (
            replace(
                PEOPLE,
                heading="Who came",
                label="Who came?",
                needed="Enter who came",
                hint="Names and roles of the school's staff",
            ),
            replace(
                OBSERVED,
                heading="What they saw",
                label="What did they see?",
                needed="Enter what they saw",
                hint="",
            ),
            _optional(DISCUSSED),
            ADVICE,
            RESOURCES,
            NEXT,
        ),
        travels=False,
    ),
    VisitKind.SIGNPOSTING: Outline((SERVICE, REASON, REACH, NEXT), timed=False, travels=False),
    VisitKind.FOLLOW_UP: Outline(
        (PEOPLE, PROGRESS, *EITHER, VOICE, ADVICE, RESOURCES, NEXT),
        ("observed", "discussed"),
        seen=True,
    ),
    VisitKind.REMOTE: Outline(
        (
            replace(
                PEOPLE,
                heading="With whom",
                label="Who did you talk or write with?",
                needed="Enter who you talked or wrote with",
            ),
            replace(_optional(DISCUSSED), label="What was it about?"),
            AGREED,
            NEXT,
        ),
        reached=True,
        travels=False,
    ),
}
# It did not happen: why, what now, and the time that was lost. Nothing is recommended.
LOST = Outline(
    (
        replace(
            REASON,
            heading="What stopped it",
            label="What stopped it?",
            needed="Enter what stopped it",
            hint="The school reads this. Say nothing about anybody's health.",
        ),
        replace(NEXT, needed="Enter what happens next", hint="For example, the new day"),
    ),
    timed=False,
)
# The pupil was away, but staff were there to be advised.
TALKED = Outline((PEOPLE, DISCUSSED, ADVICE, RESOURCES, NEXT))

# Words that a kind does not ask for, and that were written before it was changed, under their name.
ANY_KIND: dict[str, Part] = {
    part.name: _optional(part)
    for outline in (*OUTLINES.values(), FIRST)
    for part in reversed(outline.parts)
    if part.name not in LISTS
} | {
    part.name: _optional(part)
    for part in (
        PEOPLE, FOCUS, PROGRESS, OBSERVED, DISCUSSED, VOICE, COVERED, MADE, FOR_WHOM, HOW_TO_USE,
        SERVICE, REASON, REACH, AGREED, RESOURCES, NEXT,
    )
}  # fmt: skip
WORDS = tuple(ANY_KIND)  # the columns that hold words


def outline_of(kind: VisitKind, attendance: Attendance, talked: bool) -> Outline:
    """What a record of this kind asks, as it happened or did not."""
    outline = OUTLINES[kind]
    if not outline.timed or attendance is Attendance.HAPPENED:
        return outline
    return TALKED if attendance is Attendance.PUPIL_ABSENT and talked else LOST


def outline(record: Any) -> Outline:
    """What `record`, or the answers of one, is asked; a record of the first edition all alike."""
    if getattr(record, "edition", EDITION) < EDITION:
        return FIRST
    return outline_of(record.kind, record.attendance, record.talked)


def left_over(record: Any) -> list[Part]:
    """Parts that hold words although they are not asked: nothing that was written is lost."""
    asked = outline(record)
    return [
        part for name, part in ANY_KIND.items() if getattr(record, name) and not asked.asks(name)
    ]


def sections(record: VisitRecord) -> list[Section]:
    """The parts of `record` in the order in which they are read; its lists must be loaded."""
    return list(_sections(record))


def _sections(record: VisitRecord) -> Iterator[Section]:
    asked = outline(record)
    parts = [*asked.parts, *left_over(record)]
    if record.recommendations and not asked.asks(RECOMMENDATIONS):
        parts.append(ADVICE)
    if asked is not FIRST and record.attendees and not asked.asks(ATTENDEES):
        parts.append(WHO_CAME)
    for part in parts:
        if part.name == RECOMMENDATIONS:
            yield Section(part.name, part.heading, "", part.otherwise)
        elif part.name == ATTENDEES:
            yield Section(part.name, part.heading, attendees(record.attendees), part.otherwise)
        elif getattr(record, part.name) or part.needed or part.name in KEPT_EMPTY:
            yield Section(part.name, part.heading, getattr(record, part.name), part.otherwise)


# Read even where nothing was written: that nothing was is worth knowing.
KEPT_EMPTY = frozenset({"observed", "discussed", "resources_given", "next_visit"})


def attendees(rows: list[Attendee]) -> str:
    """Who took part, one to a line: `12 people: teaching assistant`."""
    return "\n".join(_attendee(row) for row in rows)


def _attendee(row: Attendee) -> str:
    role = row.role[:1].upper() + row.role[1:]
    said = f"{row.name}, {row.role}" if row.name else ""
    if row.people:
        people = f"{row.people} {'person' if row.people == 1 else 'people'}"
        said = f"{said} and {people}" if said else f"{role}: {people}"
    # Before it is issued, the draft holds those of every school.
    of_other = row.joined is not None and row.joined.record_id is None
    return f"{row.joined.school_name}: {said}" if of_other and row.joined else said


def facts(record: VisitRecord) -> list[tuple[str, str]]:
    """What is known of how it took place, in few words; not its date and time."""
    asked = outline(record)
    found = []
    if record.joined is not None:
        found.append(("Held at", f"{record.joined.place}, with other schools"))
    if record.attendance is not Attendance.HAPPENED:
        talked = record.attendance is Attendance.PUPIL_ABSENT and record.talked
        words = TALKED_WORDS if talked else ATTENDANCE_WORDS[record.attendance]
        found.append(("Did it take place?", words))
    if asked.reached and record.reached_by:
        found.append(("By", REACHED_WORDS[record.reached_by]))
    if asked.seen:
        found.append(("Pupil or group seen", SEEN_WORDS[record.pupil_seen]))
    return found
