"""Take the pictures of the page in docs/images from a running service.

    python .ci/screenshots.py http://127.0.0.1:8001 IMAGE_ID

The service has to hold photographs that may be shown. Those of the present pictures are from
clothing-dataset-small, which is in the public domain (CC0 1.0).
"""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

_FOLDER = Path(__file__).parents[1] / "docs" / "images"
_SIZE = {"width": 1440, "height": 855}
_QUALITY = 60


def _save(page: Page, name: str) -> None:
    page.wait_for_function("() => [...document.images].every((image) => image.complete)")
    page.wait_for_timeout(500)
    with Image.open(io.BytesIO(page.screenshot())) as shown:
        shown.save(_FOLDER / f"{name}.webp", quality=_QUALITY, method=6)


def main() -> None:
    """Take all pictures."""
    url, image_id = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page(viewport=_SIZE, locale="en", reduced_motion="reduce")
        page.goto(f"{url}/#/search?id={image_id}")
        page.locator(".badge").first.wait_for()
        _save(page, "search")
        page.locator(".picture").nth(1).click()
        page.locator(".verdict").wait_for()
        _save(page, "picture")
        browser.close()


if __name__ == "__main__":
    main()
