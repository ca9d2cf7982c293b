"""What the portal is told of its providers is read whole, or the portal does not start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from build_support.links import TOP
from s2s_portal.errors import NotMounted
from s2s_portal.reference_portal import PORTAL_KEYS, create_app
from s2s_portal.reference_portal.failures import SENTENCES, SignOnFailed
from s2s_portal.reference_portal.openid import checked
from s2s_portal.reference_portal.pages import headers_of
from s2s_portal.reference_portal.providers import EXTENSION, origin

TENANT = "3e6a1a52-5f0c-4c0e-9d8e-5b7a1f2c9d10"
ENTRA = {
    "S2S_EXTERNAL_URL": "https://portal.example",
    "PORTAL_ENTRA_ISSUER": f"https://login.microsoftonline.com/{TENANT}/v2.0",
    "PORTAL_ENTRA_CLIENT_ID": "portal",
    "PORTAL_ENTRA_CLIENT_SECRET": "kept-to-itself",
}
DFE = {
    "S2S_EXTERNAL_URL": "https://portal.example",
    "PORTAL_DFE_ISSUER": "https://oidc.signin.education.gov.uk",
    "PORTAL_DFE_CLIENT_ID": "portal",
    "PORTAL_DFE_CLIENT_SECRET": "kept-to-itself",
}


def portal(tmp_path: Path, **config: Any) -> Any:
    """A portal whose database and providers are all away: starting needs none of them."""
    away = "postgresql://nobody@127.0.0.1:1/nowhere"
    return create_app({"DATABASE_URL": away, "S2S_DATA_DIR": str(tmp_path), **config})


def test_starting_asks_nobody_anything(tmp_path: Path) -> None:
    app = portal(tmp_path, **{**ENTRA, **DFE})
    assert list(app.extensions[EXTENSION]) == ["entra", "dfe"]


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"PORTAL_OIDC_ISSUER": "https://x.example"}, "PORTAL_OIDC_ISSUER is no longer read"),
        (
            {**ENTRA, "PORTAL_ENTRA_CLIENT_ID": ""},
            "PORTAL_ENTRA_ISSUER is set, so PORTAL_ENTRA_CLIENT_ID must be set too",
        ),
        (
            {**DFE, "PORTAL_DFE_CLIENT_SECRET": " "},
            "PORTAL_DFE_ISSUER is set, so PORTAL_DFE_CLIENT_SECRET must be set too",
        ),
        ({**DFE, "PORTAL_DFE_ISSUER": "http://signin.example"}, "must be https"),
        ({**DFE, "PORTAL_DFE_ISSUER": "signin.example"}, "not the address of a web server"),
        ({**DFE, "PORTAL_DFE_ISSUER": "https://a@signin.example"}, "not the address"),
        ({**DFE, "PORTAL_DFE_ORIGINS": "http://more.example"}, "must be https"),
        (
            {**ENTRA, "PORTAL_ENTRA_ISSUER": "https://login.microsoftonline.com/common/v2.0"},
            "names no tenant",
        ),
        ({**ENTRA, "S2S_EXTERNAL_URL": None}, "Set S2S_EXTERNAL_URL to the address"),
        ({**DFE, "S2S_EXTERNAL_URL": "http://portal.example"}, "beginning with https"),
        ({**DFE, "S2S_EXTERNAL_URL": "portal.example"}, "Set S2S_EXTERNAL_URL"),
    ],
)
def test_what_is_not_whole_is_refused_in_a_sentence(
    tmp_path: Path, config: dict[str, str], sentence: str
) -> None:
    with pytest.raises(NotMounted, match=sentence.replace(".", r"\.")):
        portal(tmp_path, **config)


def test_the_tenant_is_the_issuers_unless_a_setting_names_one(tmp_path: Path) -> None:
    claims = {"tid": TENANT, "oid": "1", "sub": "1"}
    app = portal(tmp_path, **ENTRA)
    with app.app_context():
        assert app.extensions[EXTENSION]["entra"].actor(claims).id == f"entra:{TENANT}:1"
    other = portal(tmp_path, **ENTRA, S2S_ENTRA_TENANT="another")
    with other.app_context(), pytest.raises(Exception, match="not one of Norfolk"):
        other.extensions[EXTENSION]["entra"].actor(claims)


def test_everything_can_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        **DFE,
        "S2S_DFE_ROLES": '{"CODE": "school_referrer"}',
        "S2S_LOCAL_AUTHORITY": "935",
        "S2S_COUNCIL_NAME": "Another Council",
    }.items():
        monkeypatch.setenv(name, value)
    config = portal(tmp_path).config
    assert config["S2S_DFE_ROLES"] == {"CODE": "school_referrer"}
    assert config["S2S_LOCAL_AUTHORITY"] == 935
    assert config["S2S_DFE_CLIENT_ID"] == "portal"
    assert config["S2S_COUNCIL_NAME"] == "Another Council"
    assert config["SESSION_COOKIE_NAME"] == "__Host-portal_session"


def test_a_setting_that_cannot_be_read_is_told_of_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S2S_OWN_BANK_ACCOUNT_URNS", "[120795, 120796]")
    assert portal(tmp_path).config["S2S_OWN_BANK_ACCOUNT_URNS"] == (120795, 120796)
    monkeypatch.setenv("S2S_PAGE_SIZE", "many")
    with pytest.raises(NotMounted, match="S2S_PAGE_SIZE must be JSON"):
        portal(tmp_path)


def test_every_key_and_every_code_is_told_of() -> None:
    page = (TOP / "docs" / "sign-on.md").read_text(encoding="utf-8")
    for name in [*PORTAL_KEYS, *SENTENCES]:
        assert f"`{name}`" in page or name == "PORTAL_SMTP_PORT", name


def test_no_secret_is_in_what_is_printed_of_a_provider(tmp_path: Path) -> None:
    app = portal(tmp_path, **ENTRA)
    assert "kept-to-itself" not in repr(app.extensions[EXTENSION])


def test_forms_may_lead_to_configured_addresses_alone(tmp_path: Path) -> None:
    assert headers_of(portal(tmp_path))["Content-Security-Policy"].endswith("form-action 'self'")
    app = portal(tmp_path, **DFE, PORTAL_DFE_ORIGINS="https://interactions.signin.education.gov.uk")
    assert headers_of(app)["Content-Security-Policy"].endswith(
        "form-action 'self' https://interactions.signin.education.gov.uk"
        " https://oidc.signin.education.gov.uk"
    )


def test_no_endpoint_may_be_less_protected_than_the_issuer(tmp_path: Path) -> None:
    provider = portal(tmp_path, **DFE).extensions[EXTENSION]["dfe"]
    there = provider.issuer
    told = {
        "issuer": there,
        "authorization_endpoint": f"{there}/auth",
        "token_endpoint": f"{there}/token",
        "jwks_uri": "https://keys.example/jwks",
        "userinfo_endpoint": f"{there}/me",
    }
    assert checked(provider, told)["jwks_uri"] == "https://keys.example/jwks"
    for name in ("token_endpoint", "jwks_uri", "userinfo_endpoint"):
        with pytest.raises(SignOnFailed, match=f"discovery: {name}"):
            checked(provider, {**told, name: "http://signin.example/x"})


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://Login.Example/x?y", "https://login.example"),
        ("https://login.example:8443/", "https://login.example:8443"),
        ("https://login.example:443/x", "https://login.example"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_the_origin_of_an_address(url: str, found: str) -> None:
    assert origin(url) == found
