"""Taking a pull's files away: the same bytes each time, each download written down, a repeat marked
as a copy (F76).

The first download of a file is the file; the next is copy 2 of it. The bytes never differ, so that
a digest proves any of them; which it is stands in the name, in a header and in the list of
downloads.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import undefer

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, OutOfOrder, TooMany
from s2s_portal.identity import Actor
from s2s_portal.models.finance_files import PullDownload
from s2s_portal.models.ledger import PullFile
from s2s_portal.services import pull_files, pulls
from s2s_portal.state import setting

CHANGED = "This file has been changed since the pull was made. Do not use it."


@dataclass(frozen=True)
class Taken:
    """A file as it is taken away. `copy` is 1 for the first download of it."""

    name: str
    media_type: str
    content: bytes
    copy: int
    at: datetime
    by_name: str

    @property
    def saved_as(self) -> str:
        """What it should be called where it is kept: a repeat says that it is one."""
        if self.copy == 1:
            return self.name
        head, dot, ending = self.name.rpartition(".")
        return f"{head}-copy-{self.copy}{dot}{ending}"


@dataclass(frozen=True)
class Listed:
    """A file of a pull in its list: how often it was downloaded, and by whom and when last."""

    name: str
    sha256: str
    times: int
    last_at: datetime | None
    last_by: str


def listed(number: int) -> list[Listed]:
    """The files of pull `number` with what lies beside them. Raises NotFound."""
    pull = pulls.get(number, whole=True)
    names = {file.name: file.sha256 for file in pull.files}
    names |= {name: _digest(content) for name, (_, content) in pull_files.beside(pull).items()}
    rows = session().scalars(
        select(PullDownload)
        .where(PullDownload.pull_number == number)
        .order_by(PullDownload.name, PullDownload.copy)
    )
    last = {row.name: row for row in rows}
    return [_line(name, sha256, last.get(name)) for name, sha256 in sorted(names.items())]


def _line(name: str, sha256: str, last: PullDownload | None) -> Listed:
    if last is None:
        return Listed(name, sha256, 0, None, "")
    return Listed(name, sha256, last.copy, last.at, last.by_name)


def take(work: UnitOfWork, number: int, name: str, *, by: Actor) -> Taken:
    """A file of a pull, or what lies beside its files; that it was taken is written down.

    Raises NotFound; OutOfOrder when the stored bytes are not those that were made; TooMany when
    somebody takes more in a minute than S2S_DOWNLOADS_A_MINUTE.
    """
    media_type, content = _content(work, number, name)
    _check_rate(work, by)
    # Two who take it at once get a copy each, and each its own number.
    work.session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('s2s ' || :name, 0))"), {"name": name}
    )
    before = work.session.scalar(
        select(func.count()).where(PullDownload.pull_number == number, PullDownload.name == name)
    )
    made = PullDownload(
        pull_number=number,
        name=name,
        copy=(before or 0) + 1,
        at=clock.now(),
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(made)
    audit.wrote(work, "downloaded", "pull file", name)
    return Taken(name, media_type, content, made.copy, made.at, made.by_name)


def _content(work: UnitOfWork, number: int, name: str) -> tuple[str, bytes]:
    if not re.fullmatch(r"[a-z0-9.-]{1,80}", name):
        raise NotFound("There is no such file.")
    file = work.session.scalars(
        select(PullFile)
        .where(PullFile.pull_number == number, PullFile.name == name)
        .options(undefer(PullFile.content))
    ).one_or_none()
    if file is None:
        beside = pull_files.beside(pulls.get(number, whole=True))
        if name not in beside:
            raise NotFound("There is no such file.")
        return beside[name]
    if _digest(file.content) != file.sha256:
        raise OutOfOrder(CHANGED)
    return file.media_type, file.content


def _check_rate(work: UnitOfWork, by: Actor) -> None:
    most: int = setting("S2S_DOWNLOADS_A_MINUTE")
    lately = work.session.scalar(
        select(func.count()).where(
            PullDownload.by_id == by.id, PullDownload.at > clock.now() - timedelta(minutes=1)
        )
    )
    if (lately or 0) >= most:
        raise TooMany(f"You have downloaded {most} files in one minute. Wait a minute, then go on.")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
