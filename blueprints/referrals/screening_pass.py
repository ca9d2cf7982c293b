"""The pass that somebody carries through the questions before a draft: what was answered, signed.

It lives in the address, so it works with Back, in two tabs and without JavaScript, and nothing is
kept here meanwhile. It is signed with the host's key: nobody can write themselves an answer. It
names its bearer, so a copied address is of no use to anybody else.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field, replace

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from s2s_portal import clock
from s2s_portal.identity import Actor

GOOD_FOR = 24 * 60 * 60  # seconds
SALT = "s2s-before-a-draft"


@dataclass(frozen=True)
class Pass:
    """Who is asking for which school, since when (seconds), and what they have answered.

    `token` is unique to this passage: it gives one draft, however often it is shown.
    """

    who: str
    urn: int
    at: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    answers: dict[str, str] = field(default_factory=dict)

    def answering(self, question: str, answer: str) -> Pass:
        """The same pass with one more answer."""
        return replace(self, answers={**self.answers, question: answer})

    def signed(self) -> str:
        """The pass as it stands in an address."""
        return str(_signer().dumps(asdict(self)))


def issue(urn: int, actor: Actor) -> Pass:
    """A new pass, with nothing answered."""
    return Pass(actor.id, urn, int(clock.now().timestamp()))


def read(text: str | None, actor: Actor) -> Pass | None:
    """The pass in `text`; None when it is none, is too old, or is somebody else's."""
    try:
        found = Pass(**_signer().loads(text or ""))
    except (BadData, TypeError):
        return None
    age = clock.now().timestamp() - found.at
    if found.who != actor.id or found.urn not in actor.establishments or not 0 <= age < GOOD_FOR:
        return None
    return found


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt=SALT)
