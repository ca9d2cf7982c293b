"""The API by which other systems of the council's read the ledger and pull it: `/api/v1/`.

A package that only other systems use: no page, no form, no cookie. What it answers to what is in
`document.py`; a test holds the two to each other.
"""

from __future__ import annotations

from s2s_portal.blueprints.api.views import bp

__all__ = ["bp"]
