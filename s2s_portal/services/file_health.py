"""Whether files can be attached, scanned and kept: what the doctor says of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from sqlalchemy import func, select

from s2s_portal import clock, scanner, storage
from s2s_portal.database import session
from s2s_portal.errors import StorageAway
from s2s_portal.models.attachment import Attachment, FileState
from s2s_portal.services import attachments
from s2s_portal.state import setting, state

TOO_LONG = timedelta(hours=1)  # for a file to wait until it is scanned
PROBE = b"The doctor was here, and takes this away again."
PATIENCE = 5  # seconds

Said = tuple[
    Literal["ok", "warn", "fail"], str
]  # ok, warn or fail; and what was seen, or what to do


def scanning() -> Said:
    """Whether the virus scanner is there, and keeps up."""
    address = setting("S2S_CLAMD")
    if not address:
        return "warn", "S2S_CLAMD is not set, so schools cannot attach files. Set it to clamd's."
    if not scanner.answers(address=address, timeout=PATIENCE):
        return "fail", f"clamd does not answer at {address}: start it, or correct S2S_CLAMD."
    waiting = session().scalar(
        select(func.count()).where(
            Attachment.state == FileState.WAITING, Attachment.added_at < clock.now() - TOO_LONG
        )
    )
    if waiting:
        return "warn", f"{waiting} files wait for more than an hour. Run: flask s2s files scan"
    return "ok", "clamd answers, and no file waits long."


def keeping() -> Said:
    """Whether content can be put away, had back and deleted: it is tried."""
    if not attachments.offered():
        return "ok", "Nothing is kept, as files are not offered."
    name = storage.new_name()
    try:
        state().storage.put(name, PROBE)
        same = state().storage.read(name) == PROBE
        state().storage.delete(name)
    except StorageAway as error:
        return "fail", f"Files cannot be kept: {error.__cause__}. See S2S_STORAGE_FOLDER."
    return ("ok", "A file was put away and had back.") if same else ("fail", "It lost a file.")


def limits() -> Said:
    """Whether the host lets a file through that we would take."""
    most, host = attachments.largest(), state().config.get("MAX_CONTENT_LENGTH")
    if attachments.offered() and host is not None and host <= most:
        return (
            "warn",
            f"The host's MAX_CONTENT_LENGTH is {attachments.size_words(host)}, so files up to"
            f" S2S_FILE_LARGEST_MB ({attachments.size_words(most)}) do not come through. Raise it"
            " to twice that.",
        )
    return "ok", "What may be attached comes through."
