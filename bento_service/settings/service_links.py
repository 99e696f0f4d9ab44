"""Service links: variables that Kubernetes sets in each pod for every Service of the namespace.

A Service named `lookalike` sets `LOOKALIKE_PORT=tcp://10.43.7.9:8001` and more. None of them is a
setting.
"""

import os
import re
from collections.abc import Mapping

_NAME = re.compile(
    r"LOOKALIKE_(\w+_)?"
    r"(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_PORT = re.compile(r"LOOKALIKE_(\w+_)?PORT")
_ADDRESS = re.compile(r"(tcp|udp|sctp)://.*")


def service_links(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the names of the service links of an environment, by default the process's."""
    source = os.environ if environment is None else environment
    return tuple(sorted(name for name in source if _is_link(name, source[name])))


def _is_link(name: str, value: str) -> bool:
    is_address = _PORT.fullmatch(name) and _ADDRESS.fullmatch(value)
    return bool(is_address or _NAME.fullmatch(name))
