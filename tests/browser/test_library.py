"""The library, duplicates and collections as their users meet them."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from client_sdk import Client
from tests.browser.conftest import reconnect
from tests.support.waiting import wait_until

Look = Callable[..., Page]


def pictures(page: Page) -> Locator:
    return page.get_by_role("grid", name="Library").locator(".picture")


def count(server: Any, collection: str) -> int:
    with Client(server.url) as client:
        return client.count(collection=collection)


def test_pictures_are_sorted_filtered_and_opened(look: Look, gallery: str) -> None:
    page = look(f"library?c={gallery}")
    expect(page.get_by_role("heading", name="5 pictures")).to_be_visible()
    page.get_by_label("Order").select_option("By name")
    expect(pictures(page).first).to_have_accessible_name("checks.png")
    expect(page).to_have_url(re.compile("sort=name"))
    page.get_by_role("combobox", name="Filter by metadata").fill("$width > 200")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="1 picture", exact=True)).to_be_visible()
    pictures(page).first.click()
    expect(page.get_by_role("dialog", name="Picture rings-large.png")).to_be_visible()
    expect(page).to_have_url(re.compile(r"#/image/\d+\?in=library"))
    page.keyboard.press("Escape")
    page.go_back()
    page.go_back()
    page.go_back()
    expect(page.get_by_role("heading", name="5 pictures")).to_be_visible()


def hold_timers(page: Page) -> None:
    """Keep the chance to undo and messages for ever, however slow the machine is."""
    page.evaluate(
        """() => {
            const later = window.setTimeout;
            window.setTimeout = (act, ms, ...rest) => (ms < 5_000 ? later(act, ms, ...rest) : 0);
        }"""
    )


def test_a_deleted_picture_comes_back_with_undo(look: Look, server: Any, filled: str) -> None:
    page = look(f"library?c={filled}")
    hold_timers(page)
    pictures(page).first.focus()
    page.keyboard.press("Delete")
    expect(pictures(page)).to_have_count(4)
    page.get_by_role("button", name="Undo").click()
    expect(pictures(page)).to_have_count(5)
    assert count(server, filled) == 5


def test_selected_pictures_are_changed_and_deleted(look: Look, server: Any, filled: str) -> None:
    page = look(f"library?c={filled}")
    hold_timers(page)
    expect(select_two(page)).to_be_visible()
    page.get_by_role("button", name="Edit metadata").click()
    page.get_by_label("Key", exact=True).fill("shop")
    page.get_by_label("Value", exact=True).fill("north")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 pictures changed.")).to_be_visible()
    page.get_by_role("combobox", name="Filter by metadata").fill('shop == "north"')
    page.keyboard.press("Enter")
    expect(pictures(page)).to_have_count(2)
    page.get_by_role("button", name="Delete all that pass the filter").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("3")
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("textbox").fill("2")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 pictures deleted.")).to_be_visible()
    assert count(server, filled) == 3


def select_two(page: Page) -> Locator:
    pictures(page).first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    return page.get_by_text("2 selected", exact=True)


def test_a_late_answer_at_the_start_does_not_clear_the_selection(look: Look, gallery: str) -> None:
    page = look("")
    waiting: list[Route] = []
    page.route("**/api/v2/info", lambda route: waiting.append(route))
    lists: list[str] = []
    page.on("request", lambda request: lists.append(request.url))
    page.goto(f"{page.url.split('#')[0]}?again#/library?c={gallery}")
    selected = select_two(page)
    expect(selected).to_be_visible()
    with page.expect_response("**/api/v2/collections**"):
        waiting[0].continue_()
    expect(page.get_by_role("button", name="Edit metadata")).to_be_visible()
    expect(selected).to_be_visible()
    assert sum("/api/v2/images?" in url for url in lists) == 1


def test_a_service_that_was_away_does_not_clear_the_selection(look: Look, gallery: str) -> None:
    page = look(f"library?c={gallery}")
    selected = select_two(page)
    reconnect(page)
    expect(pictures(page)).to_have_count(5)
    expect(selected).to_be_visible()


def test_leaving_the_page_ends_the_waiting_of_a_deletion(
    look: Look, server: Any, filled: str
) -> None:
    page = look(f"library?c={filled}")
    hold_timers(page)
    pictures(page).first.focus()
    page.keyboard.press("Delete")
    expect(pictures(page)).to_have_count(4)
    assert count(server, filled) == 5
    page.reload()
    wait_until(lambda: count(server, filled) == 4)
    page.reload()  # the first time, the page may list the picture just before it is deleted
    expect(page.get_by_role("heading", name="4 pictures")).to_be_visible()


def test_an_empty_collection_has_one_way_on(look: Look, collection: str) -> None:
    page = look(f"search?c={collection}")
    expect(page.get_by_role("heading", name="There are no pictures here yet")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Add").click()
    expect(page.get_by_role("heading", name="Add pictures")).to_be_focused()


def test_a_collection_is_created_and_deleted_by_its_name(look: Look, filled: str) -> None:
    page = look(f"library?c={filled}")
    page.get_by_role("button", name=re.compile("Collection")).click()
    page.get_by_placeholder("Name of a new collection").fill(f"{filled}-more")
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"Pictures are added to “{filled}-more”.")).to_be_visible()
    page.get_by_role("button", name=re.compile("Collection")).click()
    page.get_by_role("button", name=f"Delete the collection “{filled}”").click()
    page.get_by_role("dialog").get_by_role("textbox").fill(filled)
    page.keyboard.press("Enter")
    page.get_by_role("button", name=re.compile("Collection")).click()
    expect(page.get_by_role("link", name=re.compile(f"^{filled}-more"))).to_be_visible()
    expect(page.get_by_role("link", name=re.compile(f"^{filled} ?5"))).to_have_count(0)


def test_nothing_of_a_group_is_deleted_before_its_number_is_typed(
    look: Look, server: Any, filled: str
) -> None:
    page = look(f"duplicates?c={filled}")
    hold_timers(page)
    group = page.get_by_role("main").get_by_role("listitem").first
    expect(group.get_by_role("checkbox", name="Keep rings-large.png")).to_be_checked()
    expect(group.get_by_role("checkbox", name="Keep rings.png")).not_to_be_checked()
    group.get_by_role("button", name="Flip").click()
    dialog = page.get_by_role("dialog", name="Compare by flipping")
    first = dialog.get_by_role("heading").inner_text()
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("heading")).not_to_have_text(first)
    page.keyboard.press("Escape")
    group.get_by_role("button", name="Flip").click()
    expect(dialog.get_by_role("heading")).to_have_text(first)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keep the best in this group").click()
    page.keyboard.press("Escape")
    assert count(server, filled) == 5
    page.get_by_role("button", name="Keep the best in this group").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 picture deleted.")).to_be_visible()
    expect(page.get_by_role("checkbox")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(group.get_by_role("checkbox", name="Keep rings-large.png")).to_be_checked()
    assert count(server, filled) == 5


def test_a_box_of_duplicates_is_named_by_what_it_shows(look: Look, gallery: str) -> None:
    page = look(f"duplicates?c={gallery}")
    box = page.get_by_role("checkbox", name="Keep rings.png")
    expect(box).not_to_be_checked()
    expect(page.locator("label", has=box)).to_have_text("Keep")


def test_a_question_ends_when_people_go_back(look: Look, filled: str) -> None:
    page = look(f"search?c={filled}")
    page.get_by_role("link", name="Library").click()
    page.get_by_role("button", name="Delete all").click()
    expect(page.get_by_role("dialog", name="Delete all")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("link", name="Search with rings.png")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_last_picture_of_a_group_is_kept(look: Look, gallery: str) -> None:
    page = look(f"duplicates?c={gallery}")
    box = page.get_by_role("checkbox", name="Keep rings-large.png")
    expect(box).to_be_checked()
    box.click()
    expect(box).to_be_checked()
    page.get_by_role("button", name="Not duplicates").click()
    expect(page.get_by_text("No two pictures of this collection are the same")).to_be_visible()


@pytest.fixture
def many(look: Look, gallery: str) -> Page:
    """Return the library of a service that has 10,000 pictures."""
    page = look(f"library?c={gallery}")
    expect(pictures(page)).to_have_count(5)
    found = page.evaluate(f"fetch('api/v2/images?collection={gallery}').then((a) => a.json())")
    originals = found["images"]

    def answer(route: Any) -> None:
        query = dict(re.findall(r"(\w+)=([^&]*)", route.request.url))
        start, limit = int(query.get("cursor", 0)), int(query["limit"])
        images = [
            {**originals[n % 5], "id": n + 1, "name": f"{n}.png", "width": 100 + n % 7 * 40}
            for n in range(start, min(10_000, start + limit))
        ]
        after = start + limit if start + limit < 10_000 else None
        route.fulfill(body=json.dumps({"images": images, "next_cursor": after}))

    page.route("**/api/v2/images?**", answer)
    page.get_by_label("Order").select_option("Oldest first")
    expect(pictures(page).first).to_have_accessible_name("0.png")
    return page


def test_few_of_ten_thousand_pictures_are_in_the_document(many: Page) -> None:
    last = many.get_by_role("link", name="9999.png", exact=True)
    while not last.count():
        rows = many.locator("la-grid").get_attribute("aria-rowcount")
        many.evaluate("scrollTo(0, document.body.scrollHeight)")
        more = many.locator(f"la-grid:not([aria-rowcount='{rows}'])")
        expect(more.or_(last).first).to_be_attached()
        assert 0 < pictures(many).count() < 200
    pictures(many).last.focus()
    many.keyboard.press("Home")
    expect(many.locator(":focus")).to_have_accessible_name("0.png")
