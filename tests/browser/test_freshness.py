"""Views after pictures were added or deleted, and after the service did not answer."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, Request, Route, expect

from tests.browser.conftest import (
    MOTIFS,
    carry,
    draw,
    expect_found,
    reconnect,
    results,
    round_trip,
    without_status,
)
from tests.browser.test_adding import expect_added
from tests.browser.test_library import hold_timers, pictures

Look = Callable[..., Page]


def go(page: Page, view: str) -> None:
    page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()


def test_every_view_shows_the_pictures_that_were_added_where_there_were_none(
    look: Look, collection: str, tmp_path: Path
) -> None:
    page = look(f"duplicates?c={collection}")
    expect(page.get_by_text("No two pictures of this collection are the same")).to_be_visible()
    go(page, "Library")
    expect(page.get_by_text("There are no pictures here yet")).to_be_visible()
    go(page, "Search")
    expect(page.get_by_role("heading", name="There are no pictures here yet")).to_be_visible()
    go(page, "Add")
    files = [draw(motif, tmp_path / motif) for motif in MOTIFS]
    large = draw("rings.png", tmp_path / "large.png", 320)
    page.get_by_label("Choose files").set_input_files([*files, large])
    page.get_by_role("button", name="Add 5 pictures").click()
    expect_added(page, collection, "5 added")
    go(page, "Search")
    expect(page.get_by_role("link", name="Search with rings.png")).to_be_visible()
    go(page, "Library")
    expect(page.get_by_role("heading", name="5 pictures")).to_be_visible()
    go(page, "Duplicates")
    expect(page.get_by_role("checkbox", name="Keep large.png")).to_be_visible()


def test_an_empty_view_shows_the_pictures_of_a_run_that_ends_meanwhile(
    look: Look, collection: str, tmp_path: Path
) -> None:
    page = look(f"add?c={collection}")
    is_running = True
    held: list[Route] = []
    page.route(
        "**/api/v2/jobs?state=**",
        lambda route: held.append(route) if is_running else route.continue_(),
    )
    page.route(
        "**/api/v2/images?**",
        lambda route: route.fulfill(json={"images": []}) if is_running else route.continue_(),
    )
    page.get_by_label("Choose files").set_input_files(draw("rings.png", tmp_path / "rings.png"))
    with page.expect_request("**/api/v2/jobs?state=**"):
        page.get_by_role("button", name="Add 1 picture").click()
    go(page, "Search")
    expect(page.get_by_role("heading", name="There are no pictures here yet")).to_be_visible()
    is_running = False
    held[0].continue_()
    expect(page.get_by_role("link", name="Search with rings.png")).to_be_visible()


def test_deleted_pictures_are_no_longer_among_those_to_start_with(look: Look, filled: str) -> None:
    page = look(f"search?c={filled}")
    start = page.get_by_role("link", name=re.compile("^Search with "))
    expect(start).to_have_count(5)
    go(page, "Library")
    hold_timers(page)
    pictures(page).first.press("Delete")
    expect(pictures(page)).to_have_count(4)
    go(page, "Search")
    expect(start).to_have_count(4)
    page.get_by_role("button", name="Undo").click()
    expect(start).to_have_count(5)
    go(page, "Library")
    page.get_by_role("button", name="Delete all").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("5")
    page.keyboard.press("Enter")
    expect(page.get_by_text("5 pictures deleted.")).to_be_visible()
    go(page, "Search")
    expect(page.get_by_role("heading", name="There are no pictures here yet")).to_be_visible()


def test_a_service_that_was_away_keeps_what_was_chosen_among_duplicates(
    look: Look, gallery: str
) -> None:
    page = look(f"duplicates?c={gallery}")
    box = page.get_by_role("checkbox", name="Keep rings.png")
    box.check()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    reconnect(page)
    assert not [url for url in asked if url.endswith("/duplicates")]
    expect(box).to_be_checked()


def test_a_service_that_was_away_repeats_no_search_that_was_answered(
    look: Look, gallery: str
) -> None:
    page = look(f"search?c={gallery}")
    page.get_by_role("link", name="Search with rings.png").click()
    expect_found(page, "rings.png")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    reconnect(page)
    assert not [url for url in asked if url.endswith("/search")]


def test_thumbnails_load_when_the_service_is_back(
    look: Look, gallery: str, complaints: list[str]
) -> None:
    page = look("search")
    page.route("**/thumbnail?**", lambda route: route.abort())
    failures: Counter[str] = Counter()

    def fails_for_good(request: Request) -> bool:
        failures[request.url] += 1
        return failures[request.url] == 4

    with page.expect_event("requestfailed", fails_for_good):
        page.goto(f"{page.url.split('#')[0]}?again#/library?c={gallery}")
    page.unroute("**/thumbnail?**")
    reconnect(page)
    for image in pictures(page).locator("img").all():
        expect(image).not_to_have_js_property("naturalWidth", 0)
        expect(image).to_be_visible()
    complaints[:] = [text for text in complaints if "ERR_FAILED" not in text]


def test_thumbnails_that_are_too_many_at_once_load_later(
    look: Look, gallery: str, complaints: list[str]
) -> None:
    page = look("search")
    refusals: Counter[str] = Counter()

    def refused(route: Route) -> None:
        refusals[route.request.url] += 1
        if refusals[route.request.url] > 3:
            return route.continue_()
        return route.fulfill(status=429, headers={"Retry-After": "1"}, json={})

    page.route("**/thumbnail?**", refused)
    page.goto(f"{page.url.split('#')[0]}?again#/library?c={gallery}")
    expect(pictures(page)).to_have_count(5)
    for image in pictures(page).locator("img").all():
        expect(image).not_to_have_js_property("naturalWidth", 0)
        expect(image).to_be_visible()
    without_status(complaints, 429)


def test_late_pictures_of_the_former_collection_are_not_shown(
    look: Look, gallery: str, collection: str
) -> None:
    page = look(f"search?c={gallery}")
    expect(page.get_by_role("link", name="Search with rings.png")).to_be_visible()
    held: list[Route] = []
    page.route(f"**/api/v2/images?*collection={collection}*", lambda route: held.append(route))
    with page.expect_request(f"**/api/v2/images?*collection={collection}*"):
        page.evaluate(f"location.hash = '#/search?c={collection}'")
    with page.expect_response(f"**/api/v2/images?*collection={gallery}*"):
        page.evaluate(f"location.hash = '#/search?c={gallery}'")
    expect(page.get_by_role("link", name="Search with rings.png")).to_be_visible()
    held[0].continue_()
    round_trip(page)
    expect(page.get_by_role("link", name="Search with rings.png")).to_be_visible()


def test_late_pictures_to_start_with_hide_no_failure_of_a_search(
    look: Look, gallery: str, tmp_path: Path, complaints: list[str]
) -> None:
    page = look(f"library?c={gallery}")
    expect(pictures(page)).to_have_count(5)
    held: list[Route] = []
    page.route("**/api/v2/images?**", lambda route: held.append(route))
    page.route("**/api/v2/search", lambda route: route.fulfill(status=500, json={}))
    with page.expect_request("**/api/v2/images?**"):
        go(page, "Search")
    carry(page, draw("stripes.png", tmp_path / "s.png", 200), "drop")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("unexpected way")
    with page.expect_response("**/api/v2/images?**"):
        held[0].continue_()
    round_trip(page)
    expect(alert).to_contain_text("unexpected way")
    expect(results(page)).to_have_count(0)
    without_status(complaints, 500)
