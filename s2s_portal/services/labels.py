"""What the codes of a referral are called where people read them."""

from __future__ import annotations

from datetime import date

from s2s_portal.models.referral import Support

CONTACT_ROLES = {"SENCO": "SENCo", "HEAD": "Head teacher or principal", "DHT": "Deputy head"}
SEXES = {"F": "Female", "M": "Male"}
# School census `SENprovision` (domain.md 3.1).
PROVISIONS = {"N": "No SEN provision", "K": "SEN Support", "E": "Education, health and care plan"}
HOW_AGREED = {"SIGNED": "In writing, signed", "EMAIL": "By email", "VERBAL": "Spoken"}

# School census year groups (domain.md 3.4), as far as a school that may refer has them.
YEAR_GROUPS = {
    "N1": "Nursery, first year",
    "N2": "Nursery, second year",
    "R": "Reception",
    **{str(year): f"Year {year}" for year in range(1, 15)},
    "X": "National curriculum not followed",
}

# The kinds of support in MI Sheet 44/19.
SUPPORT = {
    Support.ADVICE: "Practical advice",
    Support.OBSERVATION: "Observation of the pupil or group",
    Support.MODELLING: "Showing strategies in the classroom",
    Support.TRAINING: "Training for staff",
    Support.RESOURCES: "Help with making resources",
    Support.PLAN_REVIEW: "A review of the support plan",
    Support.SIGNPOSTING: "Signposting to other services",
    Support.REVERSE_VISIT: "A visit by your staff to a Complex Needs School",
}


def date_words(day: date | None) -> str:
    """A date as people write it, or nothing."""
    return f"{day.day} {day:%B %Y}" if day else ""
