"""Council staff by their Entra ID claims: which account, which roles, and who is refused."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2s_portal import Actor, EntraClaims, Role, SignOnRefused
from s2s_portal.claims import configuration
from s2s_portal.errors import NotMounted
from s2s_portal.state import state

TENANT = "a1b2c3d4-0000-4000-8000-00000000926a"
JO = {
    "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
    "aud": "client",
    "tid": TENANT,
    "oid": "3f2a0000-0000-4000-8000-000000000001",
    "sub": "pairwise",
    "preferred_username": "jo.bloggs@council.example",
    "name": "Jo Bloggs",
    "roles": ["S2S.Officer"],
    "ver": "2.0",
}


def actor(**changes: Any) -> Actor:
    """Jo, with some claims changed; a claim that is Ellipsis is not there."""
    claims = {name: value for name, value in (JO | changes).items() if value is not ...}
    return EntraClaims(TENANT).actor(claims)


def refusal(**changes: Any) -> SignOnRefused:
    """Why Jo with those claims is refused."""
    with pytest.raises(SignOnRefused) as caught:
        actor(**changes)
    assert "ask the SEND programme team" in str(caught.value)
    assert "Jo" not in str(caught.value)
    assert caught.value.status == 403
    return caught.value


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (["S2S.Officer"], {Role.OFFICER}),
        (["S2S.Finance"], {Role.FINANCE}),
        (["S2S.FinanceApprover"], {Role.FINANCE_APPROVER}),
        (["S2S.Manager"], {Role.MANAGER}),
        (["S2S.Auditor"], {Role.AUDITOR}),
        (["S2S.Admin"], {Role.ADMINISTRATOR}),
        (["S2S.Officer", "S2S.Manager"], {Role.OFFICER, Role.MANAGER}),
        ("S2S.Officer", {Role.OFFICER}),
        (["Officer", "s2s.officer", "S2S.Officers", "S2S.", "Other.Officer"], set()),
        (["S2S.System", "S2S.system"], set()),
        (["S2S.S2S.Officer"], set()),
        ([None, 7, {"S2S.Officer": 1}, ["S2S.Officer"]], set()),
        ([], set()),
        (None, set()),
        (..., set()),
        ({"S2S.Officer": True}, set()),
    ],
)
def test_app_roles(roles: Any, expected: set[Role]) -> None:
    assert actor(roles=roles).roles == expected


@pytest.mark.usefixtures("app")
def test_the_account_is_tenant_and_object_never_a_name_or_an_address() -> None:
    renamed = actor(
        preferred_username="jo.smith@council.example", name="Jo Smith", email="jo@x.example"
    )
    assert renamed.id == actor().id == f"entra:{TENANT}:{JO['oid']}"
    another = actor(oid="3f2a0000-0000-4000-8000-000000000002")
    assert another.id != actor().id
    assert actor(email=...).email == ""


@pytest.mark.usefixtures("app")
def test_the_tenant_is_compared_as_the_guid_it_is() -> None:
    assert actor(tid=TENANT.upper()).id == actor().id


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tid": "9188040d-6c67-4c5b-b112-36a304b66dad"}, "tenant"),
        ({"tid": ...}, "tenant"),
        ({"tid": None}, "tenant"),
        ({"tid": [TENANT]}, "tenant"),
        ({"oid": ...}, "subject"),
        ({"oid": ""}, "subject"),
        ({"oid": 7}, "subject"),
        ({"oid": "a\x00b"}, "subject"),
        ({"oid": "../x"}, "subject"),
        ({"acct": 1}, "guest"),
        ({"acct": "1"}, "guest"),
        ({"acct": True}, "guest"),
        ({"acct": "guest"}, "guest"),
        ({"acct": [0]}, "guest"),
        ({"idp": "live.com"}, "guest"),
        ({"idp": "https://sts.windows.net/9188040d-6c67-4c5b-b112-36a304b66dad/"}, "guest"),
        ({"roles": ..., "_claim_names": {"groups": "src1"}}, "overage"),
        ({"roles": None, "_claim_names": '{"groups": "src1"}'}, "overage"),
        ({"roles": ..., "hasgroups": True}, "overage"),
        ({"roles": ..., "hasgroups": "true"}, "overage"),
    ],
)
def test_who_is_refused(changes: dict[str, Any], code: str) -> None:
    assert refusal(**changes).code == code


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    "changes",
    [
        {"acct": 0},
        {"acct": "0"},
        {"acct": None},
        {"idp": f"https://sts.windows.net/{TENANT}/"},
        {"_claim_names": {"groups": "src1"}},  # the app roles are there: nothing is missing
        {"_claim_names": 7, "hasgroups": False},
    ],
)
def test_a_member_is_let_in(changes: dict[str, Any]) -> None:
    assert actor(**changes).roles == {Role.OFFICER}


@pytest.mark.usefixtures("app")
def test_a_refusal_says_what_is_wrong() -> None:
    assert "guest account" in str(refusal(acct=1))
    assert "as an app role of this service" in str(refusal(roles=..., hasgroups=True))
    assert "sign in with your council account" in str(refusal(tid="elsewhere"))


@pytest.mark.usefixtures("app")
def test_arguments_come_before_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    config = state().config
    with pytest.raises(SignOnRefused) as caught:
        EntraClaims().actor(JO)
    assert caught.value.code == "tenant-not-set"
    monkeypatch.setitem(config, "S2S_ENTRA_TENANT", TENANT)
    monkeypatch.setitem(config, "S2S_ENTRA_ROLE_PREFIX", "Help.")
    monkeypatch.setitem(config, "S2S_ENTRA_ROLES", {"Boss": "manager"})
    monkeypatch.setitem(config, "S2S_ENTRA_GUESTS", True)
    guest = JO | {"acct": 1, "roles": ["Help.Boss", "S2S.Officer"]}
    assert EntraClaims().actor(guest).roles == {Role.MANAGER}
    plain = EntraClaims(roles={"Officer": Role.OFFICER}, prefix="S2S.")
    assert plain.actor(guest).roles == {Role.OFFICER}
    with pytest.raises(SignOnRefused):
        EntraClaims(guests=False).actor(guest)


@pytest.mark.parametrize("role", ["system", "oficer", "", None, ["finance"]])
def test_a_role_that_nobody_can_have_stops_the_mounting(app: Flask, role: Any) -> None:
    config = dict(app.config) | {"S2S_ENTRA_ROLES": {"Officer": role}}
    with pytest.raises(NotMounted, match="S2S_ENTRA_ROLES maps 'Officer'"):
        configuration.check(config)


@pytest.mark.usefixtures("app")
def test_what_cannot_be_kept_does_not_get_in() -> None:
    odd = actor(name="Jo\x00\ud800 \u202eBloggs\n", email="jo@x.example\r\nBcc: all@x.example")
    assert (odd.name, odd.email) == ("Jo Bloggs", "")
    assert len(actor(name="x" * 10_000).name) == 200
    assert actor(name=None).name == "A member of council staff"


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@pytest.mark.usefixtures("app")
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    changes=st.dictionaries(
        st.sampled_from([*JO, "acct", "idp", "email", "hasgroups", "_claim_names", "groups"]), JSON
    ),
    whole=JSON,
)
def test_whatever_arrives_is_an_actor_or_a_refusal(changes: dict[str, Any], whole: Any) -> None:
    for claims in (JO | changes, whole):
        try:
            found = EntraClaims(TENANT).actor(claims)
        except SignOnRefused as refused:
            assert refused.code
        else:
            assert found.id.startswith(f"entra:{TENANT}:")
            assert Role.SYSTEM not in found.roles
            assert (found.id + found.name + found.email).isprintable()
