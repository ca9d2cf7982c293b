"""What the doctor finds: a part, how it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["ok", "warn", "fail"]
Said: TypeAlias = tuple[State, str]


@dataclass(frozen=True)
class Finding:
    """One part: whether it is well, what it is, and what was seen or what to do.

    `fail`: it does not work, or is not safe. `warn`: it works, but is weaker than it should be.
    """

    state: State
    part: str
    says: str


def well(says: str) -> Said:
    """All is well, in words of its own."""
    return "ok", says


def warn(says: str) -> Said:
    """It works, but is weaker than it should be."""
    return "warn", says


def fail(says: str) -> Said:
    """It does not work, or is not safe."""
    return "fail", says


@dataclass(frozen=True)
class Look:
    """One look at one part. `find` says what it found; saying nothing means `otherwise`."""

    part: str
    find: Callable[[], Iterable[Said]]
    otherwise: str

    def findings(self) -> list[Finding]:
        """What was found; a look that cannot be taken is a failure of its own."""
        try:
            said = list(self.find()) or [well(self.otherwise)]
        except Exception as error:
            said = [fail(f"It could not be looked at: {_in_short(error)}.")]
        return [Finding(state, self.part, says) for state, says in said]


def _in_short(error: Exception) -> str:
    """The kind of an error and its first line."""
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first}".rstrip(".: ")


def worst(findings: Iterable[Finding]) -> State:
    """The state of the worst of them."""
    states = {finding.state for finding in findings}
    return "fail" if "fail" in states else "warn" if "warn" in states else "ok"
