"""Ids of images as callers give them, checked before anything is sent."""

from client_sdk._arguments import MAX_SHOWN, listed
from client_sdk._calls.pictures import stored_id
from client_sdk.errors import UsageError


def image_id(given: object) -> int:
    """Return the id of one image, also a whole number of NumPy.

    Raises:
        UsageError: If it is something else, such as a text of digits.
    """
    found = stored_id(given)
    if found is None:
        raise UsageError(
            f"{given!r:.{MAX_SHOWN}} is not the id of an image; give a whole number, such as "
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
        raise UsageError(f"{name} is {numbers!r:.{MAX_SHOWN}}; give whole numbers")
    return whole
