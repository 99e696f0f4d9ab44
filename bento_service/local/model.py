"""The model of a local service: a folder that `python -m model_build --export` has written."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from numpy.typing import NDArray

from bento_service.descriptors.choice import Choice
from bento_service.descriptors.exported import read_tag
from bento_service.descriptors.model import Model, find_versions
from bento_service.errors import LookalikeError, NotReady
from bento_service.local.errors import LocalError


class LocalModel:
    """Describes images in this process.

    Loading takes a second of processor time, and golden vectors are checked as in every service.
    It begins when the service opens, and whoever asks first waits for its end.

    Attributes:
        tag: Of the model.
        versions: What it computes, the chosen one first.
        choice: On what, and in which precision.
    """

    def __init__(self, folder: Path, choice: Choice, *, threads: int) -> None:
        """Read what the model is; it is loaded later.

        Args:
            folder: Where it lies.
            choice: What to compute.
            threads: How many cores one batch may use.

        Raises:
            LocalError: There is no such model.
        """
        try:
            self.tag = read_tag(folder)
            self.versions = find_versions(folder, choice)
        except FileNotFoundError as error:
            raise LocalError(
                f"there is no model in {folder}; run `python -m model_build --export {folder}`, "
                "which needs lookalike-service[model] once, or name the folder of one "
                "in LOOKALIKE_MODEL"
            ) from error
        except NotReady as error:
            raise LocalError(f"{error} --export {folder}") from error
        self.choice = choice
        self._folder = folder
        self._threads = threads
        self._loading: asyncio.Task[Model] | None = None
        self._one = CapacityLimiter(1)  # a batch has all the cores

    @asynccontextmanager
    async def loading(self) -> AsyncIterator[None]:
        """Load it meanwhile, in a thread."""
        self._loading = asyncio.create_task(self._load())
        try:
            yield
        finally:
            with suppress(LookalikeError):  # it is not broken off, since a thread cannot be
                await self._loading

    async def _load(self) -> Model:
        return await run_sync(lambda: Model.load(self._folder, self.choice, threads=self._threads))

    @property
    def trouble(self) -> str | None:
        """Why it could not be loaded, if it could not."""
        loading = self._loading
        if loading is None or not loading.done() or loading.cancelled():
            return None
        error = loading.exception()
        return None if error is None else str(error)

    async def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe a batch; see `Embed`.

        Raises:
            NotReady: It could not be loaded.
        """
        if self._loading is None:
            raise NotReady("the model is not being loaded")
        try:
            model = await asyncio.shield(self._loading)
        except LookalikeError as error:
            raise NotReady(str(error)) from error
        return await run_sync(model.describe, images, limiter=self._one)
