"""Jobs as the clients return them: the wire model with methods."""

import asyncio
import copy
import pickle

import httpx
import pytest

from client_sdk import AsyncClient, AsyncJobHandle, Client, JobHandle, UsageError
from client_sdk.schemas import Job

ERROR = {"source": "a.jpg", "code": "image_unreadable", "detail": "truncated"}


@pytest.fixture
def uploaded(service, job_body):
    """Yield a handle of the synchronous client, which answers with the same job for ever."""
    answers = service(httpx.Response(202, json=job_body()))
    with Client(transport=httpx.MockTransport(answers)) as client:
        yield client.upload(b"x")


def test_every_returned_job_is_bound_to_its_client(service, job_body, handle):
    listed = httpx.Response(200, json={"jobs": [job_body(), job_body(id="j2")]})
    stream = httpx.Response(
        200,
        text=f"event: job\ndata: {Job.model_validate(job_body()).model_dump_json()}\n\n",
        headers={"content-type": "text/event-stream"},
    )
    one = httpx.Response(200, json=job_body())
    calls = [
        (one, lambda client: client.train("a")),
        (one, lambda client: client.train(manifest="a")),
        (one, lambda client: client.upload(b"x")),
        (one, lambda client: client.upload_manifest(b"x")),
        (one, lambda client: client.job()),
        (one, lambda client: client.job("j1")),
        (one, lambda client: handle(client).wait()),
        (one, lambda client: handle(client).cancel()),
        (one, lambda client: handle(client).retry()),
        (one, lambda client: client.collection("hats").reindex()),
        (listed, lambda client: next(client.jobs())),
        (stream, lambda client: next(handle(client).events())),
    ]
    for answer, call in calls:
        with Client(transport=httpx.MockTransport(service(answer))) as client:
            assert type(call(client)) is JobHandle
            answer = answer if answer is stream else one
            assert call(client)._connection is client._connection


def test_the_methods_of_a_job_send_the_requests_of_the_contract(service, job_body):
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


def test_a_handle_equals_its_wire_model(uploaded, job_body):
    wire = Job.model_validate(job_body())
    assert uploaded == wire
    assert wire == uploaded
    assert hash(uploaded) == hash(wire)
    assert uploaded.model_dump_json() == wire.model_dump_json()
    assert uploaded != wire.model_copy(update={"done": 1})
    assert uploaded != "j1"


def test_a_handle_is_frozen_and_can_be_copied_and_sent_to_another_process(uploaded):
    with pytest.raises(ValueError, match="frozen"):
        uploaded.done = 5
    assert copy.deepcopy(uploaded) == copy.copy(uploaded) == uploaded
    sent = pickle.loads(pickle.dumps(uploaded))  # noqa: S301 - our own bytes
    assert (type(sent), sent) == (Job, uploaded)


def test_an_unbound_handle_raises_usage_error(uploaded):
    with pytest.raises(UsageError, match="is not bound to a client"):
        JobHandle.model_validate(uploaded.model_dump()).wait()


def test_progress_and_on_progress_can_be_combined(service, ask, job_body, handle, capsys):
    looks = [httpx.Response(200, json=job_body(state="in_progress", done=1))]
    answers, seen = service(*looks, httpx.Response(200, json=job_body())), []
    ask(
        answers,
        lambda client: handle(client).wait(
            interval=0.001, progress=True, on_progress=lambda job: seen.append(job.done)
        ),
    )
    assert seen == [1, 4]
    assert capsys.readouterr().err == "in_progress: 1 of 4\ncompleted: 4 of 4\n"
