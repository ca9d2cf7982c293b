"""What a school reads about a decision: the standard text, which the officer may change."""

from __future__ import annotations

from s2s_portal import money
from s2s_portal.models.codes import Way
from s2s_portal.models.decision import DecisionReason, OtherService, SupportLevel
from s2s_portal.models.referral import Referral

Choice = SupportLevel | DecisionReason | OtherService


def standard(way: Way, choice: Choice, referral: Referral, words: str = "") -> str:
    """The text for a decision, in paragraphs of one line each, with the officer's own `words`.

    Nothing of it is added afterwards: what the officer sends is what is kept and shown.
    """
    before, after = _around(way, choice, referral)
    return "\n".join(line for line in (*before, *words.split("\n"), *after) if line.strip())


def _around(way: Way, choice: Choice, referral: Referral) -> tuple[list[str], list[str]]:
    if isinstance(choice, SupportLevel):
        return (
            [f"We have accepted this referral: {_small(choice.label)}.", choice.promise],
            [_charged(referral)],
        )
    if isinstance(choice, OtherService):
        return (
            [f"Another service suits this referral better: {_small(choice.label)}."],
            [f"How to reach it: {choice.reach}", "Nothing is charged."],
        )
    if way is Way.WAIT:
        return (
            [f"We have put this referral on the waiting list. Why: {_small(choice.label)}."],
            [
                "It keeps its place by the day we received it. We cannot say when its turn comes;"
                " this page shows how many are before it. Nothing is charged while it waits.",
            ],
        )
    if way is Way.ADVISE:
        return [f"We can help with advice. Why: {_small(choice.label)}."], [
            "No visit is arranged, and nothing is charged."
        ]
    fixed = [f"How to put it right: {choice.remedy}"] if choice.can_fix else []
    if choice.can_fix:
        fixed.append("You can copy this referral into a new draft, so nothing is typed twice.")
    return [f"{choice.label}."], [*fixed, "Nothing is charged."]


def _small(label: str) -> str:
    """A label in the middle of a sentence: `EHC` and the like keep their capitals."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


def _charged(referral: Referral) -> str:
    if not referral.fee_pence:
        return f"Nothing is charged. {referral.fee_verdict}."
    amount = money.pounds(referral.fee_pence)
    verdict = referral.fee_verdict.removeprefix(f"{amount}: ")
    return f"The engagement fee of {amount} is charged to {referral.school_name}: {verdict}."
