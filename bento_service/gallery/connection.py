"""The connection to Milvus: made when it is needed, closed when it is dead, and made again.

pymilvus would retry a failed call until its time limit, and would block every thread while one of
them connects. Here a call is tried once. If Milvus does not answer, the channel is closed, since it
may lead to an old address, and the next one is made after a pause that grows. During the pause
searches fail at once, so that they do not block other requests; after it, one of them may try.
"""

import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from grpc import RpcError, StatusCode

from bento_service.errors import IndexUnanswered, IndexUnavailable
from bento_service.gallery.lite_folder import set_aside_if_unusable
from bento_service.gallery.milvus import MilvusClient, MilvusException, load_lite, without_retries
from bento_service.gallery.versions import check_version

SEARCH_SECONDS = 5.0
"""The time limit of a search of a Milvus server."""
CALL_SECONDS = 30.0
"""The time limit of every other call, and of searches of the embedded Milvus Lite."""
CONNECT_SECONDS = 3.0
_DEFAULT_PORT = 19530
_DEAD = (StatusCode.UNAVAILABLE, StatusCode.CANCELLED)

_log = logging.getLogger(__name__)
# pymilvus pings an idle server every ten seconds, which Lite rejects as abuse. Lite is in this
# process, where no proxy of the environment leads to.
_LITE_CHANNEL = {
    "grpc.keepalive_time_ms": 300_000,
    "grpc.keepalive_permit_without_calls": False,
    "grpc.enable_http_proxy": 0,
}
# Otherwise a new channel would take over the dead connection of the one before.
_SERVER_CHANNEL = {"grpc.use_local_subchannel_pool": 1}


class BackingOff(ConnectionError):
    """A refused call, because Milvus did not answer a moment ago."""


