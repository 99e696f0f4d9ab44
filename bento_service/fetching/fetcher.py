"""Fetching of pictures that callers name, without giving them access to this network.

A name is resolved once, every address of it is checked, and the connection goes to an address
that was checked, so a later change of the name's records has no effect. A redirect is
checked like the first URL. The caller gets the same answer for every kind of failure.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from bento_service.errors import (
    Forbidden,
    InvalidArgument,
    Overloaded,
    TooLarge,
    UrlUnreachable,
)
from bento_service.fetching.addresses import may_be_fetched_from
from bento_service.fetching.allowed_urls import allowed_url
from bento_service.settings import Settings

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Returns the addresses of a name, as text."""

AT_ONCE = 8
"""Number of concurrent downloads."""
MAX_REDIRECTS = 5
_IN_MEMORY = 2**20
_BLOCK = 2**16
_REDIRECTS = (301, 302, 303, 307, 308)
# Without `identity` a server may compress, and the byte limit would count compressed bytes.
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "lookalike"}
_FAILED = (
    "nothing could be fetched from there; the URL has to lead to a picture on a public host, "
    "within a few seconds"
)


class _RefusedError(OSError):
    """An address that is not allowed, or a response that is no picture."""


class Fetcher:
    """Downloads of pictures, a few at a time."""

    def __init__(
        self,
        settings: Settings,
        *,
        resolve: Resolve | None = None,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        """Set the rules of downloads; by default with the system's resolver and certificates."""
        self._settings = settings
        self._resolve = resolve or partial(_resolved, ThreadPoolExecutor(AT_ONCE, "resolving"))
        self._trusted: ssl.SSLContext | bool = True if trusted is None else trusted
        self._in_flight = 0

    @asynccontextmanager
    async def picture(self, url: str) -> AsyncIterator[BinaryIO]:
        """Download a picture into a file that is deleted at the end of the block.

        Raises:
            InvalidArgument, Forbidden: The URL is not allowed; see `allowed_url`.
            UrlUnreachable: The download failed.
            TooLarge: The picture exceeds the size limit.
            Overloaded: Too many downloads are running.
        """
        checked = allowed_url(url, self._settings)
        if self._in_flight >= AT_ONCE:
            raise Overloaded(f"{AT_ONCE} pictures are being fetched; try again shortly")
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
            await self._fetch(checked, cast("BinaryIO", file))
            file.seek(0)
            yield cast("BinaryIO", file)

    async def _fetch(self, url: URL, file: BinaryIO) -> None:
        self._in_flight += 1
        try:
            async with asyncio.timeout(self._settings.url_seconds), self._session() as session:
                await self._follow(session, url, file)
        except (aiohttp.ClientError, OSError, ValueError):
            # No cause is attached, because it describes this network.
            raise UrlUnreachable(_FAILED) from None
        finally:
            self._in_flight -= 1

    def _session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(self._checked_addresses),
            use_dns_cache=False,
            socket_factory=self._socket,
            ssl=self._trusted,
            force_close=True,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=self._settings.url_seconds),
        )

    async def _follow(self, session: aiohttp.ClientSession, url: URL, file: BinaryIO) -> None:
        for _ in range(MAX_REDIRECTS + 1):
            async with session.get(url, allow_redirects=False) as answer:
                if answer.status == 200:
                    await self._keep(answer, file)
                    return
                target = answer.headers.get("Location")
                if answer.status not in _REDIRECTS or target is None:
                    raise _RefusedError("no picture")
                url = self._redirected(url, target)
        raise _RefusedError("too many redirects")

    def _redirected(self, url: URL, target: str) -> URL:
        try:
            return allowed_url(str(url.join(URL(target))), self._settings)
        except (InvalidArgument, Forbidden) as error:
            raise _RefusedError("a redirect to a forbidden URL") from error

    async def _keep(self, answer: aiohttp.ClientResponse, file: BinaryIO) -> None:
        most = self._settings.max_upload_bytes
        received = answer.content_length or 0
        if received <= most:
            received = 0
            async for piece in answer.content.iter_chunked(_BLOCK):
                received += len(piece)
                if received > most:
                    break
                file.write(piece)
        if received > most:
            raise TooLarge(f"the picture at the URL has more than {most} bytes")

    async def _checked_addresses(self, host: str) -> Sequence[str]:
        addresses = await self._resolve(host)
        if not addresses or not all(map(self._may_be_asked, addresses)):
            raise _RefusedError("an address that is not public")
        return addresses

    def _socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        """Create a socket after a last check of its address, also for literal addresses in URLs."""
        family, kind, protocol, _, target = address
        if not self._may_be_asked(str(target[0])):
            raise _RefusedError("an address that is not public")
        return socket.socket(family, kind, protocol)

    def _may_be_asked(self, address: str) -> bool:
        return may_be_fetched_from(address, self._settings.url_networks)


class _Resolver(AbstractResolver):
    """A resolver that returns checked addresses to aiohttp."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await self._resolve(host)
        ]

    async def close(self) -> None:
        """Do nothing; the resolver holds no resources."""


async def _resolved(threads: ThreadPoolExecutor, host: str) -> Sequence[str]:
    # Separate threads, so that a slow name server does not block other work.
    ask = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(threads, ask)
    return list(dict.fromkeys(str(one[4][0]) for one in found))
