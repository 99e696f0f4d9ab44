"""Checks of what callers pass: a mistake becomes a `UsageError` that names the argument."""

import json
import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, cast

from client_sdk.errors import UsageError


def is_whole(value: object, least: int) -> bool:
    """Tell whether a value is a whole number and not below `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_seconds(value: object) -> bool:
    """Tell whether a value is a finite number of seconds, 0 or more."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def check_names(method: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse keywords that a method does not have."""
    options = list(known)
    for name in given:
        if name not in options:
            near = get_close_matches(name, options, 1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(options)}"
            raise UsageError(f"{method}() has no option {name!r}; {hint}")


def listed(name: str, values: object, single: type = str) -> list[Any]:
    """Return one value or several as a list."""
    if isinstance(values, single):
        return [values]
    if not isinstance(values, Iterable):
        raise UsageError(f"{name}={values!r}; give one value or a list of values")
    return list(cast("Iterable[object]", values))


def metadata_of(metadata: object) -> dict[str, Any]:
    """Return metadata as a dictionary that JSON can carry."""
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
