"""Answers and refusals of commands."""

from dataclasses import dataclass, field

CLEAN, FINDINGS, CANNOT_RUN = 0, 1, 2
"""Exit codes: success; done, but something needs attention; nothing was done."""


class Refusal(Exception):
    """A command that cannot run or continue; the message says what to do."""


@dataclass(frozen=True)
class Answer:
    """The result of a command: a record for programs (`--json`) and the same as text lines."""

    record: dict[str, object]
    lines: tuple[str, ...] = field(default=())
    code: int = CLEAN


def shown_bytes(size: float) -> str:
    """Return a size with a unit, such as `12 B` or `3.4 MiB`."""
    if abs(size) < 1024:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if abs(size) < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TiB"
