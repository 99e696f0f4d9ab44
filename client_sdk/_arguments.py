"""Checks of arguments from which a wrong request could be made without anybody noticing.

A text can be iterated like a list: `delete("12")` would delete the images 1 and 2.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from client_sdk._pictures import stored_id
from client_sdk.errors import UsageError

_MAX_SHOWN = 60


def image_id(given: object) -> int:
    """Return the id of one image, also a whole number of NumPy.

    Raises:
        UsageError: If it is something else, such as a text of digits.
    """
    found = stored_id(given)
    if found is None:
        raise UsageError(
            f"{given!r:.{_MAX_SHOWN}} is not the id of an image; give a whole number, such as "
            "hit.image_id or image.id"
        )
    return found


def image_ids(given: object) -> list[int]:
    """Return the ids of several images, or of the one that is given alone.

    Raises:
        UsageError: If it is no list of ids, or one of them is no id.
    """
    single = stored_id(given)
    if single is not None:
        return [single]
    return [image_id(one) for one in listed("ids", given, "whole numbers, such as [1, 2]")]


def whole_numbers(name: str, given: object) -> list[int]:
    """Return a list of whole numbers.

    Raises:
        UsageError: If it is no list, or one of them is no whole number.
    """
    numbers = list(listed(name, given, "whole numbers"))
    whole = [found for number in numbers if (found := stored_id(number)) is not None]
    if len(whole) < len(numbers):
        raise UsageError(f"{name} is {numbers!r:.{_MAX_SHOWN}}; give whole numbers")
    return whole


def texts(name: str, given: object, items: str) -> Iterator[str]:
    """Yield the texts of a list; the list is checked at once, each text when its turn comes.

    Args:
        name: What the caller calls the argument.
        given: The list.
        items: What it has to hold, for the error.

    Raises:
        UsageError: If it is no list, or one of its items is no text.
    """
    return _texts(name, listed(name, given, items), items)


def text_or_texts(name: str, given: object, items: str) -> list[str]:
    """Return the texts of a list, or the one that is given alone.

    Raises:
        UsageError: If it is neither.
    """
    return list(texts(name, (given,) if isinstance(given, str) else given, items))


def listed(name: str, given: object, items: str) -> Iterable[object]:
    """Return a list as it is.

    Raises:
        UsageError: If it is a single text, bytes, a mapping, or cannot be iterated.
    """
    is_single = isinstance(given, str | bytes | bytearray | memoryview | Mapping)
    if is_single or not isinstance(given, Iterable):
        raise UsageError(f"{name} is {given!r:.{_MAX_SHOWN}}; give a list of {items}")
    return cast("Iterable[object]", given)


def _texts(name: str, given: Iterable[object], items: str) -> Iterator[str]:
    for one in given:
        if not isinstance(one, str):
            raise UsageError(f"{name} has {one!r:.{_MAX_SHOWN}}; give a list of {items}")
        yield str(one)
