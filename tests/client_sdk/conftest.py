"""A service that gives prepared answers, and one way to ask it with either client."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from client_sdk import AsyncClient, AsyncJobHandle, Client, JobHandle
from client_sdk.schemas import Job

Ask = Callable[..., Any]

FIELD = rb'form-data; name="([^"]*)"(?:; filename="([^"]*)")?.*?\r\n\r\n(.*?)\r\n--'


class Service:
    """Stands for the service: prepared answers in turn, the last one again and again."""

    def __init__(self, *answers: httpx.Response | BaseException) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOKALIKE_URL", "LOOKALIKE_TOKEN", "LOOKALIKE_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def service() -> type[Service]:
    return Service


@pytest.fixture(params=["Client", "AsyncClient"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Puts one question to either client: `ask(answers, lambda client: client.count())`."""

    def wait(transport: Any, question: Callable[[Any], Any], **options: Any) -> Any:
        with Client(transport=_transport(transport), **options) as client:
            answer = question(client)
            return list(answer) if isinstance(answer, Iterator) else answer

    async def run(transport: Any, question: Callable[[Any], Any], **options: Any) -> Any:
        async with AsyncClient(transport=_transport(transport), **options) as client:
            answer = question(client)
            if isinstance(answer, AsyncIterator):
                return [item async for item in answer]
            return await answer

    if request.param == "Client":
        return wait
    return lambda *given, **options: asyncio.run(run(*given, **options))


def _transport(answers: Any) -> Any:
    return httpx.MockTransport(answers) if callable(answers) else answers


@pytest.fixture
def job_body() -> Callable[..., dict[str, Any]]:
    """The JSON of a job, with changes."""

    def body(**changes: Any) -> dict[str, Any]:
        numbers = {"total": 4, "done": 4, "indexed": 2, "duplicates": 1, "failed": 1}
        return {"id": "j1", "collection": "default", "state": "completed", **numbers, **changes}

    return body


@pytest.fixture
def job(job_body: Callable[..., dict[str, Any]]) -> Callable[..., Job]:
    """A job, with changes."""
    return lambda **changes: Job.model_validate(job_body(**changes))


@pytest.fixture
def handle(job: Callable[..., Job]) -> Callable[..., Any]:
    """A job with changes, bound to a client of either kind without asking for it."""

    def bound(client: Client | AsyncClient, **changes: Any) -> Any:
        kind = JobHandle if isinstance(client, Client) else AsyncJobHandle
        return kind.of(job(**changes), client._connection)

    return bound


@pytest.fixture
def multipart() -> Callable[[httpx.Request], list[tuple[str, str | None, bytes]]]:
    """Reads a sent form: its fields as (name, file name, bytes)."""

    def read(request: httpx.Request) -> list[tuple[str, str | None, bytes]]:
        boundary = request.headers["content-type"].partition("boundary=")[2].encode()
        fields = re.findall(FIELD + re.escape(boundary), request.content, re.DOTALL)
        return [(name.decode(), file.decode() or None, content) for name, file, content in fields]

    return read
