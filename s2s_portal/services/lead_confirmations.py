"""Whether the lead of a Complex Needs School confirms release before an allocation stands.

Off until somebody says so, as a second approval delays the support (W4): the lead for their own
school, an administrator for any. What was said is never changed; the latest counts.
"""

from __future__ import annotations

from sqlalchemy import select

from s2s_portal import audit
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound
from s2s_portal.identity import Actor
from s2s_portal.models.offer import LeadConfirmation
from s2s_portal.services import practitioner_choices


def provider_name(urn: int, by: Actor) -> str:
    """The name of a Complex Needs School for which `by` may say so. Raises NotFound."""
    name = practitioner_choices.providers(by).get(urn)
    if name is None:
        raise NotFound()
    return name


def last(urn: int) -> LeadConfirmation | None:
    """What was said last for a school; None when nobody ever has."""
    return (
        session()
        .scalars(
            select(LeadConfirmation)
            .where(LeadConfirmation.provider_urn == urn)
            .order_by(LeadConfirmation.id.desc())
            .limit(1)
        )
        .first()
    )


def say(work: UnitOfWork, urn: int, *, confirms: bool, by: Actor) -> bool:
    """Say whether the lead of a school confirms release from now on; whether that is a change.

    What is on offer already goes on as it was offered. Raises NotFound for a school that is not
    the lead's.
    """
    provider_name(urn, by)
    before = last(urn)
    if confirms is bool(before and before.confirms):
        return False
    work.session.add(
        LeadConfirmation(provider_urn=urn, confirms=confirms, by_id=by.id, by_name=by.name)
    )
    what = "asked for" if confirms else "no longer asks for"
    audit.wrote(work, f"{what} confirmation of release", "provider", urn)
    return True
