"""The blueprint with the views of every module of this journey."""

from __future__ import annotations

from s2s_portal.blueprints.practitioners import confirmations, files, limits
from s2s_portal.blueprints.practitioners.views import bp

__all__ = ["bp", "confirmations", "files", "limits"]
