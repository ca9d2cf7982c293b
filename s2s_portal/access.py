"""Who may: a policy on each view, a guard before each request, and the rule for each referral.

Deny by default. `@allow` names the roles a view is for; a view without one stops the app from
starting. Row-level security in the database repeats the object rules below (`0003_guards.sql`), so
a check forgotten here shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, flash, g, has_request_context, redirect, request, url_for
from flask_login import current_user, login_url
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from s2s_portal import sign_ons
from s2s_portal.database import AWAY
from s2s_portal.errors import (
    IdentityFailed,
    NotAllowed,
    NotFound,
    S2SError,
    SignedOut,
    SignOnRefused,
)
from s2s_portal.identity import NOBODY, Actor, Role, acting_as, current_actor
from s2s_portal.models.codes import UNSENT
from s2s_portal.models.practitioner import Allocation
from s2s_portal.models.reallocation import Supporter
from s2s_portal.models.referral import Referral
from s2s_portal.state import state

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Policy:
    """Who may use a view: anybody at all (`public`), whoever is signed on (`signed_on`), or people
    with one of `roles`.
    """

    name: str
    roles: frozenset[Role] = frozenset()
    public: bool = False
    signed_on: bool = False

    def __or__(self, other: Policy) -> Policy:
        return Policy(f"{self.name} or {other.name}", self.roles | other.roles)

    def admits(self, actor: Actor) -> bool:
        """Whether `actor` passes."""
        return self.public or self.signed_on or actor.has(*self.roles)


public = Policy("public", public=True)
signed_on = Policy("signed on", signed_on=True)
school = Policy("school", frozenset({Role.REFERRER}))
head = Policy("head", frozenset({Role.HEAD}))
officer = Policy("officer", frozenset({Role.OFFICER}))
practitioner = Policy("practitioner", frozenset({Role.PRACTITIONER}))
lead = Policy("lead", frozenset({Role.LEAD}))
finance = Policy("finance", frozenset({Role.FINANCE, Role.FINANCE_APPROVER}))
manager = Policy("manager", frozenset({Role.MANAGER}))
auditor = Policy("auditor", frozenset({Role.AUDITOR}))
administrator = Policy("administrator", frozenset({Role.ADMINISTRATOR}))
trust = Policy("trust", frozenset({Role.TRUST_VIEWER}))
anyone = (
    school | officer | practitioner | lead | finance | manager | auditor | administrator | trust
)


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


def foreign_rules(app: Flask, prefix: str, blueprint: str) -> dict[str, str]:
    """The addresses at or below `prefix` that are not ours, each with the endpoint that has it."""
    return {
        rule.rule: rule.endpoint
        for rule in app.url_map.iter_rules()
        if (rule.rule.rstrip("/") + "/").startswith(f"{prefix}/")
        and not rule.endpoint.startswith(f"{blueprint}.")
    }


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
    if not (_says("is_active", default=True) and policy.admits(current_actor())):
        g.s2s_denied = True
        raise NotAllowed()
    return None


def _signed_on() -> Actor:
    """Who is signed on. Raises SignedOut when nobody is, or no longer."""
    g.s2s_onlooker = NOBODY  # whatever comes of it, the menu does not ask the adapter again
    if not is_signed_on():
        raise SignedOut()
    actor = _actor_of(current_user._get_current_object())
    with acting_as(actor):
        sign_ons.check(actor)
    return actor


def whoever_is_signed_on() -> Actor:
    """Who looks at a page of the host's own, where our guard has not asked: for its menu.

    Nobody, when the adapter cannot say: a page of the host's must not fail for our entries in it.
    """
    if current_actor() is not NOBODY or not has_request_context():
        return current_actor()
    if "s2s_onlooker" not in g:
        g.s2s_onlooker = NOBODY
        if is_signed_on():
            with suppress(S2SError, HTTPException, *AWAY):
                g.s2s_onlooker = _actor_of(current_user._get_current_object())
    return g.s2s_onlooker  # type: ignore[no-any-return]


def is_signed_on() -> bool:
    """Whether the host says that somebody is signed on."""
    return _says("is_authenticated", default=False)


def _says(what: str, *, default: bool) -> bool:
    """What the host's user says of itself; before Flask-Login 0.3 these were methods, ever true."""
    answer = getattr(current_user._get_current_object(), what, default)
    return bool(answer() if callable(answer) else answer)


