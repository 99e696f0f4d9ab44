"""Benchmark of counting, listing, filtering and deleting by filter in the catalogue.

    python -m benchmarks.catalogue [--rows N] [--rounds N]

A catalogue in SQLite is filled with rows like those of a shop, without pictures. Every operation
runs through the catalogue and, for comparison, as plain SQL on a table with the same values in
ordinary columns with an index on each, the design for metadata that is known in advance. Both sides
take turns. Processor time is printed too, because other programs do not affect it. The exit code is
1 if a 95th percentile misses the goal.
"""

import argparse
import hashlib
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from benchmarks import machine
from bento_service.catalogue import Catalogue
from bento_service.catalogue.images.attributes import add_attributes
from bento_service.catalogue.records import CollectionRecord, DescriptorSpace
from bento_service.catalogue.tables import descriptors, images
from bento_service.filters.parser import parse

_GOAL_MS = 50.0
_DIMENSION = 16
_ROWS_A_TIME = 5000
_SHOPS = ("north", "south", "east", "west", "harbour")
_PAGE = 100
_DELETED = 100
_FILTERS = {
    "1% pass": ("price < 1", "price < 1"),
    "1% pass, two terms": (
        'shop == "north" and price < 5',
        "shop = 'north' AND price < 5",
    ),
    "20% pass": ('shop == "north"', "shop = 'north'"),
    "a prefix": ('name like "article 99%"', "name >= 'article 99' AND name < 'article 9:'"),
    "80% pass": ('not shop == "north"', "shop <> 'north'"),
}


@dataclass(frozen=True)
class Row:
    """The values of one image."""

    number: int
    shop: str
    price: float
    width: int

    @property
    def name(self) -> str:
        """The name of the article."""
        return f"article {self.number}"

    @property
    def batch(self) -> int:
        """The number of the batch that brought the image."""
        return self.number // _DELETED

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata as a caller would send it."""
        size = {"width": self.width}
        return {
            "shop": self.shop,
            "price": self.price,
            "name": self.name,
            "batch": self.batch,
            "size": size,
        }


class Plain:
    """The compared side: plain SQLite with a column for each value."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE articles (id INTEGER PRIMARY KEY, shop, price, name, batch, width)",
            *(
                f"CREATE INDEX {one} ON articles ({one})"
                for one in ("shop", "price", "name", "batch")
            ),
        ):
            self._connection.execute(statement)

    def add(self, rows: list[Row]) -> None:
        """Store rows."""
        self._connection.execute("BEGIN")
        values = [(row.shop, row.price, row.name, row.batch, row.width) for row in rows]
        self._connection.executemany(
            "INSERT INTO articles (shop, price, name, batch, width) VALUES (?, ?, ?, ?, ?)", values
        )
        self._connection.execute("COMMIT")

    def ask(self, statement: str) -> int:
        """Run a statement; return the number of rows that it returned or changed."""
        cursor = self._connection.execute(statement)
        rows = cursor.fetchall()
        return len(rows) if cursor.description else cursor.rowcount

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class Room:
    """Both sides, filled, and their measurements."""

    def __init__(self, catalogue: Catalogue, plain: Plain, rows: int) -> None:
        space = DescriptorSpace("none", "none", "0" * 64, _DIMENSION, "fp32")
        self._catalogue = catalogue
        self._plain = plain
        self._collection = catalogue.collections.create("shop", space)
        self._last = rows
        self.ours: dict[str, list[float]] = defaultdict(list)
        self.cpu: dict[str, list[float]] = defaultdict(list)
        self.theirs: dict[str, list[float]] = defaultdict(list)
        for some in made(rows):
            fill(catalogue, self._collection, some)
            plain.add(some)

    def measure(self, number: int) -> None:
        """Run every operation once on each side.

        Args:
            number: The number of the round, from 0.
        """
        ours, plain, own = self._catalogue, self._plain, self._collection.id
        self._pair(
            "count all",
            lambda: ours.images.count(own),
            lambda: plain.ask("SELECT count(*) FROM articles"),
        )
        after = self._last * (number % 10) // 20
        self._pair(
            "list a page",
            lambda: ours.images.page(own, after=(after,), limit=_PAGE),
            lambda: plain.ask(f"SELECT * FROM articles WHERE id > {after} LIMIT {_PAGE}"),  # noqa: S608
        )
        for name, (text, condition) in _FILTERS.items():
            self._filtered(name, text, condition, after)
        # Rows are deleted from the end, so that the operations above find the same rows.
        batch = (self._last - 1) // _DELETED - number
        self._pair(
            f"delete {_DELETED} by filter",
            lambda: ours.filtered.delete(own, parse(f"batch == {batch}")),
            lambda: plain.ask(f"DELETE FROM articles WHERE batch = {batch}"),  # noqa: S608
        )

    def _filtered(self, name: str, text: str, condition: str, after: int) -> None:
        ours, plain, own = self._catalogue, self._plain, self._collection.id
        self._pair(
            f"count, {name}",
            lambda: ours.filtered.count(own, parse(text)),
            lambda: plain.ask(f"SELECT count(*) FROM articles WHERE {condition}"),  # noqa: S608
        )
        self._pair(
            f"list a page, {name}",
            lambda: ours.images.page(own, after=(after,), limit=_PAGE, which=parse(text)),
            lambda: plain.ask(
                f"SELECT * FROM articles WHERE id > {after} AND {condition} "  # noqa: S608
                f"ORDER BY id LIMIT {_PAGE}"
            ),
        )

    def _pair(self, name: str, ours: Callable[[], object], theirs: Callable[[], object]) -> None:
        before = time.process_time()
        self.ours[name].append(_milliseconds(ours))
        self.cpu[name].append(1000 * (time.process_time() - before))
        self.theirs[name].append(_milliseconds(theirs))


