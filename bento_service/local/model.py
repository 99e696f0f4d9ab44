"""The model of a local service, from a folder written by `python -m model_build --export`."""

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import numpy as np
from anyio.to_thread import run_sync
from numpy.typing import NDArray

from bento_service.descriptors.choice import Choice
from bento_service.descriptors.engine_queue import EngineQueue
from bento_service.descriptors.model import Model, find_versions, read_tag
from bento_service.errors import LookalikeError, NotReady
from bento_service.local import LocalError


class LocalModel:
    """A model that describes images in this process.

    Loading takes a second of CPU time, including the check of the golden vectors. It starts
    when the service opens; the first call waits for it. Its `versions` begin with the chosen one.
    """

    def __init__(self, folder: Path, choice: Choice, *, threads: int) -> None:
        """Read the model's metadata; the model itself is loaded later."""
        export = f"--export {shlex.quote(str(folder))}"
        try:
            self.tag = read_tag(folder)
            self.versions = find_versions(folder, choice)
        except FileNotFoundError as error:
            raise LocalError(
                f"there is no model in {folder}; run `python -m model_build {export}`, "
                "which needs lookalike-service[model] once, or name the folder of one "
                "in LOOKALIKE_MODEL"
            ) from error
        except NotReady as error:
            raise LocalError(f"{error}; write it to that folder with `{export}`") from error
        self.choice = choice
        self._folder = folder
        self._threads = threads
        self._loading: asyncio.Task[EngineQueue] | None = None

    @asynccontextmanager
    async def loading(self) -> AsyncIterator[None]:
        """Load the model in a thread during the block."""
        self._loading = asyncio.create_task(self._load())
        try:
            yield
        finally:
            with suppress(LookalikeError):  # a running thread cannot be cancelled
                await run_sync((await self._loading).close)

    async def _load(self) -> EngineQueue:
        choice = self.choice
        model = await run_sync(lambda: Model.load(self._folder, choice, threads=self._threads))
        return EngineQueue(model.describe, query_run=choice.max_batch, ingest_run=choice.ingest_run)

    @property
    def trouble(self) -> str | None:
        """The reason why loading failed, if it did."""
        loading = self._loading
        if loading is None or not loading.done() or loading.cancelled():
            return None
        error = loading.exception()
        return None if error is None else str(error)

    async def describe_query(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe images, see `Embedder`, or raise `NotReady` if the model did not load."""
        return await (await self._loaded()).describe_query(images)

    async def describe_ingest(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Embedder` and `describe_query`."""
        return await (await self._loaded()).describe_ingest(images)

    async def _loaded(self) -> EngineQueue:
        if self._loading is None:
            raise NotReady("the model is not being loaded")
        try:
            return await asyncio.shield(self._loading)
        except LookalikeError as error:
            raise NotReady(str(error)) from error
