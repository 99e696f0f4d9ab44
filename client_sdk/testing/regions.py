"""Places where pictures differ: what has moved, is missing or is new."""

from PIL import Image

from client_sdk.testing.outcome import Region

_EDGE = 2
"""Pixels around a place that show what it stands out from."""
_FAR = 60
"""The longest way, in pixels, at which a part that has moved is searched for."""


def explained(actual: Image.Image, expected: Image.Image, region: Region) -> Region:
    """Return a region with its kind: moved, missing or new, if one of them explains it."""
    x, y, width, height = region.box
    right, bottom = (
        min(end, most)
        for end, most in zip((x + width + _EDGE, y + height + _EDGE), actual.size, strict=True)
    )
    x, y = max(0, x - _EDGE), max(0, y - _EDGE)
    box = x, y, right, bottom
    before, after = expected.crop(box), actual.crop(box)
    if not is_flat(before) and (way := _way(actual, expected, before, (x, y))) is not None:
        return region.model_copy(update={"what": "moved", "by": way})
    if is_flat(before) != is_flat(after):
        return region.model_copy(update={"what": "missing" if is_flat(after) else "new"})
    return region


def is_flat(image: Image.Image) -> bool:
    """Return True if a picture has a single colour."""
    return len(image.getcolors(image.width * image.height) or ()) == 1


def _way(
    actual: Image.Image, expected: Image.Image, part: Image.Image, start: tuple[int, int]
) -> tuple[int, int] | None:
    """Return how far a part of the expected picture has moved up, down or sideways."""
    middle = part.height // 2
    row = part.crop((0, middle, part.width, middle + 1)).tobytes()
    for far in range(1, _FAR + 1):
        for way in ((0, far), (0, -far), (far, 0), (-far, 0)):
            x, y = start[0] + way[0], start[1] + way[1]
            if actual.crop((x, y + middle, x + part.width, y + middle + 1)).tobytes() != row:
                continue
            box = x, y, x + part.width, y + part.height
            if actual.crop(box).tobytes() == part.tobytes() != expected.crop(box).tobytes():
                return way
    return None
