"""The client of a test suite, for a service or for the engine in this process."""

from client_sdk._sync.client import Client
from client_sdk.errors import LookalikeError


def open_client(url: str | None = None) -> Client:
    """Return a client of the service at an address, after checking that it answers.

    Raises:
        LookalikeError: If the service does not answer.
    """
    client = Client(url or None)
    try:
        client.info()
    except LookalikeError:
        client.close()
        raise
    return client
