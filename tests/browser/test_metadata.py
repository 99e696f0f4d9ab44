"""Metadata that is typed in the dialog of a picture and for several pictures."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import without_status
from tests.browser.test_library import select_two

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


def with_two_values(page: Page) -> Locator:
    """Open the first picture of the library, and give it two values; return its dialog."""
    dialog = open_first(page)
    add_value(dialog, "shop", "north")
    add_value(dialog, "price", "20")
    return dialog


def move_shop(dialog: Locator) -> None:
    """Change the first value, and wait until it is sent."""
    with dialog.page.expect_request("**/api/v2/images/*"):
        dialog.get_by_label("Value of shop").fill("south")
        dialog.page.keyboard.press("Tab")


def test_a_value_that_is_being_typed_stays_when_another_one_is_saved(
    look: Look, filled: str
) -> None:
    dialog = with_two_values(look(f"library?c={filled}"))
    page = dialog.page
    held: list[Route] = []
    page.route("**/api/v2/images/*", lambda route: held.append(route))
    move_shop(dialog)
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


def test_two_values_that_are_changed_in_quick_succession_are_both_saved(
    look: Look, filled: str
) -> None:
    dialog = with_two_values(look(f"library?c={filled}"))
    page = dialog.page
    held: list[Route] = []
    page.route(
        "**/api/v2/images/*", lambda route: route.continue_() if held else held.append(route)
    )
    move_shop(dialog)
    dialog.get_by_label("Value of price").fill("25")
    page.keyboard.press("Enter")
    with page.expect_response(lambda answer: (answer.request.post_data or "").count("25") == 1):
        held[0].continue_()
    page.unroute("**/api/v2/images/*")
    page.reload()
    expect(dialog.get_by_label("Value of price")).to_have_value("25")
    expect(dialog.get_by_label("Value of shop")).to_have_value("south")


def refuse_changes(page: Page) -> None:
    def answer(route: Route) -> None:
        if route.request.method == "PATCH":
            route.fulfill(status=500, json={"detail": "the disk is on fire", "code": "x"})
        else:
            route.continue_()

    page.route("**/api/v2/images/*", answer)


def test_a_new_value_that_could_not_be_saved_stays_in_its_form(
    look: Look, filled: str, complaints: list[str]
) -> None:
    page = look(f"library?c={filled}")
    dialog = open_first(page)
    refuse_changes(page)
    dialog.get_by_label("New key").fill("shop")
    dialog.get_by_label("Value", exact=True).fill("north")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("status")).to_have_text("The disk is on fire.")
    expect(dialog.get_by_label("New key")).to_have_value("shop")
    page.unroute("**/api/v2/images/*")
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Value of shop")).to_have_value("north")
    expect(dialog.get_by_label("New key")).to_have_value("")
    without_status(complaints, 500)


def test_values_of_several_pictures_that_could_not_be_saved_stay_in_their_form(
    look: Look, filled: str, complaints: list[str]
) -> None:
    page = look(f"library?c={filled}")
    expect(select_two(page)).to_be_visible()
    refuse_changes(page)
    page.get_by_role("button", name="Edit metadata").click()
    dialog = page.get_by_role("dialog", name="Edit metadata")
    dialog.get_by_label("Key", exact=True).fill("shop")
    dialog.get_by_label("Value", exact=True).fill("north")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("The disk is on fire.")
    expect(dialog.get_by_label("Key", exact=True)).to_have_value("shop")
    page.unroute("**/api/v2/images/*")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("2 pictures changed.")).to_be_visible()
    expect(dialog).to_have_count(0)
    without_status(complaints, 500)
