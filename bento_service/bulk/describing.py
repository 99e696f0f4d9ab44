"""Description of files in batches, with the decoders, the engine and the runs of the service."""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bento_service.admin.interchange import record_batch, schema
from bento_service.assembly.opening import open_decoders
from bento_service.bulk.engine import EngineChoice, load_model
from bento_service.catalogue.jobs.records import Described
from bento_service.catalogue.states import SourceKind
from bento_service.errors import (
    Conflict,
    Forbidden,
    LookalikeError,
    NotReady,
    Overloaded,
    PathNotFound,
)
from bento_service.ingest.worker.reading import undescribed
from bento_service.pictures.miniature import stored_prints_of
from bento_service.settings import ImageRoot, Settings
from bento_service.storage.file_size import oversize
from bento_service.storage.image_roots import ImageRoots

IMAGES_A_BATCH = 64
_PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_READ_AHEAD_BATCHES = 2
_OF_PICTURE = ("sha256", "format", "width", "height", "bytes", "hashes", "miniature")


@dataclass(frozen=True)
class Candidate:
    """Files below the image root that hold the same bytes, and so become one image.

    `sha256` is the digest that the bytes had; `None` if they were not read before.
    """

    paths: tuple[str, ...]
    sha256: str | None = None


@dataclass(frozen=True)
class Broken:
    """A file that could not be described; `code` is that of the HTTP contract."""

    path: str
    code: str
    detail: str


@dataclass(frozen=True)
class Batch:
    """The images of some candidates, in the format of `import`, and the files that are broken."""

    images: Any
    broken: tuple[Broken, ...]


@dataclass(frozen=True)
class _Decoded:
    """The picture in a candidate's files, before it is described."""

    paths: tuple[str, ...]
    picture: Described
    pixels: NDArray[np.uint8]


_Read = tuple[_Decoded | None, list[Broken]]
"""The picture of a candidate, if one of its files can be decoded, and those that cannot."""


def describe_batches(
    paths: Iterable[str], *, root: ImageRoot, model: Path, settings: Settings | None = None
) -> Iterator[Batch]:
    """Describe files and yield the results in batches, in the order of the paths.

    Call it once in each process or partition; it loads the exported model and starts decoders. The
    paths are absolute, or below the image root, whose name becomes a part of the images' sources.
    The settings are by default those of the environment.

    Raises:
        NotReady: The model or the decoders cannot be used.
    """
    settings = settings or Settings.from_environment()
    roots = ImageRoots([root])
    with BulkDescriber(root, EngineChoice(model), settings) as describer:
        candidates = (Candidate((roots.locate(path).path,)) for path in paths)
        yield from describer.batches(candidates)


class BulkDescriber:
    """A model with decoders of its own; open it with `with`."""

    def __init__(self, root: ImageRoot, choice: EngineChoice, settings: Settings) -> None:
        self._root = replace(root, path=root.path.resolve())
        self._roots = ImageRoots([self._root])
        self._settings = settings
        self._model, self.space, self._run = load_model(choice, settings)
        self._preprocessing = self._model.version.preprocessing
        self._columns = schema(self.space, "", "")
        self._decoders = open_decoders(settings)
        self._readers = ThreadPoolExecutor(settings.most_decoders, thread_name_prefix="read")
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        self._closing.enter_context(self._decoders)
        self._closing.callback(self._readers.shutdown, cancel_futures=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def batches(
        self, candidates: Iterable[Candidate], *, size: int = IMAGES_A_BATCH
    ) -> Iterator[Batch]:
        """Describe candidates and yield their results, `size` at a time, in order.

        Raises:
            NotReady, Overloaded: No decoder became free; no file is the cause.
        """
        results = self._read_ahead(candidates, size * _READ_AHEAD_BATCHES)
        while some := list(islice(results, size)):
            decoded = [picture for picture, _ in some if picture is not None]
            yield Batch(self._batch(decoded), tuple(each for _, own in some for each in own))

    def _read_ahead(self, candidates: Iterable[Candidate], ahead: int) -> Iterator[_Read]:
        """Read candidates in threads, a limited number before they are needed."""
        waiting: deque[Future[_Read]] = deque()
        for candidate in candidates:
            waiting.append(self._readers.submit(self._read, candidate))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _read(self, candidate: Candidate) -> _Read:
        """Decode the first file that can be read and has the expected bytes."""
        broken: list[Broken] = []
        for number, path in enumerate(candidate.paths):
            rest = candidate.paths[number:]
            try:
                return _Decoded(rest, *self._decoded(path, candidate.sha256)), broken
            except (PathNotFound, Forbidden, Conflict) as error:
                broken.append(Broken(path, error.code, str(error)))
            except (NotReady, Overloaded):
                raise
            except LookalikeError as error:  # the same bytes fail in the same way
                broken += [Broken(each, error.code, str(error)) for each in rest]
                break
        return None, broken

    def _decoded(self, path: str, sha256: str | None) -> tuple[Described, NDArray[np.uint8]]:
        for pause in _PAUSES:
            try:
                return self._decoded_once(path, sha256)
            except (NotReady, Overloaded):
                time.sleep(pause)
            except OSError as error:
                raise PathNotFound(f"cannot be read: {error.strerror}") from error
        return self._decoded_once(path, sha256)

    def _decoded_once(self, path: str, sha256: str | None) -> tuple[Described, NDArray[np.uint8]]:
        limit = self._settings.max_upload_bytes
        with self._roots.opened(self._root.name, path) as stream:
            if error := oversize(stream.seek(0, os.SEEK_END), limit):
                raise error
            with self._decoders.snapshot(stream, max_bytes=limit) as snapshot:
                if sha256 not in (None, snapshot.sha256):
                    raise Conflict("the file changed while the folder was being described")
                picture = self._decoders.decode(
                    snapshot, side=self._preprocessing.size, padding=self._preprocessing.padding
                )
                sha256, size = snapshot.sha256, snapshot.size
        prints = stored_prints_of(picture.pixels)
        return undescribed(picture, sha256, size, *prints), picture.pixels

    def _batch(self, decoded: list[_Decoded]) -> Any:
        """Describe pictures and return them as a record batch."""
        now, count = datetime.now(UTC), len(decoded)
        values: dict[str, Any] = {
            name: [getattr(each.picture, name) for each in decoded] for name in _OF_PICTURE
        }
        values |= {
            "id": [None] * count,
            "created_at": [now] * count,
            "metadata": ["{}"] * count,
            "sources": [self._sources(each.paths) for each in decoded],
        }
        pixels = [each.pixels for each in decoded]
        return record_batch(self._columns, values, self._descriptors(pixels))

    def _sources(self, paths: tuple[str, ...]) -> list[dict[str, object]]:
        return [
            {"kind": str(SourceKind.FILE), "root": self._root.name, "path": os.fsencode(path)}
            for path in paths
        ]

    def _descriptors(self, pixels: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return (N, D) float32, computed in runs of the size that the service's jobs have."""
        described = np.empty((len(pixels), self.space.dimension), np.float32)
        for at in range(0, len(pixels), self._run):
            joined = self._model.describe(np.stack(pixels[at : at + self._run]))
            described[at : at + self._run] = joined[:, : self.space.dimension]
        return described
