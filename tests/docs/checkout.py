"""A checkout in a home folder of its own, where the commands of the documents run."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from PIL import Image

from tests.support.console import Command, difference
from tests.support.documents import PROJECT
from tests.support.waiting import wait_until

PICTURES = {"chelsea": "cat", "coffee": "coffee", "coins": "coins", "rocket": "rocket"}
PICTURES |= {"astronaut": "woman", "ihc": "cells"}
MARK = "=-=-= command"
START = "make run"
SECONDS = 240


class Site:
    """A home folder with a checkout and pictures, and the service that `make run` starts there."""

    def __init__(self, folder: Path, models: Path, photographs: Path, port: int) -> None:
        self.home = folder / "home"
        self.checkout = self.home / "lookalike"
        self._address = f"127.0.0.1:{port}"
        self._sockets = Path(tempfile.mkdtemp(prefix="docs-"))  # their paths have to be short
        self._log = folder / "log"
        self._service: subprocess.Popen[bytes] | None = None
        _check_out(self.checkout, models)
        _add_pictures(self.home, photographs)
        _add_program(folder / "bin" / "lookalike", "from client_sdk.cli import main")
        _add_program(
            folder / "bin" / "pytest",
            "import pytest",
            "main = lambda: pytest.main(['-p', 'client_sdk.testing.plugin', *sys.argv[1:]])",
        )
        self._environment = {
            "HOME": str(self.home),
            "PATH": f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TMPDIR": str(self._sockets),
            "LOOKALIKE_PORT": str(port),
            "LOOKALIKE_URL": f"http://{self._address}",
        }

    def run(self, listed: list[Command]) -> list[str]:
        """Run commands as one shell would; return what is wrong with each."""
        wrong: list[str] = []
        if listed[0].text.startswith(START):
            self._remove_data()
        elif self._service is None:
            self._start(Command(f"{START} IMAGES=~/photos", 0, ["...", "6 indexed, ...", "..."]))
        while listed:
            if listed[0].text.startswith(START):
                self._start(listed[0])
                listed = listed[1:]
            until = next((n for n, c in enumerate(listed) if c.text.startswith(START)), None)
            wrong += self._shell(listed[:until])
            listed = [] if until is None else listed[until:]
        return wrong

    def _remove_data(self) -> None:
        self.stop()
        for path in (self.checkout / "data").glob("[!b]*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _shell(self, listed: list[Command]) -> list[str]:
        lines = [f"{{\n{self._here(c.text)}\n}}\nprintf '\\n{MARK} %s\\n' $?" for c in listed]
        script = "exec 2>&1 < /dev/null\n" + "\n".join(lines)
        ran = subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=self.checkout,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=2 * SECONDS,
        )
        parts = re.split(rf"\n{MARK} (\d+)\n", ran.stdout.replace(self._address, "127.0.0.1:8001"))
        assert len(parts) == 2 * len(listed) + 1, ran.stdout
        wrong = []
        for command, printed, code in zip(listed, parts[::2], parts[1::2], strict=False):
            if command.difference(printed) is not None or code != "0":
                wrong.append(f"line {command.line}: {command.text} ended with {code}:\n{printed}")
        return wrong

    def _start(self, command: Command) -> None:
        self.stop()
        before = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._service = subprocess.Popen(
                ["/bin/bash", "-c", command.text],
                cwd=self.checkout,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        service = self._service

        def printed() -> str:
            text = self._log.read_bytes()[before:].decode()
            return text.replace(self._address, "127.0.0.1:8001")

        def is_shown() -> bool:
            assert service.poll() is None, printed()
            return difference([*command.shown, "..."], printed().splitlines()) is None

        wait_until(is_shown, seconds=SECONDS, pause=0.2, message=printed)

    def stop(self) -> None:
        """Stop the service as Ctrl-C does."""
        if self._service is None:
            return
        os.killpg(self._service.pid, signal.SIGINT)
        self._service.wait(60)
        with suppress(ProcessLookupError):
            os.killpg(self._service.pid, signal.SIGKILL)
        self._service = None

    def remove(self) -> None:
        """Stop the service, and leave nothing in the system's folder for temporary files."""
        self.stop()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _here(self, text: str) -> str:
        return text.replace("127.0.0.1:8001", self._address)


def _check_out(checkout: Path, models: Path) -> None:
    """Make a checkout whose environment is this one, as far as Make can see."""
    checkout.mkdir(parents=True)
    left_out = shutil.ignore_patterns("__pycache__")
    for name in ("bento_service", "client_sdk", "model_build", "requirements"):
        shutil.copytree(PROJECT / name, checkout / name, ignore=left_out)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(PROJECT / name, checkout)
    (checkout / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.suffix != ".stamp":
            (checkout / ".venv" / path.name).symlink_to(path)
    for name in ("uv", "run", "dev"):
        (checkout / ".venv" / f"{name}.stamp").touch()
    (checkout / "data" / "bentoml").mkdir(parents=True)
    (checkout / "data" / "bentoml" / "models").symlink_to(models)


def _add_pictures(home: Path, photographs: Path) -> None:
    (home / "photos").mkdir()
    for name, shown in PICTURES.items():
        shutil.copy(photographs / f"{name}.jpg", home / "photos" / f"{shown}.jpg")
    checkout = home / "lookalike"
    shutil.copy(home / "photos" / "cat.jpg", checkout)
    (checkout / "holidays").mkdir()
    for name in ("coffee", "rocket"):
        shutil.copy(home / "photos" / f"{name}.jpg", checkout / "holidays")
    with Image.open(home / "photos" / "coffee.jpg") as coffee:
        coffee.resize((160, 106)).save(checkout / "holidays" / "small.jpg", quality=80)


def _add_program(path: Path, *lines: str) -> None:
    path.parent.mkdir(exist_ok=True)
    head = [f"#!{sys.executable}", "import sys", f"sys.path.insert(0, {str(PROJECT)!r})"]
    path.write_text("\n".join([*head, *lines, "sys.exit(main())", ""]))
    path.chmod(0o755)
