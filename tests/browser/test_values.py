"""Values that the page reads, exports, chooses, counts and shows, as the browser runs it."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import run


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


def job(**parts: Any) -> dict[str, Any]:
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
        job(id="4", batch="b", created_at="2026-01-02"),
        job(id="3", batch="b", created_at="2026-01-02", errors=lasting),
        job(id="2", retry_of="1", total=1, done=1, indexed=1, failed=0),
        job(id="1", errors=passing),
        job(id="0", created_at="2025-01-01", errors=passing),
    ]
    found = run(page, "service/run.js", "return m.runs(jobs)", jobs=jobs)
    assert [len(one["jobs"]) for one in found] == [2, 2, 1]
    assert [(one["total"], one["indexed"], one["failed"]) for one in found] == [
        (10, 8, 2),
        (5, 5, 0),
        (5, 4, 1),
    ]
    assert [[job["id"] for job in one["retriable"]] for one in found] == [["4"], [], ["0"]]


def test_the_files_of_a_dropped_folder_that_cannot_be_read_are_named(page: Page) -> None:
    body = """
        const file = (name, act) => ({name, fullPath: `/top/${name}`, file: act});
        const folder = (name, portions) => ({
            name, isDirectory: true,
            createReader: () => ({
                readEntries: (done, fail) => portions.length ? done(portions.shift()) : fail(),
            }),
        });
        const entries = [
            file("a.png", (done) => done("A")), file("b.png", (_, fail) => fail()),
            folder("locked", []), file("c.png", (done) => done("C")),
        ];
        const {files, unreadable} = await m.filesOf([{entry: folder("top", [entries, []])}]);
        return [files, unreadable];
    """
    assert run(page, "service/dropped.js", body) == [
        [{"file": "A", "path": "top/a.png"}, {"file": "C", "path": "top/c.png"}],
        ["b.png", "locked"],
    ]


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


def test_few_pictures_of_former_searches_are_kept_in_memory(page: Page) -> None:
    body = """
        const open = indexedDB.open;
        const sums = [];
        try {
            IDBFactory.prototype.open = () => { throw new Error("no database"); };
            for (let n = 0; n < 12; n += 1) sums.push(await m.keep(new Blob([`picture ${n}`]), ""));
            const found = await Promise.all(sums.map(m.kept));
            return found.map(Boolean);
        } finally {
            IDBFactory.prototype.open = open;
        }
    """
    assert run(page, "service/queries.js", body) == [False] * 2 + [True] * 10
