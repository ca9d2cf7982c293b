"""The floors: the same rows by SQLAlchemy Core and a template written by hand, nothing else.

No sign-on, no access rules, no audit, no form, no layout: what a page of ours costs above these is
what all of that costs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from jinja2 import DictLoader, Environment
from sqlalchemy import Engine, Select, and_, bindparam, cast, func, select
from sqlalchemy.types import Float

from s2s_portal import clock
from s2s_portal.models.answer import Agreement, Need, OutcomeWanted, StrategyTried, Subject
from s2s_portal.models.clocks import ClockChange, CouncilClosure, ReferralClock
from s2s_portal.models.conversation import Conversation
from s2s_portal.models.decision import Decision, DecisionCheck, SupportLevel
from s2s_portal.models.establishment import Establishment
from s2s_portal.models.intake import IntakeWindow
from s2s_portal.models.ledger import LedgerEntry
from s2s_portal.models.note import Flag, InternalNote
from s2s_portal.models.offer import CaseRequest, Offer
from s2s_portal.models.panel import PanelItem
from s2s_portal.models.practitioner import (
    Absence,
    Allocation,
    Conflict,
    Practitioner,
    Release,
    Skill,
)
from s2s_portal.models.reallocation import Supporter
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.models.terms import NeedType, ServiceTerms
from s2s_portal.models.visit import Visit
from s2s_portal.models.worklist import Officer, OfficerAssignment, SavedList, WorklistEntry

TEMPLATES = {
    "worklist.html": """<!DOCTYPE html><html lang="en"><head><title>Referrals</title></head>
<body><h1>Referrals</h1><table class="govuk-table"><tbody>
{% for row in rows %}<tr class="govuk-table__row">
<th class="govuk-table__header"><span><input type="checkbox" name="reference" value="{{ row.reference }}"
aria-label="Choose {{ row.reference }}"></span><a class="govuk-link" href="/x/{{ row.reference }}">{{ row.reference }}</a></th>
<td class="govuk-table__cell">{{ row.school_name }}<br>{{ row.phase_name }}</td>
<td class="govuk-table__cell">{{ row.label or "Not given" }}</td>
<td class="govuk-table__cell">{{ row.kind }}</td>
<td class="govuk-table__cell">{{ row.received_on }}<br>{{ (today - row.received_on).days }} days ago</td>
<td class="govuk-table__cell">{% if row.due_on %}{{ row.due_step }} by {{ row.due_on }}{% if row.due_on < today %}
<strong class="govuk-tag govuk-tag--red">Overdue</strong><br>{{ (today - row.due_on).days }} days late{% endif %}
{% else %}Nothing{% endif %}</td>
<td class="govuk-table__cell">{{ row.officer_name or "Nobody" }}</td></tr>{% endfor %}
</tbody></table><ul>{% for name, count in counts %}<li>{{ name }} {{ count }}</li>{% endfor %}</ul>
{% for part in parts %}<select>{% for row in part %}<option class="govuk-select__option">{{ row|join(" ") }}</option>
{% endfor %}</select>{% endfor %}</body></html>""",
    "referral.html": """<!DOCTYPE html><html lang="en"><head><title>Referral</title></head>
<body><h1>{{ referral.reference }}</h1>{% for part in parts %}<dl class="govuk-summary-list">
{% for row in part %}{% for name, value in row.items() %}
<div class="govuk-summary-list__row"><dt class="govuk-summary-list__key">{{ name }}</dt>
<dd class="govuk-summary-list__value">{{ value }}</dd></div>{% endfor %}{% endfor %}</dl>
{% endfor %}</body></html>""",
    "candidates.html": """<!DOCTYPE html><html lang="en"><head><title>Choose</title></head>
