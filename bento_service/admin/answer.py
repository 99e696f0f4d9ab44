"""What a command answers, and how it says that it cannot run."""

from dataclasses import dataclass, field

CLEAN, FINDINGS, CANNOT_RUN = 0, 1, 2
"""Exit codes: all is well; done, with something to look at; nothing was done."""


class Refusal(Exception):
    """The command cannot run, or cannot go on; the message says what to do."""


@dataclass(frozen=True)
class Answer:
    """What a command found or did.

    Attributes:
        record: For programs (`--json`).
        lines: The same for people.
        code: The exit code.
    """

    record: dict[str, object]
    lines: tuple[str, ...] = field(default=())
    code: int = CLEAN


def shown_bytes(size: float) -> str:
    """A size for people: `12 B`, `3.4 MiB`."""
    if abs(size) < 1024:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if abs(size) < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TiB"
