"""Files that the schools of the demonstration attach, where files are offered: invented as well."""

from __future__ import annotations

import typst

from s2s_portal import Actor
from s2s_portal.database import UnitOfWork
from s2s_portal.models.attachment import FileType
from s2s_portal.models.referral import Referral
from s2s_portal.services import attachments
from s2s_portal.uploads import Accepted

FILES = {
    FileType.PROVISION_MAP: (
        "Provision map, autumn term",
        ("Mornings: visual timetable and a quiet start", "Afternoons: small group of four"),
    ),
    FileType.PROFILE: (
        "One-page profile",
        ("What people like about me", "What is important to me", "How best to support me"),
    ),
}


def attach(work: UnitOfWork, referral: Referral, by: Actor) -> None:
    """Attach them to a draft that is held; the worker scans them when it runs."""
    if not attachments.offered():
        return
    for kind, (label, lines) in FILES.items():
        file = Accepted("pdf", _pdf(label, lines))
        attachments.add(work, referral, file, type=kind, label=label, by=by)


def _pdf(title: str, lines: tuple[str, ...]) -> bytes:
    written = "".join(f"- {line}\n" for line in lines)
    source = f'#set document(title: "{title}")\n= {title}\n{written}'
    return typst.compile(source.encode(), pdf_standards=["ua-1"])
