"""The way back from a referral to the very list it was opened from (W12)."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from s2s_portal.services.worklist_wanted import Wanted


def handed_on() -> dict[str, str]:
    """The list that this page was reached from, to hand on in an address; nothing without one.

    It is read as the query of our own worklist and written anew, so it leads nowhere else.
    """
    back = request.args.get("back", "")
    return {"back": Wanted.parse(back).here} if back else {}


def to_list() -> str:
    """The address of that list; of the worklist as it begins, without one."""
    back = request.args.get("back", "")
    address = url_for("s2s.triage.index")
    return f"{address}?{Wanted.parse(back).here}" if back else address


def shown(reference: str) -> str:
    """The address of the officer's page of a referral, with that list handed on."""
    values: dict[str, Any] = {"reference": reference, **handed_on()}
    return url_for("s2s.triage.show", **values)
