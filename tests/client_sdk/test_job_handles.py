"""Jobs as the clients return them: the wire model, and what to do with it."""

import asyncio
import copy
import pickle
import sys

import httpx
import pytest

from client_sdk import AsyncClient, AsyncJobHandle, Client, JobHandle, UsageError
from client_sdk.schemas import Job

ERROR = {"source": "a.jpg", "code": "image_unreadable", "detail": "truncated"}


@pytest.fixture
def handle(service, job_body):
    """A handle of the synchronous client, which answers with the same job for ever."""
    answers = service(httpx.Response(202, json=job_body()))
    with Client(transport=httpx.MockTransport(answers)) as client:
        yield client.upload(b"x")


def test_every_job_that_a_client_returns_knows_it(service, job_body):
    listed = httpx.Response(200, json={"jobs": [job_body(), job_body(id="j2")]})
    stream = httpx.Response(
        200,
        text=f"event: job\ndata: {Job.model_validate(job_body()).model_dump_json()}\n\n",
        headers={"content-type": "text/event-stream"},
    )
    one = httpx.Response(200, json=job_body())
    questions = [
        (one, lambda client: client.train("a")),
        (one, lambda client: client.train_manifest("a")),
        (one, lambda client: client.upload(b"x")),
        (one, lambda client: client.upload_manifest(b"x")),
        (one, lambda client: client.process()),
        (one, lambda client: client.job("j1")),
        (one, lambda client: client.wait("j1")),
        (one, lambda client: client.cancel("j1")),
        (one, lambda client: client.retry("j1")),
        (one, lambda client: client.reindex("hats")),
        (listed, lambda client: next(client.jobs())),
        (stream, lambda client: next(client.events("j1"))),
    ]
    for answer, question in questions:
        with Client(transport=httpx.MockTransport(service(answer))) as client:
            assert type(question(client)) is JobHandle
            answer = answer if answer is stream else one
            assert question(client)._calls is client


def test_a_handle_does_what_its_client_does(service, job_body):
    async def asynchronous(transport):
        async with AsyncClient(transport=transport) as client:
            job = await client.upload(b"x")
            done = await (await (await (await job.refresh()).cancel()).retry()).wait()
            assert type(done) is AsyncJobHandle
            return [error.source async for error in done.all_errors()]

    def synchronous(transport):
        with Client(transport=transport) as client:
            done = client.upload(b"x").refresh().cancel().retry().wait()
            return [error.source for error in done.all_errors()]

    for run in (synchronous, lambda transport: asyncio.run(asynchronous(transport))):
        answers = service(
            *[httpx.Response(200, json=job_body())] * 5,
            httpx.Response(200, json={"errors": [ERROR]}),
        )
        assert run(httpx.MockTransport(answers)) == ["a.jpg"]
        assert [f"{one.method} {one.url.path}" for one in answers.requests] == [
            "POST /api/v2/train",
            "GET /api/v2/jobs/j1",
            "POST /api/v2/jobs/j1/cancel",
            "POST /api/v2/jobs/j1/retry",
            "GET /api/v2/process",
            "GET /api/v2/jobs/j1/errors",
        ]


def test_a_handle_is_the_wire_model(handle, job_body):
    wire = Job.model_validate(job_body())
    assert handle == wire
    assert wire == handle
    assert hash(handle) == hash(wire)
    assert handle.model_dump_json() == wire.model_dump_json()
    assert handle != wire.model_copy(update={"done": 1})
    assert handle != "j1"


def test_a_handle_is_frozen_and_can_be_copied_and_sent_to_another_process(handle):
    with pytest.raises(ValueError, match="frozen"):
        handle.done = 5
    assert copy.deepcopy(handle) == copy.copy(handle) == handle
    sent = pickle.loads(pickle.dumps(handle))  # noqa: S301 - our own bytes
    assert (type(sent), sent) == (Job, handle)


def test_a_handle_of_no_client_says_what_to_do(handle):
    with pytest.raises(UsageError, match="give it to one"):
        JobHandle.model_validate(handle.model_dump()).wait()


def test_progress_is_shown_on_stderr_and_other_wishes_are_kept(service, ask, job_body, capsys):
    looks = [httpx.Response(200, json=job_body(state="in_progress", done=1))]
    answers, seen = service(*looks, httpx.Response(200, json=job_body())), []
    ask(
        answers,
        lambda client: client.wait(
            "j1", interval=0.001, progress=True, on_progress=lambda job: seen.append(job.done)
        ),
    )
    assert seen == [1, 4]
    assert capsys.readouterr().err.splitlines()[0] == "in_progress: 1 of 4"
    assert sys.stdout is not sys.stderr
