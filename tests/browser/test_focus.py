"""Focus and scroll position after pictures were added or removed."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import expect_found, results
from tests.browser.test_library import hold_timers, pictures
from tests.support.waiting import wait_until

Look = Callable[..., Page]


def test_the_next_picture_has_the_focus_after_a_deletion(look: Look, filled: str) -> None:
    page = look(f"library?c={filled}&sort=name")
    hold_timers(page)
    pictures(page).first.press("Delete")
    expect(pictures(page)).to_have_count(4)
    expect(pictures(page).first).to_be_focused()
    expect(pictures(page).first).to_have_accessible_name("rays.png")
    pictures(page).last.press("Delete")
    expect(pictures(page)).to_have_count(3)
    expect(pictures(page).last).to_be_focused()


def test_the_first_result_has_the_focus_after_a_search_by_keyboard(
    look: Look, gallery: str
) -> None:
    page = look(f"search?c={gallery}")
    page.get_by_role("link", name="Search with rings.png").press("Enter")
    expect_found(page, "rings.png")
    expect(results(page).first).to_be_focused()
    page.keyboard.press("End")
    expect(results(page).last).to_be_focused()
    name = str(page.evaluate("document.activeElement.ariaLabel")).split(": ")[1].split(". ")[0]
    page.keyboard.press("m")
    expect_found(page, name)
    expect(results(page).first).to_be_focused()


def test_new_results_are_shown_from_their_start(look: Look, gallery: str) -> None:
    page = look(f"search?c={gallery}", viewport={"width": 640, "height": 400})
    page.get_by_role("link", name="Search with rings.png").click()
    expect_found(page, "rings.png")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    wait_until(lambda: page.evaluate("scrollY > 50"))
    last = results(page).last
    name = str(last.get_attribute("aria-label")).split(": ")[1].split(". ")[0]
    last.hover()
    page.get_by_role("button", name=f"More like {name}").dispatch_event("click")
    expect(results(page).first).to_have_accessible_name(re.compile(f"^1: {re.escape(name)}"))
    wait_until(lambda: page.evaluate("scrollY === 0"))
