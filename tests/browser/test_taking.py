"""The picture that a search is given, in any view, and the filters that stay where they are."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import carry, draw, expect_found, results, round_trip
from tests.browser.test_library import pictures
from tests.support.waiting import wait_until

Look = Callable[..., Page]


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_is_taken_in_a_view_that_was_opened_first(
    way: str, look: Look, gallery: str, tmp_path: Path
) -> None:
    page = look(f"library?c={gallery}")
    expect(pictures(page)).to_have_count(5)
    carry(page, draw("rays.png", tmp_path / "mine.png"), way)
    expect_found(page, "rays.png")


def test_files_may_be_dropped_on_the_add_view_that_was_opened_first(
    look: Look, collection: str
) -> None:
    page = look(f"add?c={collection}")
    expect(page.get_by_role("heading", name="Add pictures")).to_be_visible()
    is_accepted = """() => {
        const data = new DataTransfer();
        data.items.add(new File(["x"], "a.png", {type: "image/png"}));
        const over = {dataTransfer: data, bubbles: true, cancelable: true};
        return !document.dispatchEvent(new DragEvent("dragover", over));
    }"""
    assert page.evaluate(is_accepted)


def test_of_two_pictures_the_newer_one_is_searched_with(
    look: Look, gallery: str, tmp_path: Path
) -> None:
    page = look(f"search?c={gallery}")
    expect(page.get_by_role("link", name="Search with rings.png")).to_be_visible()
    page.evaluate(
        """() => {
            const usual = crypto.subtle.digest.bind(crypto.subtle);
            const held = new Promise((done) => (window.release = done));
            window.isHeld = false;
            crypto.subtle.digest = async (...given) => {
                crypto.subtle.digest = usual;
                window.isHeld = true;
                await held;
                return usual(...given);
            };
        }"""
    )
    carry(page, draw("rays.png", tmp_path / "large.png"), "drop")
    wait_until(lambda: page.evaluate("isHeld"))
    carry(page, draw("stripes.png", tmp_path / "small.png"), "drop")
    expect_found(page, "stripes.png")
    address = page.url
    page.evaluate("release()")
    round_trip(page)
    round_trip(page)
    assert page.url == address
    expect_found(page, "stripes.png")


def test_the_filter_of_the_library_stays_there(look: Look, gallery: str, tmp_path: Path) -> None:
    page = look(f"library?c={gallery}&f=%24width+%3E+200&sort=name")
    expect(pictures(page)).to_have_count(1)
    pictures(page).first.click()
    page.get_by_role("dialog").get_by_role("button", name="More like this").click()
    expect(results(page)).to_have_count(5)
    expect(page).not_to_have_url(re.compile("[?&](f|sort)="))
    page.go_back()
    expect(page.get_by_role("dialog")).to_be_visible()
    carry(page, draw("rays.png", tmp_path / "mine.png"), "drop")
    expect_found(page, "rays.png")
    expect(results(page)).to_have_count(5)
    expect(page).not_to_have_url(re.compile("[?&](f|sort)="))


def test_a_filter_that_back_removes_leaves_its_field(look: Look, gallery: str) -> None:
    page = look(f"library?c={gallery}")
    expect(page.get_by_role("heading", name="5 pictures")).to_be_visible()
    field = page.get_by_role("combobox", name="Filter by metadata")
    field.fill("$width > 200")
    field.press("Enter")
    expect(page.get_by_role("heading", name="1 picture", exact=True)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="5 pictures")).to_be_visible()
    expect(field).to_be_focused()
    expect(field).to_have_value("")


def test_a_picture_to_start_with_opens_its_search_elsewhere(look: Look, gallery: str) -> None:
    page = look(f"search?c={gallery}")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Search with rays.png").click(modifiers=["ControlOrMeta"])
    expect(page.get_by_role("heading", name="Drop a picture")).to_be_visible()
    expect_found(opened.value, "rays.png")
