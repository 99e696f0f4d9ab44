"""`Client.local` and a server give the same answers, field by field; only ids and times are others.

Scores are those of the same network over the same pixels, so they agree up to the last digit that
is shown.
"""

import shutil
from uuid import uuid4

import pytest
from PIL import Image

from client_sdk import ApiError, Client

OWN = {"id", "image_id", "created_at", "started_at", "finished_at", "content_url", "thumbnail_url"}
OWN |= {"images_per_second", "eta_seconds", "took_ms", "request_id", "expires_at", "milvus_lite"}
OWN |= {"index_types", "index_memory_bytes", "index_ms", "join_ms", "judge_ms", "queue_ms"}
OWN |= {"advice", "limits", "changes_beside_the_index"}
DIGITS = 2e-6
QUESTIONS = {
    "info": lambda client, name, photo: client.info(),
    "everything": lambda client, name, photo: client.search(photo("coffee"), collection=name),
    "a part": lambda client, name, photo: client.search(
        photo("chelsea"), collection=name, region=(40, 30, 120, 90), top_k=3
    ),
    "a page": lambda client, name, photo: client.search(
        photo("rocket"), collection=name, top_k=3, offset=4, exact=True, explain=True
    ),
    "the near": lambda client, name, photo: client.search(
        photo("coins"), collection=name, min_score=0.5
    ),
    "the filtered": lambda client, name, photo: client.search(
        photo("ihc"), collection=name, filter='shop == "north" and $width > 10', explain=True
    ),
    "by id": lambda client, name, photo: client.search(
        next(one.id for one in client.images(collection=name) if one.name == "coffee.jpg"),
        collection=name,
    ),
    "compared": lambda client, name, photo: client.compare(
        photo("coffee"), photo("chelsea"), collection=name
    ),
    "a copy": lambda client, name, photo: client.compare(
        photo("coffee"),
        next(one.id for one in client.images(collection=name) if one.name == "turned.webp"),
        collection=name,
    ),
    "duplicates": lambda client, name, photo: list(
        client.duplicates(collection=name, min_score=0.5)
    ),
    "images": lambda client, name, photo: list(client.images(collection=name)),
    "count": lambda client, name, photo: client.count(collection=name, filter="missing == 1"),
    "thumbnail": lambda client, name, photo: next(iter(client.images(collection=name))).thumbnail(
        size=64
    ),
    "no filter": lambda client, name, photo: client.count(collection=name, filter="a <"),
    "no picture": lambda client, name, photo: client.search(b"no picture", collection=name),
    "no collection": lambda client, name, photo: client.count(collection="nowhere"),
    "no folder": lambda client, name, photo: client.train("not/there", collection=name),
    "outside": lambda client, name, photo: client.train("/etc", collection=name),
    "what failed": lambda client, name, photo: list(
        next(iter(client.jobs(collection=name))).all_errors()
    ),
    "no job": lambda client, name, photo: client.job("nope").cancel(),
}


@pytest.fixture(scope="module")
def name():
    return f"same-{uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def clients(server, model_folder, photographs, name):
    """Clients of a server and of a service in this process, filled in the same way."""
    with (
        Client(server.url, timeout=60) as remote,
        Client.local(model=model_folder, roots=[server.images], timeout=60) as local,
    ):
        folder = server.images / name
        shutil.copytree(photographs, folder)
        with Image.open(photographs / "coffee.jpg") as photograph:
            photograph.resize((200, 150)).rotate(3).save(folder / "turned.webp", quality=60)
        (folder / "torn.jpg").write_bytes((photographs / "ihc.jpg").read_bytes()[:900])
        jobs = [
            client.train(folder, collection=name, metadata={"shop": "north"}).wait()
            for client in (remote, local)
        ]
        assert plain(jobs[0]) == plain(jobs[1])
        assert (jobs[0].indexed, jobs[0].failed) == (7, 1)
        yield remote, local
        remote.collection(name).delete()
        shutil.rmtree(folder)


def plain(value):
    """Return an answer without what is its service's own."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items() if key not in OWN}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return pytest.approx(value, abs=DIGITS) if isinstance(value, float) else value


def asked(client, question, name, photo):
    try:
        return question(client, name, photo)
    except ApiError as error:
        detail = error.detail.partition("use one of")[0]
        return [type(error).__name__, error.status, error.code, detail]


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_an_answer_is_the_same_here_and_there(question, clients, name, photographs):
    remote, local = (
        asked(client, question, name, lambda one: photographs / f"{one}.jpg") for client in clients
    )
    assert plain(remote) == plain(local)


def test_the_compared_answers_can_differ(clients, name, photographs):
    remote, local = clients
    one = remote.search(photographs / "coffee.jpg", collection=name)
    other = local.search(photographs / "coins.jpg", collection=name)
    assert plain(one) != plain(other)
