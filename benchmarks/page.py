"""Measures the page in a real browser: weight, first paint, drop to grid, scrolling, long tasks.

Each row has a limit, and the wall time and the CPU time of the page's main thread as shares of it.
The service is real; where more pictures are needed than it has, its own answers are repeated. Run
it with

    python -m benchmarks.page PHOTOS MODELS [--browser /usr/bin/chromium]
"""

import argparse
import json
import re
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from playwright.sync_api import Browser, Page, Route, sync_playwright

from benchmarks.server import Server, running

_TURNS = 5
_WINDOW: Any = {"width": 1280, "height": 900}
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
_SLOW_LINE = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1.6e6 / 8,
    "uploadThroughput": 1.6e6 / 8,
}
_DROP = """async (bytes) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], "query.jpg", {type: "image/jpeg"}));
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    performance.clearResourceTimings();
    const start = performance.now();
    document.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
    while (!document.querySelector("la-grid[aria-label=Results] .badge")) await frame();
    await frame();
    const total = performance.now() - start;
    const calls = performance.getEntriesByType("resource");
    const call = calls.find((entry) => entry.name.endsWith("/api/v2/search"));
    return [total, call.responseEnd - call.startTime];
}"""
_PATCH = """async () => {
    const app = document.querySelector("script[type=module]").src;
    const { h, patch } = await import(new URL("view.js", app).href);
    const root = document.createElement("ul");
    const item = (n, key) => h("li", {key, class: `c${n}`}, `${key} ${n}`);
    const list = (n) => Array.from({length: 1000}, (_, key) => item(n, key));
    patch(root, list(0));
    const start = performance.now();
    patch(root, list(1));
    return performance.now() - start;
}"""
_SCROLL = """async () => {
    const times = [];
    let last = performance.now();
    for (let n = 0; n < 240; n += 1) {
        scrollBy(0, 400);
        await new Promise((done) => requestAnimationFrame(done));
        const now = performance.now();
        times.push(now - last);
        last = now;
    }
    return times;
}"""

_LONGEST = """async () => {
    const times = [0];
    const note = (list) => list.getEntries().forEach(({duration}) => times.push(duration));
    new PerformanceObserver(note).observe({type: "longtask", buffered: true});
    await new Promise((done) => setTimeout(done, 200));
    return Math.max(...times);
}"""


