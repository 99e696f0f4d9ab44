"""The pytest plugin in separate test suites, against a real service."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from client_sdk import Client
from tests.support.visual_suites import similar

PROJECT = Path(__file__).parents[3]


def alike(picture: Path, more: str = "") -> str:
    return similar(picture, more).replace("assert_similar", "assert_looks_like")


def results(pytester) -> list[dict]:
    found = (pytester.path / "visual-report").glob("*/*/result.json")
    return [json.loads(path.read_text()) for path in sorted(found)]


def test_a_picture_like_its_baseline_passes_and_leaves_nothing(suite, pytester, baseline):
    suite(similar(baseline)).assert_outcomes(passed=1)
    assert not (pytester.path / "visual-report").exists()


def test_a_failure_shows_score_neighbours_and_the_folder_of_pictures(
    suite, pytester, drawn, baseline
):
    result = suite(similar(drawn / "broken.png"))

    result.assert_outcomes(failed=1)
    (found,) = results(pytester)
    assert (found["schema_name"], found["passed"]) == ("lookalike-visual/2", False)
    assert found["score"] < 0.99
    assert found["nearest"][0]["name"] == "page.png"
    folder = pytester.path / "visual-report" / found["folder"]
    assert {path.name for path in folder.iterdir()} == {
        *("actual.png", "expected.png", "diff.png", "result.json")
    }
    assert (folder / "actual.png").read_bytes() == (drawn / "broken.png").read_bytes()
    assert (folder / "expected.png").read_bytes() == baseline.read_bytes()
    result.stdout.fnmatch_lines(
        [
            "E *changed *x*pixels at (*",
            f"E *score *{found['score']:.4f}, where 1 is the same picture; the pixels decide",
            "E *nearest *page.png *",
            f"E *pictures *{found['folder']}*",
            f"E *accept *pytest --visual-accept=visual-report/{found['folder']}",
        ]
    )


def test_a_failure_shows_the_line_of_the_test_and_no_frame_of_ours(suite, drawn, baseline):
    result = suite(similar(drawn / "broken.png"))
    result.stdout.fnmatch_lines([">*visual.assert_similar*", "test_page.py:4: VisualMismatch"])
    result.stdout.no_fnmatch_line("*client_sdk/testing/*.py:*")


def test_a_changed_price_fails_although_the_score_is_high(suite, drawn, baseline):
    suite(similar(drawn / "price.png")).assert_outcomes(failed=1)
    suite(alike(drawn / "price.png", ", min_score=0.9")).assert_outcomes(passed=1)


def test_differences_in_an_ignored_box_are_ignored(suite, drawn, baseline):
    boxes = ", ignore=[(40, 170, 120, 50)]"
    suite(similar(drawn / "price.png", boxes)).assert_outcomes(passed=1)


def test_a_box_outside_fails_even_if_the_pictures_are_the_same(suite, baseline):
    result = suite(similar(baseline, ", ignore=[(900, 0, 10, 10)]"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*UsageError: ignore: the box (900, 0, 10, 10) lies outside*"])


@pytest.mark.parametrize(
    ("call", "line", "ini", "passes"),
    [
        ("", (), "", False),
        ("", (), "visual_min_score = 0.1", True),
        ("", ("--visual-min-score=0.99",), "visual_min_score = 0.1", False),
        (", min_score=0.1", ("--visual-min-score=0.99",), "", True),
    ],
)
def test_the_call_overrides_the_command_line_and_that_the_ini_file(
    suite, pytester, drawn, baseline, call, line, ini, passes
):
    pytester.makeini(f"[pytest]\n{ini}\n")
    result = suite(alike(drawn / "broken.png", call), *line)
    result.assert_outcomes(passed=int(passes), failed=int(not passes))


def test_unnamed_baselines_of_parametrised_tests_never_collide(suite, pytester, drawn):
    ids = ["100%", "100", "/shop", "/shop/", "+1", "1", *(f"{'u' * 100}{n}" for n in range(5))]
    code = f"""
