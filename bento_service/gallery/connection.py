"""The line to Milvus: made when it is needed, given up when it is dead, and made again.

pymilvus would try a failed call again and again until its time is up, and would let every thread
wait while one of them connects. Here a call is tried once. When Milvus does not answer, the channel
is thrown away, since it may lead to an address where nobody is any more, and the next one is made
after a pause that grows. During the pause searches are refused at once, so that they hold up
neither each other nor anybody else; after it, one of them may try.
"""

import logging
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from grpc import RpcError, StatusCode

from bento_service.gallery.lite_folder import set_aside_if_unusable
from bento_service.gallery.milvus import (
    MilvusClient,
    MilvusException,
    load_lite,
    without_retries,
)
from bento_service.gallery.versions import check_version

SEARCH_SECONDS = 5.0
"""How long a search waits for a Milvus server."""
CALL_SECONDS = 30.0
"""How long everything else does; Lite computes in this process, so its searches have as long."""
CONNECT_SECONDS = 3.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0
_DEFAULT_PORT = 19530

_log = logging.getLogger(__name__)
# pymilvus asks an idle server every ten seconds whether it is there, which Lite takes for abuse.
_LITE_CHANNEL = {"grpc.keepalive_time_ms": 300_000, "grpc.keepalive_permit_without_calls": False}
# Otherwise a new channel would take over the dead connection of the one before.
_SERVER_CHANNEL = {"grpc.use_local_subchannel_pool": 1}


class Away(ConnectionError):
    """Milvus did not answer a moment ago, so it was not asked."""


class Connection:
    """One client for all threads. Close it at the end; until then it comes back by itself."""

    def __init__(self, uri: str) -> None:
        """Prepare; the connection is made by the first call that needs it.

        Args:
            uri: `http://host:port` of a server, or the path of Milvus Lite's folder.
        """
        self.uri = uri
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
        """Whether it is Milvus Lite, which nobody else uses."""
        return "://" not in self.uri

    @property
    def answers(self) -> bool:
        """Whether the last call was answered."""
        return self._failures == 0

    @property
    def search_seconds(self) -> float:
        """How long a search may take."""
        return CALL_SECONDS if self.is_embedded else SEARCH_SECONDS

    def client(self) -> MilvusClient:
        """The client, connected.

        Raises:
            OSError: Nobody answers, or did not a moment ago.
            IndexUnavailable: It is a Milvus that is too old.
        """
        with self._connecting:
            if self._client is None:
                # A silent host takes long to give up; those who waited here need not try as well.
                if time.monotonic() < self._not_before:
                    raise Away("the last attempt to connect has just failed")
                try:
                    self._client = self._connect()
                except (MilvusException, RpcError) as error:
                    self._failed()
                    raise ConnectionError(f"no connection: {error}") from error
                except BaseException:
                    self._failed()
                    raise
            return self._client

    @contextmanager
    def call(self, *, hurried: bool = False) -> Iterator[None]:
        """Do something with the client; notices whether Milvus answers.

        Args:
            hurried: Refuse at once while Milvus is away, and take a missed time limit for a sign
                that it is. Otherwise a missed limit may mean that there is much to do.

        Raises:
            Away: It is hurried and Milvus does not answer.
        """
        if hurried:
            self._admit()
        with self._state:
            self._calls += 1
        try:
            yield
        except RpcError as error:
            if self._is_dead(error, hurried=hurried):
                self._give_up()
            raise
        except MilvusException:
            self._failures = 0  # a refusal is an answer
            raise
        else:
            self._failures = 0
        finally:
            with self._state:
                self._calls -= 1
                done = [] if self._calls else self._retired
                if done:
                    self._retired = []
            for client in done:  # no call is under way that closing would break off
                client.close()

    def close(self) -> None:
        """Close it; the next call would connect again."""
        with self._connecting:
            for client in (*self._retired, self._client):
                if client is not None:
                    client.close()
            self._client, self._retired = None, []

    def _admit(self) -> None:
        with self._state:
            if self._failures == 0:
                return
            now = time.monotonic()
            if now < max(self._not_before, self._tried_until):
                raise Away("it did not answer a moment ago")
            self._tried_until = now + SEARCH_SECONDS

    def _is_dead(self, error: RpcError, *, hurried: bool) -> bool:
        if self.is_embedded:
            return False
        code = error.code() if hasattr(error, "code") else None
        return code in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED) or (
            hurried and code is StatusCode.DEADLINE_EXCEEDED
        )

    def _give_up(self) -> None:
        with self._connecting:
            if self._client is not None:
                with self._state:
                    self._retired.append(self._client)
                self._client = None
                self._failed()

    def _failed(self) -> None:
        with self._state:
            pause = min(_FIRST_PAUSE * 2**self._failures, _LONGEST_PAUSE)
            self._failures = min(self._failures + 1, 10)
            # Drawn, so that many services do not come back to a starting Milvus all at once.
            self._not_before = time.monotonic() + pause * random.uniform(0.5, 1.0)  # noqa: S311
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
            self._knock()
        client = MilvusClient(
            self.uri, timeout=CONNECT_SECONDS, dedicated=True, grpc_options=channel
        )
        without_retries(client)
        try:
            if not self.is_embedded:
                check_version(client.get_server_version(timeout=CONNECT_SECONDS))
        except BaseException:
            client.close()
            raise
        return client

    def _knock(self) -> None:
        """Find out at once where nobody listens; pymilvus would go on trying."""
        parts = urlsplit(self.uri)
        port = parts.port or (443 if parts.scheme == "https" else _DEFAULT_PORT)
        socket.create_connection((parts.hostname or "localhost", port), CONNECT_SECONDS).close()
