"""The client of `s2s_portal.testing`, signing on in the way of the test host."""

from __future__ import annotations

from s2s_portal.testing import client
from s2s_portal.testing.client import CSRF
from s2s_portal.testing.page import Page, lint

__all__ = ["CSRF", "Client", "Page", "lint"]


class Client(client.Client):
    """Somebody's browser. `sign_on` changes who."""

    def sign_on(self, key: str) -> Client:
        """Sign on as the person under `key` in `world.ACTORS`."""
        self.browser = self.app.test_client()
        with self.browser.session_transaction() as session:
            session["_user_id"] = key
            session["_fresh"] = True
        self.remember_token()
        return self
