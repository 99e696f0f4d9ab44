"""Uploads by the asynchronous client through faults and a restart: all there once, none twice.

`python -m tests.chaos.uploads --count 1000` does that to the whole service, and prints the counts.
"""

import argparse
import asyncio
import hashlib
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import numpy as np

from client_sdk import AsyncClient, AsyncJobHandle, Client, Retries
from client_sdk._calls.png import array_png
from client_sdk.schemas import JobState
from tests.chaos.faulty_proxy import Fate, FaultyProxy
from tests.support.models import built_models
from tests.support.server import Server

COLLECTION = "through-faults"
_AT_ONCE = 16
_INDEX_SECONDS = 3600.0
# A restart takes long on a machine that does other things too.
_PATIENT = Retries(attempts=1000, seconds=300.0, first_pause=0.05, longest_pause=2.0)


@dataclass(frozen=True)
class Found:
    """The state at the end of the campaign.

    Attributes:
        fates: How often which fault was dealt.
        accepted: Ids of the jobs, in the order of the uploads.
        jobs: Ids of the jobs that the service knows.
        states: How they ended, with indexed, duplicates and failed.
        digests: Of the sent bytes.
        stored: SHA-256 and number of sources of each stored image.
    """

    fates: Counter[Fate]
    accepted: list[str]
    jobs: list[str]
    states: Counter[tuple[JobState, int, int, int]]
    digests: list[str]
    stored: list[tuple[str, int]]
    count: int
    upload_seconds: float
    seconds: float

    @property
    def is_whole(self) -> bool:
        """Return true if every picture exists once, from one job and one source."""
        return (
            sorted(self.stored) == sorted((digest, 1) for digest in self.digests)
            and self.count == len(self.digests)
            and sorted(self.jobs) == sorted(self.accepted)
            and set(self.states) == {(JobState.COMPLETED, 1, 0, 0)}
        )

    def __str__(self) -> str:
        dealt = "\n".join(f"{times:6} {fate}" for fate, times in self.fates.most_common())
        return (
            f"{dealt}\n{self.count} images of {len(set(self.digests))} pictures, "
            f"{len(self.jobs)} jobs of {len(set(self.accepted))} accepted\n"
            f"jobs by state, indexed, duplicates, failed: {dict(self.states)}\n"
            f"images by number of sources: {dict(Counter(number for _, number in self.stored))}\n"
            f"uploaded in {self.upload_seconds:.0f} s, indexed after {self.seconds:.0f} s\n"
            f"{'all there once' if self.is_whole else 'NOT all there once'}"
        )


def pictures(count: int) -> list[tuple[str, bytes]]:
    """Small pictures, each different."""
    chance = np.random.default_rng(20)
    made = chance.integers(0, 256, (count, 24, 24, 3), dtype=np.uint8)
    return [(f"{number}.png", array_png(one)) for number, one in enumerate(made)]


class Service(Protocol):
    """The service under test, whole or light."""

    url: str

    def launch(self) -> None: ...
    def kill(self) -> None: ...


def run(server: Service, count: int, *, share: float = 0.2) -> Found:
    """Upload so many pictures one by one; in the middle the service is killed and started."""
    sent = pictures(count)
    proxy = FaultyProxy(urlsplit(server.url).port or 0, share=share)
    begun = time.monotonic()
    try:
        accepted = asyncio.run(_upload(server, proxy.port, sent))
    finally:
        proxy.close()
    uploaded = time.monotonic()
    with Client(server.url) as client:
        client.wait_ready(timeout=180)
        for job in accepted:
            client.job(job).wait(timeout=_INDEX_SECONDS)
        jobs = list(client.jobs(collection=COLLECTION))
        return Found(
            fates=proxy.fates,
            accepted=[job.id or "" for job in accepted],
            jobs=[job.id or "" for job in jobs],
            states=Counter((one.state, one.indexed, one.duplicates, one.failed) for one in jobs),
            digests=[hashlib.sha256(content).hexdigest() for _, content in sent],
            stored=[
                (image.sha256, len(image.sources))
                for image in client.images(collection=COLLECTION, page_size=1000)
            ],
            count=client.count(collection=COLLECTION),
            upload_seconds=uploaded - begun,
            seconds=time.monotonic() - begun,
        )


async def _upload(
    server: Service, port: int, sent: list[tuple[str, bytes]]
) -> list[AsyncJobHandle]:
    turns, accepted = asyncio.Semaphore(_AT_ONCE), 0
    killed = asyncio.Event()

    async def one(client: AsyncClient, picture: tuple[str, bytes]) -> AsyncJobHandle:
        nonlocal accepted
        async with turns:
            job = await client.upload(picture, collection=COLLECTION)
        accepted += 1
        if accepted == len(sent) // 2:
            killed.set()
        return job

    async def restart() -> None:
        await killed.wait()
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.launch)

    async with AsyncClient(f"http://127.0.0.1:{port}", retries=_PATIENT) as client:
        restarting = asyncio.create_task(restart())
        jobs = await asyncio.gather(*(one(client, picture) for picture in sent))
        await restarting
    return jobs


def main() -> int:
    """Do it to the whole service; 1 unless all are there once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--share", type=float, default=0.2, help="of the requests with a fault")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), built_models()).start()
        try:
            found = run(server, options.count, share=options.share)
        finally:
            server.stop()
    print(found)  # noqa: T201
    return 0 if found.is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
