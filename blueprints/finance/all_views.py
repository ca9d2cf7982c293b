"""The blueprint with the views of every module of this journey."""

from __future__ import annotations

from s2s_portal.blueprints.finance import charge_views
from s2s_portal.blueprints.finance.views import bp

__all__ = ["bp", "charge_views"]
