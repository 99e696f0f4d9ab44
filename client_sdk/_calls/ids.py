"""Ids of images given by callers, checked before the request is sent."""

from client_sdk._arguments import MAX_SHOWN, listed
from client_sdk._calls.pictures import stored_id
from client_sdk.errors import UsageError


def image_id(given: object) -> int:
    """Return the id of one image; a NumPy integer is accepted too.

    Raises:
        UsageError: If it is not an integer, such as a string of digits.
    """
    found = stored_id(given)
    if found is None:
        raise UsageError(
            f"{given!r:.{MAX_SHOWN}} is not the id of an image; give a whole number, such as "
            "hit.image_id or image.id"
        )
    return found


def image_ids(given: object) -> list[int]:
    """Return the ids of several images, or a list of a single given id.

    Raises:
        UsageError: If it is neither an id nor a list of ids.
    """
    single = stored_id(given)
    if single is not None:
        return [single]
    return [image_id(one) for one in listed("ids", given, "whole numbers, such as [1, 2]")]


def whole_numbers(name: str, given: object) -> list[int]:
    """Return a list of integers.

    Raises:
        UsageError: If it is not a list, or one of its items is not an integer.
    """
    numbers = list(listed(name, given, "whole numbers"))
    whole = [found for number in numbers if (found := stored_id(number)) is not None]
    if len(whole) < len(numbers):
        raise UsageError(f"{name} is {numbers!r:.{MAX_SHOWN}}; give whole numbers")
    return whole
