"""The page's pure functions, as the browser runs them."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

WIDTH, GAP = 1000, 4


@pytest.fixture(scope="module")
def page(browser: Browser, server: Any) -> Iterator[Page]:
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


def _layout(page: Page, items: list[dict[str, int]], **shape: Any) -> Any:
    shape = {"width": WIDTH, "target": 200, "gap": GAP, "title": 32, **shape}
    body = "return m.layout([{title: null, items}], shape)"
    return run(page, "parts/layout.js", body, items=items, shape=shape)


def test_full_rows_are_as_wide_as_the_grid_and_near_the_wanted_height(page: Page) -> None:
    items = [{"width": 100 + 37 * n % 300, "height": 150} for n in range(40)]
    rows = _layout(page, items)["rows"]
    assert sum(len(row["cells"]) for row in rows) == 40
    assert [cell["place"] for row in rows for cell in row["cells"]] == list(range(40))
    for row in rows[:-1]:
        last = row["cells"][-1]
        assert last["left"] + last["width"] == WIDTH
        assert 120 < row["height"] < 300
    for above, below in pairwise(rows):
        assert below["top"] == above["top"] + above["height"] + GAP


def test_rows_of_panoramas_end_at_the_edge_of_every_window(page: Page) -> None:
    body = """
        const items = new Array(60).fill({width: 300, height: 100});
        return widths.flatMap((width) => {
            const shape = {width, target: 100, gap: 4, title: 0};
            const full = m.layout([{title: null, items}], shape).rows.slice(0, -1);
            return full.map(({cells}) => width - cells.at(-1).left - cells.at(-1).width);
        });
    """
    ends = run(page, "parts/layout.js", body, widths=list(range(3840, 3880)))
    assert set(ends) == {0}


@pytest.mark.parametrize("size", [(1, 10_000), (10_000, 1), (0, 0), (500, 500)])
def test_a_single_picture_of_any_shape_has_the_wanted_height(
    size: tuple[int, int], page: Page
) -> None:
    ((row),) = _layout(page, [{"width": size[0], "height": size[1]}])["rows"]
    assert row["height"] == 200
    assert row["cells"][0]["width"] <= WIDTH


def test_a_phone_has_two_pictures_a_row(page: Page) -> None:
    rows = _layout(page, [{"width": 3, "height": 2}] * 7, columns=2)["rows"]
    assert [len(row["cells"]) for row in rows] == [2, 2, 2, 1]


def test_only_rows_between_two_heights_are_returned(page: Page) -> None:
    rows = [{"top": 100 * n, "height": 96} for n in range(100)]
    body = "return m.between(rows, 1000, 1350)"
    assert run(page, "parts/layout.js", body, rows=rows) == [10, 14]


@pytest.mark.parametrize(
    ("place", "key", "to"),
    [
        (0, "ArrowRight", 1),
        (0, "ArrowLeft", 0),
        (0, "ArrowDown", 3),
        (2, "ArrowDown", 4),
        (4, "ArrowUp", 2),
        (4, "ArrowDown", 4),
        (1, "End", 4),
        (3, "Home", 0),
        (1, "x", 1),
    ],
)
def test_arrows_lead_to_the_nearest_picture(place: int, key: str, to: int, page: Page) -> None:
    def row(first: int, *widths: int) -> dict[str, Any]:
        cells, left = [], 0
        for number, width in enumerate(widths):
            cells.append({"place": first + number, "left": left, "width": width})
            left += width
        return {"cells": cells}

    rows = [row(0, 100, 100, 100), row(3, 150, 150)]
    body = "return m.neighbour(rows, place, key)"
    assert run(page, "parts/layout.js", body, rows=rows, place=place, key=key) == to


@pytest.mark.parametrize(
    ("address", "canonical"),
    [
        ("", "#/search"),
        ("#/nowhere?c=default", "#/search"),
        ("#/search?c=a b&id=7&r=1,2,3,4&min=0.5", "#/search?c=a+b&id=7&r=1,2,3,4&min=0.5"),
        ("#/search?id=x&r=1,2,0,4&min=9&q=abc", "#/search"),
        ("#/image/9?in=library&f=%24width > 1", "#/image/9?in=library&f=%24width+%3E+1"),
        ("#/image/9?id=7", "#/image/9?id=7"),
        ("#/library?sort=name&c=%E5%9B%BE", "#/library?c=%E5%9B%BE&sort=name"),
    ],
)
def test_an_address_is_read_and_written_alike(address: str, canonical: str, page: Page) -> None:
    def wrote(given: str) -> str:
        return str(run(page, "state/route.js", "return m.address(m.parse(given))", given=given))

    assert wrote(address).partition("?")[0] == canonical.partition("?")[0]
    order = sorted(wrote(address).partition("?")[2].split("&"))
    assert order == sorted(canonical.partition("?")[2].split("&"))
    assert wrote(wrote(address)) == wrote(address)


def test_a_patch_keeps_keyed_elements_and_their_focus(page: Page) -> None:
    body = """
        const root = document.body.appendChild(document.createElement("ul"));
        const list = (keys) => keys.map((key) => m.h("li", {key, tabindex: 0}, key));
        m.patch(root, list(["a", "b", "c"]));
        const kept = root.children[1];
        kept.dataset.mine = "1";
        m.patch(root, list(["d", "b", "a"]));
        const texts = [...root.children].map((child) => child.textContent);
        const isSame = root.children[1] === kept;
        root.remove();
        return [texts, isSame];
    """
    assert run(page, "view.js", body) == [["d", "b", "a"], True]


def test_text_never_becomes_markup_and_properties_go_again(page: Page) -> None:
    body = """
        const root = document.createElement("div");
        m.patch(root, [m.h("p", {title: "x", hidden: true, class: "a"}, "<b>", null, false, 0)]);
        const first = root.outerHTML;
        m.patch(root, [m.h("p", {class: "b", hidden: false})]);
        return [first, root.outerHTML];
    """
    assert run(page, "view.js", body) == [
        '<div><p title="x" hidden="" class="a">&lt;b&gt;0</p></div>',
        '<div><p class="b"></p></div>',
    ]


def test_changes_of_one_moment_are_told_once(page: Page) -> None:
    body = """
        const store = new m.Store({n: 0, same: 1});
        let told = 0;
        const end = store.subscribe(() => (told += 1));
        store.change(({n}) => ({n: n + 1}));
        store.change(({n}) => ({n: n + 1}));
        store.change(() => ({same: 1}));
        store.change(() => undefined);
        await null;
        end();
        store.change(() => ({n: 9}));
        await null;
        return [told, store.state.n];
    """
    assert run(page, "state/store.js", body) == [1, 9]


@pytest.mark.parametrize(
    ("handle", "by", "moved"),
    [
        ("nw", (0.1, 0.2), (0.3, 0.4, 0.8, 0.8)),
        ("se", (0.5, 0.5), (0.2, 0.2, 1, 1)),
        ("e", (-0.9, 0.5), (0.2, 0.2, 0.23, 0.8)),
        ("n", (0.5, -0.9), (0.2, 0, 0.8, 0.8)),
        ("all", (0.9, -0.1), (0.4, 0.1, 1, 0.7)),
    ],
)
def test_a_handle_moves_its_sides_within_the_picture(
    handle: str, by: tuple[float, float], moved: tuple[float, ...], page: Page
) -> None:
    box = {"left": 0.2, "top": 0.2, "right": 0.8, "bottom": 0.8}
    body = "return m.moved(box, handle, by[0], by[1])"
    found = run(page, "parts/cropper.js", body, box=box, handle=handle, by=by)
    sides = [found[side] for side in ("left", "top", "right", "bottom")]
    assert sides == pytest.approx(list(moved))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("north", "north"),
        ("12", 12),
        ("-0.5", -0.5),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ('"12"', "12"),
        ("12 red", "12 red"),
        (" spaced ", " spaced "),
        ("nullify", "nullify"),
        ("007", "007"),
    ],
)
def test_a_typed_value_has_its_kind_and_is_written_back(text: str, value: Any, page: Page) -> None:
    body = "const value = m.read(text); return [value, m.read(m.written(value))]"
    assert run(page, "views/picture/metadata.js", body, text=text) == [value, value]


def test_a_name_is_no_formula_in_a_spreadsheet(page: Page) -> None:
    hit = {"rank": 1, "image_id": 2, "score": -0.5, "name": '=1+"2"', "metadata": {"a": [1]}}
    text = run(page, "views/search/exporting.js", "return m.csv(hits)", hits=[hit])
    assert '"\'=1+""2"""' in text
    assert text.splitlines()[1].startswith("1,2,-0.5,")
    assert text.splitlines()[0].endswith('"metadata.a"')


