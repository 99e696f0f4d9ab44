"""A process that has imported everything, and forks those that tests start.

It runs a module of the tests that reads questions from standard input, each a JSON object on a
line, and answers each with a number on a line.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Self

PROJECT = Path(__file__).parents[2]
_END_SECONDS = 30.0


class ForgeProcess:
    """The forge as the tests use it. Close it with `with`."""

    def __init__(self, module: str, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=PROJECT,
            env={**environment, "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._process.communicate(timeout=_END_SECONDS)
        finally:
            self._process.kill()
            self._process.wait(_END_SECONDS)

    def ask(self, question: dict[str, object]) -> int:
        """Return the answer to a question."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())
