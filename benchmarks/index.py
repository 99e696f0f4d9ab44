"""Benchmark of indexes: speed, recall and size by the number of descriptors.

    python -m benchmarks.index PHOTOGRAPHS --models MODELS [--milvus http://localhost:19530]
        [--sizes 10000 100000 1000000] [--targets numpy faiss lite server] [--work FOLDER]

Up to 400 photographs are described with the service's model, and further descriptors are grown from
them (`benchmarks/descriptors.py`). Each size and target is measured in a process of its own, and
compared with brute force in NumPy and with faiss. Results are kept in the work folder and reused.
At the end the table is printed, and the rule for the choice of an index that follows from it.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.descriptors import Matrix, blocks, described
from benchmarks.index_targets import NEAREST, TARGETS, Data, Row, measured

_SIZES = (10_000, 100_000, 1_000_000)
_QUERIES = 200
_BASE_SEED, _QUERY_SEED = 1, 2
_LITE_UP_TO = 100_000
_PART = 50_000
_GOAL_RECALL, _GOAL_MS = 0.99, 10.0
_COLUMNS = ("rows", "inserted/s", "build s", "p50 ms", "p99 ms", "recall@10", "MiB", "disk MiB")


def _made(options: argparse.Namespace, size: int) -> Data:
    """Return the descriptors of a size with the expected results; they are made once."""
    folder: Path = options.work
    name = options.descriptor
    seeds = described(options.photographs, options.models, name, kept=folder / f"{name}.npy")
    queries = np.concatenate(list(blocks(seeds, _QUERIES, seed=_QUERY_SEED)))
    base, truth = folder / f"base-{size}.npy", folder / f"truth-{size}.npy"
    if not truth.exists():
        stored = np.lib.format.open_memmap(
            base, mode="w+", dtype=np.float32, shape=(size, seeds.shape[1])
        )
        at = 0
        for block in blocks(seeds, size, seed=_BASE_SEED):
            stored[at : at + len(block)] = block
            at += len(block)
        stored.flush()
        np.save(truth, _nearest(stored, queries))
    patience = 60.0 * options.patience
    return Data(np.load(base, mmap_mode="r"), queries, np.load(truth), patience)


def _nearest(base: Matrix, queries: Matrix) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    """Return the indexes of the nearest, (Q, `NEAREST`), computed in double precision."""
    ids = np.empty((len(queries), 0), np.int64)
    scores = np.empty((len(queries), 0))
    wide = queries.astype(np.float64)
    for at in range(0, len(base), _PART):
        part = np.asarray(base[at : at + _PART], np.float64)
        scores = np.hstack([scores, wide @ part.T])
        ids = np.hstack([ids, np.tile(np.arange(at, at + len(part)), (len(queries), 1))])
        best = np.argsort(-scores, axis=1, kind="stable")[:, :NEAREST]
        scores, ids = np.take_along_axis(scores, best, 1), np.take_along_axis(ids, best, 1)
    return ids


def _measure(options: argparse.Namespace, size: int, target: str) -> list[Row]:
    """Measure in another process, unless the result is in the work folder."""
    kept = options.work / f"{target}-{size}.json"
    if not kept.exists():
        print(f"measuring {target} at {size:,} ...", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "benchmarks.index", *map(str, sys.argv[1:])]
        done = subprocess.run([*command, "--one", target, str(size)], check=False)
        if done.returncode != 0:
            print(f"{target} at {size:,} was not measured", file=sys.stderr, flush=True)
            return []
    return [Row(**record) for record in json.loads(kept.read_text())]


def _measure_here(options: argparse.Namespace, target: str, size: int) -> None:
    folder = options.work / f"{target}-{size}"
    folder.mkdir(exist_ok=True)
    rows = []
    for row in measured(target, _made(options, size), folder, options.milvus):
        print(_line(row), file=sys.stderr, flush=True)
        rows.append(row.record())
        (options.work / f"{target}-{size}.part").write_text(json.dumps(rows))
    (options.work / f"{target}-{size}.part").rename(options.work / f"{target}-{size}.json")


def _line(row: Row) -> str:
    numbers = (row.insert_per_second, row.build_seconds, row.p50_ms, row.p99_ms)
    return (
        f"{row.target:<22}{row.rows:>11,}"
        + "".join(f"{number:>11,.1f}" for number in numbers)
        + f"{row.recall:>11.4f}{row.memory_mb:>11,.0f}{row.disk_mb:>11,.0f}"
    )


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.index",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--models", type=Path, required=True, help="of a BentoML home")
    parser.add_argument("--descriptor", default="vgg16-rgem", help="512 components; vgg16-rgem")
    parser.add_argument("--milvus", default="", help="URL of a Milvus server")
    parser.add_argument("--sizes", type=int, nargs="+", default=_SIZES)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--work", type=Path, default=Path("benchmark-index"))
    parser.add_argument(
        "--patience",
        type=float,
        default=0.0,
        help="minutes in which other programs may come to rest before searches are timed",
    )
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Run the missing measurements, and print all."""
    options = _parsed()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.one:
        target, size = options.one
        _measure_here(options, target, int(size))
        return 0
    print(machine.described(), flush=True)
    rows = []
    for size in options.sizes:
        _made(options, size)
        for target in options.targets:
            if target.startswith("lite") and size > _LITE_UP_TO:
                continue
            if target == "server" and not options.milvus:
                continue
            rows += _measure(options, size, target)
    print(f"{'':<22}" + "".join(f"{column:>11}" for column in _COLUMNS))
    for row in rows:
        print(_line(row))
    for line in _rule(rows):
        print(line)
    return 0


def _rule(rows: list[Row]) -> list[str]:
    """Return the index to choose on a server at each size, by the goals."""
    said = []
    for size in sorted({row.rows for row in rows}):
        served = [row for row in rows if row.rows == size and row.target.startswith("server")]
        right = [row for row in served if row.recall >= _GOAL_RECALL]
        fast = [row for row in right if row.p50_ms <= _GOAL_MS]
        exact = [row for row in fast if "FLAT" in row.target]
        if best := exact or sorted(fast, key=lambda row: row.p50_ms):
            said.append(f"at {size:,}: {best[0].target}, p50 {best[0].p50_ms:.1f} ms")
        elif right:
            best = sorted(right, key=lambda row: row.p50_ms)
            said.append(
                f"at {size:,}: {best[0].target}, p50 {best[0].p50_ms:.1f} ms, above {_GOAL_MS:g}"
            )
        elif served:
            said.append(f"at {size:,}: none reaches a recall of {_GOAL_RECALL}")
    return said


if __name__ == "__main__":
    sys.exit(main())
