"""A client of the embedder in another process, perhaps on another machine."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence
from typing import Self
from urllib.parse import unquote, urlsplit

import aiohttp
import numpy as np
from numpy.typing import NDArray
from opentelemetry import propagate

from bento_service.descriptors.describing import DESCRIPTORS_HEADER, INGEST_ROUTE, QUERY_ROUTE
from bento_service.descriptors.version import DescriptorVersion, identity
from bento_service.errors import NotReady
from bento_service.serving.array_messages import (
    InvalidArray,
    array_body,
    array_headers,
    descriptors_kind,
)

_KEPT_SECONDS = 3.0
"""The lifetime of idle connections; far shorter than the embedder's."""
_CONNECT_SECONDS = 10.0
_PROBE_SECONDS = 5.0
_FIRST_PROBE_SECONDS = 1.0
_PIECE_BYTES = 256 * 1024
_NAMED = re.compile(r"([\w.-]{1,40}) ([\w.-]{1,20}) ([0-9a-f]{64})(?:, |$)")
_BENTOML = re.compile(rb"(?:# (?:HELP|TYPE) )?bentoml_")
_log = logging.getLogger(__name__)


class RemoteEmbedder:
    """An `Embedder` over HTTP. Use it with `async with`.

    Each answer names its descriptors. Those of another model or precision are rejected, because
    they have the same form but rank wrongly.
    """

    def __init__(
        self, url: str, versions: Sequence[DescriptorVersion], *, answer_seconds: float
    ) -> None:
        """Set the address and the expected descriptors; `async with` connects.

        Args:
            url: Its address: `http://`, `https://`, `tcp://`, or `file://` of a Unix socket.
            versions: The descriptor versions that it must compute, in this order.
            answer_seconds: Time limit of a call.
        """
        self._url = url
        where = urlsplit(url).hostname
        self._name = f"the embedder at {where}" if where else "the embedder"
        self._versions = versions
        self._expected = identity(versions)
        self._timeout = aiohttp.ClientTimeout(total=answer_seconds, sock_connect=_CONNECT_SECONDS)
        self._trouble = ""

    async def __aenter__(self) -> Self:
        parts = urlsplit(self._url)
        connector: aiohttp.BaseConnector
        if parts.scheme == "file":
            path = unquote(parts.path)
            connector = aiohttp.UnixConnector(path, limit=0, keepalive_timeout=_KEPT_SECONDS)
            base = "http://embedder"
        else:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_SECONDS)
            base = f"http://{parts.netloc}" if parts.scheme == "tcp" else self._url
        self._session = aiohttp.ClientSession(
            base, connector=connector, timeout=self._timeout, auto_decompress=False
        )
        self._first_probe = asyncio.create_task(self._probe_until_answered())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._first_probe.cancel()
        await asyncio.gather(self._first_probe, return_exceptions=True)
        await self._session.close()

    async def describe_query(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe images of queries; see `Embedder`.

        Raises:
            ConnectionError: The connection was lost; the call can be repeated.
            NotReady: The embedder cannot describe now, or computes something else.
        """
        return await self._ask(QUERY_ROUTE, images)

    async def describe_ingest(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe images of jobs; see `Embedder` and `describe_query`."""
        return await self._ask(INGEST_ROUTE, images)

    async def is_ready(self) -> bool:
        """Return true if the embedder answers and computes the expected descriptors."""
        try:
            return await self._probe()
        except NotReady:  # already logged
            return False

    async def metrics(self) -> bytes:
        """Return BentoML's metrics of the embedder as Prometheus' text; none if it is away.

        On the same machine its page also has what this process counts.
        """
        timeout = aiohttp.ClientTimeout(total=_PROBE_SECONDS)
        try:
            async with self._session.get("/metrics", timeout=timeout) as response:
                page = await response.read() if response.status == 200 else b""
        except (aiohttp.ClientError, TimeoutError):
            return b""
        return b"".join(line for line in page.splitlines(keepends=True) if _BENTOML.match(line))

    async def _probe_until_answered(self) -> None:
        """Probe until the embedder answers, so that a wrong one is logged at the start."""
        while True:
            try:
                if await self._probe():
                    return
            except NotReady:
                return
            await asyncio.sleep(_FIRST_PROBE_SECONDS)

    async def _probe(self) -> bool:
        timeout = aiohttp.ClientTimeout(total=_PROBE_SECONDS)
        try:
            async with self._session.get("/readyz", timeout=timeout) as response:
                if response.status == 200:
                    self._check(response)
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _ask(self, route: str, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        kind = descriptors_kind((version.dimension for version in self._versions), len(images))
        headers = array_headers(images)
        propagate.inject(headers)
        try:
            async with self._session.post(
                route, data=_pieces(array_body(images)), headers=headers
            ) as response:
                self._check(response)
                if response.status != 200:
                    raise NotReady(f"{self._name} failed ({response.status}); its log says why")
                rows = kind.rows(response.headers)
                body = await response.content.readexactly(rows * kind.row_bytes)
        except InvalidArray as error:
            raise NotReady(f"{self._name} answers wrongly: {error}") from error
        except (aiohttp.ClientError, asyncio.IncompleteReadError) as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        except TimeoutError as error:
            raise NotReady(f"{self._name} did not answer in {self._timeout.total:g} s") from error
        if rows != len(images):
            raise NotReady(f"{self._name} described {rows} of {len(images)} images")
        return kind.array(body, rows)

    def _check(self, response: aiohttp.ClientResponse) -> None:
        """Raise `NotReady` if an answer's embedder computes other descriptors than expected."""
        given = response.headers.get(DESCRIPTORS_HEADER, "")
        trouble = "" if given == self._expected else self._mismatch(given)
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble:
                _log.error("%s", trouble)
        if trouble:
            raise NotReady(trouble)

    def _mismatch(self, given: str) -> str:
        if not (theirs := _named(given)):
            return f"{self._name} is not of this release; start one of this release there"
        return (
            f"{self._name} computes {theirs}, but this service {_named(self._expected)}; give both "
            "the same model, LOOKALIKE_DESCRIPTOR, LOOKALIKE_PRECISION and LOOKALIKE_ENGINE"
        )


async def _pieces(body: memoryview) -> AsyncIterator[memoryview]:
    for at in range(0, len(body), _PIECE_BYTES):
        yield body[at : at + _PIECE_BYTES]


def _named(descriptors: str) -> str:
    """Return an `identity` with short fingerprints, for people; empty if it is invalid."""
    found = _NAMED.findall(descriptors[:1000])
    return ", ".join(f"{name} in {precision} ({digest[:12]})" for name, precision, digest in found)
