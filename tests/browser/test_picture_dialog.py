"""The dialog of a picture: its neighbours, and its comparison with the query."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import expect_found, results

Look = Callable[..., Page]


def test_next_goes_on_in_one_dialog_and_keeps_the_focus(look: Look, gallery: str) -> None:
    page = look(f"library?c={gallery}&sort=name")
    page.get_by_role("link", name="checks.png").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading").first).to_have_text("checks.png")
    dialog.evaluate("(one) => (one.isFirst = true)")
    onward = dialog.get_by_role("button", name="Next picture")
    onward.focus()
    for name in ("rays.png", "rings-large.png", "rings.png", "stripes.png", "stripes.png"):
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("heading").first).to_have_text(name)
        expect(onward).to_be_focused()
    expect(onward).to_be_disabled()
    expect(dialog).to_have_js_property("isFirst", True)


def held(page: Page, image: str) -> list[Route]:
    """Hold the request for an image until it is continued."""
    routes: list[Route] = []
    page.route(f"**/api/v2/images/{image}", lambda route: routes.append(route))
    return routes


def compared(page: Page) -> None:
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("list", name="Why")).to_be_visible()
    expect(dialog.get_by_text("Same picture", exact=True)).to_be_visible()
    expect(dialog.get_by_role("radio", name="Overlay")).to_be_visible()


def test_a_picture_is_compared_with_its_query_after_a_reload_and_back(
    look: Look, gallery: str
) -> None:
    page = look(f"search?c={gallery}")
    page.get_by_role("link", name="Search with rings.png").click()
    expect_found(page, "rings.png")
    (query,) = re.findall(r"[?&]id=(\d+)", page.url)
    results(page).nth(1).click()
    compared(page)
    routes = held(page, query)
    with page.expect_request(f"**/api/v2/images/{query}"):
        page.reload()
    heading = page.get_by_role("dialog").get_by_role("heading").first
    expect(heading).to_have_text("rings-large.png")
    routes.pop().continue_()
    compared(page)
    page.get_by_role("button", name="More like this").click()
    expect_found(page, "rings-large.png")
    with page.expect_request(f"**/api/v2/images/{query}"):
        page.go_back()
    expect(heading).to_have_text("rings-large.png")
    routes.pop().continue_()
    compared(page)
