"""The PDF of a referral: made when it is asked for, as each copy is a read of a child's data."""

from __future__ import annotations

from s2s_portal import clock
from s2s_portal.documents.referral import (
    ChangedLine,
    ChangedPart,
    ReferralDocument,
    render,
)
from s2s_portal.models.referral import Referral
from s2s_portal.services import changes, reading, referrals, standing
from s2s_portal.services.labels import date_words


def make(reference: str) -> bytes:
    """The referral `reference` with what has changed since it was sent, as PDF; audited as a read.

    Raises NotFound when it is not the acting person's to see.
    """
    referral = referrals.get(reference, whole=True)
    return render(_document(referral))


def _document(referral: Referral) -> ReferralDocument:
    return ReferralDocument(
        reference=referral.reference,
        stands=standing.stands(referral),
        facts=(
            ("School", referral.school_name),
            ("Received", date_words(referral.received_on)),
            ("What it costs", f"{referral.fee_verdict}\n{standing.charge_words(referral)}"),
        ),
        parts=tuple((part.title, tuple(part.lines)) for part in reading.parts(referral)),
        changes=tuple(_changed(change) for change in changes.log(referral)),
        made_at=clock.now(),
    )


def _changed(change: changes.Change) -> ChangedPart:
    who, day = change.change.by_name, date_words(clock.local(change.change.at).date())
    asked = "The council asked" if change.asked else "Why"
    return ChangedPart(
        title=f"{change.title}, changed on {day} by {who}",
        reason=f"{asked}: {change.reason}",
        lines=tuple(ChangedLine(line.label, line.before, line.after) for line in change.lines),
    )
