"""Which hosts only this machine can reach."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a host, an address or `localhost`, is this machine's loopback interface."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    # An IPv4 connection of a server that listens on `::`.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
