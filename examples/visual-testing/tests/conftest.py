"""A page of the shop in Chromium, as wide as a test wants it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

SITE = Path(__file__).parents[1] / "site" / "index.html"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium: that of `CHROMIUM`, else Debian's, else the one that Playwright installs."""
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium if Path(chromium).exists() else None, args=as_root
        )
        yield browser
        browser.close()


@pytest.fixture
def shop(browser: Browser) -> Iterator[Page]:
    """The front page, 1280 pixels wide."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(SITE.as_uri())
    yield page
    page.close()
