"""Faults of a Milvus server while a service uses it."""

import time
from collections.abc import Callable

from pymilvus import MilvusClient

from tests.chaos.campaign import Campaign
from tests.chaos.load import Load
from tests.chaos.proxy import Proxy
from tests.support.milvus_server import MilvusServer

_AWAY_SECONDS = 6.0
_SLOW_SECONDS = 0.3
_LOAD_SECONDS = 2.0


def _under_load(
    campaign: Campaign, what: str, begin: Callable[[], object], end: Callable[[], object]
) -> None:
    """Let something begin and end under load: what is acknowledged meanwhile has to be there."""
    with campaign.callers() as callers:
        with Load(callers, []):
            time.sleep(_LOAD_SECONDS)
            begin()
            time.sleep(_AWAY_SECONDS)
            end()
            time.sleep(_LOAD_SECONDS)
        for caller in callers:
            campaign.tally.found(caller.findings, what)
    campaign.look(what)


def paused(campaign: Campaign, milvus: MilvusServer) -> None:
    """Stop Milvus with SIGSTOP for some seconds: connections stay open, and nobody answers."""
    _under_load(campaign, "Milvus was paused", milvus.pause, milvus.resume)


def killed(campaign: Campaign, milvus: MilvusServer) -> None:
    """`kill -9`, and a start some seconds later."""
    _under_load(campaign, "Milvus was killed", milvus.kill, milvus.start)


def stopped(campaign: Campaign, milvus: MilvusServer) -> None:
    """Stopped in good order, and started some seconds later."""
    _under_load(campaign, "Milvus was stopped", milvus.stop, milvus.start)


def slow(campaign: Campaign, proxy: Proxy) -> None:
    """Delay every block of bytes."""

    def begin() -> None:
        proxy.delay = _SLOW_SECONDS

    def end() -> None:
        proxy.delay = 0.0

    _under_load(campaign, "Milvus was slow", begin, end)


def both_killed(campaign: Campaign, milvus: MilvusServer) -> None:
    """Kill the service and Milvus at once; the service starts again first."""
    with campaign.callers() as callers, Load(callers, []):
        time.sleep(campaign.random.uniform(0, _LOAD_SECONDS))
        campaign.service.kill()
        milvus.kill()
    campaign.launch()
    time.sleep(_LOAD_SECONDS)
    milvus.start()
    campaign.look("the service and Milvus were killed")


def drop_everything(uri: str) -> None:
    """Drop every index of a server."""
    client = MilvusClient(uri, timeout=30)
    for name in client.list_collections():
        client.drop_collection(name)
    client.close()
