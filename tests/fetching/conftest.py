"""Servers on loopback addresses: one that may be asked, and one that never must be."""

from collections.abc import Iterator

import pytest

from tests.support.raw_server import RawServer


@pytest.fixture
def web() -> Iterator[RawServer]:
    """Yield a server at an address that the tests allow."""
    server = RawServer("127.0.0.1")
    yield server
    server.stop()


@pytest.fixture
def canary() -> Iterator[RawServer]:
    """Yield a server at an address that is not allowed; nobody must ever connect."""
    server = RawServer("127.0.0.9")
    yield server
    server.stop()
    assert (server.connections, server.heads) == (0, [])
