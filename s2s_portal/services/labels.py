"""What the codes of a referral are called where people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TypeVar

from s2s_portal.models.codes import Kind, Support
from s2s_portal.state import setting

Code = TypeVar("Code")


KINDS = {
    Kind.PUPIL: "One named pupil",
    Kind.GROUP: "A group or class of pupils",
    Kind.WHOLE: "The whole school, or part of it",
    Kind.TRAINING: "Training for staff, and nothing else",
}
# The same in a column of a list.
SHORT_KINDS = {
    Kind.PUPIL: "Pupil",
    Kind.GROUP: "Group",
    Kind.WHOLE: "Whole school",
    Kind.TRAINING: "Training",
}
CONTACT_ROLES = {"SENCO": "SENCo", "HEAD": "Head teacher or principal", "DHT": "Deputy head"}
SEXES = {"F": "Female", "M": "Male"}
# School census `SENprovision` (domain.md 3.1).
PROVISIONS = {"N": "No SEN provision", "K": "SEN Support", "E": "Education, health and care plan"}
HOW_AGREED = {"SIGNED": "In writing, signed", "EMAIL": "By email", "VERBAL": "Spoken"}
HOW_TOLD = {
    "LETTER": "By letter",
    "EMAIL": "By email or a message from the school",
    "MEETING": "At a meeting",
    "OTHER": "Another way",
}
SCOPES = {
    "INVOLVEMENT": "A practitioner may work with the pupil and with the school",
    "SHARING": "The practitioner may share information with other services",
}

# Why a school's own means are not enough: at least one (Liverpool SENISS; domain.md 2.2).
CRITERIA = {
    "COMPLEX": "The needs are complex and hold back progress significantly",
    "CYCLES": "More than one term of assess, plan, do, review, and we are still concerned",
    "CURRICULUM": "The curriculum cannot be reached, even with an adult's support",
    "LEARNING": "How the needs show themselves stops learning",
    "UNSTRUCTURED": "Unstructured times of the day are a struggle",
    "ADVICE": "A specialist's advice was followed for the time set, and we are still concerned",
    "REDUCED": "A reduced timetable that is not growing again",
    "EAL": "English as an additional language has been considered, and does not explain it",
}

# Who may be involved with a pupil already (domain.md 2.2).
SERVICES = {
    "EP": "Educational psychologist",
    "EPSS": "Educational psychology and specialist support",
    "SALT": "Speech and language therapist",
    "OT": "Occupational therapist",
    "PHYSIO": "Physiotherapist",
    "SENSORY": "Sensory support service",
    "CAMHS": "Child and adolescent mental health service",
    "PAED": "Paediatrician",
    "ADVISORY": "Advisory teacher",
    "OTHER": "Another service",
}

# What support for a whole school can be about: the broad areas of the Code of Practice, and more.
THEMES = {
    "COG": "Cognition and learning",
    "COM": "Communication and interaction",
    "SEMH": "Social, emotional and mental health",
    "SEN": "Sensory and physical needs",
    "TEACH": "Inclusive teaching in every class",
    "ROOMS": "Rooms, routines and unstructured times",
    "PLANS": "Plans, reviews and provision mapping",
}

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


LEFT_AREA = "The pupil has left the area of {council}"


def with_council(words: Mapping[Code, str]) -> dict[Code, str]:
    """Words for codes, with the name of the council that runs the service where they ask for it."""
    return {code: text.format(council=setting("S2S_COUNCIL_NAME")) for code, text in words.items()}


def date_words(day: date | None) -> str:
    """A date as people write it, or nothing."""
    return f"{day.day} {day:%B %Y}" if day else ""
