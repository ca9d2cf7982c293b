"""Files that a school attaches to a referral: added, removed, had by those who may see it (F12).

Files are offered only where the council has a virus scanner. The content is put away before its row
stands, and deleted after the row says that it is gone: no rolled-back change loses a file, and no
crash leaves one that can be had. `file_upkeep` does what comes after the commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from flask import current_app
from sqlalchemy import func, select, text, update

from s2s_portal import audit, clock, jobs, storage, uploads
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import FileRefused, NotFound, NotScanned, Refused, StorageAway
from s2s_portal.identity import Actor
from s2s_portal.models.attachment import GONE, Attachment, FileState, FileType
from s2s_portal.models.referral import Referral
from s2s_portal.services import drafting, notices, openings, referrals
from s2s_portal.state import setting, state

SECTION = "files"  # as the form's sections are called, though it is never asked for
MEGABYTE = 1024 * 1024
A_DAY = timedelta(hours=24)

TYPES = {
    FileType.PLAN: "Individual support plan",
    FileType.PROVISION_MAP: "Provision map",
    FileType.EHCP: "Education, health and care plan",
    FileType.REPORT: "Report",
    FileType.CONSENT: "Agreement of a parent or carer",
    FileType.BEHAVIOUR_PLAN: "Behaviour plan",
    FileType.RISK_ASSESSMENT: "Risk assessment",
    FileType.ATTENDANCE: "Attendance record",
    FileType.PROFILE: "One-page profile",
    FileType.OTHER: "Something else",
}

WAITING, AWAY = "Being checked for viruses", "Could not be checked yet"
READY, REFUSED = "Ready", "Refused: it may contain a virus"
COLOURS = {WAITING: "blue", AWAY: "yellow", READY: "green", REFUSED: "red"}


@dataclass(frozen=True)
class Shown:
    """A file as its reader sees it. `ready`: its content can be had."""

    number: int
    label: str
    type: str
    format: str
    size: str
    state: str
    ready: bool
    refused: bool

    @property
    def colour(self) -> str:
        """The colour of the GOV.UK tag that shows the state; the words say the same."""
        return COLOURS[self.state]


@dataclass(frozen=True)
class Opened:
    """A file to hand over: under which name, as what, and its content."""

    name: str
    media_type: str
    content: bytes


def offered() -> bool:
    """Whether files can be attached here: only where something looks for viruses in them."""
    return bool(setting("S2S_CLAMD"))


def largest() -> int:
    """How large one file may be, in bytes."""
    return int(setting("S2S_FILE_LARGEST_MB")) * MEGABYTE


def shown(referral: Referral, *, refused: bool = False) -> list[Shown]:
    """The files of `referral`, loaded whole; those with something in them only if `refused`.

    A school is shown those too, so that it can remove them; for anybody else they are not there.
    """
    kept = [row for row in referral.files if refused or row.state is not FileState.REFUSED]
    return [
        Shown(
            number=row.number,
            label=row.label,
            type=TYPES[row.type],
            format=uploads.FORMATS[row.extension].words,
            size=size_words(row.size),
            state=state_words(row),
            ready=row.state is FileState.CLEAN,
            refused=row.state is FileState.REFUSED,
        )
        for row in kept
    ]


def evidence(referral: Referral) -> Shown | None:
    """The file that is the evidence of agreement, as those who may see `referral` are shown it."""
    number = referral.agreement.evidence_file if referral.agreement else None
    return next((one for one in shown(referral) if one.number == number), None)


def must_stay(referral: Referral) -> int | None:
    """The number of the file that cannot be removed now, or None.

    The evidence of an agreement that was sent stays, unless the council asks about that.
    """
    if referral.submitted_at is None or openings.is_open(referral, "sharing"):
        return None
    return referral.agreement.evidence_file if referral.agreement else None


def state_words(row: Attachment) -> str:
    """Where a file stands, in plain words."""
    if row.state is FileState.CLEAN:
        return READY
    if row.state is FileState.REFUSED:
        return REFUSED
    return AWAY if row.tried_at else WAITING


def size_words(size: int) -> str:
    """So many bytes, as people say it: `340 KB`, `1.2 MB`."""
    if size < MEGABYTE:
        return f"{max(1, round(size / 1024))} KB"
    return f"{size / MEGABYTE:.1f} MB"


def checked(name: str, content: bytes) -> uploads.Accepted:
    """The file that somebody sent under `name`, if it is one that we take.

    Raises FileRefused, with what to do.
    """
    try:
        return uploads.check(name, content, largest=largest())
    except uploads.Unacceptable as why:
        raise FileRefused(f"{why}.") from why


def add(
    work: UnitOfWork,
    referral: Referral,
    file: uploads.Accepted,
    *,
    type: FileType,
    label: str,
    by: Actor,
) -> Attachment:
    """Attach a checked file to `referral`, which `drafting.in_hand` has locked; it is then scanned.

    The same file with the same label sent twice is one. Raises Refused when there are as many
    as there may be, StorageAway when it cannot be kept.
    """
    if not offered():
        raise NotFound()
    openings.check_open(referral, SECTION)
    digest = sha256(file.content).hexdigest()
    for row in referral.files:
        if (row.sha256, row.label, row.type) == (digest, label, type):
            return row
    _check_room(work, referral, by)
    row = Attachment(
        referral_id=referral.id,
        number=_next_number(work, referral),
        type=type,
        label=label,
        extension=file.extension,
        size=len(file.content),
        sha256=digest,
        name=storage.new_name(),
        added_by_id=by.id,
        added_by_name=by.name,
    )
    state().storage.put(row.name, file.content)
    work.session.add(row)
    work.flush()
    drafting.note(work, referral, SECTION, by)
    audit.wrote(work, "added", "file", _key(referral, row.number))
    link = notices.link_to("s2s.referrals.show", reference=referral.reference)
    jobs.defer(work.session, jobs.SCAN_FILE, "files", attachment_id=row.id, link=link)
    return row


def _check_room(work: UnitOfWork, referral: Referral, by: Actor) -> None:
    most = setting("S2S_FILES_MOST")
    if len(referral.files) >= most:
        raise Refused(  # of no field: the page has none any more
            f"This referral has {most} files, which is the most it can have."
            " Remove one before you add another."
        )
    # One at a time for each person, or several windows would get round the count.
    work.session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('s2s.files:' || :id, 0))"),
        {"id": by.id},
    )
    lately = work.session.scalar(
        select(func.count()).where(
            Attachment.added_by_id == by.id, Attachment.added_at > clock.now() - A_DAY
        )
    )
    if (lately or 0) >= setting("S2S_FILES_A_DAY"):
        raise FileRefused(
            f"You have added {lately} files in 24 hours, which is the most that one person can."
            " Add this one tomorrow."
        )


def _next_number(work: UnitOfWork, referral: Referral) -> int:
    last = work.session.scalar(
        select(func.max(Attachment.number)).where(Attachment.referral_id == referral.id)
    )
    return (last or 0) + 1


def remove(work: UnitOfWork, referral: Referral, number: int, *, by: Actor) -> str:
    """Take file `number` off `referral`, which `drafting.in_hand` has locked; its label.

    Its content is deleted once this stands. Raises NotFound when it is not there (any more),
    Refused for evidence of an agreement that the council has been sent.
    """
    row = next((row for row in referral.files if row.number == number), None)
    if row is None:
        raise NotFound()
    openings.check_open(referral, SECTION)
    if number == must_stay(referral):
        raise Refused(
            "This file is the evidence of the agreement, and the council did not ask about that, so"
            " it stays. You can add another file."
        )
    label = row.label
    _end(work, [row], FileState.REMOVED, by)
    drafting.note(work, referral, SECTION, by)
    audit.wrote(work, "removed", "file", _key(referral, number))
    return label


def dispose(work: UnitOfWork, referral: Referral, *, by: Actor) -> int:
    """Let go of every file of `referral`, for good; how many. For the service itself alone.

    What stays of each is its type, size and digest, and who added it when.
    """
    rows = list(
        work.session.scalars(
            select(Attachment)
            .where(Attachment.referral_id == referral.id, Attachment.state.not_in(GONE))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )
    _end(work, rows, FileState.DISPOSED, by)
    for row in rows:
        audit.wrote(work, "disposed of", "file", _key(referral, row.number))
    return len(rows)


def _end(work: UnitOfWork, rows: list[Attachment], state_: FileState, by: Actor) -> None:
    """The rows say that their files are gone; a job deletes the content when that stands."""
    done = {"gone_at": clock.now(), "gone_by_id": by.id, "gone_by_name": by.name}
    for row in rows:
        work.session.execute(
            update(Attachment).where(Attachment.id == row.id).values(state=state_, label="", **done)
        )
        jobs.defer(work.session, jobs.DELETE_FILE, "files", attachment_id=row.id)
    work.wrote = work.wrote or bool(rows)


def opened(reference: str, number: int) -> Opened:
    """File `number` of a referral that the acting person may see, with its content; audited.

    Raises NotFound, NotScanned while nobody knows what is in it, and StorageAway when what is kept
    is not what was scanned.
    """
    referral = referrals.get(reference)
    row = session().scalar(
        select(Attachment).where(
            Attachment.referral_id == referral.id,
            Attachment.number == number,
            Attachment.gone_at.is_(None),
        )
    )
    if row is None or row.state is FileState.REFUSED:
        raise NotFound()
    if row.state is not FileState.CLEAN:
        raise NotScanned(
            "This file has not been checked for viruses yet, so it cannot be opened."
            " Try again in a few minutes."
        )
    content: bytes = state().storage.read(row.name)
    if sha256(content).hexdigest() != row.sha256:
        current_app.logger.error("S2S: file %s is not what was scanned", _key(referral, number))
        raise StorageAway("This file is damaged, so it cannot be opened. Tell us about it.")
    audit.looked_at("file", _key(referral, number))
    return Opened(
        name=uploads.download_name(referral.reference, TYPES[row.type], row.label, row.extension),
        media_type=uploads.FORMATS[row.extension].media_type,
        content=content,
    )


def _key(referral: Referral, number: int) -> str:
    return f"{referral.reference} file {number}"
