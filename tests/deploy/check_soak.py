"""A service under four times the load that it can answer: `make deploy-check`.

SOAK_SECONDS shortens the half hour.
"""

import asyncio
import os
import statistics
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import aiohttp
import pytest

from client_sdk import Client

SECONDS = float(os.environ.get("SOAK_SECONDS", "1800"))
ROUNDS = 6
PEAK_SECONDS = min(60.0, SECONDS / 2 / ROUNDS)
CALLERS = 16
TIMES = 4
REST_SECONDS = 10.0
pytestmark = pytest.mark.timeout(SECONDS + 1800)


@dataclass
class Load:
    """Searches that are sent to a service, and its answers.

    Attributes:
        statuses: The number of answers by status.
        waits: The seconds that each answered search took.
        lost: The errors of searches whose connection was lost.
        rate: The answered searches a second.
        answer_ms: The processor time of the service for each of them, with that of refusals.
    """

    url: str
    body: bytes
    statuses: Counter[int] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    rate: float = 0.0
    answer_ms: float = 0.0

    async def ask(self, http: aiohttp.ClientSession) -> None:
        """Search once."""
        began = time.monotonic()
        headers = {"Content-Type": "multipart/form-data; boundary=soak"}
        try:
            async with http.post("/api/v2/search", data=self.body, headers=headers) as answer:
                await answer.read()
        except aiohttp.ClientError as error:
            self.lost.append(f"{error!r} after {time.monotonic() - began:.3f} s")
            return
        self.statuses[answer.status] += 1
        if answer.status == 200:
            self.waits.append(time.monotonic() - began)

    async def closed(self, seconds: float) -> float:
        """Let callers search one after the other; return how many were answered a second."""
        end = time.monotonic() + seconds

        async def caller(http: aiohttp.ClientSession) -> None:
            while time.monotonic() < end:
                await self.ask(http)

        began = time.monotonic()
        async with self._http() as http:
            await asyncio.gather(*(caller(http) for _ in range(CALLERS)))
        return self.statuses[200] / (time.monotonic() - began)

    async def open(self, rate: float, seconds: float) -> float:
        """Send so many searches a second, whatever is answered; return how many were answered."""
        began = time.monotonic()
        async with self._http() as http, asyncio.TaskGroup() as tasks:
            for number in count():
                if (due := number / rate) > seconds:
                    break
                await asyncio.sleep(max(0.0, began + due - time.monotonic()))
                tasks.create_task(self.ask(http))
        return self.statuses[200] / (time.monotonic() - began)

    def _http(self) -> aiohttp.ClientSession:
        # httpx takes twelve times the processor time, which the service here would lack.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=5)
        timeout = aiohttp.ClientTimeout(total=300)
        return aiohttp.ClientSession(self.url, connector=connector, timeout=timeout)


def used(server):
    """Return the bytes and the open files of all processes of a service."""
    memory = files = 0
    for pid in [*server.processes(), *server.decoders()]:
        with suppress(OSError):  # a decoder that was replaced
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            memory += 1024 * int(rollup.split("Pss:", 1)[1].split()[0])
            files += len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return memory, files


def processor_seconds(server):
    """Return the processor time of all processes of a service, with that of ended decoders."""
    total = 0
    for pid in [*server.processes(), *server.decoders()]:
        with suppress(OSError):  # a decoder that was replaced
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += sum(map(int, fields[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def measured(server, body, run):
    """Return a load that has run, with its answers a second and their processor time."""
    load = Load(server.url, body)
    began = processor_seconds(server)
    load.rate = asyncio.run(run(load))
    load.answer_ms = 1000 * (processor_seconds(server) - began) / max(1, load.statuses[200])
    return load


def listed(loads, field):
    return ", ".join(f"{getattr(load, field):.1f}" for load in loads)


def mean_rate(loads):
    return statistics.mean(load.rate for load in loads)


def test_four_times_the_load_is_refused_and_changes_nothing(new_server, photographs):
    server = new_server().start()
    with Client(server.url) as client:
        client.upload(sorted(photographs.iterdir())).wait(timeout=120)
    picture = (photographs / "coffee.jpg").read_bytes()
    head = '--soak\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    body = head.encode() + picture + b"\r\n--soak--\r\n"

    peaks, loads, rests = [], [], []
    for _ in range(ROUNDS):  # in turns, because other programs slow both
        peaks.append(measured(server, body, lambda load: load.closed(PEAK_SECONDS)))
        rate = TIMES * mean_rate(peaks)
        loads.append(measured(server, body, lambda load: load.open(rate, SECONDS / ROUNDS)))  # noqa: B023
        time.sleep(REST_SECONDS)
        rests.append(used(server))

    (memory, files), (last_memory, last_files) = rests[0], rests[-1]
    statuses = sum((load.statuses for load in loads), Counter())
    waits = [wait for load in loads for wait in load.waits]
    half = len(waits) // 2
    first, second = (statistics.quantiles(part, n=20)[-1] for part in (waits[:half], waits[half:]))
    print(  # noqa: T201
        f"\nanswers a second: peaks {listed(peaks, 'rate')}, under load {listed(loads, 'rate')}; "
        f"processor ms an answer: {listed(peaks, 'answer_ms')} and {listed(loads, 'answer_ms')}; "
        f"{dict(statuses)}; memory {memory / 1e6:.0f} to {last_memory / 1e6:.0f} MB, "
        f"files {files} to {last_files}, 95th percentile {first:.2f} to {second:.2f} s"
    )
    assert [error for load in (*peaks, *loads) for error in load.lost] == []
    assert statuses.keys() == {200, 429}
    assert mean_rate(loads) >= 0.9 * mean_rate(peaks)
    assert second <= 1.2 * first
    assert last_memory <= 1.1 * memory
    assert last_files <= 1.1 * files
