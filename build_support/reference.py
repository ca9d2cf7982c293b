"""`make docs`: writes docs/reference/ and the README's table of settings, from the code.

A test makes them again and compares, so they cannot lag behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from flask import Flask
from flask_login import LoginManager
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy
from jinja2 import Environment, meta

import s2s_portal.templates
from build_support.context_names import EVERYWHERE, NAMES
from s2s_portal import S2SPortal, signals
from s2s_portal.host_checks.templates import Uses
from s2s_portal.settings import SETTINGS

TOP = Path(__file__).resolve().parents[1]
REFERENCE = TOP / "docs" / "reference"
TEMPLATES = Path(s2s_portal.templates.__path__[0])
SETTINGS_TABLE = re.compile(r"(?<=<!-- settings -->\n).*?(?=\n<!-- /settings -->)", re.DOTALL)
MADE = "<!-- Made by `make docs`: change the code, not this file. -->"


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines: list[tuple[str, ...]] = [header, tuple("---" for _ in header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def code(*words: str) -> str:
    """Words as code, with commas."""
    return ", ".join(f"`{word}`" for word in words)


def settings_table() -> str:
    """Every setting, as the README has it."""
    return table(
        ("key", "default", "meaning"),
        [
            (
                f"`{setting.name}`",
                "" if setting.default in (None, ()) else f"`{setting.default}`",
                setting.meaning,
            )
            for setting in SETTINGS
        ],
    )


def settings() -> str:
    """The page of settings, with the kind of each."""
    rows = [
        (f"`{setting.name}`", setting.kind.__name__, f"`{setting.default!r}`", setting.meaning)
        for setting in SETTINGS
    ]
    return f"""# Settings

{MADE}

Keys of your Flask config. Set them before `S2SPortal().init_app(app)`.

{table(("key", "kind", "default", "meaning"), rows)}
"""


def the_signals() -> str:
    """The page of signals."""
    rows = [
        (f"`{name}`", signal.__doc__ or "", code(*signals.BRINGS[name]))
        for name, signal in signals.everything().items()
    ]
    words = [(f"`{word}`", meaning) for word, meaning in signals.MEANINGS.items()]
    return f"""# Signals

{MADE}

[Blinker](https://blinker.readthedocs.io) signals in `s2s_portal.signals`. The sender is the Flask
app.

```python
from s2s_portal.signals import referral_decided

@referral_decided.connect
def on_decision(app, *, reference, decision, **more):
    app.logger.info("%s was %s", reference, decision)
```

- Each is sent once, after the change stands in the database, and never when it was rolled back.
- What it brings is references, codes, numbers and pence: never a name, nothing about a child.
- Take `**more`: a later release may bring more.
- A listener that raises is logged; the page and the other listeners go on. It runs while somebody
  waits for the page, so what takes long belongs into a job of yours.
- Blinker holds a listener weakly: keep a reference to one that is no function of a module.

{table(("signal", "when", "brings"), rows)}

{table(("word", "what it is"), words)}
"""


def bare_app() -> Flask:
    """An app with the service mounted, on a database that is never asked."""
    app = Flask("reference")
    app.config["SQLALCHEMY_DATABASE_URI"] = "postgresql+psycopg://127.0.0.1:1/none"
    SQLAlchemy(app)
    LoginManager(app)
    Mail(app)
    S2SPortal().init_app(app, identity=object())  # type: ignore[arg-type]
    return app


def routes() -> str:
    """The page of routes."""
    app = bare_app()
    policies = app.extensions["s2s"].policies
    rows = []
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        if rule.endpoint not in policies:
            continue
        methods = ", ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        does = (app.view_functions[rule.endpoint].__doc__ or "").strip().split("\n")[0]
        who = policies[rule.endpoint].name
        rows.append((f"`{rule.rule}`", methods, f"`{rule.endpoint}`", who, does))
    return f"""# Pages

{MADE}

With the default prefix `/s2s`. `flask s2s routes` lists those of your app. The endpoint is what
`url_for` takes.

{table(("address", "methods", "endpoint", "who may", "what it is"), rows)}
"""


def template_names() -> list[str]:
    """Our templates, in the order of their folders."""
    found = (path for path in TEMPLATES.rglob("*") if path.suffix in {".html", ".txt"})
    return sorted(path.relative_to(TEMPLATES).as_posix() for path in found)


def source(name: str) -> str:
    """The source of one of our templates."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def given(name: str) -> list[str]:
    """The names that the template `name` is given, but for what every page gets."""
    return sorted(Uses.of(source(name)).names - EVERYWHERE.keys())


def builds_on(name: str) -> list[str]:
    """The templates of ours that it extends, includes or imports from."""
    tree = Environment(autoescape=True).parse(source(name))
    return sorted({found for found in meta.find_referenced_templates(tree) if found})


def _template_rows(wanted: Callable[[str], bool]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name in filter(wanted, template_names()):
        uses = Uses.of(source(name))
        parts = [*sorted(uses.blocks), *(f"{macro}()" for macro in sorted(uses.macros))]
        rows.append((f"`{name}`", code(*builds_on(name)), code(*parts), code(*given(name))))
    return rows


def _is_in(folder: str, name: str) -> bool:
    return name.startswith(folder)


def _sections() -> Iterator[str]:
    header = ("template", "builds on", "blocks and macros", "given")
    groups: list[tuple[str, Callable[[str], bool]]] = [
        ("Around every page", lambda name: name.count("/") == 1 or "/components/" in name),
        ("Mail", partial(_is_in, "s2s/mail/")),
    ]
    for folder in sorted({name.split("/")[1] for name in template_names() if name.count("/") > 1}):
        if folder not in {"components", "mail"}:
            groups.insert(-1, (folder.capitalize(), partial(_is_in, f"s2s/{folder}/")))
    for title, wanted in groups:
        yield f"## {title}\n\n{table(header, _template_rows(wanted))}\n"


def templates() -> str:
    """The page of templates."""
    everywhere = [(f"`{name}`", meaning) for name, meaning in EVERYWHERE.items()]
    names = [(f"`{name}`", meaning) for name, meaning in NAMES.items()]
    return f"""# Templates

{MADE}

A file of the same name in your own `templates/` takes the place of ours. `flask s2s check` lists
those, and what of ours each leaves out. Replace few: what a name gives you may change with a
release, and the changelog says so. `s2s/layout.html` is the one that is made to be replaced.

Every page gets these, and they are not named again below:

{table(("name", "what it is"), everywhere)}

{chr(10).join(_sections())}
## What the names are

{table(("name", "what it is"), names)}
"""


PAGES: dict[str, Callable[[], str]] = {
    "routes.md": routes,
    "settings.md": settings,
    "signals.md": the_signals,
    "templates.md": templates,
}


def main() -> None:
    """Write every page, and the README's table."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), encoding="utf-8")
    readme = TOP / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(SETTINGS_TABLE.sub(lambda _: settings_table(), text), encoding="utf-8")


if __name__ == "__main__":
    main()
