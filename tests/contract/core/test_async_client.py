"""The asynchronous client, the main way through, over the same four services."""

import asyncio

import pytest

from client_sdk import CollectionNotFound, Conflict, ImageNotFound, UnsupportedMediaType


@pytest.fixture
def run(backend):
    """Return a function that runs `question(client)` to its end."""

    def run(question):
        async def ask():
            async with backend.async_client() as client:
                return await question(client)

        return asyncio.run(asyncio.wait_for(ask(), 120))

    return run


def test_pictures_go_in_are_found_and_go_out(run, collection, photographs):
    pictures = sorted(photographs.iterdir())

    async def question(client):
        job = await client.upload(pictures, collection=collection, metadata={"shop": "north"})
        states = [one.state async for one in job.events()]
        found = await asyncio.gather(
            *(client.search(one, collection=collection, top_k=1) for one in pictures)
        )
        walked = [one async for one in client.images(collection=collection, page_size=2)]
        deleted = await client.delete(filter='$format == "JPEG"', collection=collection)
        return states[-1], found, walked, deleted, await client.count(collection=collection)

    state, found, walked, deleted, left = run(question)
    assert state == "completed"
    assert [one.hits[0].name for one in found] == [one.name for one in pictures]
    assert [one.name for one in walked] == [one.name for one in pictures]
    assert (deleted, left) == (6, 0)


def test_failures_are_those_of_the_waiting_client(run, collection):
    async def question(client):
        return await asyncio.gather(
            client.count(collection="nowhere"),
            client.image(10**15),
            client.search(b"no picture", collection=collection),
            client.create_collection(collection),
            return_exceptions=True,
        )

    kinds = (CollectionNotFound, ImageNotFound, UnsupportedMediaType, Conflict)
    assert tuple(map(type, run(question))) == kinds


def test_content_and_thumbnail_come_as_they_are(run, gallery, photographs):
    async def question(client):
        image = await anext(client.images(collection=gallery))
        return image, await image.content(), await image.thumbnail(size=32)

    image, content, small = run(question)
    assert content == (photographs / image.name).read_bytes()
    assert small[8:12] == b"WEBP"


def test_a_train_is_followed_and_its_errors_are_walked(run, collection, folder):
    for number in range(3):
        (folder / f"{number}.png").write_bytes(b"no picture")

    async def question(client):
        job = await (await client.train(folder, collection=collection)).wait()
        return job, [one.source async for one in job.all_errors()]

    job, sources = run(question)
    assert (job.total, job.failed) == (3, 3)
    assert sources == [f"{folder.parent.name}/{folder.name}/{number}.png" for number in range(3)]
