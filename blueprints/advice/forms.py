"""The forms with which a school asks for advice, and an officer closes a request."""

from __future__ import annotations

import re

from wtforms import BooleanField, Field, HiddenField, SelectField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, StopValidation

from s2s_portal.blueprints import drawing
from s2s_portal.blueprints.forms import Line, Needed, Paragraphs, PickOne, S2SForm
from s2s_portal.blueprints.threads import Written
from s2s_portal.models.conversation import LONGEST
from s2s_portal.services.advice import OUTCOME_WORDS, OUTCOMES

EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]+")


def email_address(_form: object, field: Field) -> None:
    """Refuse what cannot be an email address."""
    if not EMAIL.fullmatch(field.data or ""):
        raise StopValidation("Enter an email address, like name@school.org.uk")


class AskForm(S2SForm):
    """Ask for advice, without naming a pupil."""

    topic = Line(
        "What is it about?",
        [Needed("Enter what it is about")],
        longest=100,
        description="A few words. For example, calm starts to the day in Year 2.",
    )
    question = Paragraphs(
        "Your question",
        [
            Needed("Enter your question"),
            Length(max=LONGEST, message=f"Your question must be {LONGEST:,} characters or fewer"),
        ],
        description="Say what happens, what you have tried and what you would like to know. Do not"
        " name a pupil, or say anything by which somebody could tell who it is.",
    )
    need_code = SelectField(
        "Type of need (optional)", choices=[], validate_choice=False, widget=drawing.Select()
    )
    contact_name = Line("Name of the contact", [Needed("Enter the name of the contact")])
    contact_email = Line(
        "Email address of the contact",
        [Needed("Enter the email address of the contact"), email_address],
        description="We send an email here when there is an answer. It does not say what.",
    )
    may_become_referral = BooleanField("This may become a referral", widget=drawing.Tick())
    token = HiddenField()
    urn = HiddenField()


class CloseForm(Written):
    """Answer for the last time, and say what came of it."""

    text = Paragraphs(
        "Your answer",
        [
            Needed("Enter your answer"),
            Length(max=LONGEST, message=f"Your answer must be {LONGEST:,} characters or fewer"),
        ],
    )
    outcome = PickOne(
        "What came of it?",
        "Choose what came of it",
        choices=[SelectChoice(outcome.value, OUTCOME_WORDS[outcome]) for outcome in OUTCOMES],
    )
