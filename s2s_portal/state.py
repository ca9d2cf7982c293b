"""What `init_app` found in the host, kept on the app: `state()` is how every other module asks.

A leaf: it imports nothing of ours, so that anything may import it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import current_app

if TYPE_CHECKING:
    from sqlalchemy import Engine

EXTENSION = "s2s"


@dataclass
class State:
    """One mounting of the service in one app."""

    engine: Engine
    mail: Any
    identity: Any
    config: Any
    session: Any = None
    jobs: Any = None
    storage: Any = None
    templates: Any = None
    policies: dict[str, Any] = field(default_factory=dict)

    def setting(self, name: str) -> Any:
        """The value of one `S2S_*` key as it stands now."""
        return self.config[name]


def state() -> State:
    """The mounting in the current app. Raises RuntimeError when S2S is not mounted in it."""
    found = current_app.extensions.get(EXTENSION)
    if found is None:
        raise RuntimeError("S2S is not mounted in this app: call S2SPortal().init_app(app).")
    return found  # type: ignore[no-any-return]


def setting(name: str) -> Any:
    """The value of one `S2S_*` key in the current app."""
    return state().setting(name)