import pytest
from PIL import Image

@pytest.mark.parametrize("number", range({len(ids)}), ids={ids!r})
def test_page(visual, number):
    visual.assert_similar(Image.new("RGB", (60, 60), (20 * number, 0, 200 - 10 * number)))
"""
    suite(code, "--visual-update").assert_outcomes(failed=len(ids))
    assert len(list((pytester.path / "__visual__").rglob("*.png"))) == len(ids)
    suite(code).assert_outcomes(passed=len(ids))


@pytest.mark.parametrize("ci", [False, True])
def test_a_missing_baseline_fails_and_says_how_to_make_one(suite, pytester, drawn, ci):
    result = suite(similar(drawn / "page.png"), ci=ci)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *there is no baseline __visual__/page.png*--visual-update*"])
    assert ("CI writes no baselines" in result.stdout.str()) is ci
    assert not (pytester.path / "__visual__").exists()


def test_an_update_writes_all_baselines_of_a_test_fails_for_review_and_then_it_passes(
    suite, pytester, drawn
):
    code = f"""
def test_page(visual):
    visual.assert_similar({str(drawn / "page.png")!r})
    visual.assert_similar({str(drawn / "price.png")!r})
    visual.assert_similar(Path({str(drawn / "broken.png")!r}).read_bytes(), "deep/broken")
"""
    result = suite(code, "--visual-update")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*3 baselines written*", "*deep/broken.png"])
    folder = pytester.path / "__visual__"
    written = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")
    }
    assert written == {
        "test_page/test_page.png": (drawn / "page.png").read_bytes(),
        "test_page/test_page~2.png": (drawn / "price.png").read_bytes(),
        "deep/broken.png": (drawn / "broken.png").read_bytes(),
    }
    suite(code).assert_outcomes(passed=1)


def test_an_update_does_not_rewrite_passing_baselines(suite, drawn, baseline):
    before = baseline.read_bytes()
    code = alike(drawn / "price.png", ", min_score=0.9")
    suite(code, "--visual-update").assert_outcomes(passed=1)
    assert baseline.read_bytes() == before


def test_soft_assertions_fail_once_with_everything(suite, pytester, drawn, baseline):
    code = f"""
def test_page(visual):
    with visual.soft():
        visual.assert_similar({str(drawn / "broken.png")!r}, "page")
        visual.assert_similar({str(baseline)!r}, "page")
        visual.assert_similar({str(drawn / "broken.png")!r}, "none")
    print("not reached")
"""
    result = suite(code, "--visual-report=out")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *2 visual assertions failed", "3 assertions, 2 failed"])
    assert "not reached" not in result.stdout.str()
    assert len(list((pytester.path / "out").glob("*/*/result.json"))) == 2


def test_an_error_in_a_soft_block_has_the_failures_as_notes(suite, drawn, baseline):
    code = f"""
def test_page(visual):
    with visual.soft():
        visual.assert_similar({str(drawn / "broken.png")!r}, "page")
        raise RuntimeError("the page has crashed")
"""
    result = suite(code)
    result.stdout.fnmatch_lines(["E *RuntimeError: the page has crashed", "E *differs from*"])


@pytest.mark.parametrize(
    ("options", "outcome"), [((), "errors"), (("--visual-offline=skip",), "skipped")]
)
def test_without_a_service_tests_fail_or_are_skipped(suite, drawn, free_port, options, outcome):
    url = f"http://127.0.0.1:{free_port}"
    result = suite(similar(drawn / "page.png"), *options, "-rs", url=url)
    result.assert_outcomes(**{outcome: 1})
    result.stdout.fnmatch_lines([f"*cannot reach {url}*"])


def test_the_command_line_names_another_service(suite, drawn, free_port, server, baseline):
    url = f"http://127.0.0.1:{free_port}"
    result = suite(similar(baseline), f"--lookalike-url={server.url}", url=url)
    result.assert_outcomes(passed=1)


def test_a_scratch_collection_is_deleted_after_its_test(suite, drawn, server):
    code = f"""
