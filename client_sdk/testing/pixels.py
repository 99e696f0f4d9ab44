"""Comparison of pictures pixel by pixel, which tolerates the noise of rendering.

A pixel differs if its colour does (Kotsarenko and Ramos, 2010), unless the anti-aliasing of an edge
explains a small difference (Vysniauskas, 2009). Differing pixels count where they are dense:
`_FEWEST` of them in a window of `_WINDOW` pixels. They do not count where one of `_SHIFTS` explains
them, as other font metrics cause it, or where they are a text cursor.
"""

from collections.abc import Iterable, Iterator
from functools import partial, reduce
from itertools import product
from typing import Any, cast

import pybind11_pixelmatch  # pyright: ignore[reportMissingTypeStubs]
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from client_sdk.testing.outcome import PixelBox, PixelDifference, Region
from client_sdk.testing.regions import explained, is_flat

_THRESHOLD = 0.05
"""The smallest colour difference that counts, as a share of the largest one."""
_CLEAR = 0.22
"""The smallest colour difference that the anti-aliasing of an edge cannot explain."""
_WINDOW, _FEWEST = 9, 3
_CELL = 16
"""The side of the square cells that are judged one by one, in pixels."""
_AROUND = 8
"""Pixels around a cell in which a shift must explain every difference, too."""
_EVIDENCE = 24
"""Pixels around a cell in which the edges must have moved as well."""
_EXPLAINED = 0.2
"""The smallest share of the pixels that a shift would change which must have changed."""
_LARGE = 0.2
"""A share of differing pixels that no shift explains, so that none is tried."""
_CURSOR_RATIO, _TALLEST_CURSOR = 14, 80
_LISTED = 20
_SEARCHED = 5

_MOST_SHIFT = 2
_WAYS = range(-_MOST_SHIFT, _MOST_SHIFT + 1)
_SHIFTS = sorted(
    (shift for shift in product(_WAYS, _WAYS) if any(shift)),
    key=lambda shift: shift[0] ** 2 + shift[1] ** 2,
)
"""The shifts that are tolerated: to the right and down, in pixels, the shortest first."""
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
        regions[place] = explained(actual, expected, region)
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


def _differing(one: Image.Image, other: Image.Image) -> Image.Image:
    """Return the mask of differing pixels, without small differences of smoothed edges."""
    return ImageChops.lighter(_over(one, other), _over(one, other, _CLEAR, smoothed=True))


def _over(
    one: Image.Image, other: Image.Image, threshold: float = _THRESHOLD, *, smoothed: bool = False
) -> Image.Image:
    """Return the mask of larger differences; with `smoothed`, those of smoothed edges as well."""
    library = cast("Any", pybind11_pixelmatch)
    options = library.Options()
    options.threshold, options.includeAA, options.diffMask = threshold, smoothed, True
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
    changed = _over(one, other, smoothed=True)
    for shift in _SHIFTS:
        if not left:
            break
        box = _bounds(left, one.size, around=_EVIDENCE + _MOST_SHIFT)
        parts = one.crop(box), other.crop(box), changed.crop(box)
        left -= set(_explained_cells(*parts, shift, left, box))
    return left


def _explained_cells(
    one: Image.Image,
    other: Image.Image,
    changed: Image.Image,
    shift: _Shift,
    cells: Iterable[_Cell],
    box: PixelBox,
) -> Iterator[_Cell]:
    """Yield the cells of a part of the pictures whose content has moved by a shift."""
    back = -shift[0], -shift[1]
    rest = ImageChops.lighter(
        _over(one, _nearest(one, other, shift)), _over(other, _nearest(other, one, back))
    )
    rest = _dense(ImageChops.darker(rest, changed))
    found = [cell for cell in cells if not rest.crop(_near(cell, box, _AROUND)).getbbox()]
    if not found:
        return
    would_change = _over(other, _moved(other, shift), _CLEAR, smoothed=True)
    for cell in found:
        near = _near(cell, box, _EVIDENCE)
        if _count(changed.crop(near)) >= _EXPLAINED * _count(would_change.crop(near)):
            yield cell


def _near(cell: _Cell, box: PixelBox, around: int) -> PixelBox:
    """Return the edges of a cell and the pixels around it, within a part of the picture."""
    left, top, right, bottom = _bounds([cell], (box[2], box[3]), around=around)
    return max(0, left - box[0]), max(0, top - box[1]), right - box[0], bottom - box[1]


def _nearest(one: Image.Image, other: Image.Image, shift: _Shift) -> Image.Image:
    """Return the colours nearest to `one` between those of `other` after the shift.

    A shift by a part of a pixel mixes neighbouring colours, so a pixel less is included.
    """
    ways = [{way, way - (way > 0) + (way < 0)} for way in shift]
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
    return is_bar and any(is_flat(picture.crop(box)) for picture in pictures)


def _region(mask: Image.Image, group: set[_Cell]) -> Region:
    left, top, right, bottom = _bounds(group, mask.size)
    inner = mask.crop((left, top, right, bottom))
    x, y, right, bottom = inner.getbbox() or (0, 0, right - left, bottom - top)
    box = left + x, top + y, right - x, bottom - y
    return Region(what="changed", box=box, pixels=_count(inner))


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
