"""Lay out the package as it will be installed, in links, for the tools that read source.

`blueprints`, `templates` and `migrations` install as `s2s_portal.blueprints` and so on, but lie
at the top of the checkout. mypy and import-linter look at folders, so they would see four
packages; below `build/pkg` they see one.

Run from anywhere: `python -m build_support.links`.
"""

from __future__ import annotations

import configparser
import os
import shutil
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent


def package_folders(top: Path = TOP) -> dict[str, Path]:
    """Each name in `package_dir` of `setup.cfg` with its folder, outermost package first."""
    settings = configparser.ConfigParser()
    settings.read(top / "setup.cfg", encoding="utf-8")
    lines = settings["options"]["package_dir"].strip().splitlines()
    pairs = (line.split("=") for line in lines)
    return {name.strip(): top / folder.strip() for name, folder in sorted(pairs)}


def make_tree(top: Path = TOP) -> Path:
    """Make `build/pkg` anew below `top` and return it.

    A package that has others mapped into it becomes a real folder of links; the rest are links.
    """
    tree = top / "build" / "pkg"
    shutil.rmtree(tree, ignore_errors=True)
    folders = package_folders(top)
    for name, folder in folders.items():
        place = tree.joinpath(*name.split("."))
        if any(other.startswith(name + ".") for other in folders):
            place.mkdir(parents=True)
            for entry in folder.iterdir():
                if entry.name != "__pycache__":
                    _link(place / entry.name, entry)
        else:
            _link(place, folder)
    return tree


def _link(place: Path, target: Path) -> None:
    # Relative, so that the tree outlives a move of the checkout.
    place.symlink_to(os.path.relpath(target, place.parent))


if __name__ == "__main__":
    make_tree()