class Clock:
    """The CPU time of the main thread of a page, which other programs do not lengthen."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def milliseconds(self) -> float:
        """Return the milliseconds since the start."""
        metrics: list[dict[str, Any]] = self._session.send("Performance.getMetrics")["metrics"]
        seconds: float = next(one["value"] for one in metrics if one["name"] == "TaskDuration")
        return 1000 * seconds


def _row(name: str, limit: float, wall: float, cpu: float | None = None) -> None:
    of_cpu = "" if cpu is None else f"{cpu:>9.0f}{cpu / limit:>6.2f} x"
    print(f"{name:<60}{limit:>6.0f}{wall:>9.0f}{wall / limit:>6.2f} x{of_cpu}")


def _longest_task(page: Page, doing: str) -> None:
    """Print the longest task of the main thread since the page was loaded; tasks count from 50."""
    _row(f"longest task, {doing}", 100, page.evaluate(_LONGEST))


def _weight(url: str) -> float:
    """Return the kilobytes that opening the page takes, as sent."""
    with httpx.Client(base_url=url) as http:
        page = http.get("/").text
        paths = {"/", *(f"/{path}" for path in re.findall('="(static/[^"]+)"', page))}
        sizes = []
        for path in paths:
            with http.stream("GET", path) as answer:
                sizes.append(sum(map(len, answer.iter_raw())))
        return sum(sizes) / 1000


def _measure_opening(browser: Browser, url: str, name: str, *, is_slow: bool) -> None:
    """Open the page twice, and measure the second time."""
    context = browser.new_context(viewport=_WINDOW)
    page = context.new_page()
    clock = Clock(page)
    if is_slow:
        page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", _SLOW_LINE)
    for _ in range(2):
        page.goto("about:blank")
        before = clock.milliseconds()
        page.goto(f"{url}/#/search", wait_until="commit")
        page.locator(".picture").first.wait_for(timeout=120_000)
        usable: float = page.evaluate("performance.now()")
        cpu = clock.milliseconds() - before
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    _row(f"first paint{name}", 500, paint)
    _row(f"pictures are there{name}", 1000, usable, cpu)
    _longest_task(page, f"opening{name}")
    context.close()


def _results(server: Server, photo: Path, count: int) -> str:
    """Return an answer with so many results, made of those that the service gives."""
    found = server.client.search(photo).model_dump(mode="json")
    hits = found["hits"]
    made = [
        {**hits[n % len(hits)], "rank": n + 1, "image_id": n + 1, "score": 1 - n / 2000}
        for n in range(count)
    ]
    return json.dumps({**found, "hits": made})


def _measure_results(browser: Browser, server: Server, photo: Path, count: int, limit: int) -> None:
    """Measure from the drop to the grid, without the call to the service.

    The answer is made by this process, through the browser's debugging connection, so the call
    takes longer than one to a service that answers at once.
    """
    answer = _results(server, photo, count)
    context = browser.new_context(viewport=_WINDOW, locale="en")
    page = context.new_page()
    page.route("**/api/v2/search", lambda route: route.fulfill(body=answer))
    page.route("**/thumbnail**", lambda route: route.abort())
    clock = Clock(page)
    walls, calls, cpus = [], [], []
    for _ in range(_TURNS):
        page.goto(f"{server.url}/#/search")
        page.locator("la-grid[aria-label^=Pictures] .picture").first.wait_for(timeout=120_000)
        before = clock.milliseconds()
        total, call = page.evaluate(_DROP, list(photo.read_bytes()))
        walls.append(total - call)
        calls.append(call)
        cpus.append(clock.milliseconds() - before)
    name = f"drop to grid, {count} results, without the call ({statistics.median(calls):.0f} ms)"
    _row(name, limit, statistics.median(walls), statistics.median(cpus))
    _longest_task(page, f"{count} results")
    page.unroute_all(behavior="ignoreErrors")
    context.close()


def _many(originals: list[Any]) -> Callable[[Route], None]:
    """Return what answers a list of pictures as a service would that has 10,000."""

    def answer(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        start, limit = (int(query.get(name, ["0"])[0]) for name in ("cursor", "limit"))
        images = [
            {**originals[n % len(originals)], "id": n + 1} for n in range(start, start + limit)
        ]
        after = start + limit if start + limit < 10_000 else None
        route.fulfill(body=json.dumps({"images": images, "next_cursor": after}))

    return answer


def _measure_scrolling(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport=_WINDOW)
    images = httpx.get(f"{url}/api/v2/images").json()["images"]
    page.route("**/api/v2/images?**", _many(images))
    page.goto(f"{url}/#/library?sort=id")
    page.locator(".picture").first.wait_for(timeout=120_000)
    clock = Clock(page)
    before = clock.milliseconds()
    patched = statistics.median(page.evaluate(_PATCH) for _ in range(_TURNS))
    # Each turn also makes the elements.
    _row("1,000 keyed items patched", 25, patched, (clock.milliseconds() - before) / _TURNS / 2)
    before = clock.milliseconds()
    times: list[float] = sorted(page.evaluate(_SCROLL))
    cpu = (clock.milliseconds() - before) / len(times)
    _row("a frame while 10,000 pictures scroll", 34, times[int(0.95 * len(times))], cpu)
    _longest_task(page, "scrolling")
    page.unroute_all(behavior="ignoreErrors")
    page.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="a folder of photographs")
    parser.add_argument("models", type=Path, help="the models folder of a BentoML home")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    given = parser.parse_args()
    photos = sorted(path for path in given.photos.rglob("*") if path.suffix == ".jpg")
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), images=given.photos, models=given.models) as server,
        sync_playwright() as playwright,
    ):
        server.client.train(str(given.photos)).wait(timeout=3600)
        browser = playwright.chromium.launch(executable_path=given.browser, args=_ARGUMENTS)
        print(f"{'':<60}{'limit':>6}{'wall':>9}{'':>8}{'CPU':>9}")
        _row("kilobytes of opening the page", 60, _weight(server.url))
        for name, is_slow in (("", False), (", 150 ms and 1.6 Mbit/s", True)):
            _measure_opening(browser, server.url, name, is_slow=is_slow)
        for count, limit in ((12, 50), (48, 50), (1000, 150)):
            _measure_results(browser, server, photos[0], count, limit)
        _measure_scrolling(browser, server.url)


if __name__ == "__main__":
    main()