import pytest

@pytest.fixture(scope="module")
def shelf(lookalike_collections):
    made = lookalike_collections("shelf")
    made.add(Path({str(drawn / "page.png")!r}))
    return made

@pytest.mark.parametrize("name", ["page", "broken"])
def test_page(lookalike, lookalike_collection, visual, shelf, name):
    assert lookalike.count(collection=lookalike_collection) == 0
    lookalike_collection.add(Path({str(drawn)!r}) / f"{{name}}.png")
    visual.assert_nearest(Path({str(drawn)!r}) / f"{{name}}.png", name)
    assert lookalike.count(collection=shelf) == 1
    assert [c.expires_at for c in lookalike.collections() if c.name == shelf] != [None]
"""
    suite(code).assert_outcomes(passed=2)
    with Client(server.url) as client:
        assert [one.name for one in client.collections() if one.name.startswith("test-")] == []


def test_xdist_workers_share_one_report(suite, pytester, drawn, baseline):
    code = f"""
import pytest

@pytest.mark.parametrize("number", range(6))
def test_page(visual, lookalike_collection, number):
    lookalike_collection.add({str(drawn / "price.png")!r})
    visual.assert_known({str(drawn / "price.png")!r})
    assert visual.client.count(collection=lookalike_collection) == 1
    if number % 2:
        visual.assert_similar({str(drawn / "broken.png")!r}, "page")
"""
    result = suite(code, "-n2", "--junitxml=junit.xml")
    result.assert_outcomes(passed=3, failed=3)
    result.stdout.fnmatch_lines(["9 assertions, 3 failed", "report: file://*report.html"])
    assert {one["test"] for one in results(pytester)} == {
        f"test_page.py::test_page[{number}]" for number in (1, 3, 5)
    }
    failed = properties(pytester.path / "junit.xml")["test_page[1]"]
    assert (failed["visual_2_name"], failed["visual_2_passed"]) == ("page.png", "false")
    assert int(failed["visual_2_pixels"]) > 1000
    assert float(failed["visual_2_score"]) < 0.99
    assert failed["visual_1_verdict"] == "duplicate"


def properties(junit: Path) -> dict[str, dict[str, str]]:
    """Return the properties of each test case."""
    cases = ET.parse(junit).getroot().iter("testcase")  # noqa: S314 - pytest wrote it
    return {
        case.get("name", ""): {one.get("name"): one.get("value") for one in case.iter("property")}
        for case in cases
    }


def test_the_next_run_deletes_only_the_failures_of_the_last_one(suite, pytester, drawn, baseline):
    suite(similar(drawn / "broken.png"))
    mine = pytester.path / "visual-report" / "mine" / "notes"
    mine.mkdir(parents=True)
    (mine / "result.json").write_text('{"schema_name": "another"}')

    suite(similar(baseline)).assert_outcomes(passed=1)

    assert [one["schema_name"] for one in results(pytester)] == ["another"]
    assert "All passed" in (pytester.path / "visual-report" / "report.html").read_text()


def test_a_suite_without_pictures_is_left_alone(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    code = """
import sys

def test_nothing():
    heavy = ("httpx", "pydantic", "PIL", "jinja2", "client_sdk.client")
    print([name for name in heavy if name in sys.modules])
"""
    pytester.makepyfile(test_page=code)
    result = pytester.runpytest_subprocess(
        *("-p", "client_sdk.testing.plugin", "-p", "no:schemathesis", "-p", "no:hypothesispytest"),
        *("-s", "-p", "no:cacheprovider"),
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*[[][]]*"])
    result.stdout.no_fnmatch_line("*visual*")
    assert not (pytester.path / "visual-report").exists()


def test_without_the_plugin_there_are_no_fixtures(pytester):
    pytester.makepyfile("def test_page(visual): pass")
    result = pytester.runpytest_inprocess("-p", "no:lookalike")
    result.assert_outcomes(errors=1)
