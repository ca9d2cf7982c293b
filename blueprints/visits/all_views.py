"""The blueprint with the views of every module of this journey."""

from __future__ import annotations

from s2s_portal.blueprints.visits import booking_views, offers, plan_views
from s2s_portal.blueprints.visits.views import bp

__all__ = ["booking_views", "bp", "offers", "plan_views"]
