"""A thread of messages as one person reads it: whose turn it is, whom to write to, what is new.

Facts and words about what `services.messages` has found; nothing is asked of the database here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from s2s_portal import clock
from s2s_portal.models.codes import UNSENT, Status
from s2s_portal.models.conversation import AdviceRequest, Conversation, Message, Side
from s2s_portal.models.referral import Referral
from s2s_portal.services.terms import written

About = Referral | AdviceRequest
SHOWN = 3  # of the newest messages on a referral's page; all that are new, if those are more

# A side as one reads of it, on that side and on another.
OWN = {Side.SCHOOL: "your school", Side.COUNCIL: "the council", Side.PRACTITIONER: "you"}
OTHER = {
    Side.SCHOOL: "the school",
    Side.COUNCIL: "the council",
    Side.PRACTITIONER: "the practitioner",
    Side.LEAD: "the practitioner’s lead",
}
ENDED = {
    Status.CLOSED: "closed",
    Status.DECLINED: "declined",
    Status.WITHDRAWN: "withdrawn",
}


def entity_of(one: About) -> str:
    """What the audit trail calls it."""
    return "referral" if isinstance(one, Referral) else "advice request"


@dataclass(frozen=True)
class Turn:
    """Whose turn it is: in words, and the colour of the tag that says so. `ours`: the reader's."""

    words: str
    colour: str
    ours: bool


def turn_of(waits_for: Side | None, since: datetime | None, side: Side | None) -> Turn:
    """The turn as somebody on `side` reads it; `since` is the instant it began."""
    if waits_for is None or since is None:
        return Turn("No answer is awaited", "grey", ours=False)
    ours = waits_for is side
    who = (OWN if ours else OTHER)[waits_for]
    day = written(clock.local(since).date())
    return Turn(f"Waiting for {who} since {day}", "yellow" if ours else "blue", ours)


def still_waits(waits_for: Side | None, status: Status) -> bool:
    """Whether anybody is to answer in a referral with this status: a practitioner only has one
    that is with them."""
    return waits_for is not None and (
        waits_for is not Side.PRACTITIONER or status is Status.ALLOCATED
    )


@dataclass(frozen=True)
class Thread:
    """What was written about one thing, and what the reader can do.

    `side` is the reader's, None for a reader on none. `given`: a practitioner has the referral.
    `seen` is the last message that the reader has seen before, 0 for none.
    """

    about: About
    advice: AdviceRequest | None
    side: Side | None
    given: bool
    messages: list[Message]
    conversation: Conversation | None
    seen: int
    reader: str
    to: list[Side] = field(init=False)

    def __post_init__(self) -> None:
        """Whom the reader can write to."""
        object.__setattr__(self, "to", _to(self))

    @property
    def reference(self) -> str:
        """The reference that the messages are written under."""
        return self.about.reference

    @property
    def last(self) -> int:
        """The number of the last message written under this reference, 0 when there is none."""
        return self.conversation.last_message_id if self.conversation else 0

    @property
    def turn(self) -> Side | None:
        """The side that is to answer; None when nobody is, or it has ended since."""
        waits_for = self.conversation.waits_for if self.conversation else None
        if isinstance(self.about, AdviceRequest):
            return waits_for if self.about.outcome is None else None
        return waits_for if still_waits(waits_for, self.about.status) else None

    @property
    def turn_words(self) -> Turn:
        """The turn in words."""
        since = self.conversation.waits_since if self.conversation else None
        return turn_of(self.turn, since, self.side)

    @property
    def usual(self) -> Side | None:
        """Whom the reader most likely writes to: who asked them, or else the first there is."""
        for message in reversed(self.messages):
            if message.to_side is self.side and message.side in self.to:
                return message.side
        return self.to[0] if self.to else None

    @property
    def why_not_write(self) -> str:
        """Why no message can be written now, in a sentence; empty when one can."""
        if isinstance(self.about, AdviceRequest):
            if self.about.referral_id is not None:
                return (
                    "This request for advice has become a referral. Messages go on there, once it"
                    " has been sent."
                )
            return ""
        if self.about.status in UNSENT:
            return "Messages can be written once the referral has been sent."
        if not self.to:
            return "This referral is no longer with a practitioner, so you cannot write here."
        return ""

    @property
    def ended_words(self) -> str:
        """That what it is about has ended, and who still reads; empty when it has not."""
        if isinstance(self.about, AdviceRequest):
            if self.about.outcome is None or self.about.referral_id is not None:
                return ""
            return "This request has been answered and closed. If you write, it is opened again."
        ended = ENDED.get(self.about.status)
        if ended is None or not self.to:
            return ""
        return (
            f"This referral has been {ended}. The school and the council can still write to each"
            " other. A practitioner is not asked any more."
        )

    def is_new(self, message: Message) -> bool:
        """Whether the reader has not seen `message` before."""
        mine = message.by_id == self.reader or self._is_of_advice(message)
        return not mine and message.id > self.seen

    def _is_of_advice(self, message: Message) -> bool:
        return isinstance(self.about, Referral) and message.advice_id is not None

    @property
    def new(self) -> int:
        """How many messages the reader has not seen before."""
        return sum(self.is_new(message) for message in self.messages)

    @property
    def shown(self) -> list[Message]:
        """The newest messages, for a page that is about more than messages."""
        first_new = next((i for i, m in enumerate(self.messages) if self.is_new(m)), None)
        start = max(len(self.messages) - SHOWN, 0)
        return self.messages[start if first_new is None else min(start, first_new) :]

    def writer(self, message: Message) -> str:
        """Who wrote it, and on whose side."""
        name = "You" if message.by_id == self.reader else message.by_name
        joined = ", for " if message.side in {Side.SCHOOL, Side.COUNCIL} else ", "
        return f"{name}{joined}{OTHER[message.side]}"

    def addressee(self, side: Side) -> str:
        """A side, as the reader reads of it."""
        return OWN[side] if side is self.side else OTHER[side]


def _with_practitioner(thread: Thread) -> bool:
    return (
        thread.given
        and isinstance(thread.about, Referral)
        and thread.about.status is Status.ALLOCATED
    )


def _to(thread: Thread) -> list[Side]:
    if thread.side is None:
        return []
    sides = [Side.SCHOOL, Side.COUNCIL]
    if _with_practitioner(thread):
        sides.insert(0, Side.PRACTITIONER)
        if thread.side is Side.LEAD:  # who speaks to their own staff elsewhere
            sides.remove(Side.PRACTITIONER)
    elif thread.side in {Side.PRACTITIONER, Side.LEAD}:
        return []
    return [side for side in sides if side is not thread.side]
