"""Whether officers can plan a whole worklist: is the extra there, and does it come to a plan."""

from __future__ import annotations

from collections.abc import Iterator

from s2s_portal import planning
from s2s_portal.planning import Asked, Fit, Rule, Taker, Worklist
from s2s_portal.services.doctor.findings import Look, Said, fail, well

WITHOUT = "Officers allocate one referral at a time. For plans: pip install 's2s-portal[plan]'."


def _planning() -> Iterator[Said]:
    if not planning.installed():
        yield well(WITHOUT)
        return
    # The nearer practitioner has one place, and the second referral can go nowhere else.
    worklist = Worklist(
        asked=[Asked(key=1, days=2, school=0, ask=0), Asked(key=2, days=1, school=0, ask=1)],
        takers=[
            Taker(key=1, name="Near", provider=0, load=0, capacity=1, room=1),
            Taker(key=2, name="Far", provider=1, load=0, capacity=1, room=1),
        ],
        miles=[[1.0, 9.0]],
        fits=[[Fit.BOTH, Fit.BOTH], [Fit.BOTH, Fit.NEITHER]],
    )
    rule = Rule(need=200, phase=100, contact=2, full=5, unknown=50)
    if planning.make(worklist, rule).chosen != {1: 2, 2: 1}:
        yield fail("OR-Tools does not come to the best plan: install the version that we name.")


LOOKS = (Look("plans", _planning, "A plan for the worklist can be made."),)
