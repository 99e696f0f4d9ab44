"""Collections that are there for one test."""

import hashlib
import re
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import uuid4

from client_sdk._sync.client import Client
from client_sdk.errors import CollectionNotFound, LookalikeError
from client_sdk.testing.pictures import Shot, VisualPicture, read

KEPT_SECONDS = 3600
"""After so long without a change the service deletes what a killed suite has left behind."""

MAX_HINT = 60

BATCH_BYTES = 8 * 2**20
"""From how many bytes on pictures are sent."""


class ScratchCollection(str):
    """A collection of its own, to be given as `collection=` wherever one is asked for.

    As a context manager it deletes itself at the end.

        with ScratchCollection.create(client, "shoes") as shoes:
            shoes.add("red.jpg", "blue.jpg")
            client.search("photo.jpg", collection=shoes)
    """

    _client: Client

    @classmethod
    def create(cls, client: Client, hint: str = "scratch") -> Self:
        """A new, empty collection under a name that nobody else has.

        Args:
            client: Where.
            hint: What the name begins with, for who looks at the service meanwhile.
        """
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", hint).strip("-.")[:MAX_HINT] or "scratch"
        made = cls(f"test-{name}-{uuid4().hex[:12]}")
        made._client = client
        client.create_collection(made, ttl_seconds=KEPT_SECONDS)
        return made

    def add(self, *pictures: VisualPicture) -> None:
        """Index pictures, and wait until they are.

        Raises:
            LookalikeError: If the service refuses, or could not read one of them.
        """
        self.add_distinct(read(one, f"picture-{number}") for number, one in enumerate(pictures, 1))

    def add_distinct(self, shots: Iterable[Shot]) -> dict[str, tuple[str, ...]]:
        """Index pictures, a few at a time; the service keeps equal bytes once.

        Args:
            shots: The pictures, which need not be in memory all at once.

        Returns:
            The names of files whose bytes came before under another name, by that name.

        Raises:
            LookalikeError: If the service refuses, or could not read one of them.
        """
        first: dict[bytes, str] = {}
        again: dict[str, tuple[str, ...]] = {}
        batch: list[Shot] = []
        for shot in shots:
            digest = hashlib.sha256(shot.data).digest()
            if digest in first:
                again[first[digest]] = (*again.get(first[digest], ()), shot.name)
                continue
            first[digest] = shot.name
            batch.append(shot)
            if sum(len(one.data) for one in batch) >= BATCH_BYTES:
                self._send(batch)
                batch = []
        if batch:
            self._send(batch)
        return again

    def delete(self) -> None:
        """Delete it and its images; nothing happens where it is gone already."""
        with suppress(CollectionNotFound):
            self._client.delete_collection(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.delete()

    def _send(self, shots: list[Shot]) -> None:
        pictures = [(shot.name, shot.data) for shot in shots]
        job = self._client.upload(pictures, collection=self).wait()
        if job.failed:
            first = job.errors[0]
            raise LookalikeError(
                f"{job.failed} of {job.total} pictures could not be indexed; "
                f"{first.source}: {first.detail}"
            )
