"""References people can read out on the telephone: `S2S-26-7K4P` (F6).

The year, then four characters from an alphabet in which none is taken for another: no 0/O, 1/I/L,
2/Z, 5/S, 8/B, no U/V pair, and no vowels that spell words. A reference tells nothing about a pupil.
"""

from __future__ import annotations

import re
import secrets
from datetime import date

ALPHABET = "34679CDFGHJKMNPQRTVWXY"
LENGTH = 4
REFERRAL, ADVICE = "S2S", "ADV"
PATTERN = re.compile(rf"S2S-\d{{2}}-[{ALPHABET}]{{{LENGTH}}}")
ADVICE_PATTERN = re.compile(rf"ADV-\d{{2}}-[{ALPHABET}]{{{LENGTH}}}")


def new(day: date, series: str = REFERRAL) -> str:
    """A random reference for what is begun on `day`; whoever stores it minds a clash.

    `series` is REFERRAL, or ADVICE for a request for advice: `ADV-26-7K4P`.
    """
    return f"{series}-{day:%y}-" + "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def parse(text: str) -> str | None:
    """The reference in `text` in its written form, or None when it is none.

    Spaces and small letters are forgiven: people type what they hear.
    """
    return _parsed(text, PATTERN)


def parse_advice(text: str) -> str | None:
    """The reference of a request for advice in `text`, or None; forgives as above."""
    return _parsed(text, ADVICE_PATTERN)


def _parsed(text: str, pattern: re.Pattern[str]) -> str | None:
    tidy = re.sub(r"\s+", "", text).upper()
    return tidy if pattern.fullmatch(tidy) else None
