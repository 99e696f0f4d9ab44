"""The steps of a bulk run, and the processes that do them.

Each call of a step handles one numbered file.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from bento_service.admin.interchange import schema
from bento_service.bulk.describing import Broken, BulkDescriber, retried
from bento_service.bulk.engine import EngineChoice
from bento_service.bulk.plan import RunFolder, write_broken, write_table
from bento_service.errors import Forbidden, PathNotFound, TooLarge
from bento_service.settings import AnyImageRoot, Settings
from bento_service.storage.digests import stream_digest
from bento_service.storage.file_size import oversize
from bento_service.storage.image_roots import ImageRoots

Counts = dict[str, int]
"""The number of files or images, and of files that failed."""


class Step(Protocol):
    """A step of a run; close it at its end."""

    def __call__(self, number: int) -> Counts:
        """Handle one file."""

    def close(self) -> None:
        """Stop what it has started."""


class Runner(Protocol):
    """The processes that do the steps of a run."""

    def run(
        self, step: Callable[[], Step], numbers: Sequence[int], *, describes: bool
    ) -> Iterator[Counts]:
        """Do a step for each number, and yield its counts; `describes` if it needs a model."""


class InProcess:
    """A runner without other processes than the decoders; see `Runner`."""

    def run(
        self, step: Callable[[], Step], numbers: Sequence[int], *, describes: bool
    ) -> Iterator[Counts]:
        """Do a step for each number, one after the other."""
        with closing(step()) as opened:
            yield from map(opened, numbers)


class DigestStep:
    """Computes the digests of the files of one list."""

    def __init__(self, folder: Path, root: AnyImageRoot, settings: Settings) -> None:
        self._run = RunFolder(folder)
        self._root = root
        self._roots = ImageRoots([root])
        self._limit = settings.max_upload_bytes

    def __call__(self, number: int) -> Counts:
        """Write the digests of a list."""
        digests: list[tuple[str, str]] = []
        broken: list[Broken] = []
        for path in self._run.listed(number):
            try:
                digests.append((retried(partial(self._digest, path)), path))
            except (PathNotFound, Forbidden, TooLarge) as error:
                broken.append(Broken(path, error.code, str(error)))
            except OSError as error:
                broken.append(Broken(path, PathNotFound.code, f"cannot be read: {error.strerror}"))
        write_broken(self._run.file("unread", number), broken)
        self._run.write_digests(number, digests)  # last: it marks the list as done
        return {"done": len(digests), "broken": len(broken)}

    def _digest(self, path: str) -> str:
        with self._roots.opened(self._root.name, path) as file:
            if error := oversize(file.stamp.size, self._limit):
                raise error
            return stream_digest(file.stream)

    def close(self) -> None:
        """Do nothing."""


class DescribeStep:
    """Describes the images of one part, with a model that is loaded once."""

    def __init__(
        self, folder: Path, root: AnyImageRoot, choice: EngineChoice, settings: Settings
    ) -> None:
        self._run = RunFolder(folder)
        self._describer = BulkDescriber(root, choice, settings).__enter__()

    def __call__(self, number: int) -> Counts:
        """Write the shard of a part."""
        broken: list[Broken] = []
        batches: list[Any] = []
        for batch in self._describer.batches(self._run.candidates(number)):
            broken += batch.broken
            batches.append(batch.images)
        table = pa.Table.from_batches(batches, schema=schema(self._describer.space, "", ""))
        write_broken(self._run.file("undescribed", number), broken)
        write_table(table, self._run.file("shard", number))  # last: it marks the part as done
        return {"done": table.num_rows, "broken": len(broken)}

    def close(self) -> None:
        """Stop the decoders."""
        self._describer.__exit__()
