"""The report of visual tests as its readers meet it."""

from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from client_sdk.testing import Outcome
from client_sdk.testing.artefacts import keep
from client_sdk.testing.outcome import Judged
from client_sdk.testing.pictures import as_png
from client_sdk.testing.report import write


@pytest.fixture
def report(tmp_path):
    """Return a report of six failures; the actual picture is blue, the expected one orange."""
    pictures = {
        "actual": as_png(Image.new("RGB", (400, 300), "blue")),
        "expected": as_png(Image.new("RGB", (400, 200), "orange")),
        "diff": as_png(Image.new("RGB", (400, 300), "red")),
    }
    kept = [
        keep(
            Judged(
                Outcome(
                    assertion="assert_similar",
                    name=f"page-{number}.png",
                    test=f"test_shop.py::test_page[{number}]",
                    passed=False,
                    reason="it does not look like that",
                    score=0.9,
                    threshold=0.99,
                ),
                pictures,
            ),
            tmp_path,
        ).outcome
        for number in range(6)
    ]
    return write(tmp_path, kept)


@pytest.fixture
def page(browser, report):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.faults = []
    page.on("console", lambda message: page.faults.append(message.text))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("request", lambda request: page.faults.append(request.url))
    page.goto(report.as_uri())
    page.faults.remove(report.as_uri())
    page.faults = [one for one in page.faults if not one.startswith("data:")]
    yield page
    page.close()


def colour_at(page: Page, x: float, y: float) -> tuple[int, int, int]:
    shot = Image.open(BytesIO(page.screenshot())).convert("RGB")
    return shot.getpixel((round(x), round(y)))


def test_every_way_to_look_is_reached_from_the_keyboard(page):
    page.keyboard.press("j")
    expect(page.locator("nav a[aria-current]")).to_contain_text("page-1.png")
    page.keyboard.press("2")
    frame = page.locator("#f2 .frame")
    box = frame.bounding_box()
    assert abs(box["width"] / box["height"] - 4 / 3) < 0.02
    y = box["y"] + box["height"] / 4
    assert colour_at(page, box["x"] + box["width"] * 0.25, y)[0] > 200  # orange, the expected one
    assert colour_at(page, box["x"] + box["width"] * 0.75, y)[2] > 200  # blue

    page.locator("#f2 .range input").focus()
    for _ in range(40):
        page.keyboard.press("ArrowLeft")
    assert colour_at(page, box["x"] + box["width"] * 0.25, y)[2] > 200

    page.keyboard.press("4")
    box = page.locator("#f2 .frame").bounding_box()
    assert colour_at(page, box["x"] + 50, box["y"] + 50)[0] > 200
    page.keyboard.press("1")
    expect(page.locator("#f2 .side")).to_be_visible()
    page.keyboard.press("k")
    expect(page.locator("nav a[aria-current]")).to_contain_text("page-0.png")
    assert page.faults == []


def test_the_filter_leaves_what_has_all_words(page):
    page.get_by_placeholder("Filter").fill("PAGE-3 test_shop")
    expect(page.locator("article:visible")).to_have_count(1)
    expect(page.locator("article:visible h2")).to_have_text("page-3.png")


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    for mode in "1234":
        page.keyboard.press(mode)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.faults == []


def test_without_scripts_the_pictures_lie_side_by_side(browser, report):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    expect(page.locator("article").first.locator("img.shot")).to_have_count(3)
    expect(page.locator(".modes").first).to_be_hidden()
    context.close()
