"""The client of a test suite, for a service or for the engine in this process."""

import os
from collections.abc import Mapping

from client_sdk._sync.client import Client
from client_sdk.errors import LookalikeError

LOCAL = "local:"
"""The prefix of an address that opens the engine in this process: `local:FOLDER`.

`local:` alone uses a temporary folder."""


def open_client(url: str | None = None, environ: Mapping[str, str] = os.environ) -> Client:
    """Return a client, after checking that the service answers.

    Args:
        url: The address of the service, or `local:FOLDER`; else `LOOKALIKE_URL`, else the default
            address.
        environ: The environment variables.

    Raises:
        LookalikeError: If the service does not answer.
    """
    address = url or environ.get("LOOKALIKE_URL") or ""
    if address.startswith(LOCAL):
        client = Client.local(address.removeprefix(LOCAL) or None)
    else:
        client = Client(url)
    try:
        client.info()
    except LookalikeError:
        client.close()
        raise
    return client
