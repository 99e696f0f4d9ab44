"""A script that runs one task in the real application, with a fake embedder.

`python serving.py TASK [ARGUMENT ...]` reads the LOOKALIKE_ settings and prints JSON. It is a
separate process, because a process locks Milvus Lite's folder until it ends. The embedder may be
fake: the real one is another service that promises no more than a pure function of pixels.
"""

import asyncio
import hashlib
import io
import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from PIL import Image

from bento_service.assembly.opening import opened
from bento_service.catalogue.jobs.records import NewFile, NewJob
from bento_service.catalogue.states import SourceKind
from bento_service.descriptors.choice import Choice
from bento_service.descriptors.version import Weights
from bento_service.errors import ImageNotFound
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.ingest.starting.folder_jobs import (
    collection_for_training,
    start_folder_job,
    start_reindex_job,
)
from bento_service.requests import TrainRequest
from bento_service.search.query import Query
from bento_service.settings import Settings
from client_sdk.schemas import JobState
from model_build.recipes import descriptor_version
from tests.support.blobs import receiving
from tests.support.waiting import wait_until_async

_WEIGHTS = Weights(digest="0" * 64, source="none")
VERSION = descriptor_version("vgg16-mac", _WEIGHTS)
OTHER = descriptor_version("vgg16-rmac4", _WEIGHTS)
_MATRICES = [
    np.random.default_rng(seed).standard_normal((75, version.dimension))
    for seed, version in enumerate((VERSION, OTHER), start=7)
]


def write(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Projecting:
    """An embedder of projected mean colours of 25 squares, which differ between pictures.

    With DESCRIBED_FILE in the environment, each picture of a job that it has described is a line of
    that file; DESCRIBE_SECONDS is the time that it takes for one.
    """

    def __init__(self):
        self._file = os.environ.get("DESCRIBED_FILE")
        self._seconds = float(os.environ.get("DESCRIBE_SECONDS", "0"))

    async def describe_query(self, images):
        return projected(images)

    async def describe_ingest(self, images):
        await asyncio.sleep(self._seconds * len(images))
        self._note(images)
        return projected(images)

    def _note(self, images):
        if self._file is not None:
            with Path(self._file).open("a") as file:
                file.writelines(f"{hashlib.sha256(one).hexdigest()}\n" for one in images)


def projected(images):
    side = images.shape[1] // 5 * 5
    squares = images[:, :side, :side].reshape(-1, 5, side // 5, 5, side // 5, 3).mean(axis=(2, 4))
    projected = [(squares.reshape(-1, 75) - 127) @ matrix for matrix in _MATRICES]
    units = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in projected]
    return np.hstack(units).astype(np.float32)


def picture(seed):
    """Return a PNG of coloured squares."""
    pixels = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((60, 60), Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()


@asynccontextmanager
async def application():
    settings, versions = Settings.from_environment(), (VERSION, OTHER)
    choice = Choice("vgg16-mac", "onnxruntime", "fp32")
    async with opened(settings, "vgg16:test", versions, choice, Projecting()) as app:
        yield app


def is_settled(app):
    jobs = app.catalogue.jobs.page(before=None, limit=100)
    assert all(job.state is not JobState.FAILED for job in jobs)
    return (
        app.is_ready
        and all(job.state is JobState.COMPLETED for job in jobs)
        and all(index.applied >= index.revision for index in app.catalogue.indexes.all())
    )


def upload(app, collection, *contents):
    chosen = collection_for_training(app.catalogue, collection, app.computed)
    with receiving(app.uploads, map(io.BytesIO, contents)) as digests:
        files = tuple(NewFile(str(n), f"sent-{n}.png", d) for n, d in enumerate(digests))
        app.catalogue.jobs.create(chosen.id, collection, NewJob(SourceKind.UPLOAD, files=files))
    app.worker.wake()


async def fill():
    """Fill `main` from the image root and from uploads, `sent` from uploads."""
    async with application() as app:
        request = TrainRequest(path=".", collection="main", metadata={"season": "spring"})
        start_folder_job(app.catalogue, app.roots, app.computed, request)
        upload(app, "main", *map(picture, range(100, 106)))
        upload(app, "sent", *map(picture, range(103, 109)))
        await wait_until_async(lambda: is_settled(app))
    return True


async def state():
    """Return each collection's hits for each of its images, and the index's ids."""
    states = {}
    async with application() as app:
        await wait_until_async(lambda: is_settled(app))
        for collection in app.catalogue.collections.all():
            images = app.catalogue.images.page(collection.id, limit=1000)
            searches = {}
            for image in images:
                query = Query(collection.name, top_k=100)
                hits = app.searcher.by_id(query, image.id).hits
                searches[image.sha256] = [[hit.image.sha256, hit.score] for hit in hits]
            states[collection.name] = {
                "searches": searches,
                "ids": sorted(image.id for image in images),
                "index": sorted(app.gallery.ids(collection.index.name)),
                "readable": sum(is_readable(app, image) for image in images),
                "metadata": {image.sha256: image.metadata for image in images},
            }
    return states


async def hashed():
    """Serve until every image has its hashes."""
    async with application() as app:
        await wait_until_async(lambda: not app.catalogue.hashes.missing(after=0, limit=1))
    return True


def is_readable(app, image):
    try:
        return len(app.originals.read(image)) == image.bytes
    except ImageNotFound:
        return False


async def busy():
    """Upload and delete forever, and print a line for each round."""
    async with application() as app:
        collection = collection_for_training(app.catalogue, "main", app.computed)
        for number in range(10**6):
            upload(app, "main", *(picture(10_000 + 3 * number + n) for n in range(3)))
            await asyncio.sleep(0.02)
            images = app.catalogue.images.page(collection.id, limit=1000)
            sent = [image.id for image in images if image.sources[0].kind is SourceKind.UPLOAD]
            app.catalogue.images.delete(collection.id, sent[:-12])
            app.changed()
            write(number)


async def reindex():
    """Reindex `main` to the other descriptor; return the number of failed images."""
    async with application() as app:
        job = start_reindex_job(app.catalogue, app.computed, "main", OTHER.name, drop_missing=False)
        app.worker.wake()
        await wait_until_async(lambda: is_settled(app))
        return app.catalogue.jobs.get(job.id).failed


async def tamper(name, *arguments):
    """Change an index but not the catalogue: `extra`, `missing` or `left_over`."""
    settings = Settings.from_environment()
    with MilvusGallery(settings.milvus) as gallery:
        if name == "left_over":
            gallery.open(arguments[0], VERSION.dimension)
            return True
        index, ids = arguments[0], [int(argument) for argument in arguments[1:]]
        gallery.open(index, VERSION.dimension)
        if name == "extra":
            vector = np.zeros(VERSION.dimension, np.float32)
            vector[0] = 1
            gallery.upsert(index, ids, [vector] * len(ids))
        else:
            gallery.delete(index, ids)
        gallery.flush(index)
    return True


async def hold():
    """Serve until standard input ends."""
    async with application() as app:
        await wait_until_async(lambda: is_settled(app))
        write("ready")
        await asyncio.to_thread(sys.stdin.read)


def main(arguments):
    task, *rest = arguments
    tasks = {each.__name__: each for each in (fill, state, hashed, reindex, busy, tamper, hold)}
    write(json.dumps(asyncio.run(tasks[task](*rest))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
