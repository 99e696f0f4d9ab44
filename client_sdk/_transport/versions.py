"""The versions of the service that this client supports; each answer names its version."""

import re

import httpx

from client_sdk import __version__
from client_sdk.errors import VersionMismatch
from client_sdk.schemas import VERSION_HEADER

OLDEST = (0, 1)
"""The major and minor number of the oldest supported service."""
TOO_NEW = (0, 2)
"""The major and minor number of the first unsupported newer service."""

_NUMBERS = re.compile(r"(\d+)\.(\d+)")


def check_version(response: httpx.Response) -> None:
    """Raise if the service is too old or too new; an answer without a version passes."""
    told = response.headers.get(VERSION_HEADER, "")
    numbers = _NUMBERS.match(told)
    if numbers is None:
        return
    major, minor = int(numbers[1]), int(numbers[2])
    if OLDEST <= (major, minor) < TOO_NEW:
        return
    oldest, too_new = (".".join(map(str, version)) for version in (OLDEST, TOO_NEW))
    fitting = f"the client of Lookalike {major}.{minor}"
    remedy = (
        f"upgrade the service, or install {fitting}"
        if (major, minor) < OLDEST
        else f"install {fitting}"
    )
    raise VersionMismatch(
        f"the service is version {told[:40]}, and this client, {__version__}, understands those "
        f"from {oldest} to before {too_new}; {remedy} (or pass check_version=False)"
    )