def made(count: int) -> Iterator[list[Row]]:
    """Yield rows, some thousand at a time."""
    chance = np.random.default_rng(0)
    for first in range(0, count, _ROWS_A_TIME):
        numbers = range(first, min(first + _ROWS_A_TIME, count))
        yield [
            Row(
                number,
                _SHOPS[int(chance.integers(len(_SHOPS)))],
                round(float(chance.uniform(0, 100)), 2),
                int(chance.integers(50)),
            )
            for number in numbers
        ]


def fill(catalogue: Catalogue, collection: CollectionRecord, rows: list[Row]) -> None:
    """Write images as a job would, in larger transactions."""
    now = datetime.now(UTC)
    first = rows[0].number + 1
    ids = [first + at for at in range(len(rows))]
    vectors = np.random.default_rng(first).standard_normal((len(rows), _DIMENSION))
    made = [
        {
            "id": image_id,
            "collection_id": collection.id,
            "sha256": hashlib.sha256(str(row.number).encode()).hexdigest(),
            "format": "JPEG",
            "width": 640,
            "height": 480,
            "bytes": 99_999,
            "metadata": row.metadata,
            "created_at": now,
        }
        for image_id, row in zip(ids, rows, strict=True)
    ]
    described = [
        {
            "image_id": image_id,
            "index_id": collection.index.id,
            "revision": 1,
            "descriptor": vector.astype("<f4").tobytes(),
        }
        for image_id, vector in zip(ids, vectors, strict=True)
    ]
    by_image = dict(zip(ids, (row.metadata for row in rows), strict=True))
    with catalogue.database.writing() as connection:
        connection.execute(insert(images), made)
        connection.execute(insert(descriptors), described)
        add_attributes(connection, collection.id, by_image)


def _milliseconds(question: Callable[[], object]) -> float:
    started = time.perf_counter()
    question()
    return 1000 * (time.perf_counter() - started)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.catalogue", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="images (100000)")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    print(machine.described(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            Catalogue.open(f"sqlite:///{folder}/catalogue.db") as catalogue,
            closing(Plain(folder / "plain.db")) as plain,
        ):
            started = time.perf_counter()
            room = Room(catalogue, plain, options.rows)
            print(f"filled in {time.perf_counter() - started:.0f} s", flush=True)
            for number in range(options.rounds):
                room.measure(number)
    return _judge(room)


def _judge(room: Room) -> int:
    """Print the figures and return the exit code."""
    missed = 0
    columns = ("p50", "p95", "CPU p95", "plain p50", "ratio")
    print(f"{'milliseconds':<34}" + "".join(f"{column:>11}" for column in columns))
    for name, ours in room.ours.items():
        usual, late = np.percentile(ours, (50, 95))
        cpu, plain = np.percentile(room.cpu[name], 95), np.percentile(room.theirs[name], 50)
        numbers = (usual, late, cpu, plain, usual / plain)
        line = "".join(f"{number:>11.2f}" for number in numbers)
        missed += late >= _GOAL_MS
        print(f"{name:<34}{line}" + (f"  MISSED: {_GOAL_MS:g}" if late >= _GOAL_MS else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
