"""The forms about one charge: take it off, answer a request, dispute it, settle that."""

from __future__ import annotations

from wtforms.fields import SelectChoice

from s2s_portal.blueprints.forms import Needed, Paragraphs, PickOne, S2SForm
from s2s_portal.models.charges import ReliefKind, ReliefReason
from s2s_portal.services.relief import KIND_WORDS, REASON_WORDS


class ReliefForm(S2SForm):
    """Ask a second person to take a charge off."""

    kind = PickOne(
        "What is to be done?",
        "Choose what is to be done",
        choices=[SelectChoice(kind.value, words) for kind, words in KIND_WORDS.items()],
    )
    reason = PickOne(
        "Why?",
        "Choose why",
        choices=[SelectChoice(reason.value, words) for reason, words in REASON_WORDS.items()],
    )
    words = Paragraphs(
        "What the second person needs to know",
        [Needed("Enter what the second person needs to know")],
    )

    def offer(self, kinds: list[str]) -> None:
        """Offer the ways that are open for the charge as it is."""
        self.kind.choices = [one for one in self.kind.choices if one.value in kinds]

    @property
    def picked(self) -> tuple[ReliefKind, ReliefReason]:
        """What was picked, once the form has been found good."""
        return ReliefKind(self.kind.data), ReliefReason(self.reason.data)


class AnswerForm(S2SForm):
    """Answer somebody else's request."""

    answer = PickOne(
        "Your answer",
        "Choose whether you approve",
        choices=[
            SelectChoice("approve", "Approve: the charge is taken off"),
            SelectChoice("refuse", "Refuse: the charge stays"),
        ],
    )
    words = Paragraphs("Words for whoever asked (needed when you refuse)")


class DisputeForm(S2SForm):
    """Say that a fee is wrong."""

    words = Paragraphs("What is wrong with it?", [Needed("Enter what is wrong with the fee")])


class SettleForm(S2SForm):
    """Settle a dispute: the charge stands."""

    words = Paragraphs("Why the charge stands", [Needed("Enter why the charge stands")])
