"""`pytest --visual-accept`, in separate test suites."""

import pytest
from PIL import Image

from tests.support.visual_suites import similar


def test_a_failure_is_accepted_by_the_command_that_it_shows(suite, pytester, drawn, baseline):
    result = suite(similar(drawn / "broken.png"))
    (command,) = [line for line in result.outlines if "--visual-accept=" in line]
    accepted = suite(similar(drawn / "broken.png"), command.partition("pytest ")[2])
    assert accepted.ret == 0
    accepted.stdout.fnmatch_lines(["accepted: __visual__/page.png"])
    assert baseline.read_bytes() == (drawn / "broken.png").read_bytes()
    suite(similar(drawn / "broken.png")).assert_outcomes(passed=1)


def test_a_whole_report_is_accepted_with_new_baselines(suite, pytester, drawn, baseline):
    code = (
        similar(drawn / "price.png")
        + f"""
def test_new(visual):
    visual.assert_similar({str(drawn / "broken.png")!r}, ignore=[(0, 0, 9, 9)])
"""
    )
    suite(code).assert_outcomes(failed=2)
    assert suite(code, "--visual-accept=visual-report").ret == 0
    new = pytester.path / "__visual__" / "test_page" / "test_new.png"
    assert new.read_bytes() == (drawn / "broken.png").read_bytes()
    suite(code).assert_outcomes(passed=2)


def test_a_baseline_that_is_no_png_is_named_and_the_others_are_accepted(
    suite, pytester, drawn, baseline
):
    photo = baseline.with_name("photo.jpg")
    with Image.open(baseline) as page:
        page.convert("RGB").save(photo)
    before = photo.read_bytes()
    code = (
        similar(drawn / "price.png")
        + f"""
def test_photo(visual):
    visual.assert_similar({str(drawn / "broken.png")!r}, "photo.jpg")
"""
    )
    suite(code).assert_outcomes(failed=2)
    accepted = suite(code, "--visual-accept=visual-report")
    assert accepted.ret == pytest.ExitCode.USAGE_ERROR
    accepted.stdout.fnmatch_lines(
        [
            "accepted: __visual__/page.png",
            "not accepted: __visual__/photo.jpg: it is not a PNG; write it with --visual-update",
        ]
    )
    assert baseline.read_bytes() == (drawn / "price.png").read_bytes()
    assert photo.read_bytes() == before


@pytest.mark.parametrize("folder", ["gone", "."])
def test_a_folder_without_failures_cannot_be_accepted(suite, baseline, folder):
    assert suite(similar(baseline), f"--visual-accept={folder}").ret == pytest.ExitCode.USAGE_ERROR


def test_a_report_cannot_write_outside_of_the_project(suite, pytester, drawn, baseline):
    suite(similar(drawn / "broken.png"))
    (result,) = (pytester.path / "visual-report").glob("*/*/result.json")
    outside = pytester.path.parent / "outside.png"
    result.write_text(result.read_text().replace("__visual__/page.png", str(outside)))
    assert suite(similar(baseline), "--visual-accept=visual-report").ret != 0
    assert not outside.exists()
