"""Checks of arguments; a wrong one raises a `UsageError` that names it.

A string can be iterated like a list: without a check `delete("12")` would delete images 1 and 2.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, cast

from client_sdk.errors import UsageError

MAX_SHOWN = 60


def texts(name: str, given: object, items: str) -> Iterator[str]:
    """Yield the strings of a list; the list is checked at once, each string when it is reached.

    Args:
        name: The name of the argument.
        given: The list.
        items: A description of valid items, for the error message.

    Raises:
        UsageError: If it is not a list, or one of its items is not a string.
    """
    return _texts(name, listed(name, given, items), items)


def text_or_texts(name: str, given: object, items: str) -> list[str]:
    """Return the strings of a list, or a list of a single given string.

    Raises:
        UsageError: If it is neither a string nor a list of strings.
    """
    return list(texts(name, (given,) if isinstance(given, str) else given, items))


def listed(name: str, given: object, items: str) -> Iterable[object]:
    """Return a list unchanged.

    Raises:
        UsageError: If it is a single string, bytes, a mapping, or cannot be iterated.
    """
    is_single = isinstance(given, str | bytes | bytearray | memoryview | Mapping)
    if is_single or not isinstance(given, Iterable):
        raise UsageError(f"{name} is {given!r:.{MAX_SHOWN}}; give a list of {items}")
    return cast("Iterable[object]", given)


def _texts(name: str, given: Iterable[object], items: str) -> Iterator[str]:
    for one in given:
        if not isinstance(one, str):
            raise UsageError(f"{name} has {one!r:.{MAX_SHOWN}}; give a list of {items}")
        yield str(one)


def is_whole(value: object, least: int) -> bool:
    """Return True if a value is an integer, at least `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_seconds(value: object) -> bool:
    """Return True if a value is a finite number of seconds, 0 or more."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def check_names(method: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise a `UsageError` for a keyword that a method does not have."""
    options = list(known)
    for name in given:
        if name not in options:
            near = get_close_matches(name, options, 1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(options)}"
            raise UsageError(f"{method}() has no option {name!r}; {hint}")


def metadata_of(metadata: object) -> dict[str, Any]:
    """Return metadata as a dictionary, after checking that it can be written as JSON."""
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise UsageError(f"metadata={metadata!r}; give a mapping such as {{'shop': 'north'}}")
    values = dict(cast("Mapping[str, object]", metadata))
    for name, value in values.items():
        json_text(f"metadata[{name!r}]", value)
    return values


def json_text(name: str, value: object) -> str:
    """Return a value as JSON."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        shown = repr(value)[:80]
        raise UsageError(f"{name} is {shown}, which cannot be written as JSON: {error}") from error
