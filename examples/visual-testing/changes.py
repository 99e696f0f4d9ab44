"""What a score sees: the page with one change at a time, its score, and its differing pixels.

LOOKALIKE_URL=http://127.0.0.1:8001 python changes.py
"""

import io
import os
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from client_sdk import Client
from client_sdk.testing import Pixels
from client_sdk.testing.pixels import difference

SITE = Path(__file__).parent / "site" / "index.html"

CHANGES = {
    "nothing": "",
    "a price": ".price { } #keemun .price { font-size: 0 } "
    "#keemun .price::after { content: '14.20 €'; font-size: 1.25rem }",
    "a heading": "h1 { font-size: 0 } h1::after { content: 'Coffee from three hills'; "
    "font-size: 3rem }",
    "another font": "body { font-family: serif }",
    "cards 8 pixels lower": "main { padding-top: 40px }",
    "the button red": ".button { background: #b3261e }",
    "one picture exchanged": ".field { background: linear-gradient(#8fd0e8, #f7d9a0) }",
    "one card missing": "#rooibos { visibility: hidden }",
    "a bar at the foot": "footer { position: fixed; bottom: 0; width: 100%; background: #222 }",
    "cards below each other": "main { grid-template-columns: 1fr }",
    "a dark ground": "body { background: #15201b }",
    "a dialogue over it": "body::after { content: ''; position: fixed; inset: 0; "
    "background: #000a }"
    " body::before { content: ''; position: fixed; inset: 30%; background: #fff; z-index: 2 }",
    "no style at all": "* { all: revert !important }",
}


def main() -> None:
    """Print one line for each change."""
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright, Client() as client:
        browser = playwright.chromium.launch(executable_path=chromium, args=as_root)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        shots: dict[str, bytes] = {}
        for name, style in CHANGES.items():
            page.goto(SITE.as_uri())
            page.add_style_tag(content=f"#clock {{ visibility: hidden }} {style}")
            shots[name] = page.screenshot()
        browser.close()
        for name, shot in shots.items():
            score = client.compare(shots["nothing"], shot).score
            pictures = [
                Image.open(io.BytesIO(one)).convert("RGB") for one in (shots["nothing"], shot)
            ]
            found, _ = difference(*pictures, Pixels())
            print(f"| {name} | {score:.4f} | {100 * found.share:.2f} % |")


if __name__ == "__main__":
    main()
