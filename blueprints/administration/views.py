"""For the administrator: rules by date, imports, people. For the auditor: who did what."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from s2s_portal.access import administrator, allow, auditor
from s2s_portal.blueprints.forms import tidy
from s2s_portal.blueprints.pages import page
from s2s_portal.services import accounts, administration

bp = Blueprint("administration", __name__)


@bp.get("/")
@allow(administrator)
def index() -> ResponseReturnValue:
    """What the service goes by: terms with fees, the register, the practitioners."""
    return page(
        "s2s/administration/index.html",
        terms=administration.service_terms(),
        imports=administration.last_imports(),
        counts=administration.counts(),
        practitioners=administration.practitioners(),
        phases=administration.phases(),
    )


@bp.get("/audit")
@allow(auditor)
def audit_trail() -> ResponseReturnValue:
    """Who did or looked at what, newest first, filtered by what is in the address."""
    wanted = administration.Wanted(
        **{name: tidy(request.args.get(name, ""))[:100] for name in ("person", "key", "action")}
    )
    return page(
        "s2s/administration/audit.html",
        wanted=wanted,
        listing=administration.trail(
            wanted,
            after=accounts.place(request.args.get("after", "")),
            before=accounts.place(request.args.get("before", "")),
        ),
    )
