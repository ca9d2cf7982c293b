"""What is pinned agrees with what is asked for, and with what was tried together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from build_support.links import TOP
from tests.packaging.checkout import settings

EXTRAS = ("reference", "sign-on", "plan", "development")
SUPPORTED_PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def _pins() -> dict[str, Version]:
    lines = (TOP / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {}
    for line in lines:
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            pins[canonicalize_name(name)] = Version(version)
    return pins


def _requirements() -> list[Requirement]:
    sections = settings()
    texts = [sections["options"]["install_requires"]]
    texts += [sections["options.extras_require"][extra] for extra in EXTRAS]
    lines = "\n".join(texts).splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def _needed(requirement: Requirement, python: str, seen: set[str]) -> Iterator[str]:
    """The names that `requirement` brings on that Python, itself and all below it."""
    name = canonicalize_name(requirement.name)
    key = str(requirement)
    if key in seen:
        return
    seen.add(key)
    yield name
    for text in metadata.requires(name) or []:
        below = Requirement(text)
        extras = requirement.extras or {""}
        surroundings = [
            {"python_version": python, "python_full_version": f"{python}.0", "extra": extra}
            for extra in extras
        ]
        if below.marker is None or any(below.marker.evaluate(around) for around in surroundings):
            yield from _needed(below, python, seen)


@pytest.mark.parametrize("requirement", _requirements(), ids=str)
def test_each_requirement_is_pinned_within_its_bound(requirement: Requirement) -> None:
    pin = _pins()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pin, prereleases=True)


@pytest.mark.parametrize("python", SUPPORTED_PYTHONS)
def test_all_that_the_requirements_bring_is_pinned(python: str) -> None:
    seen: set[str] = set()
    brought = {name for asked in _requirements() for name in _needed(asked, python, seen)}
    assert sorted(brought - set(_pins())) == []


def test_the_classifiers_name_the_pythons_that_are_supported() -> None:
    named = re.findall(r":: (3\.\d+)$", settings()["metadata"]["classifiers"], re.MULTILINE)
    assert tuple(named) == SUPPORTED_PYTHONS
    assert settings()["options"]["python_requires"] == f">={SUPPORTED_PYTHONS[0]}"


def test_govuk_frontend_is_the_release_that_the_macros_were_written_for() -> None:
    """govuk-frontend-jinja's own table says which: other markup may not fit the style sheet."""
    installed = metadata.metadata("govuk-frontend-jinja")
    rows = re.findall(
        r"^\|\s*\[([\d.]+)\]\([^)]*\)\s*\|\s*\[([\d.]+)\]", str(installed.get_payload()), re.M
    )
    compatible = dict(rows)[installed["Version"]]
    asked = json.loads((TOP / "package.json").read_text(encoding="utf-8"))
    assert asked["dependencies"]["govuk-frontend"] == compatible


def test_npm_packages_are_pinned_by_checksum_and_by_no_address() -> None:
    lock = json.loads((TOP / "package-lock.json").read_text(encoding="utf-8"))
    asked = json.loads((TOP / "package.json").read_text(encoding="utf-8"))
    packages = dict(lock["packages"])
    top = packages.pop("")
    for kind in ("dependencies", "devDependencies"):
        assert top[kind] == asked[kind], "run `npm install --package-lock-only`"
        for name, version in asked[kind].items():
            assert packages[f"node_modules/{name}"]["version"] == version
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert package["integrity"].startswith("sha512-"), name
