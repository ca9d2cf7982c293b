"""The messages on a page that is about something: shown, with a box to write in, and noted as read.

Every journey shows them on its own page of a referral; `messages.views` takes what is written.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from flask.typing import ResponseReturnValue
from wtforms import BooleanField, HiddenField
from wtforms.fields import SelectChoice
from wtforms.validators import Length

from s2s_portal.blueprints import drawing
from s2s_portal.blueprints.forms import Needed, Paragraphs, PickOne, S2SForm, Seen
from s2s_portal.database import unit_of_work
from s2s_portal.identity import current_actor
from s2s_portal.models.conversation import LONGEST, Side
from s2s_portal.services import messages
from s2s_portal.services.threads import About, Thread


class Written(S2SForm):
    """What somebody writes: its text, which page it came from, and what that page showed last."""

    text = Paragraphs(
        "Your message",
        [
            Needed("Enter your message"),
            Length(max=LONGEST, message=f"Your message must be {LONGEST:,} characters or fewer"),
        ],
    )
    token = HiddenField()
    seen = Seen()

    def renew(self, shown: Thread) -> None:
        """From now on it is another page, which shows all that there is."""
        self.token.data, self.seen.data = secrets.token_urlsafe(18), str(shown.last)


class MessageForm(Written):
    """Write a message to another side. Asked whom it is for only where there are several."""

    to = PickOne("Whom is it for?", "Choose whom the message is for")
    no_answer = BooleanField("My message needs no answer", widget=drawing.Tick())

    def offer(self, shown: Thread) -> None:
        """The sides that there are, the likeliest chosen."""
        self.to.choices = [
            SelectChoice(side.value, shown.addressee(side).capitalize()) for side in shown.to
        ]
        if len(shown.to) < 2:
            del self.to
        elif not self.is_submitted() and shown.usual is not None:
            self.to.data = shown.usual.value

    @property
    def addressee(self) -> Side | None:
        """The side it is for; None where there was no question."""
        return Side(self.to.data) if "to" in self else None


@dataclass(frozen=True)
class Talk:
    """The messages about something, and the form to write another with."""

    thread: Thread
    form: MessageForm


def talk(one: About) -> Talk:
    """The messages about `one` as the acting person reads them, with a form as it was sent, if it
    was, else a fresh one."""
    shown = messages.thread(one, by=current_actor())
    form = MessageForm()
    form.offer(shown)
    if not form.is_submitted():
        form.renew(shown)
    return Talk(shown, form)


def read(shown: Talk, answer: ResponseReturnValue) -> ResponseReturnValue:
    """`answer`, the page that shows the messages; what was new there is noted as read."""
    if shown.thread.new:
        with unit_of_work() as work:
            messages.note_seen(work, shown.thread, by=current_actor())
    return answer
