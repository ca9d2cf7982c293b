"""Whether files can be attached: is the scanner there, are they kept, does the host let them by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import func, select

from s2s_portal import clock, scanner, storage
from s2s_portal.database import session
from s2s_portal.errors import StorageAway
from s2s_portal.models.attachment import Attachment, FileState
from s2s_portal.services import attachments
from s2s_portal.services.doctor.findings import Look, Said, fail, warn
from s2s_portal.state import setting, state

TOO_LONG = timedelta(hours=1)  # for a file to wait until it is scanned
PROBE = b"The doctor was here, and takes this away again."
PATIENCE = 5  # seconds


def _scanning() -> Iterator[Said]:
    address = setting("S2S_CLAMD")
    if not address:
        yield warn("S2S_CLAMD is not set, so schools cannot attach files. Set it to clamd's.")
        return
    if not scanner.answers(address=address, timeout=PATIENCE):
        yield fail(f"clamd does not answer at {address}: start it, or correct S2S_CLAMD.")
    waiting = session().scalar(
        select(func.count()).where(
            Attachment.state == FileState.WAITING, Attachment.added_at < clock.now() - TOO_LONG
        )
    )
    if waiting:
        yield warn(f"{waiting} files wait for more than an hour. Run: flask s2s files scan")


def _keeping() -> Iterator[Said]:
    if not attachments.offered():
        return
    name = storage.new_name()
    try:
        state().storage.put(name, PROBE)
        same = state().storage.read(name) == PROBE
        state().storage.delete(name)
    except StorageAway as error:
        yield fail(f"Files cannot be kept: {error.__cause__}. See S2S_STORAGE_FOLDER.")
        return
    if not same:
        yield fail("What was put away did not come back as it was. See S2S_STORAGE_FOLDER.")


def _limits() -> Iterator[Said]:
    most, host = attachments.largest(), state().config.get("MAX_CONTENT_LENGTH")
    if attachments.offered() and host is not None and host <= most:
        yield warn(
            f"The host's MAX_CONTENT_LENGTH is {attachments.size_words(host)}, so files up to"
            f" S2S_FILE_LARGEST_MB ({attachments.size_words(most)}) do not come through. Raise it"
            " to twice that."
        )


LOOKS = (
    Look("virus scanner", _scanning, "clamd answers, and no file waits long."),
    Look("stored files", _keeping, "What is attached can be kept."),
    Look("size of files", _limits, "What may be attached comes through."),
)
