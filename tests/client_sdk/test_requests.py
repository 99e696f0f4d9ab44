"""What each method sends, and what it makes of the answer; for both clients."""

import json
from pathlib import PurePosixPath, PureWindowsPath

import httpx
import pytest

from client_sdk import ApiError, TooLarge, UnexpectedAnswer, UsageError
from client_sdk._calls.images import SearchKeywords
from client_sdk.schemas import DeleteRequest, JobState, SearchOptions, SearchRequest, TrainRequest

IMAGE = {
    "id": 7,
    "collection": "default",
    "name": "a.jpg",
    "source": "photos/a.jpg",
    "sha256": "00",
    "format": "JPEG",
    "width": 2,
    "height": 3,
    "bytes": 99,
    "created_at": "2026-01-01T00:00:00Z",
    "content_url": "/api/v2/images/7/content",
    "thumbnail_url": "/api/v2/images/7/thumbnail",
}
FOUND = {
    "collection": "default",
    "model": "vgg16:1",
    "hits": [],
    "took_ms": {"decode": 1, "describe": 2, "search": 3, "total": 6},
}
COLLECTION = {
    "name": "hats",
    "count": 0,
    "dimension": 512,
    "descriptor": "gem",
    "precision": "fp32",
    "model": "vgg16:1",
    "fingerprint": "ff",
    "lag": 0,
    "created_at": "2026-01-01T00:00:00Z",
}
INFO = {
    "version": "0.1.0",
    "model": "vgg16:1",
    "fingerprint": "ff",
    "descriptor": "gem",
    "dimension": 512,
    "engine": "onnx",
    "precision": "float32",
    "index_type": "FLAT",
    "image_roots": ["photos"],
    "limits": {
        "max_upload_bytes": 1,
        "max_request_bytes": 1,
        "max_pixels": 1,
        "max_jpeg_pixels": 1,
        "max_top_k": 1000,
        "formats": ["JPEG"],
    },
}
JOB = {
    "id": "j1",
    "collection": "default",
    "state": "pending",
    "total": 0,
    "done": 0,
    "indexed": 0,
    "duplicates": 0,
    "failed": 0,
}
COUNT = {"collection": "hats", "count": 3}
DELETED = {"collection": "hats", "deleted": 2}

