"""Folders at the top of the checkout install inside one package: what that needs to hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from build_support.links import TOP, make_tree, package_folders
from tests.packaging.checkout import (
    folder_of,
    git,
    listed_packages,
    packages_on_disk,
    python,
)

# What import-linter says of each contract.
VERDICTS = {"KEPT", "BROKEN"}


def test_setup_cfg_lists_exactly_the_packages_on_disk() -> None:
    assert sorted(listed_packages()) == sorted(packages_on_disk())


@pytest.mark.parametrize("package", listed_packages())
def test_every_listed_package_has_an_init(package: str) -> None:
    assert (folder_of(package) / "__init__.py").is_file()


def test_the_checkout_is_what_the_environment_imports(tmp_path: Path) -> None:
    """From any folder, each mapped name leads to its folder here, once."""
    names = sorted(package_folders(TOP))
    program = (
        "import importlib, json\n"
        f"modules = [importlib.import_module(name) for name in {names!r}]\n"
        "print(json.dumps([module.__file__ for module in modules]))\n"
    )
    answer = python("-c", program, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    found = [Path(file).resolve().parent for file in json.loads(answer.stdout)]
    assert found == [package_folders(TOP)[name] for name in names]


def test_blueprints_refuses_its_other_name() -> None:
    """From the top folder Python finds ./blueprints too; a second copy of each view is refused."""
    answer = python("-c", "import blueprints", cwd=TOP)
    assert answer.returncode != 0
    last_line = answer.stderr.strip().splitlines()[-1]
    assert last_line.startswith("ImportError: ")
    assert "s2s_portal.blueprints" in last_line


def test_blueprints_accepts_its_own_name_from_the_top_folder() -> None:
    answer = python("-c", "import s2s_portal.blueprints", cwd=TOP)
    assert answer.returncode == 0, answer.stderr


def _copy_of_the_packages(place: Path) -> Path:
    """A checkout with the packages alone, for a test that must not touch the real one."""
    ignored = shutil.ignore_patterns("__pycache__", "govuk")
    for folder in package_folders(TOP).values():
        shutil.copytree(folder, place / folder.name, ignore=ignored)
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(TOP / name, place / name)
    return place


def test_the_tree_of_links_holds_every_package_under_its_own_name(tmp_path: Path) -> None:
    tree = make_tree(_copy_of_the_packages(tmp_path))
    for package in listed_packages():
        assert (tree.joinpath(*package.split(".")) / "__init__.py").is_file(), package


def test_the_tree_of_links_is_made_anew_and_outlives_a_move(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (_copy_of_the_packages(here) / "s2s_portal" / "gone.py").touch()
    tree = make_tree(here)
    assert (tree / "s2s_portal" / "gone.py").exists()
    (here / "s2s_portal" / "gone.py").unlink()
    tree = make_tree(here)
    assert not (tree / "s2s_portal" / "gone.py").is_symlink()
    there = here.rename(tmp_path / "there")
    assert (there / "build" / "pkg" / "s2s_portal" / "blueprints" / "__init__.py").is_file()


@pytest.mark.parametrize(
    ("module", "imports", "contract"),
    [
        ("s2s_portal/models/upward.py", "s2s_portal.services", "Arrows point down"),
        ("s2s_portal/services/upward.py", "s2s_portal.blueprints.pages", "Arrows point down"),
        ("s2s_portal/services/sideways.py", "wtforms", "Services are given primitives"),
        ("s2s_portal/jobs.py", "aiosmtpd", "What a council installs"),
        ("s2s_portal/access.py", "s2s_portal.testing", "What signs people on for a test"),
        ("migrations/versions/upward.py", "s2s_portal.models", "A migration stands alone"),
        ("blueprints/visits/sideways.py", "s2s_portal.blueprints.finance.views", "One journey"),
        ("s2s_portal/clock.py", "s2s_portal.settings", "A leaf imports nothing"),
    ],
)
def test_a_wrong_import_breaks_the_contract_that_forbids_it(
    tmp_path: Path, module: str, imports: str, contract: str
) -> None:
    copy = _copy_of_the_packages(tmp_path)
    with (copy / module).open("a") as source:
        source.write(f"\nimport {imports}\n")
    tree = make_tree(copy)
    program = "from importlinter.cli import lint_imports_command as check; check()"
    answer = python(
        "-c", program, "--no-logo", "--no-cache", "--config", copy / "pyproject.toml", cwd=tree
    )
    report = " ".join(answer.stdout.split())
    assert answer.returncode == 1, report
    verdict = next(word for word in report[report.index(contract) :].split() if word in VERDICTS)
    assert verdict == "BROKEN", report


def test_coverage_sees_the_views_as_well_as_the_package(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import s2s_portal.blueprints.home\n")
    environment = {"COVERAGE_FILE": str(tmp_path / "coverage")}
    measured = python("-m", "coverage", "run", program, cwd=TOP, environment=environment)
    assert measured.returncode == 0, measured.stderr
    report = tmp_path / "report.json"
    told = python("-m", "coverage", "json", "-o", report, cwd=TOP, environment=environment)
    assert told.returncode == 0, told.stderr
    files = json.loads(report.read_text())["files"]
    assert files[str(Path("blueprints", "home.py"))]["summary"]["covered_lines"] > 0
    assert files[str(Path("s2s_portal", "access.py"))]["summary"]["covered_lines"] > 0
    assert not [name for name in files if name.startswith(("tests", "build"))]


@pytest.mark.skipif(not (TOP / ".git").exists(), reason="not a git checkout: git cannot be asked")
def test_git_ignores_what_make_makes() -> None:
    made = ["build/pkg/x", "dist/x", "node_modules/x", "s2s_portal/static/govuk/s2s.css", ".venv/x"]
    assert git("check-ignore", *made).stdout.split() == made
