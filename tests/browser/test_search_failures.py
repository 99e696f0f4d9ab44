"""Searches that fail: what the page says, and the results that it keeps."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import carry, draw, expect_found, results, without_status

Look = Callable[..., Page]


def test_old_results_stay_until_there_are_new_ones(
    look: Look, gallery: str, tmp_path: Path, complaints: list[str]
) -> None:
    page = look(f"search?c={gallery}")
    page.get_by_role("link", name="Search with rings.png").click()
    expect_found(page, "rings.png")
    page.route("**/api/v2/search", lambda route: route.fulfill(status=500, json={}))
    carry(page, draw("stripes.png", tmp_path / "s.png"), "drop")
    expect(page.get_by_role("alert")).to_contain_text("unexpected way (HTTP 500)")
    expect(results(page)).to_have_count(5)
    without_status(complaints, 500)


def test_a_wrong_filter_is_explained(look: Look, gallery: str, complaints: list[str]) -> None:
    page = look(f"search?c={gallery}")
    page.get_by_role("link", name="Search with rings.png").click()
    expect_found(page, "rings.png")
    page.get_by_role("combobox").fill("price <")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(results(page)).to_have_count(5)
    without_status(complaints, 422)


def test_the_service_away_is_said_and_what_is_shown_stays(
    look: Look, gallery: str, complaints: list[str]
) -> None:
    page = look(f"search?c={gallery}")
    page.get_by_role("link", name="Search with rings.png").click()
    expect_found(page, "rings.png")
    page.evaluate("window.setInterval = () => 1")  # holds the next try, however slow the machine is
    page.route("**/api/v2/**", lambda route: route.abort())
    page.get_by_role("link", name=re.compile("^2: ")).press("m")
    expect(page.get_by_text("The service does not answer.")).to_be_visible()
    expect(page.get_by_text("Next try in")).to_be_visible()
    expect(results(page)).to_have_count(5)
    page.unroute("**/api/v2/**")
    page.get_by_role("button", name="Try now").click()
    expect(page.get_by_text("The service does not answer.")).to_have_count(0)
    expect(results(page).first).to_have_accessible_name(re.compile("Same picture"))
    complaints[:] = [text for text in complaints if "ERR_FAILED" not in text]


def test_a_search_that_takes_too_long_does_not_make_the_service_away(
    look: Look, gallery: str
) -> None:
    page = look(f"search?c={gallery}")
    start = page.get_by_role("link", name="Search with rings.png")
    expect(start).to_be_visible()
    page.route("**/api/v2/search", lambda route: None)  # is never answered
    page.evaluate(
        """() => {
            const usual = AbortSignal.timeout;
            AbortSignal.timeout = (ms) => usual.call(AbortSignal, ms === 120_000 ? 100 : ms);
        }"""
    )
    start.click()
    expect(page.get_by_role("alert")).to_contain_text("has not answered for 120 seconds")
    assert page.get_by_text("The service does not answer.").count() == 0  # also not for a moment
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_the_next_results_are_asked_for_again_after_a_failure(
    look: Look, gallery: str, complaints: list[str]
) -> None:
    page = look(f"search?c={gallery}")
    expect(page.get_by_role("link", name="Search with rings.png")).to_be_visible()
    is_away = True

    def answer(route: Route) -> None:
        asked = json.loads(route.request.post_data or "")
        if asked["top_k"] == 1:  # the likeness of unrelated pictures
            return route.continue_()
        if asked.get("offset") and is_away:
            return route.fulfill(status=503, json={"code": "busy", "detail": "the disk is slow"})
        found = route.fetch(post_data=json.dumps({**asked, "top_k": 1, "offset": 0})).json()
        (hit,) = found["hits"]
        first, last = (48, 50) if asked.get("offset") else (0, 48)
        found["hits"] = [{**hit, "rank": n + 1, "image_id": n + 1} for n in range(first, last)]
        return route.fulfill(json=found)

    page.route("**/api/v2/search", answer)
    page.get_by_role("link", name="Search with rings.png").click()
    expect(page.get_by_role("alert")).to_contain_text("The disk is slow")
    expect(page.get_by_text("48+ results")).to_be_visible()
    is_away = False
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".number", has_text="50 results")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    without_status(complaints, 503)


def test_the_index_away_is_said(look: Look, gallery: str, complaints: list[str]) -> None:
    page = look(f"search?c={gallery}")
    expect(page.get_by_role("link", name="Search with rings.png")).to_be_visible()

    def refuse(route: Route) -> None:
        route.fulfill(status=503, json={"code": "index_unavailable", "detail": "Milvus is away"})

    page.route("**/api/v2/search", refuse)
    page.get_by_role("link", name="Search with rings.png").click()
    expect(page.get_by_text("Milvus does not answer")).to_be_visible()
    page.unroute("**/api/v2/search")
    page.get_by_role("button", name="Try again").click()
    expect_found(page, "rings.png")
    expect(page.get_by_text("Milvus does not answer")).to_have_count(0)
    without_status(complaints, 503)


def test_modules_that_do_not_load_are_told(look: Look, server: Any, complaints: list[str]) -> None:
    page = look("search")
    page.route("**/views/library/library.js", lambda route: route.abort())
    page.get_by_role("link", name="Library").click()
    expect(page.get_by_text("A part of this page did not load.")).to_be_visible()
    page.route("**/app.js", lambda route: route.abort())
    page.goto(server.url)
    expect(page.get_by_text("The page did not load.")).to_be_visible()
    complaints.clear()
