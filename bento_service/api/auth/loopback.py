"""Which hosts only this machine can reach, and where a request says who has connected."""

import ipaddress

CONNECTION = "lookalike_connection"
"""The key of an ASGI scope for a connection's own peer and scheme, whatever headers say."""


def is_loopback(host: str) -> bool:
    """Whether a host, an address or `localhost`, is this machine's loopback interface."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    # An IPv4 connection of a server that listens on `::`.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
