"""The calendar entry that goes with a mail about a visit, made as the mail goes out (F51)."""

from __future__ import annotations

from email.utils import parseaddr

from flask import current_app
from flask_mail import Attachment
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from s2s_portal.database import session
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.models.visit import Visit
from s2s_portal.services import calendar_files
from s2s_portal.services.calendar_files import Party
from s2s_portal.state import setting

NOBODY = "s2s@s2s.invalid"  # a host that names no sender: an invitation has to be from somebody


def of_visit(visit_id: int, method: str, reader: str, link: str) -> Attachment:
    """The visit as a file that the calendar of `reader` (an address) takes in, or takes out.

    A mail that goes out late says what it would have said: the row keeps its times.
    """
    visit = (
        session()
        .scalars(
            select(Visit)
            .where(Visit.id == visit_id)
            .options(
                joinedload(Visit.referral).joinedload(Referral.establishment),
                joinedload(Visit.practitioner).joinedload(Practitioner.provider),
            )
        )
        .one()
    )
    school, provider = visit.referral.establishment, visit.practitioner.provider
    place = calendar_files.place_of(visit.kind, school, provider)
    cancelled = method == calendar_files.CANCEL  # not as it is by now: another mail says that
    one = calendar_files.entry(visit, visit.referral.reference, place, link, cancelled=cancelled)
    content = calendar_files.invitation(one, method, _sender(), Party(reader))
    return Attachment(
        filename="visit.ics",
        content_type=f"text/calendar; charset=utf-8; method={method}",
        data=content,
    )


def _sender() -> Party:
    """From whom our mail comes, by our setting or the host's own."""
    said = setting("S2S_MAIL_SENDER") or current_app.config.get("MAIL_DEFAULT_SENDER") or ""
    name, address = said if isinstance(said, tuple) else parseaddr(str(said))
    return Party(address or NOBODY, name or setting("S2S_SERVICE_NAME"))
