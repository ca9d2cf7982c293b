"""The blueprint with the views of every module of this journey."""

from __future__ import annotations

from s2s_portal.blueprints.allocation import (
    hand_on_views,
    map_views,
    moving,
    plan_views,
    supporters,
)
from s2s_portal.blueprints.allocation.views import bp

__all__ = ["bp", "hand_on_views", "map_views", "moving", "plan_views", "supporters"]
