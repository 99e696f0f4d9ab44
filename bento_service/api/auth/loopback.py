"""Loopback addresses, and the peers of connections."""

import ipaddress

CONNECTION = "lookalike_connection"
"""The key of an ASGI scope for a connection's peer and scheme, before headers are applied."""


def is_loopback(host: str) -> bool:
    """Return true if a host is `localhost` or a loopback address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    # A server that listens on `::` sees IPv4 connections as mapped addresses.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
