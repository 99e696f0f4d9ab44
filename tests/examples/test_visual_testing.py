"""The example of visual testing, in its three states: it passes, it fails, it is updated."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
EXAMPLE = PROJECT / "examples" / "visual-testing"


@pytest.fixture
def example(chromium: Path, tmp_path: Path) -> Path:
    left_behind = shutil.ignore_patterns("visual-report", "__pycache__", ".pytest_cache")
    return shutil.copytree(EXAMPLE, tmp_path / "example", ignore=left_behind)


@pytest.fixture
def suite(example, server):
    """Runs the example; returns pytest's summary line and the whole output."""
    environment = {**os.environ, "LOOKALIKE_URL": server.url, "PYTHONPATH": str(PROJECT), "CI": ""}

    def run(*options: str) -> tuple[str, str]:
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "client_sdk.testing.plugin", *options],
            cwd=example,
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
        )
        return ran.stdout.splitlines()[-1], ran.stdout + ran.stderr

    return run


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def test_the_example_passes_fails_with_a_report_and_is_accepted(suite, example):
    suite("--visual-update")  # the fonts of this machine may differ
    summary, output = suite()
    assert "5 passed" in summary, output

    change(example / "site" / "style.css", "#cfe3c8, #f4d9a8", "#2b2b3a, #55506a")
    change(example / "site" / "index.html", "12.40", "14.20")
    change(example / "site" / "index.html", "picture field", "picture dusk")
    summary, output = suite()
    assert "5 failed" in summary, output
    report = example / "visual-report"
    found = [json.loads(path.read_text()) for path in report.glob("*/*/result.json")]
    by_name = {one["name"]: one for one in found}
    assert set(by_name) == {
        *("front.png", "front-phone.png", "price-keemun.png", "sencha.png", "the picture")
    }
    assert by_name["price-keemun.png"]["pixels"]["places"] == 1
    assert by_name["sencha.png"]["nearest"][0]["name"] == "keemun.png"
    assert by_name["the picture"]["margin"] < 0.05
    assert (report / "report.html").stat().st_size > 50_000

    change(
        example / "site" / "index.html",
        'picture dusk"></div>\n      <h2>Sencha',
        'picture field"></div>\n      <h2>Sencha',
    )
    summary, output = suite()
    assert "3 failed, 2 passed" in summary, output
    _, output = suite("--visual-accept=visual-report")
    assert output.count("accepted: ") == 3
    summary, output = suite()
    assert "5 passed" in summary, output
