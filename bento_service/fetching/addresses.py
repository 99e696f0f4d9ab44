"""Public and special-purpose IP addresses."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

# IANA's special-purpose registries: networks that are not assigned to public hosts.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # behind a provider's address translation
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata services of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# Everything else is loopback, link-local, multicast, represents an IPv4 address (mapped,
# compatible, translated by NAT64), or is unassigned.
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocols, among them Teredo, which represents IPv4 addresses
        "2001:db8::/32",
        "2002::/16",  # 6to4, likewise
        "3fff::/20",
    )
)


def may_be_fetched_from(address: str, allowed: Sequence[Network] = ()) -> bool:
    """Return true if an address is public, or in an allowed network; invalid text is neither."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if any(parsed in network for network in allowed):
        return True
    if isinstance(parsed, IPv6Address):
        return (
            parsed.scope_id is None
            and parsed in _PUBLIC_6
            and not any(parsed in network for network in _NOT_PUBLIC_6)
        )
    return not any(parsed in network for network in _NOT_PUBLIC_4)
