"""Which terms applied when, and what a referral costs, in the words that a school is shown."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy.orm import Session

from s2s_portal.errors import NoTerms
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.terms import AccessRoute, Funding
from s2s_portal.services import terms
from tests.world import ACADEMY, NURSERY, SCHOOL


@pytest.mark.parametrize(
    ("urn", "day", "pence", "words"),
    [
        (
            SCHOOL,
            date(2019, 5, 14),
            10_000,
            "£100: mainstream school, received 14 May 2019, MI Sheet 44/19",
        ),
        (
            SCHOOL,
            date(2019, 3, 31),
            0,
            "£0: paid for by hours or a package bought beforehand, received 31 March 2019,"
            " MI Sheet 44/19",
        ),
        (
            SCHOOL,
            date(2019, 4, 1),
            10_000,
            "£100: mainstream school, received 1 April 2019, MI Sheet 44/19",
        ),
        (
            ACADEMY,
            date(2026, 11, 23),
            10_000,
            "£100: mainstream school, received 23 November 2026, MI Sheet 44/19",
        ),
        (
            NURSERY,
            date(2019, 5, 14),
            0,
            "£0: early years setting, received 14 May 2019, MI Sheet 44/19",
        ),
    ],
)
def test_fee_and_reason(session: Session, urn: int, day: date, pence: int, words: str) -> None:
    school = session.get(Establishment, urn)
    assert school is not None
    verdict = terms.verdict(school, day)
    assert (verdict.amount_pence, verdict.words) == (pence, words)


@pytest.mark.parametrize(
    ("day", "access", "funding"),
    [
        (date(2019, 3, 31), AccessRoute.EXISTING, Funding.TRADED),
        (date(2019, 4, 1), AccessRoute.EXISTING, Funding.HIGH_NEEDS_BLOCK),
        (date(2019, 8, 31), AccessRoute.EXISTING, Funding.HIGH_NEEDS_BLOCK),
        (date(2019, 9, 1), AccessRoute.SINGLE_FRONT_DOOR, Funding.HIGH_NEEDS_BLOCK),
        (date(2040, 1, 1), AccessRoute.SINGLE_FRONT_DOOR, Funding.HIGH_NEEDS_BLOCK),
    ],
)
def test_terms_of_mi_sheet_44_19_by_day(
    session: Session, day: date, access: AccessRoute, funding: Funding
) -> None:
    found = terms.on(day)
    assert (found.access, found.funding) == (access, funding)


def test_a_day_before_the_service_has_no_terms(session: Session) -> None:
    with pytest.raises(NoTerms, match="31 March 2015"):
        terms.on(date(2015, 3, 31))


def test_down_syndrome_may_be_chosen_from_january_2025(session: Session) -> None:
    assert "DS" not in {need.code for need in terms.needs_on(date(2024, 12, 31))}
    assert "DS" in {need.code for need in terms.needs_on(date(2025, 1, 1))}
