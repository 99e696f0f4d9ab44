"""A service with prepared answers, and a fixture that calls it with either client."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from client_sdk import AsyncClient, AsyncImage, AsyncJobHandle, Client, Image, JobHandle
from client_sdk.schemas import Job
from tests.support.answers import IMAGE, JOB

Ask = Callable[..., Any]

FIELD = rb'form-data; name="([^"]*)"(?:; filename="([^"]*)")?.*?\r\n\r\n(.*?)\r\n--'


class Service:
    """A service that returns prepared answers in order, and then repeats the last one."""

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
    """Make a call with either client: `ask(answers, lambda client: client.count())`."""

    def wait(transport: Any, call: Callable[[Any], Any], **options: Any) -> Any:
        with Client(transport=_transport(transport), **options) as client:
            answer = call(client)
            return list(answer) if isinstance(answer, Iterator) else answer

    async def run(transport: Any, call: Callable[[Any], Any], **options: Any) -> Any:
        async with AsyncClient(transport=_transport(transport), **options) as client:
            answer = call(client)
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
        return {**JOB, **changes}

    return body


@pytest.fixture
def job(job_body: Callable[..., dict[str, Any]]) -> Callable[..., Job]:
    """Return a job, with changes."""
    return lambda **changes: Job.model_validate(job_body(**changes))


@pytest.fixture
def handle(job: Callable[..., Job]) -> Callable[..., Any]:
    """A job with changes, bound to a client of either kind."""

    def bound(client: Client | AsyncClient, **changes: Any) -> Any:
        kind = JobHandle if isinstance(client, Client) else AsyncJobHandle
        return kind.model_validate(job(**changes).model_dump(), context=client._connection)

    return bound


@pytest.fixture
def stored() -> Callable[..., Any]:
    """An image that is bound to a client of either kind."""

    def bound(client: Client | AsyncClient) -> Any:
        kind = Image if isinstance(client, Client) else AsyncImage
        return kind.model_validate(IMAGE, context=client._connection)

    return bound


@pytest.fixture
def multipart() -> Callable[[httpx.Request], list[tuple[str, str | None, bytes]]]:
    """Reads a sent form: its fields as (name, file name, bytes)."""

    def read(request: httpx.Request) -> list[tuple[str, str | None, bytes]]:
        boundary = request.headers["content-type"].partition("boundary=")[2].encode()
        fields = re.findall(FIELD + re.escape(boundary), request.content, re.DOTALL)
        return [(name.decode(), file.decode() or None, content) for name, file, content in fields]

    return read
