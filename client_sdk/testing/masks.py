"""The parts of a picture that an assertion ignores."""

import math
from collections.abc import Iterable, Mapping
from typing import cast

from client_sdk._arguments import is_list, shortened
from client_sdk.errors import UsageError
from client_sdk.testing.pictures import Box, Shot
from client_sdk.testing.playwright import Element, boxes_of, frame_of

AnyBox = Iterable[float] | Mapping[str, float] | Element
"""A box, the mapping of Playwright's `bounding_box()` or Selenium's `rect`, or a `Locator`."""


def boxes(given: Iterable[AnyBox], shot: Shot) -> tuple[Box, ...]:
    """Return checked boxes in pixels of a picture.

    The boxes are given in its pixels; if it was taken from a page of Playwright, in CSS pixels of
    the window.

    Raises:
        UsageError: If it is not a list; if one of its items is not a box, has no area, or is a
            locator without a visible match.
    """
    if not is_list(given):
        advice = "give a list of boxes, (x, y, width, height) each, or locators"
        raise UsageError(f"ignore is {shortened(given)}; {advice}")
    found: list[Box] = []
    for one in given:
        scale, start = shot.scale, shot.start
        if not isinstance(one, Element):
            found.append(_scaled(_box(one), scale, start))
            continue
        if not shot.is_taken:
            scale, start = frame_of(one, shot.image.size)
        found += [_scaled(_box(box), scale, start) for box in boxes_of(one)]
    return tuple(found)


def _scaled(box: Box, scale: float, start: tuple[float, float]) -> Box:
    x, y, width, height = box
    return (x - start[0]) * scale, (y - start[1]) * scale, width * scale, height * scale


def _box(given: object) -> Box:
    try:
        if isinstance(given, Mapping):
            sides = cast("Mapping[str, float]", given)
            numbers = [float(sides[name]) for name in ("x", "y", "width", "height")]
        else:
            items = () if isinstance(given, str | bytes) else cast("Iterable[float]", given)
            numbers = [float(number) for number in items]
        x, y, width, height = numbers
    except (KeyError, TypeError, ValueError) as error:
        advice = "give a list of boxes, each (x, y, width, height) in pixels"
        raise UsageError(f"ignore has {given!r}, which is not a box; {advice}") from error
    if not (math.isfinite(x + y) and 0 < width < math.inf and 0 < height < math.inf):
        raise UsageError(f"{given!r} is a box without area; give (x, y, width, height)")
    return x, y, width, height
