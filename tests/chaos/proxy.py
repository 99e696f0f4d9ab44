"""A TCP proxy that can be slow, between a service and its Milvus."""

import socket
import threading
import time
from contextlib import suppress

_BLOCK = 65536


class Proxy:
    """Listens on a free port of the loopback address and passes everything on, `delay` later.

    Attributes:
        delay: Seconds that each block of bytes is held back.
        port: Where it listens.
    """

    def __init__(self, port: int) -> None:
        """Begin.

        Args:
            port: Of the loopback address, to which everything goes.
        """
        self.delay = 0.0
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no new connections."""
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listening.accept()
                try:
                    called = socket.create_connection(("127.0.0.1", self._target), timeout=5)
                except OSError:  # nobody is there, as the caller would see without a proxy
                    caller.close()
                    continue
                called.settimeout(None)
                for one, other in ((caller, called), (called, caller)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while block := source.recv(_BLOCK):
                time.sleep(self.delay)
                target.sendall(block)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
