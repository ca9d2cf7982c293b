"""A scanner, a folder for files, and people who attach them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from s2s_portal import storage
from s2s_portal.database import session as our_session
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.attachment import Attachment
from s2s_portal.services import file_upkeep
from s2s_portal.state import state
from tests.client import Client, Page
from tests.files import made
from tests.files.clamd import Clamd


@pytest.fixture
def kept(tmp_path: Path) -> storage.Folder:
    """An empty folder for files."""
    return storage.Folder(tmp_path / "kept")


@pytest.fixture
def scanned(
    app: Flask, clamd: Clamd, kept: storage.Folder, monkeypatch: pytest.MonkeyPatch
) -> Flask:
    """The host with files offered: a scanner, and a folder of its own."""
    monkeypatch.setitem(app.config, "S2S_CLAMD", clamd.address)
    monkeypatch.setattr(state(), "storage", kept)
    return app


class Desk:
    """What people do with files, each in a few words."""

    def __init__(self, client: Client, session: Session) -> None:
        self.client = client
        self.session = session

    def attach(
        self,
        reference: str,
        content: bytes | None = None,
        *,
        name: str = "plan.pdf",
        status: int = 302,
        **form: Any,
    ) -> Page:
        """Send the form that attaches a file."""
        file = (BytesIO(made.pdf() if content is None else content), name)
        fields = {"label": "The plan", "type": "ISP", **form}
        page = self.client.post(
            "files.index", {**fields, "file": file}, reference=reference, status=status
        )
        if status == 302:
            page = self.client.follow(page)
        return page

    def attach_as(self, key: str, reference: str, *, status: int) -> Page:
        """Send the form that attaches a file as somebody, whatever their pages offer."""
        self.client.sign_on(key)
        return self.attach(reference, status=status)

    def rows(self) -> list[Attachment]:
        """Every file that was ever attached, in order."""
        self.session.expire_all()
        return list(self.session.scalars(select(Attachment).order_by(Attachment.id)))

    def row(self) -> Attachment:
        """The newest."""
        return self.rows()[-1]

    def scan(self, place: int = -1) -> None:
        """Have the newest scanned, or the one at `place`, as the worker would."""
        newest = self.rows()[place].id
        with acting_as(SYSTEM):
            our_session().rollback()
            file_upkeep.scan(newest, "https://portal.example/s2s/")

    def have(
        self, reference: str, number: int = 1, *, status: int = 200, **headers: str
    ) -> TestResponse:
        """Ask for a file, and expect `status`."""
        path = self.client.url("files.download", reference=reference, number=number)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.client.open(path, headers=named)
        assert answer.status_code == status, answer.status
        return answer

    def states(self, page: Page) -> list[str]:
        """The states of the files that a page lists."""
        return page.all("//ul[contains(@class,'s2s-files')]//strong")


@pytest.fixture
def desk(scanned: Flask, client: Client, session: Session) -> Desk:
    """People and their files."""
    return Desk(client, session)


def names_in(folder: storage.Folder) -> set[str]:
    """What the folder keeps."""
    return {name for name, _ in folder.listed()}
