"""The command `lookalike`, for terminals, pipes and scripts; it has all features of the service.

It needs the extra `cli`. docs/cli.md describes every command and exit code.
"""

import sys
from collections.abc import Sequence

_EXTRA = ("typer", "rich", "textual_image", "PIL", "shellingham")
_NOT_INSTALLED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, by default with the arguments of the process; return the exit code."""
    try:
        from client_sdk.cli.app import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(
            f"error: the command lookalike needs {error.name}, which is not installed; "
            "install Lookalike's extra `cli`, as docs/install.md says\n"
        )
        return _NOT_INSTALLED
    return run(arguments)
