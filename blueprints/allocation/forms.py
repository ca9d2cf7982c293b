"""The forms with which an officer chooses a practitioner, for one referral or for several."""

from __future__ import annotations

from wtforms import BooleanField, Form, FormField, HiddenField

from s2s_portal.blueprints.forms import (
    DecidingForm,
    Needed,
    Paragraphs,
    PickOne,
    Rows,
    S2SForm,
    Seen,
)
from s2s_portal.services.plans import MOST_AT_ONCE


class AllocateForm(DecidingForm):
    """Who takes the referral, and why. `practitioner` holds the id as text."""

    practitioner = PickOne("Who should take this referral?", "Choose a practitioner", choices=[])
    override = BooleanField("Choose them even so")
    reason = Paragraphs("Why this practitioner?", [Needed("Enter why you chose this practitioner")])


class PlanForm(S2SForm):
    """What there is to say about a plan that cannot be gone on with; it is never sent."""


class GivenForm(Form):
    """One referral of a plan: who takes it, and why. `practitioner` holds the id as text."""

    reference = HiddenField()
    practitioner = HiddenField()
    seen = Seen()
    reason = Paragraphs("Why this practitioner?", [Needed("Enter why you chose this practitioner")])


class GiveForm(S2SForm):
    """Several referrals, each with the practitioner who takes it, and why."""

    rows = Rows(FormField(GivenForm), max_entries=MOST_AT_ONCE)


class WithdrawOfferForm(S2SForm):
    """Take an offer back. `seen` is which one the page was drawn from."""

    seen = Seen()
    comment = Paragraphs(
        "Why do you withdraw the offer?", [Needed("Enter why you withdraw the offer")]
    )


class RefuseRequestForm(S2SForm):
    """Say no to a practitioner who asks for a referral."""

    comment = Paragraphs("Why not?", [Needed("Enter why not")])
