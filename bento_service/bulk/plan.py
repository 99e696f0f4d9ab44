"""The plan of a bulk run: which files there are, and which of them hold the same bytes.

A run writes into one folder, and each step writes whole files under their final names, so a run
that was interrupted continues where it was:

| file | content |
|---|---|
| run.json | what the run was started with |
| plan/list-N.parquet | paths, some thousand each |
| plan/list.json | the number of these files; all paths are listed |
| plan/digests-N.parquet, plan/unread-N.jsonl | the digests of the paths of list N, and failures |
| plan/part-N.parquet | digests, each with its paths: the images of shard N |
| plan/parts.json | the number of these files; all digests are grouped |
| shard-N.parquet, plan/undescribed-N.jsonl | the images of part N, and failures |
| broken.jsonl, manifest.json | all files that failed; written last |
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import groupby, islice, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pydantic import ValidationError

from bento_service.admin.answer import Refusal
from bento_service.admin.manifests import Record
from bento_service.bulk.describing import Broken, Candidate
from bento_service.catalogue.records import DescriptorSpace
from bento_service.storage.durable_files import replacing

_LISTED = pa.schema([("path", pa.binary())])
_DIGESTS = pa.schema([("sha256", pa.string()), ("path", pa.binary())])
_PARTS = pa.schema([("sha256", pa.string()), ("paths", pa.list_(pa.binary()))])

_ROWS_AT_ONCE = 2_000_000
"""Rows that are sorted in memory at a time: some 0.6 GB with paths of 60 bytes."""

_ROWS_A_BATCH = 50_000

Kind = Literal["list", "digests", "unread", "part", "undescribed", "shard"]


class Run(Record):
    """The arguments of a run that decide its result; the last two are the most a file has."""

    format: Literal[1] = 1
    images: str
    root: str
    space: DescriptorSpace
    files_a_list: int
    images_a_shard: int


class RunFolder:
    """The folder of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._plan = folder / "plan"

    def begin(self, run: Run) -> None:
        """Begin a run or continue it."""
        file = self.folder / "run.json"
        if not file.exists():
            if self.folder.exists() and any(self.folder.iterdir()):
                raise Refusal(f"{self.folder} holds something else; name an empty or a new folder")
            self._plan.mkdir(parents=True)
            write_whole(file, run.model_dump_json(indent=2).encode())
            return
        try:
            present = Run.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise Refusal(
                f"{file} is damaged, or of another release; begin in a new folder"
            ) from error
        if present != run:
            changed = [name for name, value in present if value != getattr(run, name)]
            raise Refusal(
                f"{self.folder} has a run with another {', '.join(changed)}; name another folder"
            )
        self._plan.mkdir(exist_ok=True)

    def file(self, kind: Kind, number: int) -> Path:
        """Return a numbered file of the table above."""
        folder = self.folder if kind == "shard" else self._plan
        suffix = "jsonl" if kind in ("unread", "undescribed") else "parquet"
        return folder / f"{kind}-{number:06d}.{suffix}"

    def listed(self, number: int) -> list[str]:
        """Return the paths of a list."""
        column = pq.read_table(self.file("list", number)).column("path")
        return [os.fsdecode(path) for path in column.to_pylist()]

    def candidates(self, number: int) -> Iterator[Candidate]:
        """Yield the candidates of a part."""
        for row in pq.read_table(self.file("part", number)).to_pylist():
            yield Candidate(tuple(map(os.fsdecode, row["paths"])), row["sha256"])

    def remove_partial(self) -> None:
        """Remove the incomplete files of processes that were lost."""
        for folder in (self.folder, self._plan):
            for file in folder.glob(".*"):
                file.unlink(missing_ok=True)

    def images(self, parts: Iterable[int]) -> int:
        """Return the number of candidates of some parts."""
        files = (self.file("part", number) for number in parts)
        return sum(pq.read_metadata(file).num_rows for file in files)

    def count(self, what: Literal["list", "parts"]) -> int | None:
        """Return the number of lists or parts; `None` while they are not complete."""
        file = self._plan / f"{what}.json"
        return int(json.loads(file.read_bytes())["files"]) if file.exists() else None

    def write_lists(self, paths: Iterable[str], *, size: int) -> int:
        """Write all paths in lists, and return the number of lists."""
        number = 0
        for some in _in_slices(paths, size):
            table = pa.table({"path": [os.fsencode(path) for path in some]}, schema=_LISTED)
            write_table(table, self.file("list", number))
            number += 1
        self._finish("list", number)
        return number

    def write_digests(self, number: int, digests: Iterable[tuple[str, str]]) -> None:
        """Write the digests and paths of a list's files."""
        rows = [{"sha256": sha256, "path": os.fsencode(path)} for sha256, path in digests]
        write_table(pa.Table.from_pylist(rows, schema=_DIGESTS), self.file("digests", number))

    def write_parts(self, lists: int, *, size: int, at_once: int = _ROWS_AT_ONCE) -> int:
        """Group the digests of all lists in parts of `size` digests; return the number of parts.

        About `at_once` rows are sorted in memory at a time.
        """
        files = [self.file("digests", number) for number in range(lists)]
        number = 0
        for some in _in_slices(_groups(_ordered(files, at_once)), size):
            rows = [{"sha256": sha256, "paths": sorted(paths)} for sha256, paths in some]
            write_table(pa.Table.from_pylist(rows, schema=_PARTS), self.file("part", number))
            number += 1
        self._finish("parts", number)
        return number

    def _finish(self, what: str, files: int) -> None:
        write_whole(self._plan / f"{what}.json", json.dumps({"files": files}).encode())


def write_broken(file: Path, broken: Iterable[Broken]) -> None:
    """Write files that failed as JSON lines; if there are none, there is no such file."""
    lines = [json.dumps(asdict(each), ensure_ascii=True) for each in broken]
    if lines:
        write_whole(file, "".join(f"{line}\n" for line in lines).encode())
    else:
        file.unlink(missing_ok=True)  # of a call that was repeated


def write_table(table: Any, file: Path) -> None:
    """Write a Parquet file that appears under its name only when it is complete."""
    with replacing(file, suffix=_suffix()) as new:
        pq.write_table(table, new, use_dictionary=False)  # hardly a value is repeated


def write_whole(file: Path, data: bytes) -> None:
    """Write a file that appears under its name only when it is complete."""
    with replacing(file, suffix=_suffix()) as new:
        new.write_bytes(data)


def _suffix() -> str:
    # Two machines may write the same file, if one was believed to be lost.
    return f"{os.uname().nodename}.{os.getpid()}"


def _ordered(files: list[Path], at_once: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of files by digest; each range of digests is read and sorted by itself."""
    ranges = 1 + sum(pq.read_metadata(file).num_rows for file in files) // at_once
    bounds = [f"{n * 16**8 // ranges:08x}" for n in range(ranges)] + ["g"]  # above every digit
    rows = ds.dataset(files, schema=_DIGESTS, format="parquet")
    digest = ds.field("sha256")
    for low, high in pairwise(bounds):
        table = rows.to_table(filter=(digest >= low) & (digest < high)).sort_by("sha256")
        for batch in table.to_batches(max_chunksize=_ROWS_A_BATCH):
            yield from batch.to_pylist()


def _groups(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[str, list[bytes]]]:
    for sha256, equal in groupby(rows, key=itemgetter("sha256")):
        yield sha256, [row["path"] for row in equal]


def _in_slices(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    left = iter(values)
    while some := list(islice(left, size)):
        yield some
