"""Geometry of the page, as the browser computes it: rows of pictures, arrow keys, the crop."""

from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import run

WIDTH, GAP = 1000, 4


def _layout(page: Page, items: list[dict[str, int]], **shape: Any) -> Any:
    shape = {"width": WIDTH, "target": 200, "gap": GAP, "title": 32, **shape}
    body = "return m.layout([{title: null, items}], shape)"
    return run(page, "parts/layout.js", body, items=items, shape=shape)


def test_full_rows_are_as_wide_as_the_grid_and_near_the_wanted_height(page: Page) -> None:
    items = [{"width": 100 + 37 * n % 300, "height": 150} for n in range(40)]
    rows = _layout(page, items)["rows"]
    assert sum(len(row["cells"]) for row in rows) == 40
    assert [cell["place"] for row in rows for cell in row["cells"]] == list(range(40))
    for row in rows[:-1]:
        last = row["cells"][-1]
        assert last["left"] + last["width"] == WIDTH
        assert 120 < row["height"] < 300
    for above, below in pairwise(rows):
        assert below["top"] == above["top"] + above["height"] + GAP


def test_rows_of_panoramas_end_at_the_edge_of_every_window(page: Page) -> None:
    body = """
        const items = new Array(60).fill({width: 300, height: 100});
        return widths.flatMap((width) => {
            const shape = {width, target: 100, gap: 4, title: 0};
            const full = m.layout([{title: null, items}], shape).rows.slice(0, -1);
            return full.map(({cells}) => width - cells.at(-1).left - cells.at(-1).width);
        });
    """
    ends = run(page, "parts/layout.js", body, widths=list(range(3840, 3880)))
    assert set(ends) == {0}


@pytest.mark.parametrize("size", [(1, 10_000), (10_000, 1), (0, 0), (500, 500)])
def test_a_single_picture_of_any_shape_has_the_wanted_height(
    size: tuple[int, int], page: Page
) -> None:
    ((row),) = _layout(page, [{"width": size[0], "height": size[1]}])["rows"]
    assert row["height"] == 200
    assert row["cells"][0]["width"] <= WIDTH


def test_a_phone_has_two_pictures_a_row(page: Page) -> None:
    rows = _layout(page, [{"width": 3, "height": 2}] * 7, columns=2)["rows"]
    assert [len(row["cells"]) for row in rows] == [2, 2, 2, 1]


def test_only_rows_between_two_heights_are_returned(page: Page) -> None:
    rows = [{"top": 100 * n, "height": 96} for n in range(100)]
    body = "return m.between(rows, 1000, 1350)"
    assert run(page, "parts/layout.js", body, rows=rows) == [10, 14]


@pytest.mark.parametrize(
    ("place", "key", "to"),
    [
        (0, "ArrowRight", 1),
        (0, "ArrowLeft", 0),
        (0, "ArrowDown", 3),
        (2, "ArrowDown", 4),
        (4, "ArrowUp", 2),
        (4, "ArrowDown", 4),
        (1, "End", 4),
        (3, "Home", 0),
        (1, "x", 1),
    ],
)
def test_arrows_lead_to_the_nearest_picture(place: int, key: str, to: int, page: Page) -> None:
    def row(first: int, *widths: int) -> dict[str, Any]:
        cells, left = [], 0
        for number, width in enumerate(widths):
            cells.append({"place": first + number, "left": left, "width": width})
            left += width
        return {"cells": cells}

    rows = [row(0, 100, 100, 100), row(3, 150, 150)]
    body = "return m.neighbour(rows, place, key)"
    assert run(page, "parts/layout.js", body, rows=rows, place=place, key=key) == to


@pytest.mark.parametrize(
    ("handle", "by", "moved"),
    [
        ("nw", (0.1, 0.2), (0.3, 0.4, 0.8, 0.8)),
        ("se", (0.5, 0.5), (0.2, 0.2, 1, 1)),
        ("e", (-0.9, 0.5), (0.2, 0.2, 0.23, 0.8)),
        ("n", (0.5, -0.9), (0.2, 0, 0.8, 0.8)),
        ("all", (0.9, -0.1), (0.4, 0.1, 1, 0.7)),
    ],
)
def test_a_handle_moves_its_sides_within_the_picture(
    handle: str, by: tuple[float, float], moved: tuple[float, ...], page: Page
) -> None:
    box = {"left": 0.2, "top": 0.2, "right": 0.8, "bottom": 0.8}
    body = "return m.moved(box, handle, by[0], by[1])"
    found = run(page, "parts/cropper.js", body, box=box, handle=handle, by=by)
    sides = [found[side] for side in ("left", "top", "right", "bottom")]
    assert sides == pytest.approx(list(moved))


def test_a_grid_that_is_as_long_as_browsers_show_asks_for_no_more(page: Page) -> None:
    body = """
        const calls = [];
        const made = (number) => {
            const grid = document.createElement("la-grid");
            document.body.append(grid);
            const items = Array.from({length: number}, (_, key) => ({key, width: 1, height: 2}));
            grid.style.width = "600px"; // rows of 1,200 pixels
            grid.model = {
                sections: [{title: null, items}], target: 2000, label: "", cell: () => [],
                onend: () => calls.push(`end of ${number}`),
                onfull: () => calls.push(`full with ${number}`),
            };
            grid.remove();
        };
        made(1);
        made(11_000);
        return calls;
    """
    found = run(page, "parts/grid.js", body)
    assert sorted(set(found)) == ["end of 1", "full with 11000"]
