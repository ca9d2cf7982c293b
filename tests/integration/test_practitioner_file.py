"""Practitioners from a file: previewed, each bad row named, all or nothing, twice is once."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotAllowed, Refused
from s2s_portal.identity import acting_as
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.practitioner import Level, Practitioner, PractitionerEvent
from s2s_portal.services import practitioner_file, practitioners
from s2s_portal.services.practitioner_file import Outcome
from s2s_portal.services.term_file import WrongRows
from tests.client import Client, Page
from tests.world import ACTORS, OTHER_PROVIDER, PROVIDER, SCHOOL

pytestmark = pytest.mark.usefixtures("may_2019")
BY = ACTORS["administrator"]
HEAD = "name,email,urn,phases,areas,needs,cases,tuesday,from,leaving"
NEW = (
    f"Zoë O'Brien,zoe@school.example,{PROVIDER},Primary;4,,"
    "ASD:specialist:2020-08-31;SEMH:working,3,3.5,2019-05-01,"
)
OLD = f"Pat Practitioner,PRACTITIONER@school.example,{PROVIDER},,,,9,,,31/08/2019"


def read(session: Session, *lines: str, preview: bool = False) -> list[Outcome]:
    session.rollback()
    text = "\n".join((HEAD, *lines))
    with acting_as(BY):
        if preview:
            return practitioner_file.preview(text, by=BY)
        with unit_of_work() as work:
            return practitioner_file.import_text(work, text, by=BY)


def send(client: Client, content: bytes, status: int = 200) -> Page:
    form: dict[str, Any] = {
        "csrf_token": client.token,
        "file": (BytesIO(content), "practitioners.csv"),
    }
    return client.fetch(
        "POST",
        client.url("practitioners.read_in"),
        status=status,
        data=form,
        content_type="multipart/form-data",
    )


def count(session: Session, of: type = Practitioner) -> int:
    session.rollback()
    found = int(session.scalar(select(func.count()).select_from(of)) or 0)
    session.rollback()  # or the next request would be inside this transaction, and undone with it
    return found


def test_added_changed_and_the_second_time_nothing(session: Session) -> None:
    assert [one.what for one in read(session, NEW, OLD)] == ["added", "changed"]
    session.rollback()
    with acting_as(BY):
        zoe = session.scalars(
            select(Practitioner).where(Practitioner.email == "zoe@school.example")
        ).one()
        row = practitioners.get(zoe.id, BY)
        assert (row.phases, row.capacity, row.provider_urn) == (["2", "4"], 3, PROVIDER)
        assert [(one.code, one.level) for one in row.skills] == [
            ("ASD", Level.SPECIALIST),
            ("SEMH", Level.WORKING),
        ]
        assert practitioners.releases(zoe.id)[0].minutes == [0, 210, 0, 0, 0]
    events = count(session, PractitionerEvent)
    again = read(session, NEW, OLD)
    assert [(one.what, one.parts) for one in again] == [("unchanged", []), ("unchanged", [])]
    assert count(session, PractitionerEvent) == events


def test_a_preview_changes_nothing(session: Session) -> None:
    before = count(session), count(session, PractitionerEvent)
    assert [str(one) for one in read(session, NEW, OLD, preview=True)] == [
        "line 2: Zoë O'Brien: added",
        "line 3: Pat Practitioner: changed (details, cover)",
    ]
    assert (count(session), count(session, PractitionerEvent)) == before


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (f",a@x.example,{PROVIDER}", "line 3, name: enter a name"),
        (f"=HYPERLINK(1),a@x.example,{PROVIDER}", "line 3, name: '=HYPERLINK(1)' looks like a"),
        (f"A,@SUM(A1),{PROVIDER}", "line 3, email: '@SUM(A1)' looks like a formula"),
        (f"A,nonsense,{PROVIDER}", "line 3, email: enter an email address"),
        (f"A,a@x.example,{SCHOOL}", "line 3, urn: '900101' is not the URN of an open Complex"),
        ("A,a@x.example,x", "line 3, urn: 'x' is not the URN"),
        (f"A,a@x.example,{PROVIDER},Tertiary", "line 3, phases: 'Tertiary' is not a phase"),
        (f"A,a@x.example,{PROVIDER},,Atlantis", "line 3, areas: 'Atlantis' is not a district"),
        (f"A,a@x.example,{PROVIDER},,,QQ:working", "line 3, needs: 'QQ' is not the code"),
        (f"A,a@x.example,{PROVIDER},,,ASD", "line 3, needs: write ASD:working"),
        (f"A,a@x.example,{PROVIDER},,,ASD:working:31/2/2020", "line 3, needs: '31/2/2020' is not"),
        (f"A,a@x.example,{PROVIDER},,,,1000", "line 3, cases: enter a number from 0 to 100"),
        (f"A,a@x.example,{PROVIDER},,,,,25", "line 3, tuesday: enter hours from 0 to 10"),
        (f"A,a@x.example,{PROVIDER},,,,,,soon", "line 3, from: 'soon' is not a date"),
        (f"A,ZOE@school.example,{PROVIDER}", "line 3, email: ZOE@school.example is in line 2 too"),
        (f"A,practitioner@school.example,{OTHER_PROVIDER}", "line 3, urn: Pat Practitioner is at"),
        (f"A,a@x.example,{PROVIDER},,,,,,,,,more", "line 3, end of row: there are more cells"),
    ],
)
def test_a_bad_row_is_named_and_nothing_of_the_file_is_read_in(
    session: Session, row: str, says: str
) -> None:
    before = count(session)
    with pytest.raises(WrongRows) as refused:
        read(session, NEW, row)
    assert [problem for problem in refused.value.problems if problem.startswith(says)], (
        refused.value.problems
    )
    assert len(refused.value.problems) == 1
    assert count(session) == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no column name, email, urn"),
        ("name,email\nA,a@x.example", "no column urn"),
        ("name,email,urn,salary\n", "Take the column salary out"),
        ("name,email,urn\n", "no rows"),
        ('name,email,urn\n"A', "damaged"),
    ],
)
def test_a_file_that_is_none(session: Session, text: str, says: str) -> None:
    session.rollback()
    with acting_as(BY), pytest.raises(Refused, match=says):
        practitioner_file.preview(text, by=BY)


def test_encodings_and_semicolons(session: Session) -> None:
    text = "name;email;urn;areas\r\nZoë;zoe@school.example;" + f"{PROVIDER};North\r\n"
    session.get_one(Establishment, SCHOOL).district = "North"
    session.commit()
    for encoding in ("utf-8", "utf-8-sig", "cp1252"):
        found = practitioner_file.text_of(text.encode(encoding))
        with acting_as(BY):
            assert [one.name for one in practitioner_file.preview(found, by=BY)] == ["Zoë"]
    for content in (b"\x00\x01", b"x" * (practitioner_file.LARGEST + 1)):
        with pytest.raises(Refused):
            practitioner_file.text_of(content)


def test_nobody_but_an_administrator_reads_a_file_in(session: Session) -> None:
    session.rollback()
    for key in ("lead", "officer"):
        with acting_as(ACTORS[key]), pytest.raises(NotAllowed):
            practitioner_file.preview(HEAD, by=ACTORS[key])


def test_page_previews_names_bad_rows_and_reads_in(client: Client, session: Session) -> None:
    client.sign_on("administrator")
    before = count(session)
    nothing = send(client, b"", status=422)
    assert nothing.errors == ["The file has no column name, email, urn."]
    bad = send(client, f"{HEAD}\n=1,x,1\n".encode(), status=422)
    assert bad.errors == ["Nothing has been changed. Mend the rows below"]
    assert "line 2, email: enter an email address, like name@school.example" in bad.words
    shown = send(client, f"{HEAD}\n{NEW}\n{OLD}\n".encode("cp1252"))
    assert "1 added, 1 changed, 0 unchanged" in shown.words
    assert count(session) == before
    done = client.post("practitioners.read_in", {"content": shown.value("content")})
    assert "Read in: 1 added, 1 changed, 0 unchanged." in client.follow(done).words
    assert count(session) == before + 1


def test_command(app: Flask, session: Session, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(f"{HEAD}\n{NEW}\n", encoding="utf-8")
    run = app.test_cli_runner()
    before = count(session)
    shown = run.invoke(args=["s2s", "import", "practitioners", str(file), "--preview"])
    assert (shown.exit_code, shown.output) == (0, "line 2: Zoë O'Brien: added\n")
    assert count(session) == before
    assert run.invoke(args=["s2s", "import", "practitioners", str(file)]).exit_code == 0
    assert count(session) == before + 1
    file.write_text("name\n")
    assert run.invoke(args=["s2s", "import", "practitioners", str(file)]).exit_code == 1
