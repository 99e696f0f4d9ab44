"""TCP connections to a server, for requests that no HTTP client would send."""

import json
import socket
from contextlib import contextmanager
from http.client import HTTPResponse

import psutil

PATIENCE = 60  # so long the tests wait for what takes some seconds


@contextmanager
def connected(server, sent=b""):
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(sent)
        yield connection


def is_established(port, connection):
    """Return whether the server keeps its end of a connection open."""
    own = connection.getsockname()[1]
    return any(
        one.laddr.port == port and one.raddr and one.raddr.port == own
        for one in psutil.net_connections("tcp4")
        if one.status == psutil.CONN_ESTABLISHED
    )


def is_hung_up(connection, sent):
    """Send something; return whether the server has closed the connection."""
    try:
        connection.sendall(sent)
    except ConnectionError:
        return True
    return False


def post(path="/api/v2/train", length=100, more=""):
    kind = "" if "Content-Type" in more else "Content-Type: application/json\r\n"
    size = "" if length is None else f"Content-Length: {length}\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {'a' * 20}\r\n"
    return f"{head}{kind}{size}{more}\r\n".encode()


def read(connection):
    """Read until the other side closes the connection."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionError:
        pass
    return received


def is_alive(connection):
    """Ask whether the service is alive, and read the whole answer."""
    connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status == 200


def problem(received):
    """Return the status and the body of an answer that is a problem document."""
    head, _, body = received.partition(b"\r\n\r\n")
    found = json.loads(body)
    assert b"content-type: application/problem+json" in head.lower()
    assert found["request_id"].encode() in head
    assert int(head.split()[1]) == found["status"]
    return found
