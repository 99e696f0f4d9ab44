"""Comparison of pictures pixel by pixel, which tolerates the noise of rendering.

A pixel differs if its colour does (Kotsarenko and Ramos, 2010), unless the anti-aliasing of an edge
explains it (Vysniauskas, 2009). Differing pixels count where they are dense: `_FEWEST` of them in
a window of `_WINDOW` pixels. They do not count where one of `_SHIFTS` explains them, as other font
metrics cause it, or where they are a text cursor.
"""

from collections.abc import Iterable, Iterator
from functools import partial, reduce
from itertools import product
from typing import Any, cast

import pybind11_pixelmatch  # pyright: ignore[reportMissingTypeStubs]
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from client_sdk.testing.outcome import PixelBox, PixelDifference, Region

_THRESHOLD = 0.1
"""The smallest colour difference, as a share of the largest one; the default of pixelmatch."""
_WINDOW, _FEWEST = 9, 3
_CELL = 16
"""The side of the square cells that are judged one by one, in pixels."""
_AROUND = 8
"""Pixels around a cell in which a shift must explain every difference, too."""
_EXPLAINED = 0.3
"""The smallest share of the pixels that a shift would change which must have changed."""
_LARGE = 0.2
"""A share of differing pixels that no shift explains, so that none is tried."""
_CURSOR_RATIO, _TALLEST_CURSOR = 14, 80
_LISTED = 20
_SEARCHED = 5
_EDGE = 2
"""Pixels around a place that show what it stands out from."""
_FAR = 60
"""The longest way, in pixels, at which a part that has moved is searched for."""

_MOST_SHIFT = 2
_WAYS = range(-_MOST_SHIFT, _MOST_SHIFT + 1)
_SHIFTS = sorted(
    (shift for shift in product(_WAYS, _WAYS) if 0 < abs(shift[0]) + abs(shift[1]) <= _MOST_SHIFT),
    key=lambda shift: shift[0] ** 2 + shift[1] ** 2,
)
"""The shifts that are tolerated: to the right and down, in pixels, the shortest first.

Longer diagonal ones would explain another digit.
"""
_RED, _PALE = (214, 32, 32), (255, 196, 190)
_FAINT = 0.75  # share of white that is blended over the expected picture

_Cell = tuple[int, int]
_Shift = tuple[int, int]


def difference(
    actual: Image.Image, expected: Image.Image
) -> tuple[PixelDifference, Image.Image | None]:
    """Compare two RGBA pictures.

    Returns:
        The difference; and, unless they are the same, the faded expected picture with the differing
        pixels in red. Pictures of different sizes are not compared, and nothing is drawn.
    """
    sizes = actual.size, expected.size
    if actual.size != expected.size:
        return PixelDifference(size=sizes[0], expected_size=sizes[1]), None
    cells: set[_Cell] = set()
    mask = Image.new("L", actual.size)
    for one, other in zip(_grounds(actual, expected), _grounds(expected, actual), strict=True):
        found = _differing(one, other)
        cells.update(_changed_cells(one, other, found))
        mask = ImageChops.lighter(mask, found)
    pictures = actual, expected
    groups = [group for group in _groups(cells) if not _is_cursor(mask, group, pictures)]
    regions = [_region(mask, group) for group in groups]
    regions.sort(key=lambda region: -region.pixels)
    for place, region in enumerate(regions[:_SEARCHED]):
        regions[place] = _explained(actual, expected, region)
    counted = _only(mask, [region.box for region in regions])
    result = PixelDifference(
        size=sizes[0],
        expected_size=sizes[1],
        differing=sum(region.pixels for region in regions),
        places=len(regions),
        tolerated=_count(mask) - _count(counted),
        regions=tuple(regions[:_LISTED]),
    )
    return result, _drawn(expected, counted, regions) if regions else None


