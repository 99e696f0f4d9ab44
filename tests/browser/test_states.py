"""States in which earlier pages misled people: busy, away, without folders, zoomed."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import run
from tests.browser.test_for_everyone import (
    Open,
    adding,
    duplicates,
    folders,
    found,
    library,
    menu,
    picture,
    question,
    rest,
    settings,
)

Look = Callable[..., Page]
JARGON = re.compile(
    r"\b(image roots?|index|indexes|hits?|descriptors?|catalogue|ingest|embedder|gallery)\b", re.I
)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_results_stay_readable_and_in_their_place_while_a_search_runs(
    theme: str, look: Look, gallery: str
) -> None:
    page = look(f"search?c={gallery}", color_scheme=theme, reduced_motion="reduce")
    page.get_by_role("link", name="Search with rings.png").click()
    grid = page.get_by_role("grid", name="Results")
    expect(grid.locator(".badge")).to_have_count(5)
    before = [one.bounding_box() for one in grid.locator(".picture").all()]
    held: list[Route] = []
    page.route("**/api/v2/search", lambda route: held.append(route))

    page.get_by_role("link", name=re.compile("^2: ")).press("m")
    expect(page.locator("la-grid[aria-busy=true]")).to_be_visible()

    assert [one.bounding_box() for one in grid.locator(".picture").all()] == before
    assert grid.locator("img").first.evaluate("(one) => getComputedStyle(one).opacity") == "0.6"
    answer = Axe().run(page, options={"runOnly": ["color-contrast"]})
    assert answer.violations_count == 0, answer.generate_report()
    held[0].continue_()
    expect(page.locator("la-grid[aria-busy=true]")).to_have_count(0)


def test_a_rate_is_not_shown_while_the_service_is_away(
    look: Look, server: Any, gallery: str, complaints: list[str]
) -> None:
    (job,) = httpx.get(f"{server.url}/api/v2/jobs?limit=1&collection={gallery}").json()["jobs"]
    job |= {"state": "in_progress", "finished_at": None, "done": 5, "total": 100}
    job |= {"images_per_second": 4.0, "eta_seconds": 24.0}
    page = look(f"add?c={gallery}")
    page.route("**/api/v2/jobs?*", lambda route: route.fulfill(json={"jobs": [job]}))
    page.reload()
    pace = page.locator(".pace").first
    expect(pace).to_have_text("5 of 100 (5%) · 4 a second · 24 sec left")

    page.unroute("**/api/v2/jobs?*")
    page.route("**/api/v2/**", lambda route: route.abort())

    expect(page.get_by_text("The service does not answer.")).to_be_visible()
    expect(pace).to_have_text("5 of 100 (5%)")
    complaints[:] = [text for text in complaints if "ERR_FAILED" not in text]


@pytest.mark.parametrize("width", [320, 1280])
def test_a_service_without_folders_says_so_within_its_panel(
    width: int, look: Look, gallery: str
) -> None:
    page = look(f"add?c={gallery}", viewport={"width": width, "height": 700})
    page.route("**/api/v2/roots", lambda route: route.fulfill(json={"roots": []}))
    page.reload()
    page.get_by_role("radio", name="Folders of the service").check()

    expect(page.get_by_text("This service reads no folders.")).to_be_visible()

    panel = page.locator(".add-panel")
    assert panel.evaluate("(one) => one.scrollWidth <= one.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "height"), [(320, 256), (740, 340)])
def test_everything_of_refine_can_be_reached_in_a_low_window(
    width: int, height: int, look: Look, gallery: str, tmp_path: Path
) -> None:
    page = found(look, gallery, tmp_path, {"viewport": {"width": width, "height": height}})
    page.get_by_role("button", name="Refine").click()
    export = page.get_by_role("button", name="JSON")
    expect(export).to_be_visible()
    export.scroll_into_view_if_needed()
    box = export.bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= height


def test_a_long_name_without_spaces_stays_within_its_panel(look: Look, gallery: str) -> None:
    name = "n" * 128
    page = look(f"add?c={name}", viewport={"width": 320, "height": 700})
    panel = page.locator(".add-panel")
    expect(panel.get_by_text(f"Pictures are added to “{name}”.")).to_be_visible()
    assert panel.evaluate("(one) => one.scrollWidth <= one.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("state", [rest, found, picture, library, adding])
def test_everything_fits_and_is_readable_at_200_percent(
    state: Open, look: Look, gallery: str, tmp_path: Any
) -> None:
    zoomed = {"viewport": {"width": 640, "height": 450}, "device_scale_factor": 2}
    page = state(look, gallery, tmp_path, {**zoomed, "reduced_motion": "reduce"})
    expect(page.locator("[aria-busy=true]")).to_have_count(0)

    answer = Axe().run(page)

    assert answer.violations_count == 0, answer.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    bars = page.locator("header.top, .query-bar").evaluate_all(
        "(all) => all.reduce((sum, one) => sum + one.getBoundingClientRect().height, 0)"
    )
    assert bars <= 450 / 3  # two thirds of the window are left for the pictures


def test_the_page_works_where_the_browser_keeps_no_data(look: Look, gallery: str) -> None:
    page = look(f"search?c={gallery}")
    page.add_init_script(
        """Object.defineProperty(window, "localStorage", {
            get() { throw new DOMException("denied", "SecurityError"); },
        });"""
    )
    page.reload()
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("radio", name="Dark").check()
    expect(page.locator("html[data-theme=dark]")).to_be_attached()


def test_the_page_uses_no_words_of_its_makers(browser: Any, server: Any) -> None:
    page = browser.new_page()
    page.goto(server.url)
    words = run(page, "words/en.js", "return m.default")
    page.close()
    texts = re.sub(r"LOOKALIKE_[A-Z_]+", "", json.dumps(words))
    assert JARGON.findall(" ".join(re.findall(r': "([^"]*)"', texts))) == []


_FOCUSABLE = "a, button, input, select, textarea, [tabindex]"
_CUT_RINGS = """(focusable) => [...document.querySelectorAll(focusable)]
    .filter((one) => {
        one.focus({focusVisible: true});
        if (document.activeElement !== one || !one.checkVisibility()) return false;
        const outlined = [one, one.nextElementSibling].find(
            (part) => part && getComputedStyle(part).outlineStyle !== "none");
        if (!outlined) return false;
        const style = getComputedStyle(outlined);
        const reach = parseFloat(style.outlineWidth) + parseFloat(style.outlineOffset);
        const ring = outlined.getBoundingClientRect();
        for (let box = outlined.parentElement; box !== document.body; box = box.parentElement) {
            const { overflowX, overflowY } = getComputedStyle(box);
            const edge = box.getBoundingClientRect();
            const cutsX = overflowX !== "visible"
                && (ring.left - reach < edge.left || ring.right + reach > edge.right);
            const cutsY = overflowY !== "visible"
                && (ring.top - reach < edge.top || ring.bottom + reach > edge.bottom);
            if (cutsX || cutsY) return one.cut = box.outerHTML.split(">")[0];
        }
        return false;
    })
    .map((one) => `${one.outerHTML.split(">")[0]}> is cut by ${one.cut}>`)"""


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize(
    "opened", [rest, found, library, picture, duplicates, question, adding, folders, menu, settings]
)
def test_no_focus_ring_is_cut(
    opened: Open, width: int, look: Look, gallery: str, tmp_path: Path
) -> None:
    page = opened(look, gallery, tmp_path, {"viewport": {"width": width, "height": 800}})

    assert page.evaluate(_CUT_RINGS, _FOCUSABLE) == []
