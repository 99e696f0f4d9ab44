"""The page as its users meet it: a real browser, a real service."""

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Locator, Page, Route, expect

SECONDS = 1000
INDEXING = 120 * SECONDS
SEARCHING = 30 * SECONDS
SIDE = 160
_numbers = count(1)

Draw = ImageDraw.ImageDraw


def _rings(draw: Draw) -> None:
    for radius in range(76, 0, -12):
        colour = "crimson" if radius // 12 % 2 else "white"
        draw.ellipse((80 - radius, 80 - radius, 80 + radius, 80 + radius), fill=colour)


def _stripes(draw: Draw) -> None:
    for x in range(0, SIDE, 16):
        draw.rectangle((x, 0, x + 7, SIDE), fill="navy")


def _checks(draw: Draw) -> None:
    for x in range(0, SIDE, 40):
        for y in range(0, SIDE, 40):
            draw.rectangle((x, y, x + 19, y + 19), fill="darkgreen")


def _rays(draw: Draw) -> None:
    for x in range(0, SIDE + 1, 10):
        draw.line((80, 159, x, 0), fill="darkorange", width=3)


MOTIFS: dict[str, Callable[[Draw], None]] = {
    "rings.png": _rings,
    "stripes.png": _stripes,
    "checks.png": _checks,
    "rays.png": _rays,
}


def draw(motif: str, path: Path) -> Path:
    picture = Image.new("RGB", (SIDE, SIDE), "beige")
    MOTIFS[motif](ImageDraw.Draw(picture))
    picture.save(path, "PNG")
    return path


