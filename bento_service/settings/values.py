"""Values of single settings: parsing and checks, as validators of pydantic."""

from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from bento_service.settings.root_list import ConfiguredRoot, parse_roots, split_list

MILVUS_SCHEMES = ("http://", "https://", "tcp://")


def checked_ip_address(value: str) -> str:
    """Return a value that is an IP address."""
    ip_address(value)  # BentoML takes no names
    return value


def checked_milvus_uri(value: str) -> str:
    """Return a value that is the address of a Milvus server or the file of Milvus Lite."""
    if value and not value.startswith(MILVUS_SCHEMES) and not value.endswith(".db"):
        raise ValueError("give http://host:port of a server, or a file whose name ends in .db")
    return value


def parsed_roots(value: object) -> object:
    """Parse image roots from text or paths."""
    if isinstance(value, str):
        return parse_roots(value)
    if isinstance(value, tuple):
        return tuple(ConfiguredRoot(one) if isinstance(one, Path) else one for one in value)
    return value


def split_at_colons(value: object) -> object:
    """Split text at its colons that are not escaped."""
    return split_list(value) if isinstance(value, str) else value


def split_at_commas(value: object) -> object:
    """Split text at its commas into lower-case parts."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip().lower() for part in value.split(",") if part.strip())


def parsed_origins(value: object) -> object:
    """Split text at its commas into origins of web pages."""
    if not isinstance(value, str):
        return value
    origins = tuple(part.strip() for part in value.split(",") if part.strip())
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError("an origin is like https://shop.example, without a path")
    return origins
