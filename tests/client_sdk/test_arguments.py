"""What makes no sense is a `UsageError` that names what the caller wrote, and nothing is sent."""

import asyncio

import httpx
import pytest

from client_sdk import AsyncClient, Client, Retries, UsageError

WRONG = [
    (lambda c: c.search(b"x", topk=3), "search() has no option 'topk'; did you mean top_k?"),
    (lambda c: c.search(b"x", colour=3), "search() has no option 'colour'; it has collection, "),
    (lambda c: c.search(b"x", region=5), "region is 5; give a list of whole numbers"),
    (lambda c: c.train("a", metdata={}), "train() has no option 'metdata'; did you mean metadata?"),
    (lambda c: c.upload_manifest(b"x", dry=True), "'dry'; did you mean dry_run?"),
    (lambda c: c.upload_folder(".", colection="x"), "upload_folder() has no option 'colection'"),
    (lambda c: c.upload_folder(".", concurrency="4"), "concurrency is '4'"),
    (lambda c: c.upload_folder(".", timeout="long"), "timeout is 'long'"),
    (lambda c: c.upload_folder(".", ignore=5), "ignore is 5"),
    (lambda c: c.upload_folder(".", ignore=[5]), "ignore has 5"),
    (lambda c: c.upload_folder(".", pattern="!"), "pattern='!'; give patterns as in a .gitignore"),
    (lambda c: c.upload_folder(".", metadata=[1]), "metadata=[1]; give a mapping"),
    (lambda c: c.train(), "train() needs a path, or manifest=..."),
    (lambda c: c.train(5), "path=5; give a text or a path object"),
    (lambda c: c.train("a", ignore=5), "ignore is 5; give a list of patterns"),
    (lambda c: c.train("a", metadata=["x"]), "metadata=['x']; give a mapping"),
    (lambda c: c.train("a", metadata={"price": float("nan")}), "metadata['price'] is nan"),
    (lambda c: c.upload(b"x", metadata={"tags": {1}}), "metadata['tags'] is {1}"),
    (lambda c: c.update_metadata(7, {"when": b"now"}), "metadata['when'] is b'now'"),
    (lambda c: c.delete(), "delete() takes exactly one of ids, filter=... and all=True"),
    (lambda c: c.delete([1], all=True), "delete() takes exactly one of"),
    (lambda c: c.delete(1.5), "ids is 1.5; give a list"),
    (lambda c: c.delete_collection(5), "5 cannot be part of an address"),
    (lambda c: c.create_collection("x", {1}), "cannot be sent with {'name': 'x'"),
    (lambda c: c.jobs(state=5), "state is 5"),
    (lambda c: c.wait_ready(timeout="soon"), "timeout='soon'"),
]


@pytest.mark.parametrize(("question", "told"), WRONG, ids=[told for _, told in WRONG])
def test_a_mistake_is_named_and_nothing_is_sent(question, told, service, ask):
    answers = service(httpx.Response(200, json={}))
    with pytest.raises(UsageError) as caught:
        ask(answers, question)
    assert told in str(caught.value)
    assert [one.url.path for one in answers.requests if one.url.path != "/api/v2/info"] == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"timeout": "5"}, "timeout='5'"),
        ({"timeout": True}, "timeout=True"),
        ({"token": 5}, "the token is of type int"),
        ({"base_url": 5}, "5 is no address"),
        ({"retries": "3"}, "retries='3'"),
        ({"retries": True}, "retries=True"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_is_not_made_from_what_makes_no_sense(kind, options, told):
    with pytest.raises(UsageError) as caught:
        kind(**options)
    assert told in str(caught.value)


def test_retries_of_a_wrong_type_are_refused():
    with pytest.raises(UsageError, match="attempts='3'"):
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
def test_a_closed_client_says_so(call):
    client = Client()
    client.close()
    with pytest.raises(UsageError, match="this client is closed; make another one"):
        call(client)


def test_a_job_of_a_closed_client_says_so(handle):
    client = Client()
    job = handle(client, state="pending")
    client.close()
    for verb in (job.wait, job.refresh, lambda: next(job.events())):
        with pytest.raises(UsageError, match="this client is closed"):
            verb()


def test_a_client_that_is_closed_while_it_sends_says_so():
    def answer(request):
        client._connection._http.close()
        raise RuntimeError("Cannot send a request, as the client has been closed.")

    client = Client(transport=httpx.MockTransport(answer))
    with pytest.raises(UsageError, match="cannot send any more"):
        client.count()


def test_a_client_whose_event_loop_has_ended_says_so(service):
    def ended(request):
        raise RuntimeError("Event loop is closed")

    async def ask():
        async with AsyncClient(transport=httpx.MockTransport(ended)) as client:
            await client.count()

    with pytest.raises(UsageError, match="cannot send any more: Event loop is closed"):
        asyncio.run(ask())


def test_a_defect_of_a_transport_is_not_taken_for_a_mistake_of_the_caller(ask):
    def defect(request):
        raise RuntimeError("oops")

    with pytest.raises(RuntimeError, match="oops"):
        ask(defect, lambda client: client.count())
