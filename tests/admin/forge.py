"""Processes that are forked from one that has imported everything.

A process locks Milvus Lite's folder until it ends, so most tests here need several processes, and
imports would take most of their time.
"""

import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.forge import ForgeProcess

_SECONDS = 300
_MODULES = ("tests.admin.serving", "bento_service.admin.__main__")
_COMMANDS = ("compact", "recall", "verify")


class Ended(NamedTuple):
    """The result of a process."""

    code: int
    out: str
    err: str


class Forge(ForgeProcess):
    """Starts processes."""

    def __init__(self, folder: Path) -> None:
        super().__init__("tests.admin.forge", {**os.environ})
        self._folder = folder

    def run(self, module: str, arguments: Sequence[str], environment: dict[str, str]) -> Ended:
        """Call `main` of one of the modules with only this environment."""
        pid = self.start(module, arguments, environment)
        code = self.ask({"wait": pid})
        return Ended(code, *((self._folder / name).read_text() for name in ("out", "err")))

    def start(self, module: str, arguments: Sequence[str], environment: dict[str, str]) -> int:
        """Start the same and return the process id. One runs at a time."""
        out, err = str(self._folder / "out"), str(self._folder / "err")
        task = {"module": module, "arguments": list(arguments), "environment": environment}
        return self.ask({**task, "out": out, "err": err})

    def kill(self, pid: int) -> None:
        """Send SIGKILL, and wait for the end."""
        os.kill(pid, signal.SIGKILL)  # it keeps its number until it is waited for
        self.ask({"wait": pid})


def _forge() -> None:
    from bento_service.gallery.milvus import load_lite

    load_lite()
    mains = {name: importlib.import_module(name).main for name in _MODULES}
    for name in _COMMANDS:
        importlib.import_module(f"bento_service.admin.{name}")
    while line := sys.stdin.readline():
        task = json.loads(line)
        if "wait" in task:
            _, status = os.waitpid(task["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        elif (answer := os.fork()) == 0:
            _become(task, mains[task["module"]])
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _become(task, main) -> None:
    """Run a task in a forked process and exit."""
    signal.alarm(_SECONDS)
    for number, path in ((0, os.devnull), (1, task["out"]), (2, task["err"])):
        mode = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(path, mode, 0o600), number)
    os.environ.clear()
    os.environ.update(task["environment"])
    code = 1
    try:
        code = main(task["arguments"])
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:  # the child must never continue as the forge
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _forge()
