"""Separate test suites, run by the plugin against a real service."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

SUITE = "from pathlib import Path\n"

Run = Callable[..., pytest.RunResult]


def page(button: str = "seagreen", price: str = "12.40", side: int = 60) -> Image.Image:
    """Return a drawn page: a bar, a button and a price."""
    picture = Image.new("RGB", (320, 240), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 319, 40), fill="navy")
    draw.rectangle((40, 80, 40 + 3 * side, 80 + side), fill=button)
    draw.text((40, 180), price, fill="black", font_size=24)
    return picture


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """Return a folder of drawn pages: `page.png`, and some in which something has changed."""
    folder = tmp_path / "drawn"
    folder.mkdir()
    page().save(folder / "page.png")
    page(price="12.90").save(folder / "price.png")
    page(button="crimson", side=30).save(folder / "broken.png")
    return folder


@pytest.fixture
def baseline(pytester: pytest.Pytester, drawn: Path) -> Path:
    """Return the baseline `page` of a suite."""
    folder = pytester.path / "__visual__"
    folder.mkdir()
    return (drawn / "page.png").rename(folder / "page.png")


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, server) -> Run:
    """Runs one test file with the plugin: `suite(code, "--visual-update", ci=True)`."""

    def run(code: str, *options: str, ci: bool = False, url: str = server.url) -> pytest.RunResult:
        monkeypatch.setenv("LOOKALIKE_URL", url)
        monkeypatch.setenv("CI", "true" if ci else "")
        pytester.makepyfile(test_page=SUITE + code)
        return pytester.runpytest_inprocess("-p", "client_sdk.testing.plugin", *options)

    return run
