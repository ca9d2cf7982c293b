"""The unique pupil number: is it one? (DfE UPN guide; domain.md 3.3).

A UPN is never required, never in an address, a mail or a file name: it is for the referral alone.
"""

from __future__ import annotations

ALPHABET = "ABCDEFGHJKLMNPQRTUVWXYZ"  # no I, O or S
LENGTH = 13
DIGITS = frozenset("0123456789")


def tidy(text: str) -> str:
    """`text` as a UPN is written: capitals, no spaces."""
    return "".join(text.split()).upper()


def check_letter(upn: str) -> str:
    """The letter that characters 2 to 13 of `upn` call for at character 1.

    Each character's value times its position (2 to 13), summed, modulo 23; a letter at character
    13 (a temporary UPN) counts as its place in the alphabet without I, O and S.
    """
    values = (int(c) if c in DIGITS else ALPHABET.index(c) for c in upn[1:])
    total = sum(position * value for position, value in enumerate(values, start=2))
    return ALPHABET[total % len(ALPHABET)]


def problem(text: str) -> str | None:
    """What is wrong with the UPN in `text`, in a sentence; None when it is a good one.

    The authority's number is not checked: authorities come and go.
    """
    upn = tidy(text)
    if len(upn) != LENGTH:
        return f"The UPN must have 13 characters, and this has {len(upn)}"
    if upn[0] not in ALPHABET:
        return "The UPN must begin with a letter other than I, O or S"
    if not DIGITS.issuperset(upn[1:12]):
        return "Characters 2 to 12 of the UPN must be numbers"
    if upn[12] not in DIGITS and upn[12] not in ALPHABET:
        return "Character 13 of the UPN must be a number, or a letter other than I, O or S"
    if check_letter(upn) != upn[0]:
        return (
            "The UPN has the wrong check letter at character 1: check each character, or leave"
            " it empty"
        )
    return None
