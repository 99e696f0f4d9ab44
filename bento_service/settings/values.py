"""Validators of single settings."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from bento_service.settings.root_list import ADDRESS, parse_roots, split_list

_CREDENTIALS = re.compile(r"(?<=[/'])[^/@\s']+@")
MILVUS_SCHEMES = ("http://", "https://", "tcp://")


def checked_host(value: str) -> str:
    """Return the IP address of a value; BentoML accepts no host names, and so no `localhost`."""
    if value.lower() == "localhost":
        return "127.0.0.1"
    try:
        return str(ip_address(value.removeprefix("[").removesuffix("]")))
    except ValueError as error:
        raise ValueError("give an IP address, such as 127.0.0.1 or ::1, or localhost") from error


def checked_milvus_uri(value: str) -> str:
    """Return a value that is the URL of a Milvus server or the file of Milvus Lite."""
    if value and not value.startswith(MILVUS_SCHEMES) and not value.endswith(".db"):
        raise ValueError("give http://host:port of a server, or a file whose name ends in .db")
    return value


def checked_storage(value: str) -> str:
    """Return a value that is a folder or the address of a place in object storage."""
    value = value.removeprefix("file://")
    if "::" in value or ("://" in value and not ADDRESS.fullmatch(value)):
        raise ValueError("give a folder, or an address such as s3://bucket/prefix")
    return value


def parsed_roots(value: object) -> object:
    """Parse image roots from text."""
    return parse_roots(value) if isinstance(value, str) else value


def split_at_colons(value: object) -> object:
    """Split text at its unescaped colons."""
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
            raise ValueError("give origins such as https://shop.example, without a path")
    return origins


def explained(error: Mapping[str, object], prefix: str) -> str:
    """Return an error of pydantic with the setting's name and value, but without secrets."""
    location = error["loc"]
    field = str(location[0]) if isinstance(location, tuple) else str(location)
    if field in ("tokens", "milvus_token"):
        return f"{prefix}{field.upper()}: {error['msg']}"  # never the value
    value = _CREDENTIALS.sub("...@", repr(error["input"]))
    return f"{prefix}{field.upper()} is {value}: {error['msg']}"
