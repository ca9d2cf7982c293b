"""The form with which an officer chooses a practitioner."""

from __future__ import annotations

from wtforms import BooleanField

from s2s_portal.blueprints.forms import DecidingForm, Needed, Paragraphs, PickOne


class AllocateForm(DecidingForm):
    """Who takes the referral, and why. `practitioner` holds the id as text."""

    practitioner = PickOne("Who should take this referral?", "Choose a practitioner", choices=[])
    override = BooleanField("Choose them even so")
    reason = Paragraphs("Why this practitioner?", [Needed("Enter why you chose this practitioner")])
