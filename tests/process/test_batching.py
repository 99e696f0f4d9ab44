"""BentoML's adaptive batching under a real `bentoml serve`, with its measured traps disarmed."""

import asyncio
import hashlib
import inspect
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bentoml
import httpx
import pytest
from bentoml._internal.marshal import dispatcher

from bento_service.serving.batching import MAX_CORK_SECONDS, limit_waiting
from tests.support.processes import free_port, terminate
from tests.support.waiting import WAIT_SECONDS, wait_until

PROJECT = Path(__file__).parents[2]
CALLERS = 32
CALLS = 1200
ATTEMPTS = 8
CLOSES = {"connection": "close"}
"""A header: a busy client may otherwise reuse a connection that the server closes as idle."""
WORK_SECONDS = 0.05  # of the embedder, for each batch


@contextmanager
def _serving(folder: Path, **variables: str) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "bentoml", "serve", "tests.process.echo_service:Echo"]
    work = {"ECHO_WORK_SECONDS": str(WORK_SECONDS)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=PROJECT,
            env={**os.environ, "BENTOML_HOME": str(folder), **work, **variables},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_until(
                lambda: process.poll() is not None or _is_ready(url),
                pause=0.1,
                message=lambda: (folder / "log").read_text(),
            )
            assert process.poll() is None, (folder / "log").read_text()
            yield url
        finally:
            terminate(process)  # a kill would leave its workers, which have their own sessions


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with _serving(tmp_path_factory.mktemp("echo")) as url:
        yield url


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


async def _burst(url: str, calls: int) -> list[tuple[int, httpx.Response]]:
    waiting = iter(range(calls))
    answers = []
    async with httpx.AsyncClient(base_url=url, timeout=120, headers=CLOSES) as http:

        async def caller() -> None:
            for number in waiting:
                answer = await http.get(f"/describe/{number % 256}")
                answers.append((number % 256, answer))

        await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return answers


def _lone_seconds(url: str, calls: int) -> float:
    with httpx.Client(base_url=url, timeout=120, headers=CLOSES) as http:
        taken = []
        for _ in range(calls):
            started = time.perf_counter()
            http.get("/describe/7").raise_for_status()
            taken.append(time.perf_counter() - started)
            time.sleep(0.05)
    return min(taken)  # what a busy machine adds is no part of it


def test_no_call_is_lost_under_load_and_every_caller_gets_its_own_answer(echo):
    answers = asyncio.run(_burst(echo, CALLS))

    assert len(answers) == CALLS
    assert {answer.status_code for _, answer in answers} == {200}
    assert all(answer.json()[0] == value for value, answer in answers)
    sizes = [answer.json()[1] for _, answer in answers]
    assert max(sizes) == 8  # calls did travel together, and never more than allowed


def test_queries_come_between_the_runs_of_a_job(echo):
    """The numbers of the runs show it; a busy machine may need more than one attempt."""

    async def interleaved(http):
        jobs = [asyncio.create_task(http.get("/ingest/64")) for _ in range(2)]
        queries = []
        while not any(job.done() for job in jobs):
            queries.append((await http.get("/describe/9")).json())
        answers = [(await job).json() for job in jobs]
        runs = [{int(row[2]) for row in rows} for rows in answers]
        assert {query[0] for query in queries} == {9}
        assert [len(one) for one in runs] == [32, 32]
        assert {int(row[1]) for rows in answers for row in rows} == {2}
        return any(min(one) < query[2] < max(one) for one in runs for query in queries)

    async def run():
        async with httpx.AsyncClient(base_url=echo, timeout=120, headers=CLOSES) as http:
            for _ in range(ATTEMPTS):
                if await interleaved(http):
                    return True
        return False

    assert asyncio.run(run())


def _held_back_after_a_burst(url: str) -> float:
    before = _lone_seconds(url, 15)
    asyncio.run(_burst(url, 600))
    return _lone_seconds(url, 7) - before


def test_a_lone_query_after_a_burst_is_not_held_back(echo):
    """A busy machine delays queries too, so one attempt without a delay is enough."""
    assert any(_held_back_after_a_burst(echo) < WORK_SECONDS / 2 for _ in range(ATTEMPTS))


def test_without_the_cap_it_is_held_back(tmp_path):
    """If this fails, BentoML no longer needs the patch."""
    with _serving(tmp_path, ECHO_UNLIMITED="1") as url:
        assert _held_back_after_a_burst(url) > WORK_SECONDS / 2


def test_the_patched_names_are_the_ones_that_were_read():
    """If this fails, BentoML has changed: read its dispatcher again before going on."""
    source = inspect.getsource(dispatcher.CorkDispatcher.controller) + inspect.getsource(
        dispatcher.Optimizer.log_outbound
    )

    assert bentoml.__version__ == "1.4.39"
    assert hashlib.sha256(source.encode()).hexdigest()[:16] == "5d8ceb68e27f14f1"


def test_the_wait_of_the_optimizer_is_capped(monkeypatch):
    monkeypatch.setattr(
        dispatcher.Optimizer, "trigger_refresh", dispatcher.Optimizer.trigger_refresh
    )
    monkeypatch.setattr(dispatcher.CorkDispatcher, "train_optimizer", None)
    optimizer = dispatcher.Optimizer(max_latency=60)
    for _ in range(10):
        optimizer.o_stat.append((8, 0.2, 0.9))
    optimizer.trigger_refresh()
    assert optimizer.wait == pytest.approx(0.9)

    limit_waiting()
    optimizer.trigger_refresh()

    assert optimizer.wait == MAX_CORK_SECONDS


def test_a_second_batch_is_sent_while_the_first_is_computed(monkeypatch):
    monkeypatch.setattr(
        dispatcher.CorkDispatcher, "train_optimizer", dispatcher.CorkDispatcher.train_optimizer
    )
    monkeypatch.setattr(
        dispatcher.Optimizer, "trigger_refresh", dispatcher.Optimizer.trigger_refresh
    )
    limit_waiting()

    async def run():
        sizes, is_second_sent, is_computed = [], asyncio.Event(), asyncio.Event()

        async def compute(batch):
            sizes.append(len(batch))
            if len(sizes) == 2:
                is_second_sent.set()
            await is_computed.wait()
            return batch

        cork = dispatcher.CorkDispatcher(
            60_000, 2, fallback=lambda: None, get_batch_size=lambda _: 1
        )
        call = cork(compute)
        calls = [asyncio.create_task(call(number)) for number in range(5)]
        await asyncio.wait_for(is_second_sent.wait(), WAIT_SECONDS)
        await asyncio.sleep(0.05)
        assert sizes == [2, 2]
        is_computed.set()
        assert await asyncio.gather(*calls) == [0, 1, 2, 3, 4]

    asyncio.run(run())
