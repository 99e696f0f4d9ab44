"""The command in this process, with prepared answers."""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from client_sdk.cli.app import run
from client_sdk.cli.commands import Surroundings
from tests.support.answers import HIT, IMAGE
from tests.support.server import Server


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@dataclass
class Ran:
    """The exit code, the output and the requests of a command."""

    code: int
    out: str
    err: str
    requests: list[httpx.Request] = field(default_factory=list)

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def documents(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]


class Service:
    """A service that returns prepared answers by path, and repeats the last of a list."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = {
            path: list(answer) if isinstance(answer, list) else [answer]
            for path, answer in answers.items()
        }
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        left = self._answers[request.url.path.removeprefix("/api/v2/")]
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)


@pytest.fixture(autouse=True)
def _a_plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    for name in ("NO_COLOR", "FORCE_COLOR", "LOOKALIKE_URL", "LOOKALIKE_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def lookalike() -> Callable[..., Ran]:
    """Return a function that runs `lookalike ARGUMENTS`.

    `answers` by path, or a function of the request; without any a real service is asked, which
    `--url` names. `tty` for a terminal instead of pipes.
    """

    def lookalike(
        *arguments: str,
        answers: dict[str, Any] | Callable[[httpx.Request], httpx.Response] | None = None,
        stdin: bytes = b"",
        tty: bool = False,
    ) -> Ran:
        service = Service(answers if isinstance(answers, dict) else {})
        transport = httpx.MockTransport(answers if callable(answers) else service)
        out, err = (Terminal(), Terminal()) if tty else (io.StringIO(), io.StringIO())
        real = answers is None and "--url" in arguments
        around = Surroundings(io.BytesIO(stdin), out, err, None if real else transport)
        code = run(arguments, around)
        return Ran(code, out.getvalue(), err.getvalue(), service.requests)

    return lookalike


@pytest.fixture
def event_stream() -> Callable[..., httpx.Response]:
    """A stream of events about jobs."""

    def event_stream(jobs: Sequence[dict[str, Any]]) -> httpx.Response:
        text = "".join(f"event: job\ndata: {json.dumps(job)}\n\n" for job in jobs)
        return httpx.Response(200, text=text, headers={"content-type": "text/event-stream"})

    return event_stream


@pytest.fixture
def job(job_body: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    return lambda **changes: job_body(source="photos", **changes)


@pytest.fixture
def hit() -> Callable[..., dict[str, Any]]:
    return lambda **changes: {**HIT, **changes}


@pytest.fixture
def image() -> Callable[..., dict[str, Any]]:
    return lambda **changes: {**IMAGE, **changes}


@pytest.fixture(scope="module")
def shell(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a line of a shell in an empty folder, with `lookalike` and a service."""
    folder = tmp_path_factory.mktemp("shell")
    command = folder / "bin" / "lookalike"
    command.parent.mkdir()
    command.write_text(
        f"#!{sys.executable}\nimport sys\nfrom client_sdk.cli import main\nsys.exit(main())\n"
    )
    command.chmod(0o755)
    (folder / "work").mkdir()
    environment = {
        "PATH": f"{command.parent}:/usr/bin:/bin",
        "PYTHONPATH": ":".join(sys.path),
        "LOOKALIKE_URL": server.url,
        "HOME": str(folder),
    }

    def shell(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line}"],
            cwd=folder / "work",
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return shell
