"""Deletions in quick succession, and those that fail or are undone."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import without_status
from tests.browser.test_library import count, hold_timers, pictures
from tests.support.waiting import wait_until

Look = Callable[..., Page]


_HOLD_DELETIONS = """() => {
    const ask = window.fetch;
    const released = new Promise((done) => (window.release = done));
    window.fetch = async (url, options) => {
        if (url.endsWith("/delete")) await released;
        return ask(url, options);
    };
}"""


def delete_first(page: Page, left: int) -> None:
    pictures(page).first.focus()
    page.keyboard.press("Delete")
    expect(pictures(page)).to_have_count(left)


def test_pictures_deleted_in_quick_succession_are_all_deleted(
    look: Look, server: Any, filled: str
) -> None:
    page = look(f"library?c={filled}")
    hold_timers(page)
    page.evaluate(_HOLD_DELETIONS)
    for left in (4, 3, 2):
        delete_first(page, left)
    page.evaluate("release()")
    page.get_by_role("button", name="Undo").click()
    expect(pictures(page)).to_have_count(3)
    wait_until(lambda: count(server, filled) == 3)


def test_a_picture_that_could_not_be_deleted_comes_back(
    look: Look, server: Any, filled: str, complaints: list[str]
) -> None:
    page = look(f"library?c={filled}")
    hold_timers(page)
    page.route("**/api/v2/delete", lambda route: route.fulfill(status=500, json={}))
    delete_first(page, 4)
    pictures(page).first.focus()
    page.keyboard.press("Delete")
    expect(page.get_by_text("unexpected way (HTTP 500)")).to_be_visible()
    expect(pictures(page)).to_have_count(4)
    page.get_by_role("button", name="Undo").click()
    expect(pictures(page)).to_have_count(5)
    assert count(server, filled) == 5
    without_status(complaints, 500)


def test_another_message_leaves_the_chance_to_undo(look: Look, server: Any, filled: str) -> None:
    page = look(f"library?c={filled}")
    hold_timers(page)
    pictures(page).first.click()
    dialog = page.get_by_role("dialog", name="Picture")
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(pictures(page)).to_have_count(4)
    dialog.get_by_role("button", name="Copy the id").click()
    expect(dialog.get_by_role("status")).to_contain_text("opi")
    dialog.get_by_role("button", name="Undo").click()
    expect(pictures(page)).to_have_count(5)
    assert count(server, filled) == 5
