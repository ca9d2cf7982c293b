"""The blueprint with the views of every module of this journey."""

from __future__ import annotations

from s2s_portal.blueprints.visits import (
    day_views,
    follow_up_views,
    offers,
    owed_views,
    staff_views,
)
from s2s_portal.blueprints.visits.views import bp

__all__ = ["bp", "day_views", "follow_up_views", "offers", "owed_views", "staff_views"]
