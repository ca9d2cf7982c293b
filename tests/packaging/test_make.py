"""`make` for a newcomer: one clear line when the machine lacks something, and nothing half done."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from build_support.links import TOP
from tests.packaging.checkout import run

NEEDED = ("Makefile", "setup.cfg", "constraints.txt", "package.json", "package-lock.json")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout, as far as make looks at it, in a folder whose name has spaces."""
    place = tmp_path / "a council's own folder"
    place.mkdir()
    for name in NEEDED:
        shutil.copy(TOP / name, place / name)
    shutil.copytree(TOP / "build_support", place / "build_support")
    return place


def _program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def _set_up(clone: Path, python: str) -> None:
    """Let everything look set up, with a stand-in for the interpreter of the environment."""
    _program(clone / ".venv" / "bin" / "python", python)
    (clone / ".venv" / ".installed").write_text(f"{clone}\n")
    for made in ("node_modules/.installed", "s2s_portal/static/govuk/s2s.css"):
        (clone / made).parent.mkdir(parents=True)
        (clone / made).touch()


@pytest.mark.parametrize(
    "goal", ["run", "test", "lint", "bench", "docs", "wheel", "assets", "clean"]
)
def test_each_goal_is_there(clone: Path, goal: str) -> None:
    answer = run("make", "--dry-run", goal, cwd=clone)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip()


def test_make_alone_says_what_there_is(clone: Path) -> None:
    answer = run("make", cwd=clone)
    assert answer.stdout.splitlines()[0].startswith("make run ")


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        (
            '[ "$1" = --version ] && echo Python 3.10.4; exit 1',
            "S2S needs Python 3.11 or later, and {} is Python 3.10.4",
        ),
        (
            'case "$2" in *ensurepip*) exit 1;; esac',
            "{} cannot make virtual environments; on Debian or Ubuntu: apt-get install",
        ),
    ],
)
def test_an_interpreter_that_will_not_do_is_refused_in_one_line(
    clone: Path, python: str, sentence: str
) -> None:
    interpreter = _program(clone / "their python", python)
    answer = run("make", "test", f"PYTHON={interpreter}", cwd=clone)
    assert answer.returncode != 0
    first = answer.stderr.splitlines()[0]
    assert sentence.format(interpreter) in first
    assert not (clone / ".venv").exists()


def test_an_interpreter_that_is_not_there_is_refused_in_one_line(clone: Path) -> None:
    answer = run("make", "test", "PYTHON=no-such-python", cwd=clone)
    assert answer.returncode != 0
    assert "there is no no-such-python on this machine" in answer.stderr.splitlines()[0]


def test_without_a_choice_the_first_python_that_will_do_is_taken(clone: Path) -> None:
    """An old `python3` does not stand in the way of a `python3.12`."""
    programs = clone / "programs"
    _program(programs / "python3", '[ "$1" = --version ] && echo Python 3.9.2; exit 1')
    _program(programs / "python3.14", "exit 1")
    _program(programs / "python3.13", "exit 1")
    _program(programs / "python3.12", 'echo "$0 $*" >> chosen; [ "$1" != -m ]')
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    run("make", ".venv/.installed", cwd=clone, environment={"PATH": path, "PYTHON": ""})
    assert "python3.12 -m venv --clear .venv" in (clone / "chosen").read_text()


def test_run_passes_the_settings_on_and_sets_up_once(clone: Path) -> None:
    _set_up(clone, 'echo "$* $PORT $DATABASE_URL $S2S_DATA_DIR"')
    answer = run(
        "make", "run", "PORT=5999", cwd=clone,
        environment={"DATABASE_URL": "postgresql:///s2s", "S2S_DATA_DIR": "my data"},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == "-m s2s_portal.reference_portal 5999 postgresql:///s2s my data\n"


def test_a_copied_environment_is_made_anew(clone: Path) -> None:
    """It would import the checkout that it was made for."""
    _set_up(clone, "exit 0")
    (clone / ".venv" / ".installed").write_text("/elsewhere\n")
    interpreter = _program(clone / "python", 'echo "$*" >> asked')
    run("make", "run", f"PYTHON={interpreter}", cwd=clone)
    assert "-m venv --clear .venv" in (clone / "asked").read_text()


def test_stopping_make_stops_the_portal(clone: Path) -> None:
    _set_up(clone, "echo $$ > started; exec sleep 60")
    process = subprocess.Popen(["make", "run"], cwd=clone, stderr=subprocess.DEVNULL)
    started = clone / "started"
    while not (started.exists() and started.read_text()):
        time.sleep(0.02)
    portal = int(started.read_text())
    process.terminate()
    assert process.wait(timeout=10) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(portal, 0)


def test_clean_keeps_the_database(clone: Path) -> None:
    _set_up(clone, "exit 0")
    (clone / "instance").mkdir()
    for folder in ("blueprints", "migrations", "templates", "tests"):
        (clone / folder).mkdir()
    answer = run("make", "clean", cwd=clone)
    assert answer.returncode == 0, answer.stderr
    assert (clone / "instance").is_dir()
    assert not (clone / ".venv").exists()
    assert not (clone / "node_modules").exists()