@dataclass
class Connection:
    """One client for all threads, connected by the first call that needs it. Close it at the end.

    Attributes:
        uri: `http://host:port` or `http://host:port/database` of a server, or the path of Milvus
            Lite's folder.
        options: The options of `MilvusClient`: a token and certificates for a server.
        connect_seconds: The time limit of connecting.
        first_pause: Seconds before connecting again; each later pause is twice as long.
        longest_pause: Most seconds between two attempts.
        clock: Returns the time in seconds.
    """

    uri: str
    _: KW_ONLY
    options: Mapping[str, str] = field(default_factory=dict)
    connect_seconds: float = CONNECT_SECONDS
    first_pause: float = 0.5
    longest_pause: float = 5.0
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._connecting = threading.Lock()
        self._state = threading.Lock()
        self._client: MilvusClient | None = None
        self._calls = 0
        self._retired: list[MilvusClient] = []
        self._failures = 0
        self._not_before = 0.0
        self._tried_until = 0.0

    @property
    def is_embedded(self) -> bool:
        """True if it is Milvus Lite, which runs in this process."""
        return "://" not in self.uri

    @property
    def answers(self) -> bool:
        """True if the last call was answered."""
        return self._failures == 0

    @property
    def search_seconds(self) -> float:
        """The time limit of a search."""
        return CALL_SECONDS if self.is_embedded else SEARCH_SECONDS

    def client(self) -> MilvusClient:
        """Return the client; connect first if there is none.

        Raises:
            OSError: Milvus does not answer, or did not a moment ago.
            IndexUnavailable: The Milvus server is too old.
        """
        with self._connecting:
            if self._client is None:
                # A silent host takes seconds to fail; threads that waited here need not try too.
                if self.clock() < self._not_before:
                    raise BackingOff("the last attempt to connect has just failed")
                try:
                    self._client = self._connect()
                except (MilvusException, RpcError) as error:
                    self._failed()
                    raise ConnectionError(self._no_connection(error)) from error
                except BaseException:
                    self._failed()
                    raise
            return self._client

    @contextmanager
    def calling(self, what: str, *, fail_fast: bool = False) -> Iterator[None]:
        """Make calls with the client; see `call`.

        Raises:
            IndexUnanswered: A call got no answer; the message says that it failed to do `what`.
            IndexUnavailable: Milvus refused a call; the message says the same.
        """
        try:
            with self.call(fail_fast=fail_fast):
                yield
        except (MilvusException, RpcError, OSError) as error:
            if not isinstance(error, BackingOff):  # the failure before it is in the log
                _log.warning("Milvus failed to %s: %s", what, _summary(error))
            kind = IndexUnanswered if is_unanswered(error) else IndexUnavailable
            raise kind(
                f"the index does not answer (it failed to {what}); nothing is lost, try again "
                "shortly"
            ) from error

    @contextmanager
    def call(self, *, fail_fast: bool = False) -> Iterator[None]:
        """Make calls with the client, and note whether Milvus answers.

        Args:
            fail_fast: Fail at once while Milvus does not answer, and treat a missed time limit
                like a dead connection. Other calls may miss it because they have much to do.

        Raises:
            BackingOff: With `fail_fast`, Milvus did not answer a moment ago.
        """
        if fail_fast:
            self._admit()
        with self._state:
            self._calls += 1
            client = self._client
        try:
            yield
        except RpcError as error:
            if self._is_dead(error, fail_fast=fail_fast):
                self._retire_client(client)
            raise
        except MilvusException:
            self._failures = 0  # a refusal is an answer
            raise
        else:
            self._failures = 0
        finally:
            with self._state:
                self._calls -= 1
                unused = [] if self._calls else self._retired
                if unused:
                    self._retired = []
            for client in unused:  # closing it earlier would abort calls of other threads
                client.close()

    def close(self) -> None:
        """Close the client; the next call would connect again."""
        with self._connecting:
            for client in (*self._retired, self._client):
                if client is not None:
                    client.close()
            self._client, self._retired = None, []

    def _admit(self) -> None:
        with self._state:
            if self._failures == 0:
                return
            now = self.clock()
            if now < max(self._not_before, self._tried_until):
                raise BackingOff("it did not answer a moment ago")
            self._tried_until = now + SEARCH_SECONDS

    def _is_dead(self, error: RpcError, *, fail_fast: bool) -> bool:
        if self.is_embedded:
            return False
        code = _code(error)
        return code in _DEAD or (fail_fast and code is StatusCode.DEADLINE_EXCEEDED)

    def _retire_client(self, used: MilvusClient | None) -> None:
        """Close the client that a call began with, once no call uses it; keep a newer one."""
        with self._connecting:
            if self._client is not None and (used is None or used is self._client):
                with self._state:
                    self._retired.append(self._client)
                self._client = None
                self._failed()

    def _failed(self) -> None:
        with self._state:
            pause = min(self.first_pause * 2**self._failures, self.longest_pause)
            self._failures = min(self._failures + 1, 10)
            # Random, so that many services do not reconnect to a starting Milvus all at once.
            self._not_before = self.clock() + pause * random.uniform(0.5, 1.0)  # noqa: S311
            self._tried_until = 0.0

    def _connect(self) -> MilvusClient:
        channel = _SERVER_CHANNEL
        if self.is_embedded:
            folder = Path(self.uri)
            folder.parent.mkdir(parents=True, exist_ok=True)
            set_aside_if_unusable(folder)
            load_lite()
            channel = _LITE_CHANNEL
        else:
            self._check_port()
        client = MilvusClient(
            self.uri,
            timeout=self.connect_seconds,
            dedicated=True,
            grpc_options=channel,
            **self.options,
        )
        without_retries(client)
        try:
            if not self.is_embedded:
                check_version(client.get_server_version(timeout=self.connect_seconds))
        except BaseException:
            client.close()
            raise
        return client

    def _no_connection(self, error: Exception) -> str:
        if self.is_embedded:
            return f"no connection: {error}"
        # Milvus and pymilvus name no reason if a token or a certificate is wrong.
        return (
            "its port is open, but it accepts no connection; if that goes on, correct "
            f"LOOKALIKE_MILVUS_TOKEN and the certificates ({_summary(error)})"
        )

    def _check_port(self) -> None:
        """Fail at once if nothing listens on the port; pymilvus would keep trying."""
        parts = urlsplit(self.uri)
        port = parts.port or (443 if parts.scheme == "https" else _DEFAULT_PORT)
        address = (parts.hostname or "localhost", port)
        socket.create_connection(address, self.connect_seconds).close()


def is_unanswered(error: Exception) -> bool:
    """Return true if a call got no answer, as from a Milvus that is away or slow."""
    return isinstance(error, OSError) or _code(error) in (*_DEAD, StatusCode.DEADLINE_EXCEEDED)


def _code(error: Exception) -> StatusCode | None:
    if isinstance(error, RpcError) and hasattr(error, "code"):
        code: StatusCode | None = error.code()
        return code
    return None


def _summary(error: Exception) -> str:
    if isinstance(error, RpcError) and hasattr(error, "details"):
        return f"{error.code().name}: {error.details()}"[:300]
    first_line, *_ = str(error).splitlines() or [""]
    return first_line[:300]
