"""The wheel that a council installs: whole, importable, and with one name at the top."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from build_support.links import TOP, package_folders
from tests.packaging.checkout import python

# Together in one worker: the wheel is built once.
pytestmark = pytest.mark.xdist_group("wheel")

# Sources of what is built, and what Python writes: neither is packed.
NOT_PACKED = {"src", "__pycache__"}

# Alembic runs its environment itself, with a migration under way; a `__main__` is a program.
NOT_FOR_IMPORT = {"s2s_portal.migrations.env", "s2s_portal.reference_portal.__main__"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the checkout, so that nothing lands in the real one."""
    copy = tmp_path_factory.mktemp("source")
    for folder in package_folders(TOP).values():
        shutil.copytree(folder, copy / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md"):
        if (TOP / name).exists():
            shutil.copy(TOP / name, copy / name)
    answer = python("-m", "build", "--wheel", "--no-isolation", cwd=copy)
    assert answer.returncode == 0, answer.stderr
    (built,) = (copy / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    """The names of all files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed into it, and nothing else."""
    place = tmp_path_factory.mktemp("installed")
    answer = python(
        "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", place, wheel,
        cwd=place,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return place


def _files_to_pack() -> set[str]:
    """Every file of the mapped folders, by the name it must have in the wheel."""
    names = set()
    for package, folder in package_folders(TOP).items():
        for path in folder.rglob("*"):
            within = path.relative_to(folder)
            if path.is_file() and not NOT_PACKED & set(within.parts):
                names.add("/".join((*package.split("."), *within.parts)))
    return names


def test_it_holds_every_file_of_ours_and_no_other(contents: set[str]) -> None:
    packed = {name for name in contents if name.startswith("s2s_portal/")}
    assert sorted(packed) == sorted(_files_to_pack())


def test_it_installs_one_name_at_the_top(contents: set[str]) -> None:
    """A host has a package called `blueprints` of its own."""
    tops = {name.partition("/")[0] for name in contents}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"s2s_portal"}


@pytest.mark.parametrize(
    "name", ["s2s.css", "s2s.js", "govuk-frontend.min.js", "govuk-frontend-LICENSE.txt"]
)
def test_it_holds_the_built_assets(contents: set[str], name: str) -> None:
    assert f"s2s_portal/static/govuk/{name}" in contents, "run `make assets` first"


def test_it_carries_the_licence_and_the_types(contents: set[str]) -> None:
    assert "s2s_portal/py.typed" in contents
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in contents)


def test_every_module_imports_from_it(installed: Path) -> None:
    program = f"""
import importlib, json, pkgutil, sys
sys.path.insert(0, {str(installed)!r})
import s2s_portal
names = ["s2s_portal"] + [
    module.name for module in pkgutil.walk_packages(s2s_portal.__path__, "s2s_portal.")
]
modules = [importlib.import_module(name) for name in names if name not in {NOT_FOR_IMPORT!r}]
print(json.dumps({{module.__name__: module.__file__ for module in modules}}))
"""
    answer = python("-c", program, cwd=installed)
    assert answer.returncode == 0, answer.stderr
    files = json.loads(answer.stdout)
    elsewhere = [file for file in files.values() if not Path(file).is_relative_to(installed)]
    assert elsewhere == []
    expected = {
        name[: -len(".py")].replace("/", ".").removesuffix(".__init__")
        for name in _files_to_pack()
        if name.endswith(".py")
    }
    assert set(files) == expected - NOT_FOR_IMPORT


def test_every_template_is_found_in_it(installed: Path) -> None:
    program = f"""
import json, sys
sys.path.insert(0, {str(installed)!r})
from flask import Flask
from s2s_portal.mount import RootBlueprint
loader = RootBlueprint("s2s", "s2s_portal.mount").jinja_loader
environment = Flask("host").jinja_env
found = [name for name in loader.list_templates() if name.startswith("s2s/")]
files = [loader.get_source(environment, name)[1] for name in found]
print(json.dumps(dict(zip(found, files))))
"""
    answer = python("-c", program, cwd=installed)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    templates = TOP / "templates"
    expected = {
        str(path.relative_to(templates))
        for kind in ("*.html", "*.txt")
        for path in templates.rglob(kind)
    }
    assert expected, "there are templates to look for"
    assert set(found) == expected
    assert all(Path(file).is_relative_to(installed) for file in found.values())


def test_every_migration_is_found_in_it(installed: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(installed)!r})
from alembic.config import Config
from alembic.script import ScriptDirectory
import s2s_portal.migrations
settings = Config()
settings.set_main_option("script_location", list(s2s_portal.migrations.__path__)[0])
print(*sorted(step.revision for step in ScriptDirectory.from_config(settings).walk_revisions()))
"""
    answer = python("-c", program, cwd=installed)
    assert answer.returncode == 0, answer.stderr
    steps = {path.stem for path in (TOP / "migrations" / "versions").glob("0*.py")}
    assert len(answer.stdout.split()) == len(steps) > 0
