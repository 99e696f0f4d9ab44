"""Screenshots and elements of Playwright's synchronous API, without importing Playwright."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from client_sdk.errors import UsageError

_SCALE = "() => [devicePixelRatio, scrollX, scrollY]"


@runtime_checkable
class Shootable(Protocol):
    """A `Page` or a `Locator`."""

    def screenshot(self, **options: Any) -> Any:
        """Return a screenshot as the bytes of a PNG."""

    def evaluate(self, expression: str) -> Any:
        """Run JavaScript in the page."""


@runtime_checkable
class Element(Protocol):
    """A `Locator`."""

    @property
    def page(self) -> Any:
        """The page of the element."""

    def all(self) -> Any:
        """Return a locator for each matching element."""

    def bounding_box(self) -> Any:
        """Return the place of the element in the window, in CSS pixels."""


def shoot(source: Shootable) -> tuple[bytes, float, tuple[float, float]]:
    """Take a screenshot without animations and text cursor, in device pixels.

    Returns:
        The bytes of the PNG; its device scale factor; its left and upper edge in the window, in
        CSS pixels.

    Raises:
        UsageError: If it belongs to the asynchronous API.
    """
    data = source.screenshot(animations="disabled", caret="hide", scale="device")
    if not isinstance(data, bytes):
        data.close()
        raise UsageError(
            "a page of Playwright's asynchronous API cannot be used; give await page.screenshot()"
        )
    scale, *_ = source.evaluate(_SCALE)
    box = source.bounding_box() if isinstance(source, Element) else {"x": 0, "y": 0}
    return data, scale, (box["x"], box["y"])


def boxes_of(locator: Element) -> list[Mapping[str, float]]:
    """Return the boxes of all visible matches in the window, in CSS pixels.

    Raises:
        UsageError: If nothing visible matches.
    """
    found = [box for match in locator.all() if (box := match.bounding_box())]
    if not found:
        raise UsageError(f"ignore: {locator} matches no visible element")
    return found


def frame_of(locator: Element, size: tuple[int, int]) -> tuple[float, tuple[float, float]]:
    """Return the scale of a screenshot of a locator's page, and its left and upper edge.

    The screenshot is of the window or of the full page, with the width and height `size`.

    Raises:
        UsageError: If it is no screenshot of that page.
    """
    page: Any = locator.page
    scale, left, top = page.evaluate(_SCALE)
    window = page.viewport_size or {"width": size[0] / scale, "height": size[1] / scale}
    width, height = (window[side] * scale for side in ("width", "height"))
    if abs(size[0] - width) > scale:
        raise UsageError(
            f"ignore: {locator} is on a page that is {width:g} pixels wide, but the picture is "
            f"{size[0]} pixels wide; give the page itself, a screenshot of it, or boxes"
        )
    return scale, (-left, -top) if size[1] > height else (0.0, 0.0)
