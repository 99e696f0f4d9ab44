"""The picture that a search is given, in any view, and the filters that stay where they are."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import carry, draw, expect_found
from tests.browser.test_library import pictures

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
