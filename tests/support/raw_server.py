"""A server that answers in whatever way a test wants, over plain sockets."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

Answer = Callable[[socket.socket, bytes], None]


class RawServer:
    """Answers each connection with a function of its own, byte by byte if need be.

    Attributes:
        heads: The heads of all requests that came.
        connections: How many connections were made.
    """

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self.answers: dict[str, Answer] = {}
        self._stop = threading.Event()
        self._listening = socket.create_server((address, 0))
        self._listening.settimeout(0.1)
        self.port = int(self._listening.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def is_stopped(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        self._listening.close()

    def gives(self, path: str, body: bytes, *headers: str, status: str = "200 OK") -> str:
        """Have a path answered; returns the path."""
        size = () if any("ength" in header for header in headers) else (len(body),)
        lines = [f"HTTP/1.1 {status}", *headers, *(f"Content-Length: {n}" for n in size)]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        self.answers[path] = lambda connection, _: connection.sendall(head + body)
        return path

    def redirects(self, path: str, target: str, status: int = 302) -> str:
        """Have a path lead to another URL; returns the path."""
        return self.gives(path, b"", f"Location: {target}", status=f"{status} Moved")

    def trickle(self, connection: socket.socket, piece: bytes, pause: float = 0.05) -> None:
        """Send the same again and again, until nobody wants it any more."""
        with suppress(OSError):
            while not self.is_stopped:
                connection.sendall(piece)
                time.sleep(pause)

    def _accept(self) -> None:
        while not self.is_stopped:
            with suppress(TimeoutError):
                connection, _ = self._listening.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(60)
        with connection, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head and (piece := connection.recv(65536)):
                head += piece
            self.heads.append(head)
            _, _, rest = head.decode("latin-1").partition(" ")
            if answer := self.answers.get(rest.partition(" ")[0]):
                answer(connection, head)
