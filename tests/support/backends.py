"""The four services behind the client, which must answer alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bento_service.assembly.backing import SERVICE
from bento_service.local.opening import open_local
from client_sdk import AsyncClient, Client
from client_sdk._async.local import AsyncLocalTransport
from client_sdk._sync.local import LocalTransport
from client_sdk._transport.settings import LOCAL_URL as URL
from tests.support.fake_service import FakeService

SECONDS = 60.0
ROOT = "pictures"


@dataclass(frozen=True)
class Backend:
    """A running service.

    Attributes:
        images: Its only image root.
        data: Its data folder; none where everything is in memory.
        url: Where it listens, or what stands for that.
        carrier: Makes a transport for one client; none for httpx's own.
    """

    name: str
    images: Path
    data: Path | None
    url: str
    carrier: Callable[[bool], Any] = lambda _: None

    def stored(self) -> set[str]:
        """Names of the uploads on its disk."""
        if self.data is None:
            return set()
        return {file.name for file in (self.data / "uploads").rglob("*") if file.is_file()}

    def client(self) -> Client:
        return Client(self.url, timeout=SECONDS, transport=self.carrier(False))

    def async_client(self) -> AsyncClient:
        return AsyncClient(self.url, timeout=SECONDS, transport=self.carrier(True))

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=SECONDS, transport=self.carrier(False))


class Borrowed(LocalTransport):
    """Leaves its service open."""

    def __init__(self, service: Any) -> None:
        super().__init__(service)
        self._forgotten.detach()

    def close(self) -> None:
        pass


class AsyncBorrowed(AsyncLocalTransport):
    """Leaves its service open."""

    def __init__(self, service: Any) -> None:
        super().__init__(service)
        self._forgotten.detach()

    async def aclose(self) -> None:
        pass


def fake(folder: Path) -> Backend:
    """Return the fake service of the unit tests."""
    images = _images(folder)
    service = FakeService(root=images)
    return Backend("fake", images, None, URL, lambda _: service.transport)


@contextmanager
def in_process(folder: Path, model: Path) -> Iterator[Backend]:
    """Yield the service's own surface over Milvus Lite, in this process."""
    with _opened("in-process", folder, model, backing=SERVICE) as backend:
        yield backend


@contextmanager
def local(folder: Path, model: Path) -> Iterator[Backend]:
    """Return the service that `Client.local` opens."""
    with _opened("local", folder, model) as backend:
        yield backend


@contextmanager
def _opened(name: str, folder: Path, model: Path, **backing: Any) -> Iterator[Backend]:
    images, data = _images(folder), folder / "data"
    service = open_local(data, model, roots=[images], **backing)
    try:
        yield Backend(
            name,
            images,
            data,
            URL,
            lambda is_async: (AsyncBorrowed if is_async else Borrowed)(service),
        )
    finally:
        service.close()


def _images(folder: Path) -> Path:
    images = folder / ROOT
    images.mkdir()
    return images
