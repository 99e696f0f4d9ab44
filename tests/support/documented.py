"""The shell commands of one section of a document, run as its reader would type them."""

import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.console import Command, commands_in
from tests.support.documents import PROJECT, blocks

_SECONDS = 1800
_AGAIN_SECONDS = 90


class Reader:
    """A shell in which the commands of a document are typed, one after the other.

    Args:
        home: The reader's home folder.
        environment: More variables.
        instead: What is typed in place of names and ports that may be taken here.
    """

    def __init__(
        self, home: Path, environment: Mapping[str, str], instead: Mapping[str, str]
    ) -> None:
        self._home = home
        self._environment = environment
        self._instead = instead
        self._variables = home / ".variables"
        self._variables.touch()

    def type(self, page: str, word: str, folder: Path = PROJECT) -> None:
        """Type every command of the page's console blocks that are marked with a word."""
        typed = 0
        for block in blocks(PROJECT / page):
            if block.language == "console" and word in block.words:
                for command in commands_in(block.text, block.line):
                    self._type(command, folder)
                    typed += 1
        assert typed

    def _type(self, command: Command, folder: Path) -> None:
        deadline = time.monotonic() + _AGAIN_SECONDS
        while True:
            code, printed = self._run(command.text, folder)
            wrong = command.difference(printed)
            # A reader repeats a command until its answer is right, such as a count during a job.
            if code == 0 and wrong is None:
                return
            is_late = time.monotonic() > deadline or not command.text.startswith("curl")
            assert not is_late, f"line {command.line}: {command.text} ended with {code}:\n{printed}"
            time.sleep(1)

    def _run(self, text: str, folder: Path) -> tuple[int, str]:
        for name, other in self._instead.items():
            text = re.sub(name, other, text)
        script = (
            f"exec 2>&1 < /dev/null\n. {self._variables}\n{text}\ncode=$?\n"
            f"echo TOKEN=$TOKEN > {self._variables}\nexit $code"
        )
        ran = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env={**self._environment, "HOME": str(self._home)},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return ran.returncode, ran.stdout