def _actor_of(user: Any) -> Actor:
    """Whom the host's adapter makes of `user`.

    Raises IdentityFailed when the adapter cannot say, with the reason in the log; what the adapter
    refuses on purpose (an S2SError, an abort) and a database that is away pass as they are.
    """
    try:
        actor = state().identity.actor(user)
        if not isinstance(actor, Actor) or not actor.id:
            raise TypeError(f"identity.actor() must give an Actor with an id, not {actor!r}")
    except SignOnRefused as refusal:
        current_app.logger.warning("S2S: sign-on refused: %s", refusal.code)
        g.s2s_denied = refusal.status == 403
        raise
    except (S2SError, HTTPException, *AWAY):
        raise
    except Exception as error:
        current_app.logger.exception("S2S: identity.actor() failed")
        raise IdentityFailed() from error
    return actor


def sign_on_page() -> Response:
    """To where the host signs people on, by its own way, and from there back to this page."""
    login = current_app.login_manager
    if login.unauthorized_callback or (login_view() and request.method in {"GET", "HEAD"}):
        return login.unauthorized()  # type: ignore[no-any-return]
    return redirect(sign_on_address())


def login_view() -> str | None:
    """The host's login view for our pages, if it names one."""
    login = current_app.login_manager
    return login.blueprint_login_views.get(request.blueprint, login.login_view)  # type: ignore[no-any-return]


def sign_on_address() -> str:
    """Where people sign on and then come to our front page.

    For what was sent as a form: nobody comes back to its address, as some have no page.
    """
    view = login_view()
    if view:
        return str(login_url(view, next_url=url_for("s2s.home.index")))
    address: str = state().setting("S2S_SIGN_IN_URL")
    return request.script_root + address if address.startswith("/") else address


def goes_by_allocation(actor: Actor) -> bool:
    """Whether what `actor` may see depends on what is allocated to whom."""
    return actor.has(Role.PRACTITIONER, Role.LEAD)


def may_see(
    actor: Actor,
    referral: Referral,
    allocation: Allocation | None,
    supporters: Iterable[Supporter] = (),
) -> bool:
    """Whether `actor` may see `referral`, whose open allocation (if any) is `allocation`.

    Officers see all but drafts, of the bodies they act for; a school its own; a practitioner what
    is theirs now, or what they support; a lead what is with their school now, or supported by it.
    Nobody else sees a referral at all: not Finance, not the auditor, nobody who had it before. The
    `practitioner` of the allocation and of `supporters`, the open ones, and
    `referral.is_for_reader` must be loaded. That a lead's own account is tied at that school is
    the database's to say: untied, they do not find the referral.
    """
    if actor.has(Role.SYSTEM):
        return True
    if actor.has(Role.OFFICER) and referral.status not in UNSENT and referral.is_for_reader:
        return True
    if actor.has(Role.REFERRER) and referral.urn in actor.establishments:
        return True
    at_work: list[Allocation | Supporter] = [*([allocation] if allocation else []), *supporters]
    return any(_is_of(actor, one) for one in at_work)


def _is_of(actor: Actor, one: Allocation | Supporter) -> bool:
    """Whether it is the actor who works on the referral, or somebody of the school they lead."""
    theirs = one.practitioner
    # Of another school's staff the database shows nobody the row, and so says that it is not they.
    if actor.has(Role.PRACTITIONER) and theirs is not None and theirs.account_id == actor.id:
        return theirs.active and theirs.provider_urn == actor.provider
    return actor.has(Role.LEAD) and one.provider_urn == actor.provider


def check_may_see(
    actor: Actor,
    referral: Referral,
    allocation: Allocation | None,
    supporters: Iterable[Supporter] = (),
) -> None:
    """Raise NotFound unless `actor` may see `referral`: absent and not-yours look the same."""
    if not may_see(actor, referral, allocation, supporters):
        raise NotFound()