<body><h1>Choose</h1><form method="post"><table class="govuk-table"><tbody>
{% for row in rows %}<tr class="govuk-table__row"><td class="govuk-table__cell">
<div class="govuk-radios govuk-radios--small"><div class="govuk-radios__item">
<input class="govuk-radios__input" id="p-{{ row.id }}" name="p" type="radio" value="{{ row.id }}">
<label class="govuk-label govuk-radios__label" for="p-{{ row.id }}">{{ row.name }}<br>{{ row.provider }}</label>
</div></div></td><td class="govuk-table__cell">{{ row.needs|join(" ") }}</td>
<td class="govuk-table__cell">{{ row.cases }} of {{ row.capacity }}</td>
<td class="govuk-table__cell"><strong class="govuk-tag">{{ row.visits or 0 }}</strong><br>{{ row.week }}</td>
<td class="govuk-table__cell">{{ row.metres }}</td><td class="govuk-table__cell">{{ row.lately }}</td>
<td class="govuk-table__cell">{{ row.earlier }}</td>
<td class="govuk-table__cell">{{ row.away or "" }} {{ row.reason or "" }}</td>
<td class="govuk-table__cell">{{ row.levels or "" }} {{ row.offers or "" }} {{ row.supported or "" }}</td>
<td class="govuk-table__cell">{{ row.why or "" }}</td>
</tr>{% endfor %}</tbody></table><textarea name="reason"></textarea><button>Allocate</button></form>
</body></html>""",
}


def add(app: Flask, engine: Engine, reference: str) -> None:
    """Give `app` the three floors, at `/floor/worklist`, `/floor/referral`, `/floor/candidates`."""
    environment = Environment(loader=DictLoader(TEMPLATES), autoescape=True)

    def worklist() -> str:
        with engine.connect() as connection:
            rows = connection.execute(WORKLIST).all()
            counts = connection.execute(
                TILES, {"most": 1_001, "day": clock.today(), "lately": LONG_AGO}
            )
            parts = [connection.execute(query).all() for query in WITH_WORKLIST]
        shown = {"rows": rows, "counts": counts.all(), "parts": parts, "today": clock.today()}
        return environment.get_template("worklist.html").render(**shown)

    def referral() -> str:
        with engine.connect() as connection:
            row = connection.execute(
                select(Referral.__table__).where(Referral.reference == reference)
            ).one()
            parts = [connection.execute(query).mappings().all() for query in _read_with(row)]
        parts.append([row._mapping])
        return environment.get_template("referral.html").render(referral=row, parts=parts)

    def candidates() -> str:
        with engine.connect() as connection:
            school = connection.execute(
                select(
                    Establishment.easting,
                    Establishment.northing,
                    Establishment.urn,
                    Referral.id.label("referral_id"),
                )
                .join(Referral, Referral.urn == Establishment.urn)
                .where(Referral.reference == reference)
            ).one()
            rows = connection.execute(_candidates(school)).all()
        return environment.get_template("candidates.html").render(rows=rows)

    for view in (worklist, referral, candidates):
        app.add_url_rule(f"/floor/{view.__name__}", f"floor_{view.__name__}", view)


def _read_with(row: Any) -> list[Select[Any]]:
    """Everything else that our page of this referral reads."""
    parts = [select(part.__table__).where(part.__table__.c.referral_id == row.id) for part in PARTS]
    return [
        *parts,
        select(Need.__table__, NeedType.label)
        .join(NeedType, NeedType.code == Need.code)
        .where(Need.referral_id == row.id),
        select(Establishment.__table__).where(Establishment.urn == row.urn),
        select(ServiceTerms.__table__).where(ServiceTerms.id == row.terms_id),
        select(LedgerEntry.__table__).where(LedgerEntry.referral_reference == row.reference),
    ]


PARTS = (
    *(Subject, Agreement, StrategyTried, OutcomeWanted, ReferralEvent, ReferralClock, ClockChange),
    *(Allocation, Conversation, OfficerAssignment, InternalNote, Flag, DecisionCheck),
    *(Offer, PanelItem),
)
WORKLIST = (
    select(
        *(WorklistEntry.reference, WorklistEntry.school_name, WorklistEntry.kind),
        *(WorklistEntry.received_on, WorklistEntry.status, WorklistEntry.phase_name),
        *(WorklistEntry.officer_name, WorklistEntry.due_step, WorklistEntry.due_on),
        NeedType.label,
    )
    .outerjoin(NeedType, NeedType.code == WorklistEntry.need)
    .where(WorklistEntry.status == "submitted")
    .order_by(WorklistEntry.submitted_at, WorklistEntry.referral_id)
    .limit(50)
)
LONG_AGO = datetime(2019, 4, 1, tzinfo=UTC)
# What the page's tiles, menu and choices are made of.
TILES = select(
    func.s2s.worklist_counts(
        bindparam("most"), bindparam("day"), bindparam("lately"), ""
    ).table_valued("pile", "number")
)
WITH_WORKLIST = (
    select(Establishment.district).distinct().order_by(Establishment.district),
    select(Establishment.phase_code, func.min(Establishment.phase_name)).group_by(
        Establishment.phase_code
    ),
    select(NeedType.code, NeedType.label).order_by(NeedType.position),
    select(Officer.id, Officer.name, Officer.email),
    select(IntakeWindow.id, IntakeWindow.opens),
    select(SavedList.id, SavedList.name, SavedList.query),
    select(CouncilClosure.starts, CouncilClosure.ends),
    select(func.count()).select_from(Conversation).where(Conversation.waits_for.is_not(None)),
)


def _candidates(school: Any) -> Select[Any]:
    level = (
        select(SupportLevel.code)
        .join(Decision, Decision.level_id == SupportLevel.id)
        .where(Decision.referral_id == Allocation.referral_id)
        .order_by(Decision.event_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    cases = (
        select(
            Allocation.practitioner_id,
            func.count().label("cases"),
            func.array_agg(level).label("levels"),
        )
        .where(Allocation.ended_at.is_(None))
        .group_by(Allocation.practitioner_id)
        .subquery()
    )
    earlier = (
        select(Allocation.practitioner_id, func.count().label("earlier"))
        .join(Referral, Referral.id == Allocation.referral_id)
        .where(Referral.urn == school.urn)
        .group_by(Allocation.practitioner_id)
        .subquery()
    )
    lately = (
        select(Allocation.practitioner_id, func.count().label("lately"))
        .where(Allocation.at >= func.now() - timedelta(days=7))
        .group_by(Allocation.practitioner_id)
        .subquery()
    )
    visits = (
        select(Visit.practitioner_id, func.sum(Visit.ends_at - Visit.starts_at).label("visits"))
        .join(Allocation, Allocation.id == Visit.allocation_id)
        .where(Visit.starts_at >= func.now(), Allocation.ended_at.is_(None))
        .group_by(Visit.practitioner_id)
        .subquery()
    )
    releases = (
        select(Release.practitioner_id, func.array_agg(Release.minutes).label("week"))
        .group_by(Release.practitioner_id)
        .subquery()
    )
    absences = (
        select(Absence.practitioner_id, func.array_agg(Absence.starts).label("away"))
        .where(Absence.ends >= func.current_date())
        .group_by(Absence.practitioner_id)
        .subquery()
    )
    skills = (
        select(Skill.practitioner_id, func.array_agg(Skill.code).label("needs"))
        .group_by(Skill.practitioner_id)
        .subquery()
    )
    offers = (
        select(Offer.practitioner_id, func.array_agg(Offer.tier).label("offers"))
        .where(Offer.ended_at.is_(None))
        .group_by(Offer.practitioner_id)
        .subquery()
    )
    supported = (
        select(Supporter.practitioner_id, func.count().label("supported"))
        .where(Supporter.ended_at.is_(None))
        .group_by(Supporter.practitioner_id)
        .subquery()
    )
    asks = and_(
        CaseRequest.practitioner_id == Practitioner.id,
        CaseRequest.referral_id == school.referral_id,
        CaseRequest.ended_at.is_(None),
    )
    east = cast(Establishment.easting - school.easting, Float)
    north = cast(Establishment.northing - school.northing, Float)
    metres = func.sqrt(east * east + north * north)
    return (
        select(
            Practitioner.id,
            Practitioner.name,
            skills.c.needs,
            *(lately.c.lately, cases.c.levels, offers.c.offers, supported.c.supported),
            CaseRequest.why,
            visits.c.visits,
            releases.c.week,
            absences.c.away,
            Conflict.reason,
            Practitioner.capacity,
            Establishment.name.label("provider"),
            func.coalesce(cases.c.cases, 0).label("cases"),
            func.coalesce(earlier.c.earlier, 0).label("earlier"),
            metres.label("metres"),
        )
        .join(Establishment, Establishment.urn == Practitioner.provider_urn)
        .outerjoin(cases, cases.c.practitioner_id == Practitioner.id)
        .outerjoin(lately, lately.c.practitioner_id == Practitioner.id)
        .outerjoin(visits, visits.c.practitioner_id == Practitioner.id)
        .outerjoin(releases, releases.c.practitioner_id == Practitioner.id)
        .outerjoin(absences, absences.c.practitioner_id == Practitioner.id)
        .outerjoin(
            Conflict, (Conflict.practitioner_id == Practitioner.id) & (Conflict.urn == school.urn)
        )
        .outerjoin(offers, offers.c.practitioner_id == Practitioner.id)
        .outerjoin(supported, supported.c.practitioner_id == Practitioner.id)
        .outerjoin(CaseRequest, asks)
        .outerjoin(skills, skills.c.practitioner_id == Practitioner.id)
        .outerjoin(earlier, earlier.c.practitioner_id == Practitioner.id)
        .where(Practitioner.active, ~Practitioner.is_lead)
        .order_by(metres)
    )
