"""Fetches a picture that somebody else names, and lets nobody look into this network by that.

A name is resolved once, every address of it is checked, and the connection goes to an address
that was checked; so a name server that gives another answer later changes nothing. A redirect is
checked as the first URL was. Whatever goes wrong on the way, the caller is told the same.
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
from bento_service.fetching.places import FetchRules, allowed_place

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""The addresses of a name, as text."""

AT_ONCE = 8
"""Pictures that are fetched at the same time."""
MAX_REDIRECTS = 5
_IN_MEMORY = 2**20
_BLOCK = 2**16
_REDIRECTS = (301, 302, 303, 307, 308)
# Without `identity` a server may compress, and then what comes is not what is counted.
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "lookalike"}
_FAILED = (
    "nothing could be fetched from there; the URL has to lead to a picture on a public host, "
    "within a few seconds"
)


class _RefusedError(OSError):
    """An address that is not asked, or an answer that is not wanted."""


class Fetcher:
    """Fetches pictures, a few at a time."""

    def __init__(
        self,
        rules: FetchRules,
        *,
        resolve: Resolve | None = None,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare.

        Args:
            rules: What may be asked.
            resolve: Gives the addresses of a name; the system does where none is given.
            trusted: Whose certificates are believed; those that the system believes, else.
        """
        self._rules = rules
        self._resolve = resolve or partial(_resolved, ThreadPoolExecutor(AT_ONCE, "resolving"))
        self._trusted: ssl.SSLContext | bool = True if trusted is None else trusted
        self._under_way = 0

    @asynccontextmanager
    async def picture(self, url: str) -> AsyncIterator[BinaryIO]:
        """What a URL leads to, as a file that is gone when the block ends.

        Raises:
            InvalidArgument, Forbidden: The URL may not be asked for; see `allowed_place`.
            UrlUnreachable: Nothing came of it.
            TooLarge: More bytes than a picture may have.
            Overloaded: Too many are being fetched.
        """
        place = allowed_place(url, self._rules)
        if self._under_way >= AT_ONCE:
            raise Overloaded(f"{AT_ONCE} pictures are being fetched; try again shortly")
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
            await self._fetch(place, cast("BinaryIO", file))
            file.seek(0)
            yield cast("BinaryIO", file)

    async def _fetch(self, place: URL, file: BinaryIO) -> None:
        self._under_way += 1
        try:
            async with asyncio.timeout(self._rules.seconds), self._session() as session:
                await self._follow(session, place, file)
        except (aiohttp.ClientError, OSError, ValueError):
            # Not even as its cause: what this was about is nobody's business.
            raise UrlUnreachable(_FAILED) from None
        finally:
            self._under_way -= 1

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
            timeout=aiohttp.ClientTimeout(total=self._rules.seconds),
        )

    async def _follow(self, session: aiohttp.ClientSession, place: URL, file: BinaryIO) -> None:
        for _ in range(MAX_REDIRECTS + 1):
            async with session.get(place, allow_redirects=False) as answer:
                if answer.status == 200:
                    await self._keep(answer, file)
                    return
                target = answer.headers.get("Location")
                if answer.status not in _REDIRECTS or target is None:
                    raise _RefusedError("no picture")
                place = self._redirected(place, target)
        raise _RefusedError("too many redirects")

    def _redirected(self, place: URL, target: str) -> URL:
        try:
            return allowed_place(str(place.join(URL(target))), self._rules)
        except (InvalidArgument, Forbidden) as error:
            raise _RefusedError("a redirect to where nobody may go") from error

    async def _keep(self, answer: aiohttp.ClientResponse, file: BinaryIO) -> None:
        most = self._rules.max_bytes
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
        """A socket for an address; the last look at it, also where the URL held it."""
        family, kind, protocol, _, target = address
        if not self._may_be_asked(str(target[0])):
            raise _RefusedError("an address that is not public")
        return socket.socket(family, kind, protocol)

    def _may_be_asked(self, address: str) -> bool:
        return may_be_fetched_from(address, self._rules.networks)


class _Resolver(AbstractResolver):
    """Gives aiohttp the addresses that were checked."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name."""
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
        """Nothing is open."""


async def _resolved(threads: ThreadPoolExecutor, host: str) -> Sequence[str]:
    # In threads of its own: a slow name server must not hold up what else runs in threads.
    ask = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(threads, ask)
    return list(dict.fromkeys(str(one[4][0]) for one in found))