SENT = [
    ("GET /api/v2/process", JOB, lambda c: c.job()),
    ("GET /api/v2/count?collection=default", COUNT, lambda c: c.count()),
    ("GET /api/v2/count?collection=a+b%26c", COUNT, lambda c: c.count(collection="a b&c")),
    ("GET /api/v2/images/7", IMAGE, lambda c: c.image(7)),
    ("GET /api/v2/images/7/content", {}, lambda c: c.content(7)),
    ("GET /api/v2/images/7/thumbnail", {}, lambda c: c.thumbnail(7)),
    ("GET /api/v2/images/7/thumbnail?size=64", {}, lambda c: c.thumbnail(7, size=64)),
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
    ("PATCH /api/v2/images/7", IMAGE, lambda c: c.update_metadata(7, {"a": 1})),
    ("GET /api/v2/collections", {"collections": [COLLECTION]}, lambda c: c.collections()),
    ("POST /api/v2/collections", COLLECTION, lambda c: c.create_collection("hats")),
    ("DELETE /api/v2/collections/my%20hats", {}, lambda c: c.delete_collection("my hats")),
    ("POST /api/v2/collections/my%20hats/reindex", JOB, lambda c: c.reindex("my hats")),
    ("POST /api/v2/collections/hats/reindex/undo", COLLECTION, lambda c: c.undo_reindex("hats")),
    ("DELETE /api/v2/collections/hats/reindex", {}, lambda c: c.forget_reindex("hats")),
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
def test_a_verb_of_a_job_sends_the_call_of_the_contract(line, body, verb, service, ask, handle):
    answers = service(httpx.Response(200, json=body))
    ask(answers, lambda client: verb(handle(client)))
    (request,) = answers.requests
    assert f"{request.method} {request.url.raw_path.decode()}" == line


@pytest.mark.parametrize(("line", "body", "question"), SENT, ids=[line for line, _, _ in SENT])
def test_a_method_sends_the_call_of_the_contract(line, body, question, service, ask):
    answers = service(httpx.Response(200, json=body))
    ask(answers, question)
    (request,) = answers.requests
    assert f"{request.method} {request.url.raw_path.decode()}" == line


@pytest.mark.parametrize(
    ("body", "question", "expected"),
    [
        (COUNT, lambda c: c.count(), 3),
        (DELETED, lambda c: c.delete([1, 2], collection="hats"), 2),
        (DELETED, lambda c: c.delete(all=True, collection="hats"), 2),
    ],
)
def test_a_number_comes_without_its_envelope(body, question, expected, service, ask):
    assert ask(service(httpx.Response(200, json=body)), question) == expected


def test_collections_come_as_they_are(service, ask):
    answers = service(httpx.Response(200, json={"collections": [COLLECTION]}))
    (found,) = ask(answers, lambda client: client.collections())
    assert (found.name, found.dimension) == ("hats", 512)


def test_a_created_collection_is_returned(service, ask):
    answers = service(httpx.Response(201, json=COLLECTION))
    assert ask(answers, lambda client: client.create_collection("hats")).name == "hats"
    assert json.loads(answers.requests[0].content) == {"name": "hats"}
    ask(answers, lambda client: client.create_collection("hats", "vgg16-mac"))
    assert json.loads(answers.requests[1].content) == {"name": "hats", "descriptor": "vgg16-mac"}


def test_a_reindex_says_to_what_and_what_may_go(service, ask):
    answers = service(httpx.Response(202, json=JOB))
    ask(answers, lambda client: client.reindex("hats"))
    ask(answers, lambda client: client.reindex("hats", "vgg16-mac", drop_missing=True))
    assert [json.loads(request.content) for request in answers.requests] == [
        {"drop_missing": False},
        {"descriptor": "vgg16-mac", "drop_missing": True},
    ]


def test_bytes_come_as_they_are(service, ask):
    answers = service(httpx.Response(200, content=b"\xff\xd8"))
    assert ask(answers, lambda client: client.content(7)) == b"\xff\xd8"


def test_an_answer_without_a_body_is_none(service, ask):
    assert ask(service(httpx.Response(204)), lambda c: c.delete_collection("hats")) is None


def test_train_sends_what_the_schema_knows(service, ask):
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


def test_options_of_a_train_are_sent_where_they_are_given(service, ask):
    answers = service(httpx.Response(202, json=JOB))
    ask(answers, lambda client: client.train("a", prune=True, dry_run=True, verify_bytes=True))
    sent = TrainRequest.model_validate_json(answers.requests[0].content)
    assert sent == TrainRequest(path="a", prune=True, dry_run=True, verify_bytes=True)


def test_a_plain_train_says_nothing_that_an_older_service_would_refuse(service, ask):
    answers = service(httpx.Response(202, json=JOB))
    ask(answers, lambda client: client.train("a"))
    assert json.loads(answers.requests[0].content).keys() == {
        "path",
        "collection",
        "recursive",
        "ignore",
        "metadata",
    }


def test_a_manifest_of_the_service_is_named(service, ask):
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


def test_a_manifest_of_the_caller_travels_as_a_file(service, ask):
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
    "question",
    [
        lambda client, key: client.train("a", idempotency_key=key),
        lambda client, key: client.upload(b"x", idempotency_key=key),
        lambda client, key: client.train(manifest="l.csv", idempotency_key=key),
        lambda client, key: client.upload_manifest(b"x", idempotency_key=key),
        lambda client, key: client.reindex("hats", idempotency_key=key),
    ],
)
def test_a_key_travels_in_its_header_and_is_made_where_none_is_given(question, service, ask):
    answers = service(httpx.Response(202, json=JOB))
    ask(answers, lambda client: question(client, "order 17"))
    ask(answers, lambda client: question(client, None))
    ask(answers, lambda client: question(client, None))
    given, first, second = (request.headers["idempotency-key"] for request in answers.requests)
    assert given == "order 17"
    assert len({first, second}) == 2  # each call has one of its own
    assert min(len(first), len(second)) >= 32


def test_new_metadata_is_sent_whole(service, ask):
    answers = service(httpx.Response(200, json=IMAGE))
    assert ask(answers, lambda client: client.update_metadata(7, {"shop": None})).id == 7
    assert json.loads(answers.requests[0].content) == {"metadata": {"shop": None}}


def test_a_single_pattern_to_ignore_is_not_taken_apart(service, ask):
    answers = service(httpx.Response(202, json=JOB))
    ask(answers, lambda client: client.train("a", ignore="*.gif"))
    assert json.loads(answers.requests[0].content)["ignore"] == ["*.gif"]


def test_a_path_object_of_another_system_is_sent_with_slashes(service, ask):
    answers = service(httpx.Response(202, json=JOB))
    ask(answers, lambda client: client.train(PureWindowsPath("a\\b")))
    assert json.loads(answers.requests[0].content)["path"] == "a/b"


def test_a_search_by_url_sends_what_the_schema_knows(service, ask):
    answers = service(httpx.Response(200, json=FOUND))
    url = "https://shop.example/cat.jpg"
    ask(answers, lambda client: client.search(url, collection="hats", top_k=3))
    (sent,) = answers.requests
    assert (sent.method, sent.url.path) == ("POST", "/api/v2/search")
    body = SearchRequest.model_validate_json(sent.content)
    assert (body.url, body.collection, body.top_k) == (url, "hats", 3)


def test_a_search_by_id_sends_what_the_schema_knows(service, ask):
    answers = service(httpx.Response(200, json=FOUND))
    ask(
        answers,
        lambda client: client.search(
            7,
            collection="hats",
            top_k=3,
            offset=5,
            min_score=0.25,
            region=(1, 2, 3, 4),
            exact=True,
            filter="year > 1990",
            explain=True,
        ),
    )
    body = answers.requests[0].content
    assert json.loads(body)["region"] == [1, 2, 3, 4]
    assert SearchRequest.model_validate_json(body) == SearchRequest(
        image_id=7,
        collection="hats",
        top_k=3,
        offset=5,
        min_score=0.25,
        region=(1, 2, 3, 4),
        exact=True,
        filter="year > 1990",
        explain=True,
    )


