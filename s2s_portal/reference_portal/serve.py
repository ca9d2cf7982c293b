"""The web server of `make run`: gunicorn on one port of this machine.

`python -m s2s_portal.reference_portal.serve PORT`
"""

from __future__ import annotations

import sys
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication


class Server(BaseApplication):
    """Gunicorn with our settings, each worker with an app (and connections) of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__()

    def load_config(self) -> None:
        """Two workers; no control socket in the user's home, where this gunicorn has one."""
        chosen: dict[str, Any] = {
            "bind": f"127.0.0.1:{self.port}",
            "workers": 2,
            "threads": 4,
            "graceful_timeout": 5,
            "loglevel": "warning",
            "proc_name": "s2s-portal",
            "control_socket_disable": True,
        }
        for name, value in chosen.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """The app, made in the worker that asks for it."""
        from s2s_portal.reference_portal import create_app

        return create_app()


if __name__ == "__main__":
    Server(int(sys.argv[1])).run()
