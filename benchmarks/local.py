"""Benchmark of the in-process service: time to open, describe and search, and its memory.

`python -m benchmarks.local MODEL` starts a new process for each measurement: importing the client,
`Client.local`, and the first search, in CPU seconds and wall-clock time, with the peak memory. Then
it describes pictures of noise, and searches among 1,000 and 20,000 rows, whose descriptors are
random and whose other values are realistic.
"""

import argparse
import io
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from sqlalchemy import insert

from benchmarks import machine
from bento_service.catalogue import Catalogue
from bento_service.catalogue.revisions import next_revision
from bento_service.catalogue.tables import descriptors, images, sources
from client_sdk import Client

ROWS = (1_000, 20_000)
STARTS = 5
PICTURES = 60
SEARCHES = 40
_START = """
import json, resource, sys, time
def now():
    return time.process_time(), time.perf_counter()
marks = [now()]
from client_sdk import Client
marks.append(now())
client = Client.local(sys.argv[2], model=sys.argv[1])
marks.append(now())
client.search(open(sys.argv[3], "rb").read())
marks.append(now())
client.close()
marks.append(now())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"marks": marks, "peak": peak}))
"""
STEPS = ("import", "open", "first search", "close")


def noise(seed: int, side: int = 500) -> bytes:
    """Return a JPEG of noise, different for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).resize((side, side * 3 // 4)).save(encoded, "JPEG")
    return encoded.getvalue()


def starts(model: Path, folder: Path, picture: Path) -> None:
    """Measure new processes over one folder, and print the medians."""
    taken = []
    for _ in range(STARTS):
        command = [sys.executable, "-c", _START, str(model), str(folder), str(picture)]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
        taken.append(json.loads(ran.stdout))
    for number, step in enumerate(STEPS):
        cpu, wall = (
            [one["marks"][number + 1][clock] - one["marks"][number][clock] for one in taken]
            for clock in (0, 1)
        )
        print(
            f"{step:13s} CPU {statistics.median(cpu):5.2f} s, "
            f"by the clock {statistics.median(wall):5.2f} s (least {min(wall):.2f})"
        )
    print(f"most memory of the process: {statistics.median(one['peak'] for one in taken):.0f} MB")


def describing(model: Path, folder: Path) -> None:
    """Measure uploaded pictures until the end of their job."""
    with Client.local(folder, model=model) as client:
        client.search(noise(0))
        pictures = [(f"{n}.jpg", noise(n)) for n in range(1, PICTURES + 1)]
        began = time.perf_counter()
        client.upload(pictures).wait(timeout=600)
        print(f"ingest: {PICTURES / (time.perf_counter() - began):.1f} images/s")


def fill(folder: Path, rows: int, dimension: int) -> None:
    """Write rows with random descriptors."""
    random = np.random.default_rng(rows)
    with Catalogue.open(f"sqlite:///{folder / 'catalogue.db'}") as catalogue:
        collection = catalogue.collections.named("default")
        for begin in range(10**6, 10**6 + rows, 1000):
            vectors = random.standard_normal((1000, dimension)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            with catalogue.database.writing() as connection:
                revision = next_revision(connection, collection.id)
                connection.execute(
                    insert(images),
                    [
                        {
                            "id": begin + n,
                            "collection_id": collection.id,
                            "sha256": f"{begin + n:064}",
                            "format": "JPEG",
                            "width": 500,
                            "height": 375,
                            "bytes": 99,
                            "metadata": {},
                            "created_at": collection.created_at,
                        }
                        for n in range(len(vectors))
                    ],
                )
                connection.execute(
                    insert(sources),
                    [
                        {
                            "image_id": begin + n,
                            "kind": "upload",
                            "root": "",
                            "path": f"{n}.jpg",
                            "sha256": f"{begin + n:064}",
                        }
                        for n in range(len(vectors))
                    ],
                )
                connection.execute(
                    insert(descriptors),
                    [
                        {
                            "image_id": begin + n,
                            "index_id": collection.index.id,
                            "revision": revision,
                            "descriptor": vector.tobytes(),
                        }
                        for n, vector in enumerate(vectors)
                    ],
                )


def searching(model: Path, folder: Path, rows: int) -> None:
    """Measure searches by id, which describe nothing, and searches with pictures."""
    with Client.local(folder, model=model) as client:
        dimension = client.info().dimension
    fill(folder, rows, dimension)
    with Client.local(folder, model=model) as client:
        began = time.perf_counter()
        client.search(10**6)
        first = time.perf_counter() - began
        while any(one.lag for one in client.collections()):
            time.sleep(0.1)
        by_id, by_picture, inside = [], [], []
        for number in range(SEARCHES):
            began = time.perf_counter()
            answer = client.search(10**6 + number)
            by_id.append(time.perf_counter() - began)
            inside.append(answer.took_ms.search)
            began = time.perf_counter()
            client.search(noise(number))
            by_picture.append(time.perf_counter() - began)
    print(
        f"{rows} rows: first search {first:.2f} s; p50 by id "
        f"{1000 * statistics.median(by_id):.1f} ms (of that searching "
        f"{statistics.median(inside):.1f}), with a picture "
        f"{1000 * statistics.median(by_picture):.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.local", description=__doc__)
    parser.add_argument("model", type=Path, help="folder of `python -m model_build --export`")
    model = parser.parse_args().model.absolute()
    print(machine.described())
    with TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "picture.jpg").write_bytes(noise(0))
        starts(model, place / "starts", place / "picture.jpg")
        describing(model, place / "describing")
        for rows in ROWS:
            searching(model, place / str(rows), rows)


if __name__ == "__main__":
    main()
