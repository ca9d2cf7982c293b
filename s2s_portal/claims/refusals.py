"""How a sign-on is refused: what is wrong, then whom to ask."""

from __future__ import annotations

from s2s_portal.errors import SignOnRefused
from s2s_portal.state import setting


def refused(code: str, sentence: str, *, status: int = 403) -> SignOnRefused:
    """The error to raise, with the help that every refusal ends on."""
    sentence = f"{sentence} If you need help, ask {setting('S2S_CONTACT')}."
    return SignOnRefused(sentence, code, status=status)
