"""Everything that happened to a referral, for whoever may see it: one list, also to print."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, lead, officer, practitioner, school
from s2s_portal.blueprints.closing.views import case_of
from s2s_portal.blueprints.pages import page
from s2s_portal.identity import current_actor
from s2s_portal.services import timeline
from s2s_portal.services.timeline import Kind

bp = Blueprint("timeline", __name__)


@bp.get("/<reference>")
@allow(school | officer | practitioner | lead)
def show(reference: str) -> ResponseReturnValue:
    """What happened, newest first. Nonsense in the address is as good as nothing."""
    asked = request.args.get("kind", "")
    kind = Kind(asked) if asked in set(Kind) else None
    start = request.args.get("from", "")
    whole = request.args.get("all") == "yes"
    referral, found = timeline.of(
        reference,
        kind=kind,
        start=int(start) if start.isascii() and start.isdecimal() and len(start) < 7 else 0,
        whole=whole,
        by=current_actor(),
    )
    return page(
        "s2s/closing/timeline.html",
        referral=referral,
        found=found,
        kind=kind,
        whole=whole,
        words=timeline.KIND_WORDS,
        back=case_of(current_actor(), referral.reference),
    )
