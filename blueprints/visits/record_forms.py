"""The form of a visit record: what it asks follows the kind of activity and whether it happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from wtforms import Field, Form, FormField, RadioField, SelectField
from wtforms.fields import Label, SelectChoice

from s2s_portal import clock
from s2s_portal.blueprints.forms import (
    DayField,
    Line,
    Needed,
    Paragraphs,
    Rows,
    S2SForm,
    Seen,
)
from s2s_portal.blueprints.visits.amounts import MilesField, MinutesField, PeopleField
from s2s_portal.blueprints.visits.forms import KINDS, ClockField
from s2s_portal.blueprints.widgets import GovRadioInput, GovSelect
from s2s_portal.models.visit import (
    Attendance,
    ReachedBy,
    TrainingSchool,
    Visit,
    VisitKind,
    VisitRecord,
)
from s2s_portal.services.record_answers import (
    MOST_ATTENDEES,
    MOST_RECOMMENDATIONS,
    Advice,
    Answers,
    Attending,
    Problem,
    answers_of,
)
from s2s_portal.services.record_parts import (
    ANY_KIND,
    ATTENDANCE_WORDS,
    ATTENDEES,
    LISTS,
    OUTLINES,
    REACHED_WORDS,
    RECOMMENDATIONS,
    TALKED_WORDS,
    WORDS,
    Outline,
    Part,
    outline_of,
)
from s2s_portal.services.travel import Journey

TALKED = "talked"
PUPIL_SEEN: dict[str, bool | None] = {"yes": True, "no": False, "none": None}
SEEN_CHOICES = [
    SelectChoice("yes", "Yes"),
    SelectChoice("no", "No"),
    SelectChoice("none", "It was not part of this visit"),
]
TOOK_PLACE = [SelectChoice(value.value, words) for value, words in ATTENDANCE_WORDS.items()]
TOOK_PLACE.insert(3, SelectChoice(TALKED, f"{TALKED_WORDS} instead"))
REACHED = [SelectChoice(value.value, words) for value, words in REACHED_WORDS.items()]
TIMES = ("contact_minutes", "preparation_minutes", "write_up_minutes", "travel_minutes")


class AdviceForm(Form):
    """One recommendation: a row of the record's form."""

    strategy = Line("What should be done", longest=2000)
    owner = Line("Who does it", description="A role is enough, for example class teacher")
    by_when = DayField("By when", description="For example, 27 6 2019")

    @property
    def is_blank(self) -> bool:
        """Whether nothing at all was typed: then the row is left out."""
        return not (self.strategy.data or self.owner.data or self.by_when.raw_text)


class AttendeeForm(Form):
    """Who took part, in one role: a row of the record's form."""

    role = Line("Role", description="For example, teaching assistants")
    people = PeopleField("How many people")
    name = Line("Name of a member of staff (optional)")
    joined = SelectField("School", widget=GovSelect(), validate_choice=False, choices=[])

    @property
    def is_blank(self) -> bool:
        """Whether nothing at all was typed: then the row is left out."""
        return not (self.role.data or self.people.raw_text or self.name.data)


class TimeFields(S2SForm):
    """The time that an activity took, and the miles."""

    contact_minutes = MinutesField(
        "Contact time", description="With staff or pupils. Empty: what lies between the two times."
    )
    preparation_minutes = MinutesField("Preparation")
    write_up_minutes = MinutesField("Writing up")
    travel_minutes = MinutesField("Travel, there and back")
    miles = MilesField("Miles, there and back")