def _grounds(picture: Image.Image, other: Image.Image) -> list[Image.Image]:
    """Return a picture on white; on black as well, if one of the two is transparent somewhere."""
    grounds = ["white"]
    if any(image.getchannel("A").getextrema()[0] != 255 for image in (picture, other)):
        grounds.append("black")
    return [
        Image.alpha_composite(Image.new("RGBA", picture.size, ground), picture)
        for ground in grounds
    ]


def _differing(one: Image.Image, other: Image.Image, *, smoothed: bool = False) -> Image.Image:
    """Return the mask of differing pixels; with `smoothed`, those of smoothed edges as well."""
    library = cast("Any", pybind11_pixelmatch)
    options = library.Options()
    options.threshold, options.includeAA, options.diffMask = _THRESHOLD, smoothed, True
    shape = one.height, one.width, 4
    drawn = bytearray(one.height * one.width * 4)
    library.pixelmatch(
        memoryview(one.tobytes()).cast("B", shape),
        memoryview(other.tobytes()).cast("B", shape),
        output=memoryview(drawn).cast("B", shape),
        options=options,
    )
    return Image.frombytes("RGBA", one.size, bytes(drawn)).getchannel("A").point(_to_white)


def _to_white(value: float) -> float:
    return 255 if value else 0


def _dense(mask: Image.Image) -> Image.Image:
    least = int(255 * _FEWEST / _WINDOW**2)
    near = mask.filter(ImageFilter.BoxBlur(_WINDOW // 2))
    return ImageChops.multiply(mask, near.point([0] * least + [255] * (256 - least)))


def _changed_cells(one: Image.Image, other: Image.Image, mask: Image.Image) -> set[_Cell]:
    """Return the cells with dense differences that no small shift explains."""
    small = _dense(mask).reduce(_CELL)
    left = {(n % small.width, n // small.width) for n, value in enumerate(small.tobytes()) if value}
    if _count(mask) > _LARGE * mask.width * mask.height:
        return left
    for shift in _SHIFTS:
        if not left:
            break
        box = _bounds(left, one.size, around=_AROUND + _MOST_SHIFT)
        left -= set(_explained_cells(one.crop(box), other.crop(box), shift, left, box))
    return left


def _explained_cells(
    one: Image.Image, other: Image.Image, shift: _Shift, cells: Iterable[_Cell], box: PixelBox
) -> Iterator[_Cell]:
    """Yield the cells of a part of the pictures whose content has moved by a shift."""
    back = -shift[0], -shift[1]
    rest = _dense(
        ImageChops.lighter(
            _differing(one, _nearest(one, other, shift)),
            _differing(other, _nearest(other, one, back)),
        )
    )
    changed = _differing(one, other, smoothed=True)
    would_change = _differing(other, _moved(other, shift), smoothed=True)
    for cell in cells:
        left, top, right, bottom = _bounds([cell], (box[2], box[3]))
        near = left - box[0], top - box[1], right - box[0], bottom - box[1]
        near = max(0, near[0]), max(0, near[1]), near[2], near[3]
        is_enough = _count(changed.crop(near)) >= _EXPLAINED * _count(would_change.crop(near))
        if is_enough and rest.crop(near).getbbox() is None:
            yield cell


def _nearest(one: Image.Image, other: Image.Image, shift: _Shift) -> Image.Image:
    """Return the colours nearest to `one` between those of `other` before and after the shift.

    A shift by a part of a pixel mixes neighbouring colours, so both sides of it are included.
    """
    ways = [{0, way, way - (way > 0) + (way < 0)} for way in shift]
    moved = [_moved(other, place) for place in product(ways[0], ways[1])]
    darkest, lightest = reduce(ImageChops.darker, moved), reduce(ImageChops.lighter, moved)
    return ImageChops.lighter(ImageChops.darker(one, lightest), darkest)


def _moved(image: Image.Image, shift: _Shift) -> Image.Image:
    moved = image.copy()
    moved.paste(image, shift)
    return moved


def _bounds(cells: Iterable[_Cell], size: tuple[int, int], *, around: int = _AROUND) -> PixelBox:
    """Return the left, top, right and bottom edge of cells and the pixels around them."""
    columns, rows = zip(*cells, strict=True)
    return (
        max(0, min(columns) * _CELL - around),
        max(0, min(rows) * _CELL - around),
        min(size[0], (max(columns) + 1) * _CELL + around),
        min(size[1], (max(rows) + 1) * _CELL + around),
    )


def _groups(cells: set[_Cell]) -> Iterator[set[_Cell]]:
    """Yield the groups of adjacent cells."""
    left = set(cells)
    while left:
        group, edge = set[_Cell](), {left.pop()}
        while edge:
            column, row = edge.pop()
            group.add((column, row))
            near = product(range(column - 1, column + 2), range(row - 1, row + 2))
            edge |= left.intersection(near)
            left -= edge
        yield group


def _is_cursor(mask: Image.Image, group: set[_Cell], pictures: Iterable[Image.Image]) -> bool:
    """Return True if all differing pixels near a group are in one thin, upright bar.

    The bar has a single colour in one of the pictures. It may touch a letter, so not all of its
    pixels differ.
    """
    bounds = _bounds(group, mask.size)
    left, top, right, bottom = mask.crop(bounds).getbbox() or (0, 0, 1, 1)
    width, height = right - left, bottom - top
    box = bounds[0] + left, bounds[1] + top, bounds[0] + right, bounds[1] + bottom
    is_bar = _CURSOR_RATIO * width <= height <= _TALLEST_CURSOR
    return is_bar and any(_is_flat(picture.crop(box)) for picture in pictures)


def _region(mask: Image.Image, group: set[_Cell]) -> Region:
    left, top, right, bottom = _bounds(group, mask.size)
    inner = mask.crop((left, top, right, bottom))
    x, y, right, bottom = inner.getbbox() or (0, 0, right - left, bottom - top)
    box = left + x, top + y, right - x, bottom - y
    return Region(what="changed", box=box, pixels=_count(inner))


def _explained(actual: Image.Image, expected: Image.Image, region: Region) -> Region:
    """Return a region with its kind: moved, missing or new, if one of them explains it."""
    x, y, width, height = region.box
    right, bottom = (
        min(end, most)
        for end, most in zip((x + width + _EDGE, y + height + _EDGE), actual.size, strict=True)
    )
    x, y = max(0, x - _EDGE), max(0, y - _EDGE)
    box = x, y, right, bottom
    before, after = expected.crop(box), actual.crop(box)
    if not _is_flat(before) and (way := _way(actual, expected, before, (x, y))) is not None:
        return region.model_copy(update={"what": "moved", "by": way})
    if _is_flat(before) != _is_flat(after):
        return region.model_copy(update={"what": "missing" if _is_flat(after) else "new"})
    return region


def _is_flat(image: Image.Image) -> bool:
    return len(image.getcolors(image.width * image.height) or ()) == 1


def _way(
    actual: Image.Image, expected: Image.Image, part: Image.Image, start: tuple[int, int]
) -> _Shift | None:
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


def _only(mask: Image.Image, boxes: Iterable[PixelBox]) -> Image.Image:
    only = Image.new("L", mask.size)
    for x, y, width, height in boxes:
        box = x, y, x + width, y + height
        only.paste(mask.crop(box), box)
    return only


def _count(mask: Image.Image) -> int:
    return mask.histogram()[255]


def _drawn(expected: Image.Image, counted: Image.Image, regions: Iterable[Region]) -> Image.Image:
    white = partial(Image.new, "RGB", expected.size, "white")
    grey = white()
    grey.paste(expected, mask=expected.getchannel("A"))
    drawn = Image.blend(grey.convert("L").convert("RGB"), white(), _FAINT)
    drawn.paste(_PALE, mask=counted.filter(ImageFilter.MaxFilter(_WINDOW)))
    drawn.paste(_RED, mask=counted)
    pen = ImageDraw.Draw(drawn)
    for x, y, width, height in (region.box for region in regions):
        pen.rectangle((x - 3, y - 3, x + width + 2, y + height + 2), outline=_RED)
    return drawn