@pytest.mark.parametrize(
    ("sizes", "best"),
    [
        ([(1, 10, 10, 9), (2, 20, 10, 1)], 2),
        ([(1, 10, 20, 5), (2, 20, 10, 9)], 2),
        ([(7, 10, 10, 5), (3, 10, 10, 5)], 3),
    ],
)
def test_the_best_picture_has_most_pixels_then_bytes(
    sizes: list[tuple[int, ...]], best: int, page: Page
) -> None:
    images = [dict(zip(("id", "width", "height", "bytes"), one, strict=True)) for one in sizes]
    body = "return m.best({images})"
    assert run(page, "views/duplicates/groups.js", body, images=images) == best


def test_a_group_of_which_nothing_is_kept_loses_nothing(page: Page) -> None:
    group = {"images": [{"id": 1}, {"id": 2}]}
    body = "return [m.dropped(group, new Set([2])), m.dropped(group, new Set())]"
    assert run(page, "views/duplicates/groups.js", body, group=group) == [[1], []]


def _job(**parts: Any) -> dict[str, Any]:
    counts = {"total": 5, "done": 5, "indexed": 4, "duplicates": 0, "failed": 1}
    times = {"created_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:01:00Z"}
    return {
        "id": "1",
        "collection": "c",
        "kind": "file",
        "source": "s",
        "state": "completed",
        "retry_of": None,
        "batch": None,
        "dry_run": False,
        "skipped": [],
        "errors": [],
        "detail": None,
        "images_per_second": None,
        "eta_seconds": None,
        **counts,
        **times,
        **parts,
    }