class RecordForm(TimeFields):
    """The whole record, complete or not; every part of every kind, of which a page shows some."""

    seen = Seen()
    kind = SelectField("Kind of activity", choices=KINDS, widget=GovSelect())
    took_place = RadioField(
        "Did it take place?", choices=TOOK_PLACE, widget=GovRadioInput(), validate_choice=False
    )
    visited_on = DayField("Date of the visit", [Needed("Enter the date of the visit")])
    started_at = ClockField("Time the visit started", description="For example, 9:30am or 14:30")
    finished_at = ClockField("Time the visit finished")
    reached_by = RadioField(
        "How did you reach them?", choices=REACHED, widget=GovRadioInput(), validate_choice=False
    )
    pupil_seen = RadioField(
        "Did you see the pupil or group?",
        choices=SEEN_CHOICES,
        widget=GovRadioInput(),
        validate_choice=False,
    )
    recommendations = Rows(FormField(AdviceForm), min_entries=1, max_entries=MOST_RECOMMENDATIONS)
    attendees = Rows(FormField(AttendeeForm), min_entries=1, max_entries=MOST_ATTENDEES)

    def __iter__(self) -> Iterator[Field]:
        """The fields as they stand on the page: errors are listed in this order."""
        asked = [part.name for part in self.outline.parts]
        last = {name: len(asked) for name in TIMES} | {"miles": len(asked)}
        places = {name: place for place, name in enumerate(asked)}
        first = ("seen", "kind", "took_place", "visited_on", "started_at", "finished_at")
        places |= dict.fromkeys(("csrf_token", *first, "reached_by", "pupil_seen"), -1)
        return iter(
            sorted(
                self._fields.values(),
                key=lambda field: places.get(field.name, last.get(field.name, len(asked) - 0.5)),
            )
        )

    @property
    def attended(self) -> bool:
        """Whether somebody was to come, so that it may not have taken place."""
        kind = self.kind.data
        return kind not in set(VisitKind) or OUTLINES[VisitKind(kind)].timed

    @property
    def outline(self) -> Outline:
        """What is asked of the kind and of what happened, as chosen here."""
        kind = self.kind.data if self.kind.data in set(VisitKind) else VisitKind.VISIT
        return outline_of(VisitKind(kind), *self._happened())

    def _happened(self) -> tuple[Attendance, bool]:
        chosen = self.took_place.data
        if chosen == TALKED:
            return Attendance.PUPIL_ABSENT, True
        known = chosen in set(Attendance)
        return Attendance(chosen) if known else Attendance.HAPPENED, False

    def parts(self) -> list[Part]:
        """What to draw, in order, each part with its own words."""
        asked = self.outline
        for part in asked.parts:
            if part.name not in LISTS:
                self._call(part)
        return list(asked.parts)

    def left_over(self) -> list[Part]:
        """What was typed and is not asked of the kind that is chosen now."""
        return list(self._left_over(self.outline))

    def _left_over(self, asked: Outline) -> Iterator[Part]:
        for name, part in ANY_KIND.items():
            if self[name].data and not asked.asks(name):
                self._call(part)
                self[name].description = ""
                yield part
        for name, rows in ((RECOMMENDATIONS, self.written_rows()), (ATTENDEES, self.people())):
            if rows and not asked.asks(name):
                yield Part(name, "", "")

    def _call(self, part: Part) -> None:
        field = self[part.name]
        field.label, field.description = Label(field.id, part.asked), part.hint

    def carried(self) -> Iterator[tuple[str, str]]:
        """What is not drawn but comes along, so that changing the kind back brings it back."""
        asked = self.outline
        for name, drawn in (
            ("started_at", asked.timed),
            ("finished_at", asked.timed),
            ("contact_minutes", asked.timed),
            ("travel_minutes", asked.travels),
            ("miles", asked.travels),
        ):
            if not drawn and self[name]._value():
                yield name, self[name]._value()
        for name, drawn in (
            ("pupil_seen", asked.seen),
            ("reached_by", asked.reached),
            ("took_place", self.attended),
        ):
            if not drawn and self[name].data:
                yield name, self[name].data

    def answers(self) -> Answers:
        """What was typed; only after the form has been validated."""
        if self.visited_on.data is None:
            raise ValueError("the form has not been validated")
        asked, (attendance, talked) = self.outline, self._happened()
        if not self.attended:
            attendance, talked = Attendance.HAPPENED, False
        return Answers(
            kind=VisitKind(self.kind.data),
            visited_on=self.visited_on.data,
            attendance=attendance,
            talked=talked,
            reached_by=self._reached(asked),
            pupil_seen=PUPIL_SEEN.get(self.pupil_seen.data or "none") if asked.seen else None,
            recommendations=tuple(
                Advice(row.strategy.data or "", row.owner.data or "", row.by_when.data)
                for row in self.written_rows()
            ),
            attendees=tuple(
                Attending(row.role.data or "", row.people.data, row.name.data or "", _row_of(row))
                for row in self.people()
            ),
            **self._words(),
            **self._times(asked),
        )

    def _reached(self, asked: Outline) -> ReachedBy | None:
        chosen = self.reached_by.data
        return ReachedBy(chosen) if asked.reached and chosen in set(ReachedBy) else None

    def _words(self) -> dict[str, Any]:
        return {name: self[name].data or "" for name in WORDS}

    def _times(self, asked: Outline) -> dict[str, Any]:
        timed, travelled = asked.timed, asked.travels
        return {
            "started_at": self.started_at.data if timed else None,
            "finished_at": self.finished_at.data if timed else None,
            "contact_minutes": self.contact_minutes.data if timed else None,
            "preparation_minutes": self.preparation_minutes.data,
            "write_up_minutes": self.write_up_minutes.data,
            "travel_minutes": self.travel_minutes.data if travelled else None,
            "miles": self.miles.data if travelled else None,
        }

    def written_rows(self) -> list[AdviceForm]:
        """The recommendations that hold anything, in order."""
        return [entry.form for entry in self.recommendations if not entry.form.is_blank]

    def people(self) -> list[AttendeeForm]:
        """The rows of who took part that hold anything, in order."""
        return [entry.form for entry in self.attendees if not entry.form.is_blank]

    @property
    def seen_version(self) -> int:
        """The version of the record that the page was drawn from; 0 when there was none."""
        return self.seen.version

    def show(self, problems: Sequence[Problem]) -> None:
        """Put what is missing onto the fields it is missing from."""
        rows: dict[str, Sequence[Form]] = {
            RECOMMENDATIONS: self.written_rows(),
            ATTENDEES: self.people() or [self.attendees[0].form],
        }
        for problem in problems:
            part = self if problem.row is None else rows[problem.listed][problem.row]
            field = part[problem.field]
            field.errors = [*field.errors, problem.text]
        for listed in (self.recommendations, self.attendees):
            listed.errors = [entry.errors for entry in listed if entry.errors]

    def change_rows(self, wanted: str) -> None:
        """Do what a row button asks: `add`, or `remove-<row>` counted from 0; the same with
        `attendees-` before it. Anything else only shows what is asked now."""
        listed = self.attendees if wanted.startswith("attendees-") else self.recommendations
        verb, _, row = wanted.removeprefix("attendees-").partition("-")
        entries = listed.entries
        if verb == "remove" and row in [str(index) for index in range(len(entries))]:
            listed.pop_entry(int(row))
        if not entries or (verb == "add" and len(entries) < listed.max_entries):
            listed.append_entry()


