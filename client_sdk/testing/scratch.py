"""Collections that are there for one test."""

import re
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import uuid4

from client_sdk.client import Client
from client_sdk.errors import CollectionNotFound, LookalikeError
from client_sdk.schemas import Job
from client_sdk.testing.pictures import Shot, VisualPicture, read

KEPT_SECONDS = 3600
"""After so long without a change the service deletes what a killed suite has left behind."""

MAX_HINT = 60


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
        made._client = client  # noqa: SLF001 - its own
        client.create_collection(made, ttl_seconds=KEPT_SECONDS)
        return made

    def add(self, *pictures: VisualPicture) -> Job:
        """Index pictures, and wait until they are.

        Returns:
            The completed job.

        Raises:
            LookalikeError: If the service refuses, or could not read one of them.
        """
        shots = [read(one, f"picture-{number}") for number, one in enumerate(pictures, 1)]
        return self.add_shots(shots)

    def add_shots(self, shots: Iterable[Shot]) -> Job:
        """The same for pictures that are read already."""
        named = [(shot.name, shot.data) for shot in shots]
        job = self._client.wait(self._client.upload(named, collection=self))
        if job.failed:
            first = job.errors[0]
            raise LookalikeError(
                f"{job.failed} of {job.total} pictures could not be indexed; "
                f"{first.source}: {first.detail}"
            )
        return job

    def count(self) -> int:
        """How many images it holds."""
        return self._client.count(collection=self)

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
