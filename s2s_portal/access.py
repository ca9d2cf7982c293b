"""Who may: a policy on each view, a guard before each request, and the rule for each referral.

Deny by default. `@allow` names the roles a view is for; a view without one stops the app from
starting. Row-level security in the database repeats the object rules below (`0003_guards.sql`), so
a check forgotten here shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, flash, g, redirect, request
from flask_login import current_user
from werkzeug.wrappers import Response

from s2s_portal import sign_ons
from s2s_portal.errors import NotAllowed, NotFound, SignedOut
from s2s_portal.identity import Actor, Role, acting_as, current_actor
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.referral import UNSENT, Referral
from s2s_portal.state import state

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Policy:
    """Who may use a view: anybody at all (`public`), or people with one of `roles`."""

    name: str
    roles: frozenset[Role] = frozenset()
    public: bool = False

    def __or__(self, other: Policy) -> Policy:
        return Policy(f"{self.name} or {other.name}", self.roles | other.roles)

    def admits(self, actor: Actor) -> bool:
        """Whether `actor` passes."""
        return self.public or actor.has(*self.roles)


public = Policy("public", public=True)
school = Policy("school", frozenset({Role.REFERRER}))
officer = Policy("officer", frozenset({Role.OFFICER}))
practitioner = Policy("practitioner", frozenset({Role.PRACTITIONER}))
lead = Policy("lead", frozenset({Role.LEAD}))
finance = Policy("finance", frozenset({Role.FINANCE, Role.FINANCE_APPROVER}))
manager = Policy("manager", frozenset({Role.MANAGER}))
auditor = Policy("auditor", frozenset({Role.AUDITOR}))
administrator = Policy("administrator", frozenset({Role.ADMINISTRATOR}))
anyone = school | officer | practitioner | lead | finance | manager | auditor | administrator


def allow(policy: Policy) -> Callable[[View], View]:
    """Mark a view with the policy that the guard applies to it."""

    def mark(view: View) -> View:
        view.__s2s_policy__ = policy  # type: ignore[attr-defined]
        return view

    return mark


def policies(app: Flask, blueprint: str) -> dict[str, Policy]:
    """The policy of every endpoint of ours in `app`.

    Raises RuntimeError naming the views that have none: such an app must not start.
    """
    found: dict[str, Policy] = {}
    bare: list[str] = []
    for endpoint, view in app.view_functions.items():
        if not endpoint.startswith(f"{blueprint}."):
            continue
        policy = getattr(view, "__s2s_policy__", None)
        if policy is None:
            bare.append(endpoint)
        else:
            found[endpoint] = policy
    if bare:
        raise RuntimeError(f"These views have no access policy (@allow): {', '.join(sorted(bare))}")
    return found


def guard() -> Response | None:
    """Before every request of ours: find out who asks, and apply the view's policy.

    Somebody not signed on, or no longer, is sent to the host's sign-on page, unless they sent a
    form: then SignedOut is raised, as what they typed must not be lost. Somebody in the wrong role
    gets 403.
    """
    here = state()
    policy = here.policies.get(request.endpoint or "")
    if policy is None:
        raise NotAllowed()
    if policy.public:
        return None
    try:
        g.s2s_actor = _signed_on()
    except SignedOut as why:
        if request.method not in {"GET", "HEAD"}:
            raise
        if str(why) != str(SignedOut()):
            flash(str(why), "s2s-signed-out")
        return sign_on_page()
    if not policy.admits(current_actor()):
        g.s2s_denied = True
        raise NotAllowed()
    return None


def _signed_on() -> Actor:
    """Who is signed on. Raises SignedOut when nobody is, or no longer."""
    if not current_user.is_authenticated:
        raise SignedOut()
    actor: Actor = state().identity.actor(current_user._get_current_object())
    with acting_as(actor):
        sign_ons.check(actor)
    return actor


def sign_on_page() -> Response:
    """To where the host signs people on, and from there back to this page."""
    login = current_app.login_manager
    if login.login_view:
        return login.unauthorized()  # type: ignore[no-any-return]
    return redirect(state().setting("S2S_SIGN_IN_URL"))


def goes_by_allocation(actor: Actor) -> bool:
    """Whether what `actor` may see depends on what is allocated to whom."""
    return actor.has(Role.PRACTITIONER, Role.LEAD)


def may_see(actor: Actor, referral: Referral, allocation: Allocation | None) -> bool:
    """Whether `actor` may see `referral`, whose open allocation (if any) is `allocation`.

    Officers see all but drafts; a school its own; a practitioner what is theirs now; a lead what is
    with their school now. Nobody else sees a referral at all: not Finance, not the auditor.
    `allocation.practitioner` must be loaded.
    """
    if actor.has(Role.SYSTEM):
        return True
    if actor.has(Role.OFFICER) and referral.status not in UNSENT:
        return True
    if actor.has(Role.REFERRER) and referral.urn in actor.establishments:
        return True
    if allocation is None:
        return False
    if actor.has(Role.PRACTITIONER) and allocation.practitioner.account_id == actor.id:
        return True
    return actor.has(Role.LEAD) and allocation.provider_urn == actor.provider


def check_may_see(actor: Actor, referral: Referral, allocation: Allocation | None) -> None:
    """Raise NotFound unless `actor` may see `referral`: absent and not-yours look the same."""
    if not may_see(actor, referral, allocation):
        raise NotFound()
