"""Answers and refusals of commands."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bento_service.errors import CatalogueUnavailable, LookalikeError
from bento_service.settings import SettingsError

CLEAN, FINDINGS, CANNOT_RUN = 0, 1, 2
"""Exit codes: success; done, but something needs attention; nothing was done."""


class Refusal(Exception):
    """A command that cannot run or continue; the message says what to do."""


@dataclass(frozen=True)
class Answer:
    """The result of a command: a record for programs (`--json`) and the same as text lines.

    The exit code is `FINDINGS` unless it is clean.
    """

    record: dict[str, object]
    lines: Sequence[str]
    is_clean: bool = True


def answered(run: Callable[[], Answer], *, as_json: bool, interrupted: str) -> int:
    """Run a command, write its answer, or the reason why it cannot run; return the exit code."""
    try:
        answer = run()
    except CatalogueUnavailable as error:
        cause = getattr(error.__cause__, "orig", error.__cause__)
        reason = str(cause).splitlines()[0]
        message = f"the catalogue does not answer ({reason}); if it is damaged, restore it"
    except (Refusal, SettingsError, LookalikeError, OSError) as error:
        message = str(error)
    except KeyboardInterrupt:
        message = interrupted
    else:
        text = json.dumps(answer.record, indent=2) if as_json else "\n".join(answer.lines)
        sys.stdout.write(f"{text}\n")
        return CLEAN if answer.is_clean else FINDINGS
    sys.stderr.write(f"lookalike: {message}\n")
    return CANNOT_RUN


def shown_bytes(size: float) -> str:
    """Return a size with a unit, such as `12 B` or `3.4 MiB`."""
    if abs(size) < 1024:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if abs(size) < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TiB"
