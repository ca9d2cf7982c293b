"""What somebody attaches is looked at before it is kept: its name, its first bytes, and a reader
for its kind that must succeed, in a process of its own.
"""

from __future__ import annotations

from s2s_portal.uploads.check import Accepted, check
from s2s_portal.uploads.formats import FORMATS, Unacceptable
from s2s_portal.uploads.names import download_name

__all__ = ["FORMATS", "Accepted", "Unacceptable", "check", "download_name"]