def test_the_options_of_a_search_are_those_of_the_schema_with_its_defaults(service, ask):
    assert set(SearchOptions.model_fields) == set(SearchKeywords.__annotations__)
    answers = service(httpx.Response(200, json=FOUND))
    ask(answers, lambda client: client.search(7))
    body = SearchRequest.model_validate_json(answers.requests[0].content)
    assert body == SearchRequest(image_id=7)


def test_a_misspelt_option_is_refused_before_anything_is_sent(service, ask):
    answers = service(httpx.Response(200, json=FOUND))
    with pytest.raises(UsageError, match=r"search\(\) has no option 'topk'; did you mean top_k"):
        ask(answers, lambda client: client.search(b"x", topk=3))
    assert answers.requests == []


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (lambda c: c.delete([1, 2]), DeleteRequest(ids=(1, 2))),
        (lambda c: c.delete(5, collection="hats"), DeleteRequest(collection="hats", ids=(5,))),
        (
            lambda c: c.delete(all=True, collection="hats"),
            DeleteRequest(collection="hats", all=True),
        ),
        (lambda c: c.delete(filter="year > 1990"), DeleteRequest(filter="year > 1990")),
        (
            lambda c: c.delete(filter="a == 1", collection="hats"),
            DeleteRequest(collection="hats", filter="a == 1"),
        ),
    ],
)
def test_a_delete_names_what_it_means(question, expected, service, ask):
    answers = service(httpx.Response(200, json=DELETED))
    ask(answers, question)
    assert DeleteRequest.model_validate_json(answers.requests[0].content) == expected


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (lambda c: c.count(filter='shop == "a&b"'), {"collection": "default", "count": 3}),
        (lambda c: c.images(filter='shop == "a&b"'), {"images": [], "next_cursor": None}),
    ],
)
def test_a_filter_travels_whole_in_an_address(question, answer, service, ask):
    answers = service(httpx.Response(200, json=answer))
    ask(answers, question)
    assert answers.requests[0].url.params["filter"] == 'shop == "a&b"'
    assert "collection" in answers.requests[0].url.params


def test_without_a_filter_none_is_sent(service, ask):
    answers = service(httpx.Response(200, json={"collection": "default", "count": 3}))
    assert ask(answers, lambda client: client.count()) == 3
    assert "filter" not in answers.requests[0].url.params


def test_deleting_an_empty_list_never_means_all(service, ask):
    answers = service(httpx.Response(200, json=DELETED))
    ask(answers, lambda client: client.delete([]))
    assert json.loads(answers.requests[0].content) == {"collection": "default", "ids": []}


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_change_the_address_is_refused(name, service, ask):
    with pytest.raises(UsageError, match="cannot be part of an address"):
        ask(service(httpx.Response(204)), lambda client: client.delete_collection(name))


def test_the_token_is_sent_as_a_bearer_token(service, ask):
    answers = service(httpx.Response(200, json=INFO))
    ask(answers, lambda client: client.info(), token="t1")  # noqa: S106
    assert answers.requests[0].headers["authorization"] == "Bearer t1"


def test_without_a_token_no_authorisation_is_sent(service, ask):
    answers = service(httpx.Response(200, json=INFO))
    ask(answers, lambda client: client.info())
    assert "authorization" not in answers.requests[0].headers


def test_every_request_has_a_time_limit(service, ask):
    answers = service(httpx.Response(200, json=INFO))
    ask(answers, lambda client: client.info(), timeout=3.0)
    assert answers.requests[0].extensions["timeout"] == {
        "connect": 3.0,
        "read": 3.0,
        "write": 3.0,
        "pool": 3.0,
    }


def test_a_service_below_a_path_is_reached(service, ask):
    answers = service(httpx.Response(200, json=INFO))
    ask(answers, lambda client: client.info(), base_url="http://host/deep/")
    assert str(answers.requests[0].url) == "http://host/deep/api/v2/info"


def test_a_field_of_a_newer_service_does_no_harm(service, ask):
    answers = service(httpx.Response(200, json={**INFO, "mood": "good"}))
    assert ask(answers, lambda client: client.info()).version == "0.1.0"


@pytest.mark.parametrize("content", [b"<html>", b"", b"[]", b'{"version": 1}', b"\xff"])
def test_an_answer_that_is_no_model_is_unexpected(content, service, ask):
    with pytest.raises(UnexpectedAnswer, match="the answer to GET /api/v2/info"):
        ask(service(httpx.Response(200, content=content)), lambda client: client.info())


def test_a_redirection_is_an_error_and_the_token_stays_here(service, ask):
    answers = service(httpx.Response(302, headers={"location": "http://other/"}))
    with pytest.raises(ApiError, match="http_302"):
        ask(answers, lambda client: client.info(), token="t1")  # noqa: S106
    assert len(answers.requests) == 1


def test_a_refusal_is_raised(service, ask):
    with pytest.raises(TooLarge):
        ask(service(httpx.Response(413)), lambda client: client.upload(b"x"))
