"""When two referrals seem to be about the same pupil or class: what is compared, and its mark.

A mark is HMAC-SHA-256 of tidied words under a key of the council's: two marks are equal or not, and
who has them without the key cannot tell, nor try names until one fits. A leaf: nothing of ours.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from datetime import date

UPN, NAME, GROUP = "upn", "name", "group"
BETWEEN = "\x1f"  # between the parts of what is marked: no tidied word has it
# Letters that Unicode does not take apart into a plain one and an accent.
PLAIN = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ŧ": "t"} | {
    "ı": "i", "œ": "oe", "æ": "ae"
})  # fmt: skip
YEARS = re.compile(r"\d+|reception|nursery")
BREAKS = re.compile(r"[\s\-‐‑–—]+")

Words = tuple[str, str]


def normal(text: str) -> str:
    """`text` as it is compared: letters and figures alone, small, without accents.

    O'Brien is OBrien, Łukasz is lukasz, Anne-Marie is annemarie.
    """
    apart = unicodedata.normalize("NFKD", text.casefold()).translate(PLAIN)
    return "".join(letter for letter in apart.casefold() if letter.isalnum())


def first(names: str) -> str:
    """The first of several names, as it is compared: of `Anne-Marie Zoë`, `anne`."""
    found = (normal(name) for name in BREAKS.split(names))
    return next((name for name in found if name), "")


def of_pupil(
    *, surname: str, forenames: str, known_as: str, born: date | None, upn: str
) -> list[Words]:
    """What is compared of a pupil, each with its kind: the UPN; surname, first name and birth.

    The name they are known by counts as a first name too. Empty when too little is known.
    """
    found: list[Words] = [(UPN, BETWEEN.join((UPN, normal(upn))))] if normal(upn) else []
    family = normal(surname)
    if family and born is not None:
        firsts = {first(forenames), first(known_as)} - {""}
        found += [
            (NAME, BETWEEN.join((NAME, family, name, born.isoformat()))) for name in sorted(firsts)
        ]
    return found


def of_group(urn: int, *, name: str, years: str) -> list[Words]:
    """What is compared of a class or group: its school, its name, its year groups.

    Years are the numbers in what was written (`Y3 and 4` is `Years 3, 4`), else the words.
    """
    if not normal(name):
        return []
    found = sorted(set(YEARS.findall(years.casefold()))) or [normal(years)]
    return [(GROUP, BETWEEN.join((GROUP, str(urn), normal(name), *found)))]


def mark(key: str, text: str) -> str:
    """The mark of `text` under `key`: 64 hexadecimal figures."""
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def key_id(key: str) -> str:
    """A name for `key` that does not give it away: which marks were made with it."""
    return mark(key, "which key")[:12]
