"""Asking a colleague for a section, asking the head, and the head's answer."""

from __future__ import annotations

from wtforms import HiddenField
from wtforms.fields.choices import SelectChoice

from s2s_portal.blueprints.forms import Line, Needed, Paragraphs, S2SForm
from s2s_portal.blueprints.referrals.fields import OneOf, SectionForm
from s2s_portal.blueprints.referrals.forms import email_address

AGREE, NOT_YET = "agree", "not-yet"


class AskForm(S2SForm):
    """Whom to ask for one section."""

    name = Line("Name of your colleague", [Needed("Enter the name of your colleague")])
    email = Line(
        "Their school email address",
        [Needed("Enter their school email address"), email_address],
        description="We send the link here. The email says nothing about a child.",
    )
    message = Paragraphs(
        "A word to them (optional)",
        description="They read it after signing in. For example, by when you need it.",
    )


class AskHeadForm(S2SForm):
    """Where the head reads mail."""

    email = Line(
        "Email address of the head",
        [Needed("Enter the email address of the head"), email_address],
        description="The email says nothing about a child. The head also sees the draft under"
        " Referrals.",
    )


class HeadForm(SectionForm):
    """A head's answer to a draft: its version and fee, and with “Not yet” what must change."""

    answer = OneOf(
        "Do you agree?",
        message="Choose whether you agree",
        choices=[
            SelectChoice(AGREE, "I agree that the school asks for this and to the fee"),
            SelectChoice(NOT_YET, "Not yet"),
        ],
        reveals={NOT_YET: ("remark",)},
    )
    remark = Paragraphs(
        "What must change before you agree?",
        [Needed("Enter what must change before you agree")],
        description="Your colleagues read this on the draft. No email says it.",
    )
    pence = HiddenField()

    @property
    def fee(self) -> int:
        """The fee in pence that the page showed; -1, which none is, for nonsense."""
        text = str(self.pence.data or "")
        return int(text) if text.isdecimal() and len(text) < 10 else -1
