"""Accessibility, languages, themes and sizes, in every view and state."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import draw

Look = Callable[..., Page]
Open = Callable[[Look, str, Path, dict[str, Any]], Page]

QUICK = [("light", 1280, "en-US"), ("dark", 320, "zh-CN")]
ALL = [
    (theme, width, language)
    for theme in ("light", "dark")
    for width in (320, 640, 1280, 3840)
    for language in ("en-US", "zh-CN")
]
COMBINATIONS = [pytest.param(*one, marks=() if one in QUICK else pytest.mark.long) for one in ALL]


def _first(page: Page) -> None:
    page.locator(".picture").first.wait_for()


def rest(look: Look, gallery: str, folder: Path, options: dict[str, Any]) -> Page:
    page = look(f"search?c={gallery}", **options)
    _first(page)
    return page


def empty(look: Look, gallery: str, folder: Path, options: dict[str, Any]) -> Page:
    page = look(f"library?c={gallery}&f=%24width+%3E+9999", **options)
    page.locator(".empty").wait_for()
    return page


def found(look: Look, gallery: str, folder: Path, options: dict[str, Any]) -> Page:
    page = rest(look, gallery, folder, options)
    page.locator(".picture").first.click()
    page.locator(".query-bar").wait_for()
    page.locator("la-grid[class=''] .badge").first.wait_for()
    return page


def cropping(look: Look, gallery: str, folder: Path, options: dict[str, Any]) -> Page:
    page = found(look, gallery, folder, options)
    page.locator(".query-bar > [aria-expanded]").click()
    page.locator("la-cropper").wait_for()
    return page


def picture(look: Look, gallery: str, folder: Path, options: dict[str, Any]) -> Page:
    page = found(look, gallery, folder, options)
    page.locator(".picture").nth(1).click()
    page.locator(".verdict").wait_for()
    return page


def library(look: Look, gallery: str, folder: Path, options: dict[str, Any]) -> Page:
    page = look(f"library?c={gallery}", **options)
    _first(page)
    page.locator(".picture").first.focus()
    page.keyboard.press("Space")
    page.locator(".chosen-bar").wait_for()
    return page


def duplicates(look: Look, gallery: str, folder: Path, options: dict[str, Any]) -> Page:
    page = look(f"duplicates?c={gallery}", **options)
    page.locator(".member").first.wait_for()
    return page


def question(look: Look, gallery: str, folder: Path, options: dict[str, Any]) -> Page:
    page = duplicates(look, gallery, folder, options)
    page.locator(".view-bar .primary").click()
    page.locator("dialog").wait_for()
    return page


def adding(look: Look, gallery: str, folder: Path, options: dict[str, Any]) -> Page:
    page = look(f"add?c={gallery}", **options)
    page.locator("input[type=file][multiple]").set_input_files(draw("rays.png", folder / "r.png"))
    page.locator(".preview .button, .preview button").first.wait_for()
    return page


def folders(look: Look, gallery: str, folder: Path, options: dict[str, Any]) -> Page:
    page = look(f"add?c={gallery}", **options)
    page.get_by_role("radio").nth(1).check()
    page.get_by_role("treeitem").first.press("Enter")
    page.get_by_role("group").get_by_role("treeitem").first.wait_for()
    return page


def menu(look: Look, gallery: str, folder: Path, options: dict[str, Any]) -> Page:
    page = rest(look, gallery, folder, options)
    page.locator(".menu-button.collection").click()
    return page


def settings(look: Look, gallery: str, folder: Path, options: dict[str, Any]) -> Page:
    page = rest(look, gallery, folder, options)
    page.locator("[popovertarget=settings]").click()
    return page


def keys(look: Look, gallery: str, folder: Path, options: dict[str, Any]) -> Page:
    page = rest(look, gallery, folder, options)
    page.keyboard.press("?")
    page.locator("dialog").wait_for()
    return page


STATES = (
    rest,
    empty,
    found,
    cropping,
    picture,
    library,
    duplicates,
    question,
    adding,
    folders,
    menu,
    settings,
    keys,
)


@pytest.mark.parametrize(("theme", "width", "language"), COMBINATIONS)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    state: Open, theme: str, width: int, language: str, look: Look, gallery: str, tmp_path: Path
) -> None:
    size = {"width": width, "height": 700 if width < 640 else 1000}
    options = {"viewport": size, "color_scheme": theme, "locale": language}
    page = state(look, gallery, tmp_path, {**options, "reduced_motion": "reduce"})
    expect(page.locator("[aria-busy=true]")).to_have_count(0)

    answer = Axe().run(page)

    assert answer.violations_count == 0, answer.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.lang") == language[:2]


@pytest.mark.parametrize("width", [320, 1280])
def test_the_first_picture_is_near_the_top(width: int, look: Look, gallery: str) -> None:
    size = {"width": width, "height": 640}
    page = found(look, gallery, Path(), {"viewport": size})
    box = page.locator(".picture").first.bounding_box()
    assert box is not None
    assert box["y"] < 170


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
@pytest.mark.parametrize("width", [320, 1280, 1440])
def test_the_number_of_results_has_its_room(
    width: int, language: str, look: Look, gallery: str
) -> None:
    size = {"width": width, "height": 700}
    page = found(look, gallery, Path(), {"viewport": size, "locale": language})
    number = page.locator(".query-bar .number")
    number.evaluate("(one) => (one.textContent = one.textContent.replace('5', '5,000+'))")
    mine = number.bounding_box()
    next_one = page.locator(".query-bar > .refine-button, .query-bar > .refine")
    other = next_one.filter(visible=True).bounding_box()
    assert mine is not None
    assert other is not None
    assert mine["x"] + mine["width"] <= other["x"]
    assert number.evaluate("(one) => one.scrollWidth <= one.clientWidth")


def test_results_are_narrowed_in_a_menu_where_the_bar_is_short(look: Look, gallery: str) -> None:
    page = found(look, gallery, Path(), {"viewport": {"width": 1280, "height": 700}})
    expect(page.get_by_role("combobox")).to_be_hidden()
    page.get_by_role("button", name="Refine").click()
    page.get_by_role("slider", name="Least score").focus()
    page.keyboard.press("End")
    expect(page.locator(".query-bar .number")).to_have_text("1 result")
    page.get_by_role("combobox").fill("$width > 200")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("f=%24width"))


def test_theme_and_language_are_chosen_and_remembered(look: Look, gallery: str) -> None:
    page = settings(look, gallery, Path(), {})
    page.get_by_role("radio", name="Dark").check()
    page.get_by_role("radio", name="中文").check()
    expect(page.get_by_role("link", name="图库")).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="图库")).to_be_visible()
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert dark == "rgb(20, 21, 20)"


def test_forced_colours_keep_everything_visible(look: Look, gallery: str) -> None:
    page = found(look, gallery, Path(), {"forced_colors": "active"})
    page.locator(".picture").first.focus()
    page.keyboard.press("ArrowRight")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    expect(page.locator(".badge").first).to_be_visible()


def test_nothing_moves_when_people_want_calm(look: Look, gallery: str) -> None:
    page = rest(look, gallery, Path(), {"reduced_motion": "reduce"})
    page.evaluate(
        "() => { document.startViewTransition = () => { throw new Error('it moved'); }; }"
    )
    page.locator(".picture").first.click()
    expect(page).to_have_url(re.compile("id="))


def test_pictures_have_their_place_before_they_arrive(look: Look, gallery: str) -> None:
    page = look(f"search?c={gallery}")
    _first(page)
    page.wait_for_function(
        "() => [...document.querySelectorAll('la-grid img')].every((one) => one.naturalWidth)"
    )
    shift = page.evaluate(
        """() => new Promise((done) => {
            let shift = 0;
            const seen = new PerformanceObserver((list) => {
                for (const entry of list.getEntriesByType("layout-shift")) {
                    if (!entry.hadRecentInput) shift += entry.value;
                }
                if (list.getEntriesByType("mark").length) done(shift);
            });
            seen.observe({type: "layout-shift", buffered: true});
            seen.observe({type: "mark"});
            const mark = () => performance.mark("shown");
            requestAnimationFrame(() => requestAnimationFrame(mark));
        })"""
    )
    assert shift < 0.1
