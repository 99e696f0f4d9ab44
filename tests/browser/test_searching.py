"""Searches and the dialog of a picture as their users meet them."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from client_sdk import Client
from tests.browser.conftest import MOTIFS, carry, draw, expect_found, results

Look = Callable[..., Page]


def test_a_picture_is_chosen_and_the_same_one_is_found_first(
    look: Look, gallery: str, tmp_path: Path
) -> None:
    page = look(f"search?c={gallery}")
    page.get_by_label("Choose a picture").set_input_files(draw("checks.png", tmp_path / "my.png"))
    expect_found(page, "checks.png")
    expect(results(page)).to_have_count(5)
    expect(page.get_by_role("heading", name="Same picture")).to_be_visible()
    expect(page.get_by_role("heading", name="Alike", exact=True)).to_be_visible()
    # The collection holds it, so its address is one that others can use.
    expect(page).to_have_url(re.compile(r"[?&]id=\d+"))
    page.reload()
    expect_found(page, "checks.png")


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_of_elsewhere_survives_reload_and_back(
    way: str, look: Look, gallery: str, tmp_path: Path
) -> None:
    page = look(f"search?c={gallery}")
    expect(page.get_by_role("link", name="Search with rays.png")).to_be_visible()
    carry(page, draw("rays.png", tmp_path / "mine.png", 200), way)
    expect(results(page).first).to_have_accessible_name(re.compile("^1: rays"))
    expect(page).to_have_url(re.compile(r"[?&]q=[0-9a-f]{64}"))
    page.reload()
    expect(results(page).first).to_have_accessible_name(re.compile("^1: rays"))
    page.go_back()
    expect(page.get_by_role("heading", name="Drop a picture")).to_be_visible()
    page.go_forward()
    expect(results(page).first).to_have_accessible_name(re.compile("^1: rays"))


def test_a_text_is_no_picture_and_nothing_is_asked(
    look: Look, gallery: str, tmp_path: Path
) -> None:
    page = look(f"search?c={gallery}")
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if r.url.endswith("search") else None)
    (tmp_path / "notes.txt").write_text("milk")
    page.get_by_label("Choose a picture").set_input_files(tmp_path / "notes.txt")
    expect(page.get_by_text("notes.txt is not a picture.")).to_be_visible()
    assert asked == []


def test_a_pasted_address_is_refused_where_the_service_fetches_none(
    look: Look, gallery: str
) -> None:
    page = look(f"search?c={gallery}")
    expect(page.get_by_role("link", name="Search with rings.png")).to_be_visible()
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.setData("text/plain", "https://shop.example/a.jpg");
            document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data}));
        }"""
    )
    expect(page.get_by_text("This service fetches no pictures from addresses.")).to_be_visible()


def test_the_keyboard_alone_searches_opens_and_goes_on(look: Look, gallery: str) -> None:
    page = look(f"search?c={gallery}")
    expect(page.get_by_role("link", name="Search with rings.png")).to_be_visible()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.picture')"):
            break
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(results(page)).to_have_count(5)
    results(page).first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    name = page.evaluate("document.activeElement.ariaLabel")
    assert name.startswith("3: ")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading").first).to_have_text(name.split(": ")[1].split(". ")[0])
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator(":focus")).to_have_accessible_name(name)
    page.keyboard.press("m")
    expect_found(page, name.split(": ")[1].split(". ")[0])
    results(page).first.focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()


def test_a_part_is_searched_with_when_the_crop_rests(look: Look, gallery: str) -> None:
    page = look(f"search?c={gallery}")
    page.get_by_role("link", name="Search with checks.png").click()
    expect_found(page, "checks.png")
    page.get_by_role("button", name="Crop").click()
    page.get_by_role("button", name="Top left corner").focus()
    with page.expect_response("**/api/v2/search") as answered:
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("ArrowDown")
    assert answered.value.json()["hits"][0]["score"] < 1
    expect(page).to_have_url(re.compile(r"[?&]r=16,2,144,158"))
    handle = page.get_by_role("button", name="Bottom right corner")
    box = handle.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (44, 44)
    page.mouse.move(box["x"] + 22, box["y"] + 22)
    page.mouse.down()
    page.mouse.move(box["x"] - 60, box["y"] - 60)
    page.mouse.up()
    expect(page).not_to_have_url(re.compile("r=16,2,144,158"))
    page.get_by_role("button", name="Whole picture").click()
    expect(page).not_to_have_url(re.compile("[?&]r="))
    page.go_back()
    expect(page).to_have_url(re.compile("[?&]r=16,2,"))


