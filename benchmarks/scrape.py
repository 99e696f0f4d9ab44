"""Benchmark of a scrape of the metrics, compared with counting everything again.

    python -m benchmarks.scrape [--rows N] [--rounds N]

A catalogue in SQLite is filled with rows without pictures. Each round measures the processor time
of the page of metrics while nothing changes, of the same after a change, and of counting all images
and listing what the index lacks. The exit code is 1 if a page misses the goal.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np

from benchmarks import machine
from benchmarks.catalogue import fill, made
from bento_service.api.metrics import Metrics
from bento_service.application import Application
from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import DescriptorSpace

_GOAL_MS = 5.0


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scrape", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args(arguments)
    print(machine.described())
    with (
        tempfile.TemporaryDirectory() as folder,
        Catalogue.open(f"sqlite:///{Path(folder, 'catalogue.db')}") as catalogue,
    ):
        taken = asyncio.run(_measured(catalogue, options.rows, options.rounds))
    medians = {name: 1000 * float(np.median(seconds)) for name, seconds in taken.items()}
    for name, milliseconds in medians.items():
        print(f"{name:24}{milliseconds:8.2f} ms of a processor")
    ratio = medians["counted again"] / medians["page, no change"]
    print(f"ratio {ratio:.1f}")
    return int(max(medians["page, no change"], medians["page, after a change"]) > _GOAL_MS)


async def _measured(catalogue: Catalogue, rows: int, rounds: int) -> dict[str, list[float]]:
    space = DescriptorSpace("none", "none", "0" * 64, 16, "fp32")
    collection = catalogue.collections.create("shop", space)
    for some in made(rows):
        fill(catalogue, collection, some)
    application, metrics = _application(catalogue), Metrics()
    await metrics.page(application)
    taken: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        began = time.process_time()
        await metrics.page(application)
        taken["page, no change"].append(time.process_time() - began)
        index = catalogue.collections.named("shop").index
        catalogue.changes.touch(index, [number + 1])
        catalogue.indexes.set_applied(index.id, catalogue.collections.named("shop").index.revision)
        began = time.process_time()
        await metrics.page(application)
        taken["page, after a change"].append(time.process_time() - began)
        began = time.process_time()
        catalogue.images.count(collection.id)
        catalogue.changes.changed_ids(index.id, after=0)
        taken["counted again"].append(time.process_time() - began)
    return taken


def _application(catalogue: Catalogue) -> Application:
    """Return what the page reads of an application."""
    return cast(
        "Application",
        SimpleNamespace(
            catalogue=catalogue,
            is_up=lambda _: True,
            rule=SimpleNamespace(is_overgrown=lambda _: False),
            decoders=SimpleNamespace(replaced={}),
            model="none",
            engine="none",
            version=SimpleNamespace(precision="fp32"),
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
