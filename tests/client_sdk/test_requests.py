"""The request of each method and the value that it returns, for both clients."""

import json
from pathlib import PurePosixPath, PureWindowsPath

import httpx
import pytest

from bento_service.requests import TrainRequest
from client_sdk.schemas import JobState
from tests.support.answers import COLLECTION, COUNT, IMAGE, INFO, JOB

DELETED = {"collection": "hats", "deleted": 2}

SENT = [
    ("GET /api/v2/process", JOB, lambda c: c.job()),
    ("GET /api/v2/count?collection=default", COUNT, lambda c: c.count()),
    ("GET /api/v2/count?collection=a+b%26c", COUNT, lambda c: c.count(collection="a b&c")),
    ("GET /api/v2/images/7", IMAGE, lambda c: c.image(7)),
    ("GET /api/v2/jobs/j1", JOB, lambda c: c.job("j1")),
    ("GET /api/v2/jobs/..%2Fimages%3Fx", JOB, lambda c: c.job("../images?x")),
    ("GET /api/v2/jobs?limit=100", {"jobs": []}, lambda c: c.jobs()),
    (
        "GET /api/v2/jobs?state=failed&limit=100",
        {"jobs": []},
        lambda c: c.jobs(state=JobState.FAILED),
    ),
    (
        "GET /api/v2/jobs?state=pending&state=failed&collection=hats&limit=100",
        {"jobs": []},
        lambda c: c.jobs(state=["pending", JobState.FAILED], collection="hats"),
    ),
    ("GET /api/v2/collections", {"collections": [COLLECTION]}, lambda c: c.collections()),
    ("POST /api/v2/collections", COLLECTION, lambda c: c.create_collection("hats")),
    ("DELETE /api/v2/collections/my%20hats", {}, lambda c: c.collection("my hats").delete()),
    ("POST /api/v2/collections/my%20h/reindex", JOB, lambda c: c.collection("my h").reindex()),
    (
        "POST /api/v2/collections/hats/reindex/undo",
        COLLECTION,
        lambda c: c.collection("hats").undo_reindex(),
    ),
    (
        "DELETE /api/v2/collections/hats/reindex",
        {},
        lambda c: c.collection("hats").forget_reindex(),
    ),
    ("GET /api/v2/info", INFO, lambda c: c.info()),
    ("GET /readyz", {}, lambda c: c.wait_ready()),
    (
        "GET /api/v2/images?collection=hats&prefix=a%2F&limit=5",
        {"images": []},
        lambda c: c.images(collection="hats", prefix="a/", page_size=5),
    ),
]


OF_JOBS = [
    ("GET /api/v2/jobs/j1", JOB, lambda job: job.refresh()),
    ("GET /api/v2/process?job=j1", {**JOB, "state": "completed"}, lambda job: job.wait()),
    ("GET /api/v2/jobs/j1/errors?limit=100", {"errors": []}, lambda job: job.all_errors()),
    ("POST /api/v2/jobs/j1/cancel", JOB, lambda job: job.cancel()),
    ("POST /api/v2/jobs/j1/retry", JOB, lambda job: job.retry()),
]


@pytest.mark.parametrize(("line", "body", "verb"), OF_JOBS, ids=[line for line, _, _ in OF_JOBS])
def test_a_method_of_a_job_sends_the_call_of_the_contract(line, body, verb, service, ask, handle):
    answers = service(httpx.Response(200, json=body))
    ask(answers, lambda client: verb(handle(client)))
    (request,) = answers.requests
    assert f"{request.method} {request.url.raw_path.decode()}" == line


OF_IMAGES = [
    ("GET /api/v2/images/7/content", {}, lambda image: image.content()),
    ("GET /api/v2/images/7/thumbnail", {}, lambda image: image.thumbnail()),
    ("GET /api/v2/images/7/thumbnail?size=64", {}, lambda image: image.thumbnail(size=64)),
    ("PATCH /api/v2/images/7", IMAGE, lambda image: image.update_metadata({"a": 1})),
]


@pytest.mark.parametrize(
    ("line", "body", "verb"), OF_IMAGES, ids=[line for line, _, _ in OF_IMAGES]
)
def test_a_method_of_an_image_sends_the_call_of_the_contract(
    line, body, verb, service, ask, stored
):
    answers = service(httpx.Response(200, json=body))
    ask(answers, lambda client: verb(stored(client)))
    (request,) = answers.requests
    assert f"{request.method} {request.url.raw_path.decode()}" == line


@pytest.mark.parametrize(("line", "body", "call"), SENT, ids=[line for line, _, _ in SENT])
def test_a_method_sends_the_call_of_the_contract(line, body, call, service, ask):
    answers = service(httpx.Response(200, json=body))
    ask(answers, call)
    (request,) = answers.requests
    assert f"{request.method} {request.url.raw_path.decode()}" == line


@pytest.mark.parametrize(
    ("body", "call", "expected"),
    [
        (COUNT, lambda c: c.count(), 3),
        (DELETED, lambda c: c.delete([1, 2], collection="hats"), 2),
        (DELETED, lambda c: c.delete(all=True, collection="hats"), 2),
    ],
)
def test_count_and_delete_return_a_number(body, call, expected, service, ask):
    assert ask(service(httpx.Response(200, json=body)), call) == expected


def test_collections_are_returned(service, ask):
    answers = service(httpx.Response(200, json={"collections": [COLLECTION]}))
    (found,) = ask(answers, lambda client: client.collections())
    assert (found.name, found.dimension) == ("hats", 512)