def test_the_least_score_and_a_filter_are_in_the_address(look: Look, gallery: str) -> None:
    page = look(f"search?c={gallery}")
    page.get_by_role("link", name="Search with rings.png").click()
    expect_found(page, "rings.png")
    slider = page.get_by_role("slider", name="Least score")
    slider.focus()
    page.keyboard.press("End")
    expect(results(page)).to_have_count(1)
    expect(page.get_by_text("1 result", exact=True).first).to_be_visible()
    expect(page).to_have_url(re.compile(r"min=1"))
    page.keyboard.press("Home")
    expect(results(page)).to_have_count(5)
    field = page.get_by_role("combobox", name="Filter by metadata")
    field.fill("$wi")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(field).to_have_value("$width")
    field.press_sequentially(" > 200")
    page.keyboard.press("Enter")
    expect(results(page)).to_have_count(1)
    page.reload()
    expect(results(page)).to_have_count(1)
    expect(page.get_by_role("combobox")).to_have_value("$width > 200")


def test_results_are_saved_as_json_and_csv(look: Look, gallery: str) -> None:
    page = look(f"search?c={gallery}")
    page.get_by_role("link", name="Search with rings.png").click()
    expect_found(page, "rings.png")
    with page.expect_download() as saved:
        page.get_by_role("button", name="JSON").click()
    found = json.loads(saved.value.path().read_text())
    assert [hit["rank"] for hit in found] == [1, 2, 3, 4, 5]
    assert found[0]["name"] == "rings.png"
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(saved.value.path().read_text().splitlines()))
    assert [row["name"] for row in rows] == [hit["name"] for hit in found]


def test_a_picture_is_compared_copied_changed_and_left(look: Look, filled: str) -> None:
    page = look(f"search?c={filled}")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="Search with rings.png").click()
    expect_found(page, "rings.png")
    page.get_by_role("link", name=re.compile("rings-large.png")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Same picture", exact=True)).to_be_visible()
    reasons = dialog.get_by_role("list", name="Why")
    expect(reasons).to_contain_text("Fingerprints differ in")
    expect(reasons).to_contain_text("of the detail is the same")
    expect(reasons).not_to_contain_text("the same picture from")  # no score makes it one
    for mode in ("Overlay", "Difference", "Only the match", "Side by side"):
        dialog.get_by_role("radio", name=mode).check()
    dialog.get_by_role("button", name="Copy the path").click()
    expect(dialog.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").endswith(f"{filled}/rings-large.png")
    dialog.get_by_label("New key").fill("price")
    dialog.get_by_label("Value", exact=True).fill("12")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_label("Value of price")).to_have_value("12")
    expect(dialog.get_by_text("Its file stays in its folder.")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("heading").first).not_to_have_text("rings-large.png")
    address = page.url
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.goto(address)
    page.reload()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_name_with_markup_is_shown_as_text(
    look: Look, server: Any, collection: str, tmp_path: Path
) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    with Client(server.url) as client:
        client.upload([draw("rings.png", tmp_path / name)], collection=collection).wait()
    page = look(f"search?c={collection}")
    page.get_by_label("Choose a picture").set_input_files(tmp_path / name)
    expect_found(page, name)
    expect(page.get_by_role("img", name=f"Your picture, {name}")).to_be_visible()
    results(page).first.click()
    expect(page.get_by_role("dialog").get_by_role("heading", name=name)).to_be_visible()


def test_the_page_works_below_a_path_prefix(look: Look, server: Any, gallery: str) -> None:
    page = look(f"search?c={gallery}")
    page.goto("about:blank")  # ends the requests of the page at the root
    page.route(
        "**/below/**",
        lambda route: route.continue_(url=route.request.url.replace("/below/", "/")),
    )
    wrong: list[str] = []
    page.on(
        "request",
        lambda request: None if "/below/" in request.url else wrong.append(request.url),
    )
    page.goto(f"{server.url}/below/#/search?c={gallery}")
    page.get_by_role("link", name="Search with rays.png").click()
    expect_found(page, "rays.png")
    expect(results(page).first.locator("img")).to_have_js_property("naturalWidth", 160)
    page.get_by_role("link", name="Library").click()
    expect(page.get_by_role("heading", name="5 pictures")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="5 pictures")).to_be_visible()
    assert wrong == []


def test_every_motif_is_a_way_to_begin(look: Look, gallery: str) -> None:
    page = look(f"search?c={gallery}")
    for motif in MOTIFS:
        expect(page.get_by_role("link", name=f"Search with {motif}")).to_be_visible()
