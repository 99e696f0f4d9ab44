"""The values of metadata as filters see them, each with its kind and its place."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from unicodedata import normalize

from bento_service.errors import InvalidArgument
from bento_service.filters.expressions import Value

MAX_TEXT = 400
"""Characters of the longest string that can be compared: it has to fit into an index entry."""
MAX_PLACE = 200
"""Characters of the longest place that a filter can name."""
MAX_VALUES = 1000
"""Values that the metadata of one image may hold."""
MAX_KEY = 255
"""Characters of a key of metadata."""
MAX_BYTES = 64 * 2**10
"""Bytes of the metadata of one image, as JSON in UTF-8: every hit reads them."""
_ELEMENTS = "[]"
_PLACES = json.JSONEncoder(separators=(",", ":"))


class Kind(StrEnum):
    """The kind of a value; values are compared only with values of their kind."""

    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"
    NULL = "null"
    OTHER = "other"
    """Lists, objects, and values that no filter can name: too long strings, infinite numbers."""


@dataclass(frozen=True)
class Attribute:
    """A value of an image's metadata at its place; elements of a list share a place."""

    place: str
    kind: Kind
    number: float | None = None
    text: str | None = None


def place(path: Sequence[str]) -> str:
    """Return a path as one string, different for different paths."""
    return _PLACES.encode(path)


def elements(path: Sequence[str]) -> str:
    """Return the place of all elements of the list at a path; no path has the same."""
    return place(path) + _ELEMENTS


def kind_of(value: Any) -> Kind:
    """Return the kind of a JSON value or of a filter's value."""
    if value is None:
        return Kind.NULL
    if isinstance(value, bool):
        return Kind.BOOLEAN
    if isinstance(value, int | float):
        return Kind.NUMBER if _is_finite(value) else Kind.OTHER
    if isinstance(value, str):
        return Kind.STRING if is_comparable(value) else Kind.OTHER
    return Kind.OTHER


def is_comparable(text: str) -> bool:
    """Return whether every database can store and compare a string."""
    return len(text) <= MAX_TEXT and not any(
        letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text
    )


def comparable(value: Any) -> tuple[Kind, Value]:
    """Return a value's kind, and the value as it is compared.

    Numbers are floats; texts are composed (Unicode's NFC), as people type them.
    """
    kind = kind_of(value)
    if kind is Kind.NUMBER:
        return kind, float(value)
    if kind is Kind.STRING:
        return kind, normalize("NFC", value)
    return kind, None if kind is Kind.OTHER else value


def attributes(metadata: Mapping[str, Any]) -> Iterator[Attribute]:
    """Yield every value of metadata that a filter can name."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((key,), metadata[key]) for key in metadata]
    while waiting:
        path, value = waiting.pop()
        where = place(path)
        if len(where) > MAX_PLACE:
            continue
        yield _attribute(where, value)
        if isinstance(value, Mapping):
            waiting += [((*path, key), value[key]) for key in value]
        elif isinstance(value, list):
            yield from (_attribute(where + _ELEMENTS, element) for element in value)


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Raise `InvalidArgument` if metadata is too large, has too long a key or is not Unicode."""
    try:
        size = len(json.dumps(metadata, ensure_ascii=False).encode())
    except UnicodeEncodeError as error:
        raise InvalidArgument("metadata: holds half a surrogate pair, which is not text") from error
    if size > MAX_BYTES:
        raise InvalidArgument(
            f"metadata: has {size} bytes as JSON, at most {MAX_BYTES} are kept with an image; "
            "keep long texts elsewhere, and here where they are"
        )
    for key in _keys(metadata):
        if len(key) > MAX_KEY:
            raise InvalidArgument(
                f"metadata: the key that begins {key[:20]!r} has {len(key)} characters; at most "
                f"{MAX_KEY} are kept"
            )
    for number, _ in enumerate(attributes(metadata), start=1):
        if number > MAX_VALUES:
            raise InvalidArgument(f"metadata: holds more than {MAX_VALUES} values; send fewer")


def _keys(metadata: Mapping[str, Any]) -> Iterator[str]:
    waiting: list[Any] = [metadata]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            yield from value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _attribute(where: str, value: Any) -> Attribute:
    kind, ready = comparable(value)
    if isinstance(ready, str):
        return Attribute(where, kind, text=ready)
    if isinstance(ready, bool | float):
        return Attribute(where, kind, number=float(ready))
    return Attribute(where, kind)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number too large for a float
        return False
