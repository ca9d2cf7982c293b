"""What happens to attached files after the commit: scanned, deleted, and the storage kept tidy.

Run by the worker as the service itself. Each can be done twice, or break off, without harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice

from flask import current_app
from sqlalchemy import func, select, update

from s2s_portal import audit, clock, scanner
from s2s_portal.database import UnitOfWork, session, unit_of_work
from s2s_portal.errors import Refused, StorageAway
from s2s_portal.models.attachment import Attachment, FileState
from s2s_portal.models.codes import Status
from s2s_portal.models.referral import Referral
from s2s_portal.services import notices
from s2s_portal.state import setting, state

TRY_AGAIN = timedelta(minutes=30)  # after a job has given up, or was lost
# Content without a row may belong to a transaction that is still open; none is open for a day.
STRAY_AFTER = timedelta(hours=24)
AT_ONCE = 500
FEW = 20  # strays that are deleted without asking, however few files there are

DELETABLE = (FileState.REFUSED, FileState.REMOVED, FileState.DISPOSED)


def scan(attachment_id: int, link: str = "") -> None:
    """Ask the scanner about one file that waits for it, and note what it says.

    `link` is where the school reads about it. Raises scanner.NoVerdict when there is no clear
    answer, so that it is tried again; until then nobody gets the file.
    """
    row = _waiting(attachment_id)
    if row is None:
        return
    name, digest = row.name, row.sha256
    session().end_reading()  # nothing is held while the scanner works
    try:
        verdict = _verdict(name, digest)
    except (scanner.NoVerdict, StorageAway) as error:
        current_app.logger.warning("S2S: file %s could not be scanned: %s", attachment_id, error)
        with unit_of_work() as work:
            _note(work, attachment_id, tried_at=clock.now())
        raise
    _conclude(attachment_id, verdict, link)


def _verdict(name: str, digest: str) -> scanner.Verdict:
    content = state().storage.read(name)
    if sha256(content).hexdigest() != digest:
        raise StorageAway("what is kept is not what was added")
    address = setting("S2S_CLAMD")
    if not address:
        raise scanner.NoVerdict("S2S_CLAMD is not set")
    return scanner.scan(content, address=address, timeout=setting("S2S_CLAMD_TIMEOUT"))


def _waiting(attachment_id: int, *, lock: bool = False) -> Attachment | None:
    query = select(Attachment).where(
        Attachment.id == attachment_id, Attachment.state == FileState.WAITING
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session().scalars(query).one_or_none()


def _note(work: UnitOfWork, attachment_id: int, **values: object) -> None:
    work.session.execute(
        update(Attachment)
        .where(Attachment.id == attachment_id, Attachment.state == FileState.WAITING)
        .values(**values)
    )


def _conclude(attachment_id: int, verdict: scanner.Verdict, link: str) -> None:
    with unit_of_work() as work:
        row = _waiting(attachment_id, lock=True)
        if row is None:  # removed while it was being scanned
            return
        if verdict.clean:
            _note(work, row.id, state=FileState.CLEAN, scanned_at=clock.now())
            audit.wrote(work, "found nothing in", "file", row.id)
            return
        _note(work, row.id, state=FileState.REFUSED, scanned_at=clock.now(), found=verdict.found)
        audit.wrote(work, "refused", "file", row.id)
        _tell(work, row, link)
        work.after_commit(lambda: delete(attachment_id))


def _tell(work: UnitOfWork, row: Attachment, link: str) -> None:
    """The school hears of it by mail too once it has sent the referral: the page is behind it."""
    referral = work.session.get_one(Referral, row.referral_id)
    if link and referral.status is not Status.DRAFT:
        notices.tell_school(work, "file_refused", referral, link)


def scan_left(*, at_once: bool = False) -> int:
    """Scan what has waited too long: its job gave up, or there was never one; how many are left.

    `at_once` does not wait for the jobs.
    """
    before = clock.now() - (timedelta() if at_once else TRY_AGAIN)
    last_try = func.coalesce(Attachment.tried_at, Attachment.added_at)
    ids = session().scalars(
        select(Attachment.id)
        .where(Attachment.state == FileState.WAITING, last_try <= before)
        .order_by(Attachment.added_at)
    )
    left = 0
    for attachment_id in ids.all():
        try:
            scan(attachment_id)
        except (scanner.NoVerdict, StorageAway):
            left += 1
    return left


def delete(attachment_id: int) -> None:
    """Delete the content of a file that is gone or refused; the row notes that it is done."""
    row = session().scalar(
        select(Attachment).where(
            Attachment.id == attachment_id,
            Attachment.state.in_(DELETABLE),
            Attachment.deleted_at.is_(None),
        )
    )
    if row is None:
        return
    state().storage.delete(row.name)
    with unit_of_work() as work:
        work.session.execute(
            update(Attachment).where(Attachment.id == attachment_id).values(deleted_at=clock.now())
        )
        audit.wrote(work, "deleted", "file", attachment_id)


def sweep(*, all_of_them: bool = False) -> tuple[int, int]:
    """Delete content that should be gone: of files that are, and what no row knows of.

    Answers how many of each. What no row knows of is left alone for a day. When that is most of
    what is kept, this is perhaps the wrong storage or the wrong database: raises Refused, unless
    `all_of_them` says that it is right.
    """
    gone = session().scalars(
        select(Attachment.id).where(
            Attachment.state.in_(DELETABLE), Attachment.deleted_at.is_(None)
        )
    )
    ids = gone.all()
    for attachment_id in ids:
        delete(attachment_id)
    kept, strays = _strays()
    if len(strays) > max(FEW, kept) and not all_of_them:
        raise Refused(
            f"{len(strays)} stored files are not known here and {kept} are: is this the right"
            " storage, and the right database? If so, run: flask s2s files sweep --all"
        )
    for name in strays:
        state().storage.delete(name)
    return len(ids), len(strays)


def _strays() -> tuple[int, list[str]]:
    """How many stored names a row knows of, and the old ones that none does."""
    before = clock.now() - STRAY_AFTER
    kept, strays = 0, []
    for some in _batches(state().storage.listed()):
        known = set(
            session().scalars(
                select(Attachment.name).where(Attachment.name.in_([name for name, _ in some]))
            )
        )
        kept += len(known)
        strays += [name for name, since in some if name not in known and since < before]
    return kept, strays


def _batches(things: Iterable[tuple[str, datetime]]) -> Iterator[list[tuple[str, datetime]]]:
    left = iter(things)
    while some := list(islice(left, AT_ONCE)):
        yield some