def test_a_run_is_all_jobs_of_one_upload_and_what_was_retried(page: Page) -> None:
    passing, lasting = [
        [{"source": "a", "code": c, "detail": ""}] for c in ("path_not_found", "image_unreadable")
    ]
    jobs = [
        _job(id="4", batch="b", created_at="2026-01-02"),
        _job(id="3", batch="b", created_at="2026-01-02", errors=lasting),
        _job(id="2", retry_of="1", total=1, done=1, indexed=1, failed=0),
        _job(id="1", errors=passing),
        _job(id="0", created_at="2025-01-01", errors=passing),
    ]
    found = run(page, "service/run.js", "return m.runs(jobs)", jobs=jobs)
    assert [len(one["jobs"]) for one in found] == [2, 2, 1]
    assert [(one["total"], one["indexed"], one["failed"]) for one in found] == [
        (10, 8, 2),
        (5, 5, 0),
        (5, 4, 1),
    ]
    assert [[job["id"] for job in one["retriable"]] for one in found] == [["4"], [], ["0"]]


def test_both_languages_have_the_same_texts_and_values(page: Page) -> None:
    def words(language: str) -> dict[str, Any]:
        return dict(run(page, f"words/{language}.js", "return m.default"))

    def values(text: Any) -> set[str]:

        return set(re.findall(r"\{(\w+)\}", json.dumps(text)))

    english, chinese = words("en"), words("zh")
    keys = {key for key in english if not (key.startswith("keys.") and key.endswith(".key"))}
    assert set(chinese) == keys
    assert {k for k in keys if values(english[k]) != values(chinese[k])} == set()


def test_the_same_picture_reaches_a_least_score_of_one(page: Page) -> None:
    body = "return [0.9999998, 1, 1.0000002, 0.9998].map((score) => m.reaches(score, 1))"
    assert run(page, "parts/histogram.js", body) == [True, True, True, False]


def test_numbers_sizes_and_names_are_shown_as_people_read_them(page: Page) -> None:
    body = """return [m.number(12345), m.size(1234567), m.duration(125), m.t("results", {n: 1}),
        m.t("results", {n: 2000}), m.shortened("a".repeat(50) + ".jpg", 20)]"""
    assert run(page, "words/words.js", body) == [
        *("12,345", "1.2 MB", "2 min", "1 result", "2,000 results"),
        f"{'a' * 12}…aaa.jpg",
    ]
