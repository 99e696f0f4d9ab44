"""A wrong argument raises a `UsageError` that names it, and nothing is sent."""

import asyncio

import httpx
import numpy as np
import pytest

from bento_service.requests import DeleteRequest, SearchRequest
from client_sdk import AsyncClient, Client, LookalikeError, Retries, UsageError

DELETED = {"collection": "default", "deleted": 1}

WRONG = [
    (lambda c: c.search(b"x", topk=3), "search() has no option 'topk'; did you mean top_k?"),
    (
        lambda c: c.search(b"x", colour=3),
        "search() has no option 'colour'; it has image, collection, ",
    ),
    (lambda c: c.search(b"x", region=5), "region is 5; give a list of whole numbers"),
    (lambda c: c.train("a", metdata={}), "train() has no option 'metdata'; did you mean metadata?"),
    (lambda c: c.upload_manifest(b"x", dry=True), "'dry'; did you mean dry_run?"),
    (lambda c: c.upload_folder(".", colection="x"), "upload_folder() has no option 'colection'"),
    (lambda c: c.upload_folder(".", concurrency="4"), "concurrency is '4'"),
    (lambda c: c.upload_folder(".", timeout="long"), "timeout is 'long'"),
    (lambda c: c.upload_folder(".", ignore=5), "ignore is 5"),
    (lambda c: c.upload_folder(".", ignore=[5]), "ignore has 5"),
    (lambda c: c.upload_folder(".", pattern="!"), "pattern='!'; give patterns as in a .gitignore"),
    (lambda c: c.upload_folder(".", metadata=[1]), "metadata is [1]; give a mapping"),
    (lambda c: c.train(), "train() needs a path, or manifest=..."),
    (lambda c: c.train(5), "path is 5; give a text or a path object"),
    (lambda c: c.train("a", ignore=5), "ignore is 5; give a text or a list of texts"),
    (lambda c: c.train("a", metadata=["x"]), "metadata is ['x']; give a mapping"),
    (lambda c: c.train("a", metadata={"price": float("nan")}), "metadata['price'] is nan"),
    (lambda c: c.upload(b"x", metadata={"tags": {1}}), "metadata['tags'] is {1}"),
    (lambda c: c.delete(), "delete() takes exactly one of ids, filter=... and all=True"),
    (lambda c: c.delete([1], all=True), "delete() takes exactly one of"),
    (lambda c: c.delete(1.5), "ids is 1.5; give a whole number or a list"),
    (lambda c: c.collection(5).delete(), "name is 5; give a text"),
    (lambda c: c.create_collection("x", {1}), "descriptor is {1}; give a text"),
    (lambda c: c.jobs(state=5), "state is 5"),
    (lambda c: c.wait_ready(timeout="soon"), "timeout is 'soon'"),
    (lambda c: c.delete("12"), "ids is '12'; give a whole number or a list of whole numbers"),
    (lambda c: c.delete(b"12"), "ids is b'12'; give a whole number or a list"),
    (
        lambda c: c.delete(bytearray(b"12")),
        "ids is bytearray(b'12'); give a whole number or a list",
    ),
    (lambda c: c.delete(memoryview(b"12")), "ids is <memory at"),
    (lambda c: c.delete({1: "a"}), "ids is {1: 'a'}; give a whole number or a list"),
    (lambda c: c.delete(1.0), "ids is 1.0; give a whole number or a list"),
    (lambda c: c.delete(True), "ids is True; give a whole number or a list"),
    (lambda c: c.delete(["1"]), "ids has '1'; give a whole number"),
    (lambda c: c.delete([1, True]), "ids has True; give a whole number"),
    (lambda c: c.delete([1.0]), "ids has 1.0; give a whole number"),
    (lambda c: c.delete([[1]]), "ids has [1]; give a whole number"),
    (lambda c: c.delete(["12"]), "ids has '12'; give a whole number"),
    (lambda c: c.search(True), "a picture cannot be of type bool"),
    (lambda c: c.image("12"), "image_id is '12'; give a whole number"),
    (lambda c: c.image(1.0), "image_id is 1.0; give a whole number"),
    (lambda c: c.image("../collections/hats"), "image_id is '../collections/hats'"),
    (lambda c: c.compare(True, 1), "a picture cannot be of type bool"),
    (lambda c: c.compare(1, 2.0), "a picture cannot be of type float"),
    (lambda c: c.search(b"x", region="1234"), "region is '1234'; give a list of whole numbers"),
    (lambda c: c.search(b"x", region=b"1234"), "region is b'1234'; give a list"),
    (
        lambda c: c.search(b"x", region=(0, 0, 1.5, 2)),
        "region has 1.5; give a list of whole numbers",
    ),
    (
        lambda c: c.train("x", ignore=b"*.gif"),
        "ignore is b'*.gif'; give a text or a list of texts",
    ),
    (
        lambda c: c.train("x", ignore=["*.gif", 5]),
        "ignore has 5; give a text or a list of texts",
    ),
    (lambda c: c.jobs(state=b"failed"), "state is b'failed'; give a text or a list of texts"),
    (lambda c: c.job(12), "job is 12; give a Job or a text"),
    (lambda c: c.job(b"12"), "job is b'12'; give a Job or a text"),
    (lambda c: c.upload(5), "a picture cannot be a number"),
    (lambda c: c.upload([5]), "a picture cannot be a number"),
]


