"""Our templates that the host has replaced: what each of them has left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask
from jinja2 import Environment, TemplateSyntaxError, meta, nodes

from s2s_portal.services.doctor.findings import Look, Said, fail, warn, well


def looks(app: Flask) -> list[Look]:
    """What the host has replaced."""
    return [Look("templates", partial(_replaced, app), "All are our own.")]


@dataclass(frozen=True)
class Uses:
    """What a template has: its blocks, its macros, the names that it is given."""

    blocks: frozenset[str]
    macros: frozenset[str]
    names: frozenset[str]

    @classmethod
    def of(cls, source: str, extensions: Iterable[str] = ()) -> Uses:
        """Read from the source, with the names of Jinja extensions. Raises TemplateSyntaxError."""
        reader = Environment(autoescape=True, extensions=list(extensions))
        reader.filters, reader.tests = _Anything(), _Anything()
        tree = reader.parse(source)
        return cls(
            frozenset(block.name for block in tree.find_all(nodes.Block)),
            frozenset(macro.name for macro in tree.find_all(nodes.Macro)),
            frozenset(meta.find_undeclared_variables(tree) - _made_here(tree)),
        )

    def left_out_of(self, other: Uses) -> list[str]:
        """What this one has and `other` has not, in words."""
        return [
            *(f"block {name}" for name in sorted(self.blocks - other.blocks)),
            *(f"macro {name}" for name in sorted(self.macros - other.macros)),
            *sorted(self.names - other.names),
        ]


class _Anything(dict[str, Any]):
    """Filters, or tests, of any name: which there are is the app's affair, not the reader's."""

    def get(self, key: str, default: Any = None) -> Any:
        """Something, whatever is asked for."""
        return str


def _made_here(tree: nodes.Template) -> set[str]:
    """The names that the template gives itself.

    Jinja takes those of the top for unknown in a block, and those of a block for unknown in a loop.
    """
    made = {macro.name for macro in tree.find_all(nodes.Macro)}
    for imported in tree.find_all(nodes.FromImport):
        made |= {name if isinstance(name, str) else name[1] for name in imported.names}
    targets = [node.target for node in tree.find_all(nodes.Assign)]
    targets += [node.target for node in tree.find_all(nodes.AssignBlock)]
    for target in targets:
        names = [target] if isinstance(target, nodes.Name) else target.find_all(nodes.Name)
        made |= {name.name for name in names}
    return made


def replaced(app: Flask) -> dict[str, tuple[str, str]]:
    """Our templates that come from elsewhere, each with our source and the one in its place."""
    environment = app.jinja_env
    ours = app.blueprints["s2s"].jinja_loader
    assert ours is not None
    found = {}
    for name in ours.list_templates():
        if not name.startswith("s2s/"):
            continue
        own, used = ours.get_source(environment, name), _used(environment, name)
        if used[1] != own[1]:
            found[name] = (own[0], used[0])
    return found


def _used(environment: Environment, name: str) -> tuple[str, str | None]:
    assert environment.loader is not None
    source, file, _is_fresh = environment.loader.get_source(environment, name)
    return source, file


def _replaced(app: Flask) -> Iterator[Said]:
    found = replaced(app)
    sound = []
    for name, (own, instead) in sorted(found.items()):
        try:
            missing = Uses.of(own).left_out_of(Uses.of(instead, app.jinja_env.extensions))
        except TemplateSyntaxError as error:
            yield fail(f"{name}, your own, cannot be read: line {error.lineno}: {error.message}.")
            continue
        if missing:
            yield warn(
                f"{name}, your own, leaves out: {', '.join(missing)}. Compare it with ours of this"
                " release (docs/reference/templates.md)."
            )
        else:
            sound.append(name)
    if sound:
        yield well(f"Your own, and with all that ours have: {', '.join(sound)}.")
