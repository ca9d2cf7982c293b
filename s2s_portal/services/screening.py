"""Before a draft: the questions that come first, in order, and where each other way out leads.

What the register knows is not asked. Nothing that is answered here is kept: a safeguarding worry
least of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from s2s_portal.models.establishment import NURSERY_PHASE, Establishment, SettingKind
from s2s_portal.state import setting

SAFETY, ABOUT, RECEPTION = "safety", "about", "reception"
QUESTIONS = (SAFETY, ABOUT, RECEPTION)
AT_RISK, EARLY_YEARS, SPECIAL, ELSEWHERE = "at-risk", "early-years", "special-school", "elsewhere"

# Phases of the register in which there is no child below Year 1: secondary and beyond.
OLDER_PHASES = frozenset({4, 5, 6})
YOUNGEST_OF_YEAR_1 = 5

ANSWERS: dict[str, dict[str, str]] = {
    SAFETY: {"yes": "Yes, or I am not sure", "no": "No"},
    ABOUT: {
        "older": "Pupils in Year 1 or above at this school, or our staff",
        "reception": "Children in a reception class at this school",
        EARLY_YEARS: "Children in a nursery class or another early years setting",
        SPECIAL: "A pupil of a special school",
        ELSEWHERE: "A pupil of another school, in this county or another",
    },
    RECEPTION: {"yes": "Continue"},
}
# The answers that lead out, and where to.
WAYS_OUT = {
    (SAFETY, "yes"): AT_RISK,
    **{(ABOUT, way): way for way in (EARLY_YEARS, SPECIAL, ELSEWHERE)},
}


@dataclass(frozen=True)
class WayOut:
    """A page for somebody who is in the wrong place: what to do instead."""

    title: str
    paragraphs: tuple[str, ...]


def ways_out() -> dict[str, WayOut]:
    """Each way out by its name in the address, but for the one about safety."""
    early, contact = setting("S2S_EARLY_YEARS_CONTACT"), setting("S2S_CONTACT")
    return {
        EARLY_YEARS: WayOut(
            "Early years children come through another service",
            (
                "For children who have not started reception, S2S Support is free, but it is asked"
                f" for through {early}.",
                f"What to do next: contact {early}. They look at the request first, and bring a"
                " Complex Needs School in if they agree that it is needed.",
                "A child in a reception class is different: use this service, and choose"
                " “reception class”.",
            ),
        ),
        SPECIAL: WayOut(
            "S2S Support is for mainstream schools",
            (
                "Special schools have this expertise themselves, so they cannot make a referral.",
                "What to do next: if the pupil is moving to a mainstream school, that school can"
                f" make the referral. For anything else, ask {contact}.",
            ),
        ),
        ELSEWHERE: WayOut(
            "The pupil’s own school makes the referral",
            (
                "A school refers its own pupils only: it knows them, pays the fee and is told what"
                " was found.",
                "What to do next: if the pupil goes to another school in this county, ask its SENCo"
                " to refer. If the pupil goes to a school in another county, that school asks the"
                " SEND team of its own council.",
            ),
        ),
    }


def options(establishment: Establishment) -> dict[str, str]:
    """The answers to `about` that this school can give; what the register rules out is left out."""
    offered = dict(ANSWERS[ABOUT])
    low = establishment.low_age
    if establishment.phase_code in OLDER_PHASES or (low or 0) >= YOUNGEST_OF_YEAR_1:
        del offered["reception"], offered[EARLY_YEARS]
    return offered


def next_question(establishment: Establishment, given: Mapping[str, str]) -> str | None:
    """The first question that is still to be answered; None when a draft may begin.

    An answer that leads out, or was not offered, does not count as one.
    """
    if given.get(SAFETY) != "no":
        return SAFETY
    if establishment.setting_kind is SettingKind.EARLY_YEARS:
        return None
    about = given.get(ABOUT)
    if about not in options(establishment) or (ABOUT, about) in WAYS_OUT:
        return ABOUT
    if about == "reception" and given.get(RECEPTION) != "yes":
        return RECEPTION
    return None


def alternative(establishment: Establishment, local_authority: int) -> str:
    """What a school that may not refer can do instead; the register alone decides."""
    if establishment.local_authority != local_authority:
        return "Ask the SEND team of the council that your school belongs to what help it offers."
    if establishment.is_closed:
        return (
            "If another school has taken its place, make the referral from that school’s account."
        )
    if establishment.is_special:
        return (
            "If a pupil of yours is moving to a mainstream school, that school can make the"
            " referral."
        )
    if establishment.phase_code == NURSERY_PHASE or (establishment.high_age or 99) <= 5:
        return (
            "Early years settings ask for this support, free of charge, through"
            f" {setting('S2S_EARLY_YEARS_CONTACT')}."
        )
    return f"Ask {setting('S2S_CONTACT')} who can help instead."