def _row_of(row: AttendeeForm) -> int | None:
    chosen = row.joined.data or ""
    return int(chosen) if chosen.isdecimal() and len(chosen) < 19 else None


def offer_schools(form: RecordForm, host: str, joined: Iterable[TrainingSchool]) -> bool:
    """Let each row of who took part say of which school; whether there is more than one."""
    choices = [SelectChoice("", host)]
    choices += [SelectChoice(str(one.id), one.school_name) for one in joined]
    for entry in form.attendees:
        entry.form.joined.choices = choices
    return len(choices) > 1


def record_form(
    visit: Visit, record: VisitRecord | None, journey: Journey | None = None
) -> RecordForm:
    """The form as sent, else filled from the draft, else from the booking and the `journey`."""
    if record is None:
        starts, ends = clock.local(visit.starts_at), clock.local(visit.ends_at)
        answers = Answers(
            visit.kind,
            starts.date(),
            starts.time(),
            ends.time(),
            travel_minutes=journey.minutes if journey else None,
            miles=journey.miles if journey else None,
        )
    else:
        answers = answers_of(record)
    form = RecordForm(
        data={
            **{name: getattr(answers, name) for name in Answers.plain_fields()},
            "kind": answers.kind.value,
            "took_place": TALKED if answers.talked else answers.attendance.value,
            "reached_by": answers.reached_by.value if answers.reached_by else None,
            "pupil_seen": _seen_as_chosen(answers.pupil_seen, record),
            "recommendations": [vars(advice) for advice in answers.recommendations],
            "attendees": [
                {**vars(one), "joined": str(one.joined or "")} for one in answers.attendees
            ],
            "seen": str(record.version if record else 0),
        }
    )
    if journey is not None:
        form.travel_minutes.description = "A guess by the map. Put it right."
    return form


def _seen_as_chosen(seen: bool | None, record: VisitRecord | None) -> str | None:
    if record is None:
        return None
    return {True: "yes", False: "no", None: "none"}[seen]


for _name in WORDS:  # one box for each column that holds words
    setattr(RecordForm, _name, Paragraphs(ANY_KIND[_name].asked))
