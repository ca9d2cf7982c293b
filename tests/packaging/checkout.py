"""What the packaging tests know of the checkout: its folders, its settings, its interpreter."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
from pathlib import Path

from build_support.links import TOP, package_folders


def settings() -> configparser.ConfigParser:
    """`setup.cfg`, read."""
    parser = configparser.ConfigParser()
    parser.read(TOP / "setup.cfg", encoding="utf-8")
    return parser


def listed_packages() -> list[str]:
    """The names under `packages` in `setup.cfg`, as they stand."""
    lines = settings()["options"]["packages"].split()
    return [line for line in lines if not line.startswith("#")]


def folder_of(package: str) -> Path:
    """Where `package` lies in the checkout, by the longest name in `package_dir` that fits."""
    folders = package_folders(TOP)
    root = max((name for name in folders if (package + ".").startswith(name + ".")), key=len)
    return folders[root].joinpath(*package[len(root) :].strip(".").split("."))


def packages_on_disk() -> set[str]:
    """Every folder with Python in it below the mapped folders, by the name it must install as."""
    found = set()
    for name, folder in package_folders(TOP).items():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).parent.parts
            if "__pycache__" not in parts:
                found.add(".".join((name, *parts)))
    return found


def run(
    *command: str | Path, cwd: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `command` in `cwd` and return what it said, untouched by a `make` around the tests."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**inherited, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def python(
    *arguments: str | Path, cwd: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run this interpreter in a process of its own."""
    return run(sys.executable, *arguments, cwd=cwd, environment=environment)


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Ask git about the checkout, whoever owns its folder (CI can run as another user)."""
    return run("git", "-c", "safe.directory=*", *arguments, cwd=TOP)
