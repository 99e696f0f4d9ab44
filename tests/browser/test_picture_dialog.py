"""The dialog of a picture: its neighbours, and its comparison with the query."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

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