@pytest.fixture
def collection(server: Any) -> str:
    """A new, empty collection."""
    name = f"browser-{next(_numbers)}"
    request = urllib.request.Request(  # noqa: S310 - our own
        f"{server.url}/api/v2/collections",
        json.dumps({"name": name}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        assert answer.status == 201
    return name


@pytest.fixture
def folder(server: Any, collection: str) -> Path:
    """A folder below the image root with one picture of each motif."""
    folder: Path = server.images / collection
    folder.mkdir()
    for motif in MOTIFS:
        draw(motif, folder / motif)
    return folder


@pytest.fixture
def complaints(server: Any) -> Iterator[list[str]]:
    """What the browser complains of; a test takes out what it expects."""
    seen: list[str] = []
    yield seen
    assert seen == []


@pytest.fixture
def page(browser: Browser, server: Any, collection: str, complaints: list[str]) -> Iterator[Page]:
    """The page, showing the new collection."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((server.url, "blob:"))
            else complaints.append(f"asked {request.url}")
        ),
    )
    page.goto(f"{server.url}/?collection={collection}")
    expect(page.locator("#count")).to_have_text("0")
    yield page
    context.close()


@pytest.fixture
def filled(page: Page, folder: Path) -> Page:
    """The page, its collection holding one picture of each motif."""
    index(page, folder)
    expect_indexed(page, len(MOTIFS))
    expect(page.locator("#count")).to_have_text(str(len(MOTIFS)))
    page.get_by_role("link", name="Search", exact=True).click()
    return page


def index(page: Page, path: Path) -> None:
    page.get_by_role("navigation").get_by_role("link", name="Add pictures").click()
    page.get_by_label("Path in it").fill(str(path))
    page.get_by_role("button", name="Index this folder").click()


def expect_indexed(page: Page, files: int) -> None:
    """Wait for the end of the page's own jobs; those of another collection may be shown before."""
    collection = page.url.split("collection=")[1].split("#")[0]
    finished = re.compile(rf"“{collection}” finished")
    expect(page.locator("#run-state")).to_have_text(finished, timeout=INDEXING)
    expect(page.locator("#run-done")).to_have_text(f"{files} files")


def without_status(complaints: list[str], status: int) -> None:
    """Chromium itself notes every answer over 399; take out the expected ones."""
    noted = [text for text in complaints if f"status of {status}" in text]
    assert noted
    complaints[:] = [text for text in complaints if text not in noted]


def choose(page: Page, picture: Path) -> None:
    page.get_by_label("Choose a picture").set_input_files(picture)


def drop(page: Page, picture: Path) -> None:
    carry(page, picture, "(data) => new DragEvent('drop', {dataTransfer: data, bubbles: true})")


def paste(page: Page, picture: Path) -> None:
    carry(page, picture, "(data) => new ClipboardEvent('paste', {clipboardData: data})")


def carry(page: Page, picture: Path, event: str) -> None:
    """Send the page an event that carries a file."""
    page.evaluate(
        f"""([bytes, name]) => {{
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name, {{type: "image/png"}}));
            document.dispatchEvent(({event})(data));
        }}""",
        [list(picture.read_bytes()), picture.name],
    )


def hits(page: Page) -> Locator:
    return page.get_by_role("list").and_(page.locator("#hits")).get_by_role("listitem")


def searched(page: Page, number: int = len(MOTIFS)) -> Locator:
    expect(page.locator("#search-status")).to_contain_text("hits in", timeout=SEARCHING)
    expect(hits(page)).to_have_count(number)
    return hits(page)


def test_an_empty_collection_says_what_to_do_and_leads_there(page: Page) -> None:
    expect(page.get_by_role("heading", name="Index some pictures first")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Add pictures").click()
    expect(page.get_by_role("heading", name="Add pictures")).to_be_focused()
    page.go_back()
    expect(page.get_by_role("heading", name="Search with a picture")).to_be_visible()


def test_a_folder_is_indexed_and_what_failed_is_named(page: Page, folder: Path) -> None:
    (folder / "notes.txt").write_text("milk, bread")
    draw("rings.png", folder / "the same again.png")
    index(page, folder)
    expect_indexed(page, 6)
    expect(page.locator("#run-indexed")).to_have_text("4")
    expect(page.locator("#run-duplicates")).to_have_text("1")
    expect(page.locator("#run-failed")).to_have_text("1")
    expect(page.locator("#run-errors-list")).to_contain_text("notes.txt")
    expect(page.locator("#count")).to_have_text("4")


def test_an_empty_path_means_the_whole_root(
    page: Page, collection: str, complaints: list[str]
) -> None:
    asked: list[Any] = []

    def answer(route: Route) -> None:
        asked.append(route.request.post_data_json)
        route.fulfill(status=404, json={"detail": "that was a test"})

    page.route("**/api/v2/train", answer)
    page.get_by_role("navigation").get_by_role("link", name="Add pictures").click()
    page.get_by_label("Image root").select_option("pictures")
    page.get_by_role("button", name="Index this folder").click()
    expect(page.get_by_text("That was a test.")).to_be_visible()
    assert asked == [{"path": ".", "root": "pictures", "collection": collection}]
    without_status(complaints, 404)


def test_a_running_job_is_shown_again_after_a_reload(page: Page, folder: Path) -> None:
    for number in range(24):
        Image.effect_noise((SIDE, SIDE), 10 + number).save(folder / f"noise-{number}.png")
    index(page, folder)
    running = f"Indexing into “{folder.name}”…"
    expect(page.locator("#run-state")).to_have_text(running)
    page.reload()
    expect(page.locator("#run-state")).to_have_text(running)
    expect(page.locator("#add-badge")).to_contain_text(re.compile(r"^\d+%$"))
    expect_indexed(page, 28)
    expect(page.locator("#count")).to_have_text("28")
    expect(page.locator("#add-badge")).to_be_hidden()


def noise(folder: Path, number: int) -> None:
    for n in range(number):
        Image.effect_noise((SIDE, SIDE), 10 + 3 * n).save(folder / f"noise-{n}.png")


def job_row(page: Page, folder: Path, place: int = 0) -> Locator:
    """The row of a job of this folder, the newest first."""
    rows = page.locator("#jobs").get_by_role("listitem")
    return rows.filter(has_text=f"pictures/{folder.name}").nth(place)


def test_a_job_is_canceled_and_retried_from_its_row(page: Page, folder: Path) -> None:
    noise(folder, 20)
    index(page, folder)
    row = job_row(page, folder)
    numbers = row.locator(".job-numbers")
    expect(numbers).to_have_text(re.compile(r"^[1-9]\d* of 24 files"), timeout=INDEXING)
    expect(row.get_by_role("button", name="Retry")).to_be_hidden()
    row.get_by_role("button", name=f"Cancel pictures/{folder.name}").click()
    expect(row.locator(".job-state")).to_have_text("Canceled")
    expect(row.get_by_role("button", name="Cancel")).to_be_hidden()
    expect(row.get_by_role("progressbar")).to_be_hidden()
    expect(page.locator("#run-state")).to_have_text(re.compile(r"was canceled at"))
    row.get_by_role("button", name=f"Retry pictures/{folder.name}").click()
    again = job_row(page, folder)
    expect(again.locator(".job-name")).to_have_text(f"pictures/{folder.name}, again")
    expect(job_row(page, folder, 1).get_by_role("button", name="Retry")).to_be_hidden()
    expect(again.locator(".job-state")).to_have_text("Finished", timeout=INDEXING)
    expect(page.locator("#count")).to_have_text("24")


def test_only_what_failed_is_retried(page: Page, folder: Path) -> None:
    (folder / "torn.png").write_text("milk, bread")
    index(page, folder)
    row = job_row(page, folder)
    expect(row.locator(".job-numbers")).to_contain_text("5 files · 1 failed", timeout=INDEXING)
    draw("rings.png", folder / "torn.png")
    row.get_by_role("button", name="Retry").click()
    again = job_row(page, folder)
    numbers = again.locator(".job-numbers")
    expect(numbers).to_have_text(re.compile(r"^1 file · at"), timeout=INDEXING)
    expect(again.get_by_role("button", name="Retry")).to_be_hidden()


def test_a_button_that_comes_too_late_says_so(
    page: Page, folder: Path, complaints: list[str]
) -> None:
    page.route(
        "**/cancel", lambda route: route.fulfill(status=409, json={"detail": "it is over already"})
    )
    noise(folder, 12)
    index(page, folder)
    row = job_row(page, folder)
    row.get_by_role("button", name="Cancel").click()
    expect(row.get_by_role("alert")).to_have_text("It is over already.")
    without_status(complaints, 409)
    expect_indexed(page, 16)


def test_progress_comes_by_events_without_asking_again_and_again(page: Page, folder: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    noise(folder, 8)
    index(page, folder)
    expect_indexed(page, 12)
    streams = [url for url in asked if url.endswith("/events")]
    assert len(streams) == 1
    job = streams[0].split("/")[-2]
    polls = [url for url in asked if f"/process?job={job}" in url]
    assert len(polls) <= 4  # until the stream is open, and now and then to be sure


def test_without_events_the_page_asks(page: Page, folder: Path, complaints: list[str]) -> None:
    page.route("**/events", lambda route: route.fulfill(status=502, body="a proxy"))
    index(page, folder)
    expect_indexed(page, 4)
    without_status(complaints, 502)


def test_a_reindex_is_shown_as_what_it_is(page: Page, folder: Path, server: Any) -> None:
    index(page, folder)
    expect_indexed(page, 4)
    call = f"{server.url}/api/v2/collections/{folder.name}/reindex"
    assert page.request.post(call, data={"descriptor": "vgg16-mac"}).status == 202
    page.reload()
    row = page.locator("#jobs").get_by_role("listitem").filter(has_text=folder.name).first
    expect(row.locator(".job-name")).to_have_text("Reindex to vgg16-mac")
    expect(row.locator(".job-numbers")).to_contain_text("4 pictures", timeout=INDEXING)
    expect(row.locator(".job-detail")).to_contain_text("Searches use vgg16-mac", timeout=INDEXING)
    expect(page.locator("#run-state")).to_contain_text(f"Reindexing “{folder.name}” finished")


@pytest.mark.parametrize("give", [choose, drop, paste])
def test_a_picture_finds_itself_first(
    filled: Page, folder: Path, give: Callable[[Page, Path], None]
) -> None:
    give(filled, folder / "checks.png")
    first = searched(filled).first
    expect(first.locator(".hit-name")).to_have_text("checks.png")
    expect(first.locator(".score-value")).to_have_text("1.000")
    expect(filled.locator("#query-preview")).to_be_visible()
    expect(first.locator("img")).to_have_js_property("naturalWidth", SIDE)


def test_more_like_this_searches_with_a_hit(filled: Page, folder: Path) -> None:
    choose(filled, folder / "checks.png")
    searched(filled)
    filled.get_by_role("button", name="More like this: rays.png").click()
    expect(filled.get_by_role("heading", name="Pictures like rays.png")).to_be_focused()
    first = searched(filled).first
    expect(first.locator(".hit-name")).to_have_text("rays.png")
    expect(first.locator(".score-value")).to_have_text("1.000")


def test_a_hit_opens_its_picture_in_a_new_tab(filled: Page, folder: Path) -> None:
    choose(filled, folder / "rings.png")
    link = searched(filled).first.get_by_role("link")
    with filled.context.expect_page() as opened:
        link.click()
    opened.value.wait_for_load_state()
    assert re.search(r"/api/v2/images/\d+/content$", opened.value.url)
    answer = filled.request.get(opened.value.url)
    assert answer.body() == (folder / "rings.png").read_bytes()


def test_a_hit_is_deleted_after_a_question(filled: Page, folder: Path) -> None:
    choose(filled, folder / "stripes.png")
    searched(filled)
    opener = filled.get_by_role("button", name="Delete rays.png")
    opener.click()
    filled.keyboard.press("Escape")
    expect(opener).to_be_focused()
    expect(filled.locator("#count")).to_have_text("4")
    opener.click()
    filled.get_by_role("group", name="Delete rays.png?").get_by_role(
        "button", name="Delete"
    ).click()
    expect(hits(filled)).to_have_count(3)
    expect(filled.locator("#count")).to_have_text("3")
    choose(filled, folder / "rays.png")
    searched(filled, 3)
    expect(hits(filled).filter(has_text="rays.png")).to_have_count(0)


def test_the_number_of_hits_can_be_chosen_with_the_keyboard(page: Page, folder: Path) -> None:
    for number in range(10):
        Image.effect_noise((SIDE, SIDE), 10 + 9 * number).save(folder / f"noise-{number}.png")
    index(page, folder)
    expect(page.locator("#count")).to_have_text("14", timeout=INDEXING)
    page.get_by_role("link", name="Search", exact=True).click()
    choose(page, folder / "noise-3.png")
    searched(page, 12)
    page.get_by_label("12", exact=True).focus()
    page.keyboard.press("ArrowRight")
    searched(page, 14)


def test_a_text_file_gives_a_readable_error(
    filled: Page, tmp_path: Path, complaints: list[str]
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("milk, bread")
    choose(filled, notes)
    problem = filled.get_by_role("alert").filter(has_text="Not a picture that can be read")
    expect(problem).to_be_visible(timeout=SEARCHING)
    expect(hits(filled)).to_have_count(0)
    without_status(complaints, 415)


def test_pictures_are_uploaded_and_other_files_left_out(page: Page, tmp_path: Path) -> None:
    for motif in MOTIFS:
        draw(motif, tmp_path / motif)
    (tmp_path / "notes.txt").write_text("milk, bread")
    page.get_by_role("navigation").get_by_role("link", name="Add pictures").click()
    page.get_by_label("Upload a folder").set_input_files(tmp_path)
    expect(page.locator("#upload-state")).to_have_text(
        "Sent 4 pictures. Left out 1 file: only pictures of at most 64 MiB are taken."
    )
    expect_indexed(page, 4)
    expect(page.locator("#count")).to_have_text("4")
    page.get_by_label("Upload pictures").set_input_files(tmp_path / "notes.txt")
    expect(page.get_by_text("notes.txt is not a picture.")).to_be_visible()


def test_a_picture_over_the_limit_is_not_sent(page: Page, tmp_path: Path) -> None:
    def small(route: Route) -> None:
        info = route.fetch().json()
        info["limits"]["max_upload_bytes"] = 2**20
        route.fulfill(json=info)

    page.route("**/api/v2/info", small)
    page.reload()
    expect(page.locator("#count")).to_have_text("0")
    expect(page.get_by_role("contentinfo")).to_contain_text("dimensions")
    (tmp_path / "large.png").write_bytes(bytes(2**20 + 1))
    page.get_by_role("navigation").get_by_role("link", name="Add pictures").click()
    page.get_by_label("Upload pictures").set_input_files(tmp_path / "large.png")
    expect(page.locator("#upload-problem-text")).to_have_text(
        "Nothing to send: only pictures of at most 1 MiB are taken."
    )


def test_many_pictures_are_sent_in_parcels_of_fifty(page: Page, tmp_path: Path) -> None:
    picture = draw("rings.png", tmp_path / "rings.png").read_bytes()
    files = [{"name": f"{n}.png", "mimeType": "image/png", "buffer": picture} for n in range(120)]
    sizes: list[int] = []

    def look(route: Route) -> None:
        sizes.append((route.request.post_data_buffer or b"").count(b'name="files"'))
        route.continue_()

    page.route("**/api/v2/train", look)
    page.get_by_role("navigation").get_by_role("link", name="Add pictures").click()
    page.get_by_label("Upload pictures").set_input_files(files)  # type: ignore[arg-type]
    expect(page.locator("#upload-state")).to_have_text("Sent 120 pictures.", timeout=SEARCHING)
    assert sizes == [50, 50, 20]
    expect_indexed(page, 120)
    expect(page.locator("#run-duplicates")).to_have_text("119")


def test_an_upload_that_breaks_off_can_go_on(
    page: Page, tmp_path: Path, complaints: list[str]
) -> None:
    draw("rings.png", tmp_path / "rings.png")
    page.route("**/api/v2/train", lambda route: route.fulfill(status=507, json={"detail": "full"}))
    page.get_by_role("navigation").get_by_role("link", name="Add pictures").click()
    page.get_by_label("Upload pictures").set_input_files(tmp_path / "rings.png")
    expect(page.locator("#upload-problem")).to_contain_text("Full.")
    without_status(complaints, 507)
    page.unroute("**/api/v2/train")
    page.get_by_role("button", name="Send the other 1").click()
    expect(page.locator("#upload-problem")).to_be_hidden()
    expect(page.locator("#count")).to_have_text("1", timeout=INDEXING)


def test_a_name_with_markup_is_shown_as_text(page: Page, folder: Path) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    draw("rings.png", folder / name)
    (folder / "rings.png").unlink()
    (folder / "<b>notes<b>.txt").write_text("milk, bread")
    index(page, folder)
    expect_indexed(page, 5)
    expect(page.locator("#run-errors-list")).to_contain_text("<b>notes<b>.txt")
    page.get_by_role("link", name="Search", exact=True).click()
    choose(page, folder / name)
    expect(searched(page).first.locator(".hit-name")).to_have_text(name)
    expect(page.get_by_role("heading", name=f"Pictures like {name}")).to_be_visible()


def test_another_collection_can_be_chosen(filled: Page, folder: Path, collection: str) -> None:
    choose(filled, folder / "checks.png")
    searched(filled)
    filled.get_by_label("Collection").select_option("default")
    expect(filled).not_to_have_url(re.compile("collection="))
    filled.get_by_label("Collection").select_option(collection)
    expect(filled).to_have_url(re.compile(f"collection={collection}"))
    expect(filled.locator("#count")).to_have_text("4")
    searched(filled)


def test_the_page_works_below_a_path_prefix(filled: Page, folder: Path, collection: str) -> None:
    filled.route(
        "**/below/**",
        lambda route: route.continue_(url=route.request.url.replace("/below/", "/")),
    )
    wrong: list[str] = []
    filled.on(
        "request",
        lambda request: (
            None
            if "/below/" in request.url or request.url.startswith("blob:")
            else wrong.append(request.url)
        ),
    )
    filled.goto(filled.url.replace("/?", "/below/?").split("#")[0])
    choose(filled, folder / "rays.png")
    expect(searched(filled).first.locator("img")).to_have_js_property("naturalWidth", SIDE)
    filled.get_by_role("button", name="More like this: rings.png").click()
    expect(searched(filled).first.locator(".hit-name")).to_have_text("rings.png")
    assert wrong == []


@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_wider_than_the_window(filled: Page, folder: Path, width: int) -> None:
    filled.set_viewport_size({"width": width, "height": 740})
    choose(filled, folder / "rays.png")
    searched(filled)
    assert filled.evaluate("document.documentElement.scrollWidth") == width
    filled.get_by_role("navigation").get_by_role("link", name="Add pictures").click()
    assert filled.evaluate("document.documentElement.scrollWidth") == width


def test_a_service_that_is_away_is_told_and_waited_for(
    page: Page, collection: str, complaints: list[str]
) -> None:
    page.route("**/api/v2/**", lambda route: route.abort())
    page.reload()
    expect(page.get_by_text("The service cannot be reached")).to_be_visible()
    page.unroute("**/api/v2/**")
    expect(page.get_by_text("The service cannot be reached")).to_be_hidden(timeout=SEARCHING)
    expect(page.locator("#count")).to_have_text("0")
    assert [text for text in complaints if "net::ERR_FAILED" not in text] == []
    complaints.clear()
