"""What waits for an officer in the morning: run beside a portal, it says which referrals it sent.

    python -m tests.browser.fill_day SEED SENT ACCEPTED

By the services, as the demonstration is told: walking the school's form would take minutes. One
reference a line, those that are to decide first.
"""

from __future__ import annotations

import sys
from random import Random

from s2s_portal.database import session, unit_of_work
from s2s_portal.identity import acting_as
from s2s_portal.reference_portal import create_app
from s2s_portal.reference_portal import demonstration_words as words
from s2s_portal.reference_portal.demonstration_acts import ACTS, Story
from s2s_portal.reference_portal.demonstration_decisions import DECISIONS
from s2s_portal.reference_portal.demonstration_schools import HIGH_SCHOOL, PRIMARY
from s2s_portal.reference_portal.personas import PERSONAS


def tell(random: Random, number: int, *acts: str) -> str:
    """Have one referral sent, and whatever `acts` say besides; its reference."""
    urn = (PRIMARY, HIGH_SCHOOL)[number % 2]
    story = Story(random, urn, "", words.needs(random))
    for name in ("start", "fill", "submit", *acts):
        by = PERSONAS["officer"].actor if name in DECISIONS else story.sender
        with acting_as(by):
            session().rollback()
            with unit_of_work() as work:
                (ACTS | DECISIONS)[name](work, story, by, -1)
    return story.reference


def main() -> None:
    """Send and accept as many as were asked for."""
    seed, sent, accepted = map(int, sys.argv[1:])
    random = Random(seed)
    app = create_app()
    with app.test_request_context():
        for number in range(sent):
            print(tell(random, number))
        for number in range(accepted):
            print(tell(random, number, "accept"))


if __name__ == "__main__":
    main()
