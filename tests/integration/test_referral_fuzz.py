"""Malformed posts over every form of the school's journey: no fault, and never half a section.

`S2S_FUZZ_POSTS` says how many; the suite tries a few hundred, 10,000 are run before a release.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from s2s_portal.services import answers as said
from s2s_portal.services import referrals, sections
from tests import answers
from tests.client import Client

pytestmark = pytest.mark.usefixtures("may_2019")

POSTS = int(os.environ.get("S2S_FUZZ_POSTS", "300"))
FORMS = [
    (kind, section, form)
    for kind, forms in answers.KINDS.items()
    if kind != "first"
    for section, form in forms.items()
]
FORMS += [("pupil", "own", answers.OWN), ("pupil", "kind", {"kind": "group"})]
NAMES = [
    *sorted({name for _, _, form in FORMS for name in form}),
    "seen",
    "kind",
    "told",
    "add",
    "remove",
    "rows-²-what",
    "rows-" + "9" * 5000 + "-what",
    "rows--what",
    "rows",
    "rows-9-code",
    "outcomes-0",
    "csrf",
    "copy",
    "discard",
]
VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", "\x00", "²", "9" * 5000, "-1", "pupil", "group", "training", "yes", "no", "K", "SEMH"]
    ),
    st.sampled_from(["NSA", "ADV", "LETTER", "INVOLVEMENT", "2019-02-29", "0", "10", "1" * 20]),
    st.just("x" * 10_001),
)


def state(session: Session, reference: str) -> dict[str, Any]:
    """What every section of the referral says, and what is noted as answered."""
    session.commit()
    session.expire_all()
    referral = referrals.get(reference, whole=True)
    found: dict[str, Any] = {
        key: said.of(referral, key) for key in sections.keys(referral) if key != "kind"
    }
    return {"answered": referral.answered, "kind": referral.kind, **found}


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The sections that say something else than before."""
    shared = before.keys() & after.keys() - {"answered", "kind"}
    return {key for key in shared if before[key] != after[key]}


@settings(
    max_examples=POSTS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    form=st.sampled_from(FORMS),
    changes=st.dictionaries(
        st.sampled_from(NAMES), st.lists(VALUES, max_size=5) | st.none(), max_size=6
    ),
    base=st.booleans(),
    keeping=st.integers(0, 9).map(lambda drawn: drawn == 0),
)
def test_no_post_whatever_fails_or_writes_half_a_section(
    client: Client,
    session: Session,
    form: tuple[str, str, dict[str, Any]],
    changes: dict[str, list[str] | None],
    base: bool,
    keeping: bool,
) -> None:
    kind, section, typed = form
    reference = DRAFTS.get((id(client), kind))
    if reference is None:
        reference = DRAFTS[id(client), kind] = answers.complete(client.sign_on("senco"), kind)
    fields = {**(typed if base else {}), **changes}
    fields = {name: value for name, value in fields.items() if value is not None}
    where = {"reference": reference, "section": section}
    endpoint = "referrals.keep" if keeping else "referrals.section"
    before = state(session, reference)
    answer = client.open(
        client.url(endpoint, **where),
        method="POST",
        data={**fields, "csrf_token": client.token},
    )
    after = state(session, reference)
    assert answer.status_code in {200, 302, 409, 422}
    if answer.status_code == 302 and not keeping:
        assert section == "kind" or changed(before, after) <= {section, *TOGETHER.get(section, ())}
    else:
        assert changed(before, after) == set()
        assert before["answered"] == after["answered"]
    if before["kind"] != after["kind"]:
        answers.choose(client, reference, kind)
        for key, complete in answers.KINDS[kind].items():
            answers.save(client, reference, key, complete)
    elif "consent" in before["answered"] and after.get("consent", {}).get("agreed") is False:
        for key in ("consent", "sharing"):
            answers.save(client, reference, key)


DRAFTS: dict[tuple[int, str], str] = {}
# No agreement, so nothing that it covers.
TOGETHER = {"consent": ("sharing", "own")}
