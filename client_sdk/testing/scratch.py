"""Temporary collections for tests."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Self
from uuid import uuid4

from client_sdk._sync.client import Client
from client_sdk.errors import CollectionNotFound, LookalikeError
from client_sdk.testing.pictures import Shot, VisualPicture, read

KEPT_SECONDS = 3600
"""Seconds without a change after which the service deletes the collection of a killed suite."""

MAX_HINT = 60

BATCH_BYTES = 8 * 2**20
"""The size of a batch, in bytes, at which it is sent."""


class ScratchCollection(str):
    """The name of a temporary collection, accepted by every argument `collection=`.

    As a context manager it deletes the collection at the end.

        with ScratchCollection.create(client, "shoes") as shoes:
            shoes.add("red.jpg", "blue.jpg")
            client.search("photo.jpg", collection=shoes)
    """

    _client: Client

    @classmethod
    def create(cls, client: Client, hint: str = "scratch") -> Self:
        """Create an empty collection; its unique name contains `hint`, for users who list them."""
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", hint).strip("-.")[:MAX_HINT] or "scratch"
        made = cls(f"test-{name}-{uuid4().hex[:12]}")
        made._client = client
        client.create_collection(made, ttl_seconds=KEPT_SECONDS)
        return made

    def add(self, *pictures: VisualPicture) -> None:
        """Index pictures, and wait until they are indexed.

        Raises:
            OSError: If a file cannot be read.
            LookalikeError: If the service rejects the upload or cannot read one of the pictures.
        """
        self.add_distinct(read(one, f"picture-{number}") for number, one in enumerate(pictures, 1))

    def add_distinct(self, shots: Iterable[Shot]) -> dict[int, tuple[str, ...]]:
        """Index pictures in batches; of pictures with equal bytes, only the first is sent.

        Returns:
            The names of the pictures with the same bytes, of two or more, by the id of their image.

        Raises:
            LookalikeError: If the service rejects the upload or cannot read one of the pictures.
        """
        names: dict[str, tuple[str, ...]] = {}
        batch: list[Shot] = []
        for shot in shots:
            digest = hashlib.sha256(shot.data).hexdigest()
            names[digest] = (*names.get(digest, ()), shot.name)
            if len(names[digest]) > 1:
                continue
            batch.append(shot)
            if sum(len(one.data) for one in batch) >= BATCH_BYTES:
                self._send(batch)
                batch = []
        if batch:
            self._send(batch)
        return self._by_id({digest: given for digest, given in names.items() if len(given) > 1})

    def delete(self) -> None:
        """Delete the collection and its images, unless it is already deleted."""
        with suppress(CollectionNotFound):
            self._client.collection(self).delete()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.delete()

    def _by_id(self, names: Mapping[str, tuple[str, ...]]) -> dict[int, tuple[str, ...]]:
        """Return names by the id of their image instead of by its digest."""
        images = self._client.images(collection=self) if names else ()
        return {image.id: names[image.sha256] for image in images if image.sha256 in names}

    def _send(self, shots: list[Shot]) -> None:
        pictures = [(shot.name, shot.data) for shot in shots]
        job = self._client.upload(pictures, collection=self).wait()
        if job.failed:
            first = job.errors[0]
            raise LookalikeError(
                f"{job.failed} of {job.total} pictures could not be indexed; "
                f"{first.source}: {first.detail}"
            )
