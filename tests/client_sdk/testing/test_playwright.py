"""Pages and locators of Playwright as pictures and as masks, in Chromium."""

import io

import pytest
from PIL import Image, ImageChops

from client_sdk.errors import UsageError
from client_sdk.testing.masks import boxes
from client_sdk.testing.pictures import MASK, masked, read

PAGE = """<body style="margin: 0; height: 1500px; background: white">
<div id="clock" style="position: absolute; left: 40px; top: 30px; width: 50px; height: 20px"></div>
<div id="low" style="position: absolute; left: 10px; top: 1200px; width: 30px; height: 30px"></div>
<main style="position: absolute; left: 30px; top: 20px; width: 200px; height: 100px"></main>
<p hidden>nothing</p>"""


@pytest.fixture(params=[1, 2])
def page(browser, request):
    context = browser.new_context(
        viewport={"width": 400, "height": 300}, device_scale_factor=request.param
    )
    page = context.new_page()
    page.set_content(PAGE)
    page.scale = request.param
    yield page
    context.close()


def painted(shot, ignore) -> tuple[int, ...] | None:
    """Return the left, top, right and bottom edge of what is masked."""
    image = masked(shot, boxes(ignore, shot)).image.convert("RGB")
    other = ImageChops.difference(image, Image.new("RGB", image.size, MASK[:3])).convert("L")
    return other.point([255] + [0] * 255).getbbox()


def edges(*numbers, scale):
    return tuple(number * scale for number in numbers)


@pytest.mark.parametrize("given", ["page", "bytes"])
def test_a_locator_masks_its_element_at_every_scale(page, given):
    shot = read(page if given == "page" else page.screenshot())
    assert shot.image.size == (400 * page.scale, 300 * page.scale)
    assert painted(shot, [page.locator("#clock")]) == edges(40, 30, 90, 50, scale=page.scale)


def test_a_box_of_a_page_is_in_css_pixels(page):
    box = page.locator("#clock").bounding_box()
    assert painted(read(page), [box]) == edges(40, 30, 90, 50, scale=page.scale)


def test_a_locator_is_a_picture_in_which_others_are_masked(page):
    shot = read(page.locator("main"))
    assert shot.image.size == (200 * page.scale, 100 * page.scale)
    assert painted(shot, [page.locator("#clock")]) == edges(10, 10, 60, 30, scale=page.scale)


def test_a_full_page_is_masked_below_the_fold_even_if_it_is_scrolled(page):
    page.evaluate("scrollTo(0, 700)")
    shot = read(page.screenshot(full_page=True))
    found = painted(shot, [page.locator("#low")])
    assert found == edges(10, 1200, 40, 1230, scale=page.scale)


def test_an_element_outside_of_the_window_is_rejected(page):
    shot = read(page)
    with pytest.raises(UsageError, match="lies outside"):
        masked(shot, boxes([page.locator("#low")], shot))


@pytest.mark.parametrize("selector", ["#gone", "p"])
def test_a_locator_without_a_match_is_named(page, selector):
    with pytest.raises(UsageError, match=f"{selector}.* matches no visible element"):
        boxes([page.locator(selector)], read(page))


def test_a_locator_of_another_page_is_rejected(page):
    data = io.BytesIO()
    Image.new("RGB", (123, 50)).save(data, "PNG")
    with pytest.raises(UsageError, match="is 123 pixels wide"):
        boxes([page.locator("#clock")], read(data.getvalue()))
