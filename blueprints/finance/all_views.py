"""The blueprint with the views of every module of this journey."""

from __future__ import annotations

from s2s_portal.blueprints.finance import account_views, charge_views, response_views, year_views
from s2s_portal.blueprints.finance.views import bp

__all__ = ["account_views", "bp", "charge_views", "response_views", "year_views"]