@pytest.mark.parametrize(("call", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_argument_is_named_and_nothing_is_sent(call, message, service, ask):
    answers = service(httpx.Response(200, json={}))
    with pytest.raises(UsageError) as caught:
        ask(answers, call)
    assert message in str(caught.value)
    assert [one.url.path for one in answers.requests if one.url.path != "/api/v2/info"] == []


def test_metadata_that_is_not_json_is_named_and_nothing_is_sent(service, ask, stored):
    answers = service(httpx.Response(200, json={}))
    with pytest.raises(UsageError, match=r"metadata\['when'\] is b'now'"):
        ask(answers, lambda client: stored(client).update_metadata({"when": b"now"}))
    assert answers.requests == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": "5"}, "timeout is '5'; give a finite number"),
        ({"timeout": True}, "timeout is True"),
        ({"token": 5}, "token is of type int"),
        ({"base_url": 5}, "base_url is 5; give a text"),
        ({"retries": "3"}, "retries is '3'"),
        ({"retries": True}, "retries is True"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_constructor_rejects_wrong_types(kind, options, message):
    with pytest.raises(UsageError) as caught:
        kind(**options)
    assert message in str(caught.value)


def test_retries_of_a_wrong_type_are_rejected():
    with pytest.raises(UsageError, match="attempts is '3'"):
        Retries(attempts="3")


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.count(),
        lambda client: client.search(b"x"),
        lambda client: next(iter(client.images())),
        lambda client: client.upload_folder("."),
    ],
)
def test_a_closed_client_raises_usage_error(call):
    client = Client()
    client.close()
    with pytest.raises(UsageError, match="this client is closed; make another one"):
        call(client)


def test_a_job_of_a_closed_client_raises_usage_error(handle):
    client = Client()
    job = handle(client, state="pending")
    client.close()
    for verb in (job.wait, job.refresh, lambda: next(job.events())):
        with pytest.raises(UsageError, match="this client is closed"):
            verb()


def test_closing_a_client_during_a_request_raises_usage_error():
    def answer(request):
        client._connection._http.close()
        raise RuntimeError("Cannot send a request, as the client has been closed.")

    client = Client(transport=httpx.MockTransport(answer))
    with pytest.raises(UsageError, match="can no longer send requests"):
        client.count()


def test_a_closed_event_loop_raises_usage_error(service):
    def ended(request):
        raise RuntimeError("Event loop is closed")

    async def ask():
        async with AsyncClient(transport=httpx.MockTransport(ended)) as client:
            await client.count()

    with pytest.raises(UsageError, match="can no longer send requests: Event loop is closed"):
        asyncio.run(ask())


def test_an_unknown_runtime_error_of_a_transport_is_not_wrapped(ask):
    def defect(request):
        raise RuntimeError("oops")

    with pytest.raises(RuntimeError, match="oops"):
        ask(defect, lambda client: client.count())


@pytest.mark.parametrize("option", ["pattern", "ignore"])
@pytest.mark.parametrize("value", [b"*.png", 5, [5]])
def test_patterns_of_a_folder_must_be_text(option, value, tmp_path, service, ask):
    answers = service(httpx.Response(200, json={}))
    with pytest.raises(UsageError, match=f"^{option} (is|has) "):
        ask(answers, lambda client: client.upload_folder(tmp_path, **{option: value}))
    assert answers.requests == []


@pytest.mark.parametrize("roots", ["/photos", b"/photos", 5])
def test_the_roots_of_a_local_service_must_be_a_list(roots, tmp_path):
    with pytest.raises(UsageError, match=r"^roots is .*; give a list of texts or path objects"):
        Client.local(tmp_path / "data", roots=roots)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "ids", [[1, 2], (1, 2), {1: 0, 2: 0}.keys(), range(1, 3), np.array([1, 2])]
)
def test_every_kind_of_iterable_of_ids_is_accepted(ids, service, ask):
    answers = service(httpx.Response(200, json=DELETED))
    ask(answers, lambda client: client.delete(ids))
    ask(answers, lambda client: client.delete(one for one in ids))
    ask(answers, lambda client: client.delete(np.int64(7)))
    sent = [DeleteRequest.model_validate_json(one.content).ids for one in answers.requests]
    assert sent == [(1, 2), (1, 2), (7,)]


def test_numpy_integers_are_ids(service, ask):
    answers = service(httpx.Response(404))
    for call in (lambda c: c.search(np.int64(7)), lambda c: c.image(np.int64(7))):
        with pytest.raises(LookalikeError):
            ask(answers, call)
    searched, looked_at = answers.requests
    assert SearchRequest.model_validate_json(searched.content).image_id == 7
    assert looked_at.url.path == "/api/v2/images/7"
