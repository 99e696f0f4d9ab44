"""The assertions of unittest, run by unittest and by pytest."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]

CODE = """
import unittest
from client_sdk.testing import VisualAssertions

class TestPage(VisualAssertions):
    def test_page(self):
        self.assertSimilar({page!r}, "page")

    def test_broken(self):
        with self.softVisual():
            self.assertSimilar({broken!r}, "page")
            self.assertSimilar({page!r}, "page")

    def test_known(self):
        self.assertKnown({page!r}, [{page!r}, {broken!r}])
        self.assertNew({broken!r}, [{page!r}])

if __name__ == "__main__":
    unittest.main()
"""


@pytest.fixture
def code(pytester, drawn):
    folder = pytester.path / "__visual__"
    folder.mkdir()
    (folder / "page.png").write_bytes((drawn / "page.png").read_bytes())
    return CODE.format(page=str(drawn / "page.png"), broken=str(drawn / "broken.png"))


def test_unittest_runs_the_assertions_and_writes_a_report(pytester, server, code):
    pytester.makepyfile(test_page=code)
    ran = subprocess.run(
        [sys.executable, "test_page.py"],
        cwd=pytester.path,
        env={**os.environ, "LOOKALIKE_URL": server.url, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 1
    assert "Ran 3 tests" in ran.stderr
    assert "FAILED (failures=1)" in ran.stderr
    assert "broken.png differs from page.png in" in ran.stderr
    assert "visual report: visual-report/report.html" in ran.stderr
    assert (pytester.path / "visual-report" / "report.html").exists()


def test_pytest_runs_the_mixin_with_its_own_options(suite, pytester, code):
    result = suite(code, "--visual-report=out")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["5 assertions, 1 failed", "report: file://*/out/report.html"])


def test_an_update_fails_for_review_under_unittest_too(suite, pytester, code):
    (pytester.path / "__visual__" / "page.png").unlink()
    result = suite(code, "--visual-update")
    result.assert_outcomes(passed=2, failed=1)  # the softly failing one writes first, and both
    result.stdout.fnmatch_lines(["*2 baselines written*"])
    assert (pytester.path / "__visual__" / "page.png").exists()


def test_shared_baselines_do_not_depend_on_the_working_directory(
    suite, pytester, drawn, monkeypatch
):
    pytester.makeini("[pytest]\nvisual_baselines = {rootdir}/looks\n")
    folder = pytester.mkdir("deep")
    (folder / "test_deep.py").write_text(
        "from client_sdk.testing import VisualAssertions\n"
        "class TestPage(VisualAssertions):\n"
        f"    def test_page(self): self.assertSimilar({str(drawn / 'page.png')!r})\n"
    )
    suite("", "--visual-update").assert_outcomes(failed=1)
    (written,) = (pytester.path / "looks").rglob("*.png")
    assert written.parent == pytester.path / "looks" / "deep" / "test_deep"
    monkeypatch.chdir(folder)
    suite("").assert_outcomes(passed=1)
