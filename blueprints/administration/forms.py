"""The administrator's forms."""

from __future__ import annotations

from s2s_portal.blueprints.forms import Line, Needed, S2SForm


class TieForm(S2SForm):
    """Which account belongs to a practitioner, chosen from a list; the service judges it."""

    account = Line("Account", [Needed("Choose the account of this person")], longest=300)