def test_a_created_collection_is_returned(service, ask):
    answers = service(httpx.Response(201, json=COLLECTION))
    assert ask(answers, lambda client: client.create_collection("hats")).name == "hats"
    assert json.loads(answers.requests[0].content) == {"name": "hats"}
    ask(answers, lambda client: client.create_collection("hats", "vgg16-mac"))
    assert json.loads(answers.requests[1].content) == {"name": "hats", "descriptor": "vgg16-mac"}


def test_reindex_sends_descriptor_and_drop_missing(service, ask):
    answers = service(httpx.Response(202, json=JOB))
    ask(answers, lambda client: client.collection("hats").reindex())
    ask(answers, lambda client: client.collection("hats").reindex("vgg16-mac", drop_missing=True))
    assert [json.loads(request.content) for request in answers.requests] == [
        {"drop_missing": False},
        {"descriptor": "vgg16-mac", "drop_missing": True},
    ]


def test_content_returns_the_bytes(service, ask, stored):
    answers = service(httpx.Response(200, content=b"\xff\xd8"))
    assert ask(answers, lambda client: stored(client).content()) == b"\xff\xd8"


def test_an_answer_without_a_body_is_none(service, ask):
    assert ask(service(httpx.Response(204)), lambda c: c.collection("hats").delete()) is None


def test_train_sends_a_valid_request(service, ask):
    answers = service(httpx.Response(202, json=JOB))
    job = ask(
        answers,
        lambda client: client.train(
            PurePosixPath("holidays"),
            collection="hats",
            root="photos",
            recursive=False,
            ignore=("*.gif", "drafts/*"),
            metadata={"year": 1999},
        ),
    )
    assert job.id == "j1"
    assert TrainRequest.model_validate_json(answers.requests[0].content) == TrainRequest(
        path="holidays",
        collection="hats",
        root="photos",
        recursive=False,
        ignore=("*.gif", "drafts/*"),
        metadata={"year": 1999},
    )


def test_given_options_of_train_are_sent(service, ask):
    answers = service(httpx.Response(202, json=JOB))
    ask(answers, lambda client: client.train("a", prune=True, dry_run=True, follow_links=True))
    sent = TrainRequest.model_validate_json(answers.requests[0].content)
    assert sent == TrainRequest(path="a", prune=True, dry_run=True, follow_links=True)


def test_train_sends_no_option_that_is_not_given(service, ask):
    answers = service(httpx.Response(202, json=JOB))
    ask(answers, lambda client: client.train("a"))
    assert json.loads(answers.requests[0].content).keys() == {
        "path",
        "collection",
        "recursive",
        "ignore",
    }


def test_train_sends_the_path_of_a_manifest(service, ask):
    answers = service(httpx.Response(202, json=JOB))
    ask(
        answers,
        lambda client: client.train(
            manifest=PurePosixPath("l.csv"),
            path="shop",
            root="photos",
            metadata={"a": 1},
            dry_run=True,
        ),
    )
    assert TrainRequest.model_validate_json(answers.requests[0].content) == TrainRequest(
        manifest="l.csv", path="shop", root="photos", metadata={"a": 1}, dry_run=True
    )


def test_upload_manifest_sends_the_file(service, ask):
    answers = service(httpx.Response(202, json=JOB))
    ask(
        answers,
        lambda client: client.upload_manifest(
            ("l.csv", b"path\na.jpg\n"), collection="hats", metadata={"é": 1}, verify_bytes=True
        ),
    )
    body = answers.requests[0].content.decode()
    assert 'name="manifest"; filename="l.csv"' in body
    assert "path\na.jpg\n" in body
    for name, value in (("collection", "hats"), ("metadata", '{"é": 1}'), ("verify_bytes", "true")):
        assert f'name="{name}"\r\n\r\n{value}\r\n' in body
    assert "dry_run" not in body


@pytest.mark.parametrize(
    "call",
    [
        lambda client, key: client.train("a", idempotency_key=key),
        lambda client, key: client.upload(b"x", idempotency_key=key),
        lambda client, key: client.train(manifest="l.csv", idempotency_key=key),
        lambda client, key: client.upload_manifest(b"x", idempotency_key=key),
        lambda client, key: client.collection("hats").reindex(idempotency_key=key),
    ],
)
def test_the_idempotency_key_is_sent_or_generated(call, service, ask):
    answers = service(httpx.Response(202, json=JOB))
    ask(answers, lambda client: call(client, "order 17"))
    ask(answers, lambda client: call(client, None))
    ask(answers, lambda client: call(client, None))
    given, first, second = (request.headers["idempotency-key"] for request in answers.requests)
    assert given == "order 17"
    assert len({first, second}) == 2  # each call has one of its own
    assert min(len(first), len(second)) >= 32


def test_update_metadata_sends_all_metadata(service, ask, stored):
    answers = service(httpx.Response(200, json=IMAGE))
    assert ask(answers, lambda client: stored(client).update_metadata({"shop": None})).id == 7
    assert json.loads(answers.requests[0].content) == {"metadata": {"shop": None}}


def test_a_single_pattern_to_ignore_is_one_pattern(service, ask):
    answers = service(httpx.Response(202, json=JOB))
    ask(answers, lambda client: client.train("a", ignore="*.gif"))
    assert json.loads(answers.requests[0].content)["ignore"] == ["*.gif"]


def test_a_windows_path_is_sent_with_slashes(service, ask):
    answers = service(httpx.Response(202, json=JOB))
    ask(answers, lambda client: client.train(PureWindowsPath("a\\b")))
    assert json.loads(answers.requests[0].content)["path"] == "a/b"
