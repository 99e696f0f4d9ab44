"""Pages in Chromium that show a collection of their own."""

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Locator, Page, expect

from client_sdk import Client
from tests.support.waiting import WAIT_SECONDS

_numbers = count(1)
SIDE = 160

Draw = ImageDraw.ImageDraw


@pytest.fixture(scope="session", autouse=True)
def _time_limit_of_expectations() -> None:
    expect.set_options(timeout=1000 * WAIT_SECONDS)


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


_DRAWN: dict[str, Callable[[Draw], None]] = {
    "rings.png": _rings,
    "stripes.png": _stripes,
    "checks.png": _checks,
    "rays.png": _rays,
}
MOTIFS = tuple(_DRAWN)


def draw(motif: str, path: Path, side: int = SIDE) -> Path:
    """Draw a motif into a file."""
    picture = Image.new("RGB", (SIDE, SIDE), "beige")
    _DRAWN[motif](ImageDraw.Draw(picture))
    picture.resize((side, side)).save(path, "PNG")
    return path


def new_collection(server: Any) -> str:
    """Create a collection; return its name."""
    name = f"browser-{next(_numbers)}"
    request = urllib.request.Request(  # noqa: S310 - our own
        f"{server.url}/api/v2/collections",
        json.dumps({"name": name}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:  # noqa: S310
        assert answer.status == 201
    return name


@pytest.fixture
def collection(server: Any) -> str:
    """Return a new, empty collection."""
    return new_collection(server)


def fill(server: Any, name: str) -> None:
    """Add one picture of each motif, and a larger copy of the first, to a collection."""
    folder: Path = server.images / name
    folder.mkdir()
    for motif in MOTIFS:
        draw(motif, folder / motif)
    draw("rings.png", folder / "rings-large.png", 2 * SIDE)
    with Client(server.url, timeout=WAIT_SECONDS) as client:
        client.train(str(folder), collection=name).wait(timeout=WAIT_SECONDS)


@pytest.fixture
def filled(server: Any, collection: str) -> str:
    """Return a collection of its own with five pictures."""
    fill(server, collection)
    return collection


@pytest.fixture(scope="module")
def gallery(server: Any) -> str:
    """Return a collection with five pictures, which tests of a module only read."""
    name = new_collection(server)
    fill(server, name)
    return name


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """Yield the complaints of the browser; a test removes those that it expects."""
    seen: list[str] = []
    yield seen
    assert seen == []


def _is_expected(text: str) -> bool:
    # Chromium says so of any network of the machine, such as one of another program's containers.
    return "ERR_NETWORK_CHANGED" in text


def watch(page: Page, url: str, complaints: list[str]) -> None:
    """Note errors, warnings and requests to other hosts."""
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(f"{message.text} {message.location['url']}")
            if message.type in ("error", "warning") and not _is_expected(message.text)
            else None
        ),
    )
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((url, "blob:"))
            else complaints.append(f"asked {request.url}")
        ),
    )


@pytest.fixture
def look(browser: Browser, server: Any, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """Yield a function that opens the page at an address, in a window of its own."""
    contexts = []

    def opened(address: str, **options: Any) -> Page:
        settings = {"viewport": {"width": 1440, "height": 900}, "locale": "en-US", **options}
        context = browser.new_context(**settings)
        context.set_default_timeout(1000 * WAIT_SECONDS)
        contexts.append(context)
        page = context.new_page()
        watch(page, server.url, complaints)
        page.goto(f"{server.url}/#/{address}")
        expect(page.locator("header.top")).to_be_visible()
        return page

    yield opened
    for context in contexts:
        context.close()


def results(page: Page) -> Locator:
    return page.get_by_role("grid", name="Results").locator(".picture")


def expect_found(page: Page, first: str) -> None:
    expect(results(page).first).to_have_accessible_name(
        re.compile(rf"^1: {re.escape(first)}\. Same picture")
    )


@pytest.fixture(scope="module")
def page(browser: Browser, server: Any) -> Iterator[Page]:
    """Yield a page in a window that the tests of a module share."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url)
    yield page
    context.close()


def run(page: Page, module: str, body: str, **values: Any) -> Any:
    """Return what a function body returns that sees the exports of a module as `m`."""
    given = "".join(f"const {name} = {json.dumps(value)};" for name, value in values.items())
    return page.evaluate(
        f"""async () => {{
            const script = document.querySelector('script[type=module]').src;
            const m = await import(new URL({json.dumps(module)}, script).href);
            {given}
            {body}
        }}"""
    )


def without_status(complaints: list[str], status: int) -> None:
    """Take out what Chromium notes of the expected answers over 399."""
    noted = [text for text in complaints if f"status of {status}" in text]
    assert noted
    complaints[:] = [text for text in complaints if text not in noted]


def carry(page: Page, picture: Path, kind: str) -> None:
    """Drop a file on the page, or paste it."""
    events = {
        "drop": "(data) => new DragEvent('drop', {dataTransfer: data, bubbles: true})",
        "paste": "(data) => new ClipboardEvent('paste', {clipboardData: data})",
    }
    page.evaluate(
        f"""([bytes, name]) => {{
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name, {{type: "image/png"}}));
            document.dispatchEvent(({events[kind]})(data));
        }}""",
        [list(picture.read_bytes()), picture.name],
    )


def round_trip(page: Page) -> None:
    """Let the page handle the answers that have come before that of one more request."""
    page.evaluate("fetch('api/v2/info').then((answer) => answer.text())")


def reconnect(page: Page) -> None:
    """Have the page lose its connection, and load what it lacks when that is back."""
    page.evaluate("dispatchEvent(new Event('offline'))")
    with page.expect_response("**/api/v2/jobs?**"), page.expect_response("**/api/v2/collections"):
        page.evaluate("dispatchEvent(new Event('online'))")
    round_trip(page)
