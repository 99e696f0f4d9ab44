"""Adding pictures as their users meet it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from client_sdk import Client
from tests.browser.conftest import MOTIFS, draw, new_collection, round_trip, without_status

Look = Callable[..., Page]


def added(page: Page, collection: str) -> Locator:
    """Return the run that added pictures; those of other collections lie below it."""
    return page.get_by_role("region", name=f"Added to “{collection}”")


def expect_added(page: Page, collection: str, text: str) -> None:
    run = added(page, collection)
    expect(run).to_be_visible()
    expect(run.get_by_text(text, exact=True)).to_be_visible()


def noise(folder: Path, number: int) -> list[Path]:
    files = []
    for one in range(number):
        files.append(folder / f"noise-{one}.png")
        Image.effect_noise((64, 64), 10 + one).save(files[-1])
    return files


def in_small_requests(page: Page, collection: str) -> None:
    """Have the page believe that the service takes a few small pictures at once."""

    def answer(route: Route) -> None:
        info = route.fetch().json()
        info["limits"]["max_request_bytes"] = 10_000
        route.fulfill(json=info)

    page.route("**/api/v2/info", answer)
    page.reload()
    expect(page.get_by_text(f"Pictures are added to “{collection}”.")).to_be_visible()


def test_pictures_of_a_collection_that_is_gone_are_not_asked_for(
    look: Look, server: Any, filled: str
) -> None:
    with Client(server.url) as client:
        client.collection(filled).delete()
    page = look(f"add?c={new_collection(server)}")
    expect(added(page, filled)).to_be_visible()
    round_trip(page)


def test_an_upload_is_previewed_sent_as_one_run_and_seen(
    look: Look, collection: str, tmp_path: Path
) -> None:
    page = look(f"add?c={collection}")
    files = [draw(motif, tmp_path / motif) for motif in MOTIFS]
    (tmp_path / "notes.txt").write_text("milk")
    page.get_by_label("Choose files").set_input_files([*files, tmp_path / "notes.txt"])
    expect(page.get_by_text("Preview: 4 new, 1 is no picture")).to_be_visible()
    page.get_by_role("button", name="Add 4 pictures").click()
    expect_added(page, collection, "4 added")
    expect(page.get_by_role("button", name=re.compile("Collection"))).to_contain_text("4")
    run = added(page, collection)
    expect(run.locator(".strip img")).to_have_count(4)
    run.get_by_role("link", name="Search them").click()
    grid = page.get_by_role("grid", name="Results")
    expect(grid.locator(".picture")).to_have_count(4)
    page.go_back()
    run.get_by_role("link", name="See them").click()
    expect(page.get_by_role("heading", name="4 pictures")).to_be_visible()
    page.goto(f"{page.url.split('#')[0]}#/add?c={collection}")
    page.get_by_label("Choose files").set_input_files(files[:2])
    expect(page.get_by_text("Preview: 0 new, 2 known")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Add [0-9]"))).to_have_count(0)


def test_an_upload_of_several_requests_is_one_run_also_after_a_reload(
    look: Look, collection: str, tmp_path: Path
) -> None:
    page = look(f"add?c={collection}")
    in_small_requests(page, collection)
    sent: list[str] = []
    page.on(
        "response",
        lambda answer: (
            sent.append(answer.json()["batch"]) if answer.url.endswith("/train") else None
        ),
    )
    page.get_by_label("Choose files").set_input_files(noise(tmp_path, 6))
    page.get_by_role("button", name="Add 6 pictures").click()
    expect_added(page, collection, "6 added")
    page.reload()
    expect_added(page, collection, "6 added")
    expect(added(page, collection)).to_have_count(1)
    assert len(sent) > 1
    assert len(set(sent)) == 1


def fail_to_read(page: Page, name: str) -> None:
    """Have the browser fail to read a file, as if it were gone."""
    page.evaluate(
        """(name) => {
            const read = Blob.prototype.arrayBuffer;
            Blob.prototype.arrayBuffer = async function () {
                if (this.name === name) throw new DOMException("gone", "NotReadableError");
                return read.call(this);
            };
        }""",
        name,
    )


def test_a_file_that_cannot_be_read_is_counted_in_the_preview(
    look: Look, collection: str, tmp_path: Path
) -> None:
    page = look(f"add?c={collection}")
    fail_to_read(page, "noise-1.png")
    page.get_by_label("Choose files").set_input_files(noise(tmp_path, 3))
    expect(page.get_by_text("Preview: 2 new, 1 cannot be read")).to_be_visible()
    page.get_by_role("button", name="Add 2 pictures").click()
    expect_added(page, collection, "2 added")


def test_a_preview_can_be_canceled_while_files_are_read(
    look: Look, collection: str, tmp_path: Path
) -> None:
    page = look(f"add?c={collection}")
    page.evaluate("() => { Blob.prototype.arrayBuffer = () => new Promise(() => {}); }")
    page.get_by_label("Choose files").set_input_files(noise(tmp_path, 3))
    expect(page.get_by_text("Looking at 0 of 3 files…")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Looking at 0 of 3 files…")).to_have_count(0)


def test_a_preview_is_made_again_for_another_collection(
    look: Look, server: Any, collection: str, tmp_path: Path
) -> None:
    other = new_collection(server)
    page = look(f"add?c={collection}")
    files = noise(tmp_path, 3)
    page.get_by_label("Choose files").set_input_files(files[:1])
    page.get_by_role("button", name="Add 1 picture").click()
    expect_added(page, collection, "1 added")
    page.get_by_label("Choose files").set_input_files(files)
    expect(page.get_by_text("Preview: 2 new, 1 known")).to_be_visible()
    page.get_by_role("button", name=re.compile("Collection")).click()
    page.get_by_role("link", name=re.compile(f"^{other} ?0")).click()
    page.get_by_role("button", name="Add 3 pictures").click()
    expect_added(page, other, "3 added")


def test_a_search_with_a_file_that_cannot_be_read_says_so(
    look: Look, gallery: str, tmp_path: Path
) -> None:
    page = look(f"search?c={gallery}")
    fail_to_read(page, "noise-0.png")
    page.get_by_label("Choose a picture").set_input_files(noise(tmp_path, 1))
    expect(page.get_by_text("noise-0.png cannot be read.")).to_be_visible()


def test_a_folder_is_found_in_the_tree_previewed_and_added(
    look: Look, server: Any, collection: str
) -> None:
    folder = server.images / "shelf" / collection
    folder.mkdir(parents=True)
    for motif in MOTIFS:
        draw(motif, folder / motif)
    (folder / "broken.png").write_bytes(draw("rays.png", folder / "rays.png").read_bytes()[:300])
    (folder / "notes.txt").write_text("milk")
    page = look(f"add?c={collection}")
    page.get_by_role("radio", name="Folders of the service").check()
    tree = page.get_by_role("tree")
    tree.get_by_role("treeitem", name="pictures").focus()
    page.keyboard.press("ArrowRight")
    shelf = tree.get_by_role("treeitem", name="shelf")
    expect(shelf).to_be_visible()
    shelf.locator(".folder").first.click()
    tree.get_by_role("treeitem", name=collection).locator(".folder").click()
    expect(page.get_by_text("6 files")).to_be_visible()
    page.get_by_role("button", name="Preview").click()
    looked = page.get_by_role("region", name=f"Looked at “pictures/shelf/{collection}”")
    expect(looked).to_be_visible()
    expect(looked.get_by_text("4 new", exact=False).first).to_be_visible()
    page.get_by_role("button", name="Add this folder").click()
    run = added(page, collection)
    expect(run.locator(".counts")).to_have_text("4 added, 1 is no picture, 1 could not be added")
    # Neither a text nor a broken picture becomes a picture when it is tried again.
    expect(run.get_by_role("button", name="Retry")).to_have_count(0)
    run.get_by_text("Files that were not added").click()
    expect(run.get_by_text("broken.png")).to_be_visible()


def test_sending_can_be_stopped_and_gone_on_with(
    look: Look, collection: str, tmp_path: Path, complaints: list[str]
) -> None:
    page = look(f"add?c={collection}")
    sent: list[str] = []

    def once(route: Route) -> None:
        sent.append(route.request.url)
        if len(sent) == 2:
            route.fulfill(status=500, json={"detail": "the disk is on fire", "code": "x"})
        else:
            route.continue_()

    in_small_requests(page, collection)
    page.route("**/api/v2/train", once)
    page.get_by_label("Choose files").set_input_files(noise(tmp_path, 6))
    page.get_by_role("button", name="Add 6 pictures").click()
    expect(page.get_by_text("The disk is on fire.")).to_be_visible()
    page.get_by_role("button", name=re.compile("Send the other [1-5]")).click()
    expect_added(page, collection, "6 added")
    without_status(complaints, 500)


def test_a_second_upload_is_sent_after_the_rest_of_the_first(
    look: Look, collection: str, tmp_path: Path, complaints: list[str]
) -> None:
    page = look(f"add?c={collection}")
    in_small_requests(page, collection)
    files = noise(tmp_path, 8)
    page.route("**/api/v2/train", lambda route: route.fulfill(status=500, json={}))
    page.get_by_label("Choose files").set_input_files(files[:6])
    page.get_by_role("button", name="Add 6 pictures").click()
    expect(page.get_by_role("button", name="Send the other 6")).to_be_visible()
    page.unroute("**/api/v2/train")
    page.get_by_label("Choose files").set_input_files(files[6:])
    page.get_by_role("button", name="Add 2 pictures").click()
    expect_added(page, collection, "2 added")
    earlier = page.locator(".earlier summary").filter(has_text=f"Added to “{collection}”")
    expect(earlier).to_contain_text("6 added")
    without_status(complaints, 500)


def test_what_was_not_sent_can_be_dropped(
    look: Look, collection: str, tmp_path: Path, complaints: list[str]
) -> None:
    page = look(f"add?c={collection}")
    page.route("**/api/v2/train", lambda route: route.fulfill(status=500, json={}))
    page.get_by_label("Choose files").set_input_files(noise(tmp_path, 2))
    page.get_by_role("button", name="Add 2 pictures").click()
    sending = page.get_by_role("group", name="Sending 0 of 2")
    sending.get_by_role("button", name="Cancel").click()
    expect(sending).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)
    without_status(complaints, 500)


def test_a_run_can_be_canceled(look: Look, server: Any, collection: str) -> None:
    folder = server.images / collection
    folder.mkdir()
    noise(folder, 40)
    page = look(f"add?c={collection}")
    page.get_by_role("radio", name="Folders of the service").check()
    page.get_by_role("treeitem", name="pictures").focus()
    page.keyboard.press("Enter")
    page.get_by_role("treeitem", name=collection).locator(".folder").click()
    page.get_by_role("button", name="Add this folder").click()
    run = page.get_by_role("region", name=f"Adding to “{collection}”")
    run.get_by_role("button", name="Cancel").click()
    canceled = page.get_by_role("region", name=f"Canceled: “{collection}”")
    expect(canceled).to_be_visible()
    canceled.get_by_role("button", name="Retry").click()
    expect_added(page, collection, "40 added")
