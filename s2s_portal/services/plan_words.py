"""What a plan says of itself: why this practitioner, why nobody, what it saves. Names no child."""

from __future__ import annotations

from typing import NamedTuple

from s2s_portal.services.candidate import Candidate


class Side(NamedTuple):
    """What one way of going about it comes to.

    `miles` is the sum of straight lines from provider to school, without the `unknown` ones;
    `both` have somebody who covers need and phase; `full` practitioners have no place left; those
    `waiting` have waited for `days` days between them.
    """

    given: int = 0
    miles: float = 0.0
    unknown: int = 0
    both: int = 0
    full: int = 0
    waiting: int = 0
    days: int = 0


def figures(plan: Side, by_hand: Side) -> list[tuple[str, str, str]]:
    """What is compared: a label, the plan's figure, and what one at a time comes to."""
    rows = [
        ("Referrals with a practitioner", [f"{side.given:,}" for side in (plan, by_hand)]),
        ("Of these, need and phase covered", [f"{side.both:,}" for side in (plan, by_hand)]),
        ("Miles, one way, in a straight line", [_miles(side) for side in (plan, by_hand)]),
        ("Referrals that wait on", [f"{side.waiting:,}" for side in (plan, by_hand)]),
        ("Days that these have waited", [f"{side.days:,}" for side in (plan, by_hand)]),
        ("Practitioners without a place left", [f"{side.full:,}" for side in (plan, by_hand)]),
    ]
    return [(label, first, second) for label, (first, second) in rows]


def _miles(side: Side) -> str:
    words = f"{side.miles:,.1f}"
    return f"{words}, and {side.unknown:,} not known" if side.unknown else words


def saving(plan: Side, by_hand: Side) -> str:
    """What the plan is worth against one at a time. More referrals given are more miles in all, so
    then miles are compared for each."""
    more, days = plan.given - by_hand.given, by_hand.days - plan.days
    said = []
    if more:
        said.append(
            f"The plan gives {_times(abs(more), 'referral')} {'more' if more > 0 else 'fewer'} a"
            " practitioner"
            + (f", who waited for {_times(days, 'day')} between them" if days > 0 else "")
            + "."
        )
    elif days:
        # As many, but others.
        said.append(
            f"Those whom the plan gives a practitioner have waited for {_times(abs(days), 'day')}"
            f" {'longer' if days > 0 else 'less'} between them."
        )
    return " ".join([*said, _miles_saved(plan, by_hand, each=bool(more))])


def _miles_saved(plan: Side, by_hand: Side, *, each: bool) -> str:
    if not plan.given - plan.unknown or not by_hand.given - by_hand.unknown:
        return "Miles cannot be compared."
    if each:
        there, here = (
            f"{side.miles / (side.given - side.unknown):.1f}" for side in (by_hand, plan)
        )
        return f"A visit is {here} miles away on average; one at a time it would be {there}."
    saved = round(by_hand.miles - plan.miles, 1)
    if not saved:
        return "Allocating one at a time comes to the same miles."
    if saved > 0:
        return (
            f"The plan saves {saved:,.1f} miles, one way, each time every school is visited once."
        )
    return (
        f"The plan is {-saved:,.1f} miles longer, one way, each time every school is visited once:"
        " need, phase, workload and earlier contact count too."
    )


def _times(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def because(proposed: Candidate, alone: Candidate | None, *, gone: bool) -> str:
    """Why this practitioner and not another, in a sentence.

    `alone` is who would be first for this referral on its own, of those with room; `gone` whether
    the plan has given all their places to others.
    """
    if alone is None or alone.practitioner_id == proposed.practitioner_id:
        return "Also the first choice for this referral on its own."
    other = f"On its own this referral would go to {alone.name} ({_away(alone)}),"
    if gone:
        return f"{other} whose places the plan gives to others."
    if proposed.earlier and not alone.earlier:
        return f"{other} who does not know the school."
    return f"{other} who would have less room left."


def reason(proposed: Candidate, after: int, sentence: str) -> str:
    """What is kept as the reason for an allocation, for the officer to edit.

    `after` are the open cases of the practitioner once the plan is done, `sentence` says why not
    another.
    """
    said = [
        proposed.cover_words,
        _away(proposed),
        f"{after} of {proposed.capacity} open cases with this plan",
    ]
    if proposed.earlier:
        said.append(f"earlier contact with the school: {proposed.contact_words}")
    return f"{'; '.join(said)}. {sentence}"


CHOSEN = "Chosen by an officer."


def _away(candidate: Candidate) -> str:
    if candidate.miles is None:
        return "distance not known"
    return f"{candidate.distance_words} away"


def why_nobody(suiting: list[Candidate], *, excluded: bool, declined: bool = False) -> str:
    """Why the plan gives a referral nobody. `suiting` are those who could be proposed."""
    if not suiting:
        if excluded and not declined:
            return "Everybody who covers the need or the phase is kept from this school."
        if declined:
            return "Who covers the need or the phase is kept from this school or did not take it."
        return "Nobody who takes referrals covers the need or the phase."
    if not any(one.has_room for one in suiting):
        return "Everybody who covers the need or the phase is full."
    return (
        "Everybody who covers the need or the phase is full, or goes to referrals that have waited"
        " as long or longer or that you have chosen for them."
    )
