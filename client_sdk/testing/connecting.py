"""A client for a suite: of a service, or of the engine in this process."""

import os
from collections.abc import Mapping

from client_sdk.client import Client
from client_sdk.errors import LookalikeError, UsageError

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
    client = _local(address.removeprefix(LOCAL)) if address.startswith(LOCAL) else Client(url)
    try:
        client.info()
    except LookalikeError:
        client.close()
        raise
    return client


def _local(folder: str) -> Client:
    make = getattr(Client, "local", None)
    if make is None:
        raise UsageError(f"this client runs no engine of its own; {LOCAL}{folder} needs one")
    local: Client = make(folder or None)
    return local
