"""A client for a suite: of a service, or of the engine in this process."""

import os
from collections.abc import Mapping

from client_sdk._sync.client import Client
from client_sdk.errors import LookalikeError

LOCAL = "local:"
"""What the address begins with where no service is meant, but a folder: `local:FOLDER`.

`local:` alone means a temporary folder."""


def open_client(url: str | None = None, environ: Mapping[str, str] = os.environ) -> Client:
    """A client that is known to get answers.

    Args:
        url: Where the service is, or `local:FOLDER`; else `LOOKALIKE_URL`, else the usual place.
        environ: The environment.

    Raises:
        LookalikeError: If there are no answers.
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
