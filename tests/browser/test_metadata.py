"""Metadata that is typed in the dialog of a picture and for several pictures."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, Route, expect

Look = Callable[..., Page]


def open_first(page: Page) -> Locator:
    """Open the first picture of the library; return its dialog."""
    page.get_by_role("grid", name="Library").locator(".picture").first.click()
    return page.get_by_role("dialog", name="Picture")


def add_value(dialog: Locator, key: str, value: str) -> None:
    dialog.get_by_label("New key").fill(key)
    dialog.get_by_label("Value", exact=True).fill(value)
    dialog.page.keyboard.press("Enter")
    expect(dialog.get_by_label(f"Value of {key}")).to_have_value(value)


def test_a_value_that_is_being_typed_stays_when_another_one_is_saved(
    look: Look, filled: str
) -> None:
    page = look(f"library?c={filled}")
    dialog = open_first(page)
    add_value(dialog, "shop", "north")
    add_value(dialog, "price", "20")
    held: list[Route] = []
    page.route("**/api/v2/images/*", lambda route: held.append(route))
    with page.expect_request("**/api/v2/images/*"):
        dialog.get_by_label("Value of shop").fill("south")
        page.keyboard.press("Tab")
    price = dialog.get_by_label("Value of price")
    price.focus()
    page.keyboard.press("End")
    page.keyboard.type("5")
    with page.expect_response("**/api/v2/images/*"):
        held[0].continue_()
    page.unroute("**/api/v2/images/*")
    expect(dialog.get_by_role("status")).to_have_text("Saved.")
    expect(price).to_have_value("205")
    page.keyboard.press("Enter")
    page.reload()
    expect(price).to_have_value("205")
    expect(dialog.get_by_label("Value of shop")).to_have_value("south")
