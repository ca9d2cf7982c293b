"""For those who help: recommendations that are overdue, or of which no school has spoken."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, lead, officer, practitioner
from s2s_portal.blueprints.forms import tidy
from s2s_portal.blueprints.pages import page
from s2s_portal.blueprints.visits.views import bp
from s2s_portal.identity import Role, current_actor
from s2s_portal.services import follow_up_lists
from s2s_portal.services.follow_up_lists import Pile

__all__ = ["bp"]


@bp.get("/follow-ups/")
@allow(practitioner | lead | officer)
def follow_ups_due() -> ResponseReturnValue:
    """A practitioner's own, a lead's of their staff, an officer's of the whole county."""
    actor = current_actor()
    is_officer = actor.has(Role.OFFICER)
    wanted = request.args.get("pile", "")
    pile = Pile(wanted) if wanted in set(Pile) else Pile.OVERDUE
    search = tidy(request.args.get("q", ""))[:100] if is_officer else ""
    offered = follow_up_lists.providers() if is_officer else {}
    chosen = request.args.get("provider", "")
    provider = next((urn for urn in offered if str(urn) == chosen), None)
    return page(
        "s2s/visits/follow_ups.html",
        listing=follow_up_lists.listing(
            pile,
            by=actor,
            school=search,
            provider=provider,
            after=follow_up_lists.place(request.args.get("after", "")),
            before=follow_up_lists.place(request.args.get("before", "")),
        ),
        pile=pile,
        search=search,
        providers=offered,
        provider=provider,
        is_officer=is_officer,
    )
