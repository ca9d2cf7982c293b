"""The bodies that decide: which gets what is sent, and which officer acts for which (F30).

Routing goes by dated rules, the most particular first: what applied stays with the referral. An
officer of whom nothing is said acts for every body, so a council with one team need do nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import delete, func, select

from s2s_portal import audit, clock
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, Refused, Stale
from s2s_portal.identity import Actor
from s2s_portal.models.body import OfficerBody, Routed, TriageBody, TriageRule
from s2s_portal.models.codes import Kind
from s2s_portal.models.establishment import SettingKind
from s2s_portal.models.referral import Referral
from s2s_portal.models.worklist import Officer

# Codes of the census for children below Reception: the Early Years team's, wherever they are.
NURSERY_YEARS = frozenset({"E1", "E2", "N1", "N2"})
ROUTED_WORDS = {
    Routed.EARLY_YEARS_SETTING: "Sent by a nursery school or another early years setting",
    Routed.NURSERY_CHILD: "About a child in a nursery year (E1, E2, N1 or N2) of another school",
    Routed.OTHER: "Everything else, reception classes included",
}


@dataclass(frozen=True)
class Belonging:
    """An officer who has come here, and the codes of the bodies they act for; none says all."""

    officer: Officer
    bodies: tuple[str, ...]


def names() -> dict[str, str]:
    """Every body by its code, in order: one statement."""
    found = session().execute(
        select(TriageBody.code, TriageBody.name).order_by(TriageBody.position)
    )
    return {code: name for code, name in found}


def rules() -> list[TriageRule]:
    """Every rule there has been, by what it goes by, the latest first."""
    order = list(Routed)
    found = session().scalars(
        select(TriageRule).order_by(TriageRule.valid_from.desc(), TriageRule.id.desc())
    )
    return sorted(found, key=lambda rule: order.index(rule.what))


def in_force(found: Collection[TriageRule], day: date) -> dict[Routed, TriageRule]:
    """Of `rules()`, the one for each case that holds on `day`."""
    holding: dict[Routed, TriageRule] = {}
    for rule in found:
        if rule.valid_from <= day:
            holding.setdefault(rule.what, rule)
    return holding


def route(referral: Referral, day: date) -> None:
    """Put a referral that is being sent into the queue of the body that the rules of `day` name.

    `referral` is loaded whole. Where no rule has begun it stays where every referral begins.
    """
    found = in_force(rules(), day).get(_case(referral))
    if found is not None:
        referral.body, referral.body_rule_id = found.body, found.id


def _case(referral: Referral) -> Routed:
    if referral.establishment.setting_kind is SettingKind.EARLY_YEARS:
        return Routed.EARLY_YEARS_SETTING
    about = referral.subject
    if referral.kind is Kind.PUPIL and about is not None and about.year_group in NURSERY_YEARS:
        return Routed.NURSERY_CHILD
    return Routed.OTHER


def add_rule(
    work: UnitOfWork, *, what: Routed, body: str, valid_from: date, source: str, by: Actor
) -> None:
    """From a day on, another body gets such referrals; what was sent before stays where it is.

    Raises Refused for a day that is past, no body, or without where it was decided.
    """
    if body not in names():
        raise Refused("Choose which team gets them", field="body")
    if valid_from < clock.today():
        raise Refused("The first day must be today or later", field="valid_from")
    if not source.strip():
        raise Refused("Enter where this was decided", field="source")
    rule = TriageRule(
        what=what, body=body, valid_from=valid_from, source=source, by_id=by.id, by_name=by.name
    )
    work.session.add(rule)
    work.flush()
    audit.wrote(work, "added", "triage rule", f"{what.value} from {valid_from}: {body}")


def officers() -> list[Belonging]:
    """The officers who have come here, by name, each with the bodies they act for."""
    mine: dict[str, list[str]] = defaultdict(list)
    for account, body in session().execute(
        select(OfficerBody.account_id, OfficerBody.body).order_by(OfficerBody.body)
    ):
        mine[account].append(body)
    found = session().scalars(select(Officer).order_by(Officer.name, Officer.id))
    return [Belonging(one, tuple(mine[one.account_id])) for one in found]


def officer(number: int) -> Belonging:
    """One of them, by our number. Raises NotFound."""
    for one in officers():
        if one.officer.id == number:
            return one
    raise NotFound()


def nobody_in(found: Collection[Belonging], known: Mapping[str, str]) -> list[str]:
    """The names of the bodies for which none of these officers acts: their queue is nobody's."""
    if not found:
        return []
    return [
        name
        for code, name in known.items()
        if not any(code in one.bodies or not one.bodies for one in found)
    ]


def seen_mark(belonging: Belonging) -> str:
    """What a page carries, to tell whether it was changed since."""
    return ",".join(belonging.bodies)


def belong(work: UnitOfWork, number: int, bodies: Collection[str], *, seen: str, by: Actor) -> None:
    """Say for which bodies an officer acts from now on; none says for all of them.

    Raises NotFound, Refused for a body that is not there, Stale when it was changed since.
    """
    known = names()
    if not set(bodies) <= known.keys():
        raise Refused("Choose teams from the list", field="bodies")
    # Of two who change it at once the second sees what the first has said.
    work.session.execute(
        select(func.pg_advisory_xact_lock(func.hashtext("s2s.officer_body"), number))
    )
    was = officer(number)
    if seen_mark(was) != seen:
        raise Stale("Somebody has just changed this. Nothing has been changed by you.")
    account = was.officer.account_id
    work.session.execute(
        delete(OfficerBody).where(
            OfficerBody.account_id == account, OfficerBody.body.not_in(list(bodies))
        )
    )
    for body in sorted(set(bodies) - set(was.bodies)):
        work.session.add(OfficerBody(account_id=account, body=body, by_id=by.id, by_name=by.name))
    work.flush()
    listed = ", ".join(known[body] for body in known if body in bodies) or "every team"
    audit.wrote(work, "acts for " + listed + ":", "officer", account)


def of_account(account_id: str) -> set[str]:
    """The bodies that somebody acts for."""
    found = session().scalars(select(OfficerBody.body).where(OfficerBody.account_id == account_id))
    return set(found) or set(names())
