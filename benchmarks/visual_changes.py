"""Pages with one change at a time, and with noise that is no change, drawn by Chromium."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserType, ViewportSize, sync_playwright

SITE = Path(__file__).parents[1] / "examples" / "visual-testing" / "site"
VIEWPORT: ViewportSize = {"width": 1280, "height": 760}

CHANGES: dict[str, dict[str, str]] = {
    "index": {
        "a changed price": "text('#keemun .price', '12.90 €')",
        "another decimal mark": "text('#sencha .price', '9,80 €')",
        "a missing button": "css('.button { visibility: hidden }')",
        "a red button": "css('.button { background: #b3261e }')",
        "white text on white": "css('#sencha p { color: #fff }')",
        "overlapping headings": "css('.hero p { margin-top: -40px }')",
        "a typo": "text('#rooibos h2', 'Roiboos')",
        "swapped names": "swap('#keemun h2', '#sencha h2')",
        "a missing card": "css('#rooibos { visibility: hidden }')",
        "swapped pictures": "css('.field { background: linear-gradient(#8fd0e8, #f7d9a0) }')",
        "cards 8 pixels lower": "css('main { padding-top: 40px }')",
        "a missing link": "css('nav a:nth-child(2) { visibility: hidden }')",
        "a dialogue over the page": 'css(\'body::after { content: ""; position: fixed; inset: 0; '
        "background: #000a }')",
        "a dark bar": "css('footer { position: fixed; bottom: 0; width: 100%; background: #222 }')",
        "pale grey text": "css('#keemun p:not(.price) { color: #aab4ae }')",
        "8 for 0 in a price": "text('#rooibos .price', '7.28 €')",
        "a lost comma": "text('#sencha p', 'Green, fresh tastes of grass.')",
        "a comma for a full stop": "text('#rooibos p', 'Red, mild, without caffeine,')",
        "swapped letters": "text('#sencha h2', 'Senhca')",
        "a lighter weight": "css('.price { font-weight: 400 }')",
        "a card without its border": "css('#keemun { border-color: #fff }')",
        "a line that vanishes": "css('footer { border-color: transparent }')",
        "a link that is not underlined": "css('nav a:first-child { text-decoration: none }')",
    },
    "dashboard": {
        "a changed amount": "text('#r1 .number', '1,249.00')",
        "one digit of an order": "text('#r5 td', '10473')",
        "a lost minus": "text('#value span', '3 %')",
        "swapped names": "swap('#r3 td:nth-child(2)', '#r4 td:nth-child(2)')",
        "a typo in a name": "text('#r2 td:nth-child(2)', 'Anna Lungdren')",
        "another state": "text('#r3 .state', 'sent')",
        "a green mark for late": "find('#r6 .state').classList.remove('late')",
        "a missing button": "find('#cancel').style.visibility = 'hidden'",
        "an empty field": "find('#amount').value = ''",
        "a box without its tick": "find('#insured').checked = false",
        "a higher bar": "const bar = find('#friday'); bar.setAttribute('y', 45); "
        "bar.setAttribute('height', 105)",
        "a missing chart": "find('#chart').style.visibility = 'hidden'",
        "a label cut off": "css('#late { overflow: hidden; width: 40px }')",
        "a field without its border": "find('#note').style.borderColor = '#fff'",
        "another choice": "find('#berth').selectedIndex = 1",
        "6 for 5 in an amount": "text('#r4 .number', '2,730.26')",
        "a full stop for a comma": "text('#r1 .number', '1.240.00')",
        "i for l in a name": "text('#r3 td:nth-child(2)', 'Tomasz Wiik')",
        "an accent": "text('#r4 td:nth-child(2)', 'Mei T\u00e0naka')",
        "a tile without its border": "css('#done { border-color: #fff }')",
        "a row without its line": "css('#r3 td { border-color: #fff }')",
        "a red number for a green one": "find('#open span').className = 'down'",
        "a bar of another colour": "find('#friday').style.fill = '#c1a87f'",
        "a lighter heading": "css('form h2 { font-weight: 400 }')",
    },
    "article": {
        "a broken picture": "find('#picture').src = 'gone.svg'",
        "a missing picture": "find('#picture').style.visibility = 'hidden'",
        "a picture pressed flat": "find('#picture').style.objectFit = 'fill'",
        "a typo": "replace('#first', 'somebody', 'sombeody')",
        "another year": "replace('#third', '1833', '1883')",
        "a changed number": "text('#metres', '1.7')",
        "another footnote": "text('#note', '3')",
        "overlapping headings": "css('#history { margin-top: -24px }')",
        "white text on white": "css('.by { color: #fff }')",
        "a missing paragraph": "css('#fourth { visibility: hidden }')",
        "a link that looks like text": "css('#link { color: #222; text-decoration: none }')",
        "another font": "css('#quote { font-family: \"DejaVu Sans\" }')",
        "a fallback font": "css('body { font-family: \"DejaVu Sans Mono\" }')",
        "the wrong date": "text('#date', '14 March 2026')",
        "text over a picture": "css('figure { float: none; position: absolute; right: 20rem }')",
        "a semicolon for a colon": "replace('#fourth', 'stays: it', 'stays; it')",
        "a lost full stop": "replace('#first', 'city.', 'city')",
        "o for a": "replace('#third', 'coast', 'coost')",
        "a small letter for a capital": "replace('#third', 'It was', 'it was')",
        "a quotation without its bar": "css('#quote { border-color: #fff }')",
        "a thinner line": "css('header { border-bottom-width: 1px; margin-bottom: 1px }')",
        "a field without its border": "find('#search').style.borderColor = '#fff'",
        "another colour of a link": "css('#link { color: #7b1fa2 }')",
    },
}
"""Each page's visible changes, by name."""

_HELPERS = """
const find = (query) => document.querySelector(query);
const text = (query, words) => { find(query).textContent = words; };
const replace = (query, one, other) => {
  find(query).innerHTML = find(query).innerHTML.replace(one, other);
};
const swap = (one, other) => {
  const words = find(one).textContent;
  text(one, find(other).textContent);
  text(other, words);
};
const css = (rules) => {
  const style = document.createElement('style');
  style.textContent = rules;
  document.head.append(style);
};
css('#clock { visibility: hidden }');
"""
_DRAWN = """
await document.fonts.ready;
await Promise.allSettled([...document.images].map((image) => image.decode()));
await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
"""

_TEXTS = "h1, h2, p, td, th, .tile b, blockquote, aside a, nav a, figcaption"
NOISE: dict[str, str] = {
    "the same page again": "",
    "all text 1 pixel to the right": f"css('{_TEXTS} {{ position: relative; left: 1PX }}')",
    "all text 1 pixel lower": f"css('{_TEXTS} {{ position: relative; top: 1PX }}')",
    "all text 1 pixel to the left and higher": f"css('{_TEXTS} {{ position: relative; left: -1PX; "
    "top: -1PX }')",
    "headings half a pixel to the right": "css('h1, h2 { position: relative; left: .5PX }')",
}
"""Differences that machines make and nobody means, by name; `PX` is a pixel of the picture."""

FLAGS: dict[str, tuple[str, ...]] = {
    "--disable-gpu": ("--disable-gpu",),
    "--disable-lcd-text": ("--disable-lcd-text",),
    "--force-color-profile=srgb": ("--force-color-profile=srgb",),
    "--disable-font-subpixel-positioning": ("--disable-font-subpixel-positioning",),
    "--font-render-hinting=none": ("--font-render-hinting=none",),
    "--disable-partial-raster, two raster threads": (
        *("--disable-partial-raster", "--num-raster-threads=2"),
    ),
    "GPU rasterisation": (
        *("--enable-gpu-rasterization", "--ignore-gpu-blocklist", "--enable-unsafe-swiftshader"),
        *("--use-gl=angle", "--use-angle=swiftshader"),
    ),
}
"""Other flags of Chromium, by name."""

CARET = {"index": None, "dashboard": "#customer", "article": "#search"}
"""The field of each page whose caret is shown."""


@dataclass(frozen=True)
class Case:
    """Two pictures of one page.

    Attributes:
        page: The name of the page.
        name: The change, or the noise.
        scale: The device scale factor.
        is_change: True if a person sees the change.
        before: The bytes of the PNG of the page as it was.
        after: The bytes of the PNG of the page now.
    """

    page: str
    name: str
    scale: int
    is_change: bool
    before: bytes
    after: bytes


def cases() -> Iterator[Case]:
    """Yield every change and every noise, of each page at the device scale factors 1 and 2."""
    with sync_playwright() as playwright:
        browser = launched(playwright.chromium)
        for page in CHANGES:
            for scale in (1, 2):
                before = shot(browser, page, scale)
                for is_change, group in ((True, CHANGES[page]), (False, NOISE)):
                    for name, script in group.items():
                        after = shot(browser, page, scale, script)
                        yield Case(page, name, scale, is_change, before, after)
                yield from _carets(browser, page, scale)
        browser.close()
        yield from _flags(playwright.chromium)


def launched(chromium: BrowserType, *flags: str) -> Browser:
    """Start Chromium with flags."""
    path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    return chromium.launch(executable_path=path, args=[*as_root, *flags])


def shot(
    browser: Browser,
    page: str,
    scale: int,
    script: str = "",
    *,
    focus: str = "",
    caret: bool = False,
) -> bytes:
    """Return a screenshot of a page after a script has run in it, as a PNG."""
    context = browser.new_context(viewport=VIEWPORT, device_scale_factor=scale)
    tab = context.new_page()
    tab.goto((SITE / f"{page}.html").as_uri())
    in_css = script.replace("-1PX", f"{-1 / scale}px").replace("1PX", f"{1 / scale}px")
    in_css = in_css.replace(".5PX", f"{0.5 / scale}px")
    in_focus = f"find('{focus}').focus();" if focus else ""
    tab.evaluate(f"async () => {{ {_HELPERS} {in_css}; {in_focus} {_DRAWN} }}")
    made = tab.screenshot(caret="initial" if caret else "hide")
    context.close()
    return made


def _carets(browser: Browser, page: str, scale: int) -> Iterator[Case]:
    field = CARET[page]
    if field is not None:
        hidden = shot(browser, page, scale, focus=field)
        shown = shot(browser, page, scale, focus=field, caret=True)
        yield Case(page, "a caret", scale, is_change=False, before=hidden, after=shown)


def _flags(chromium: BrowserType) -> Iterator[Case]:
    def shots(*flags: str) -> dict[str, bytes]:
        browser = launched(chromium, *flags)
        made = {page: shot(browser, page, 1) for page in CHANGES}
        browser.close()
        return made

    before = shots()
    for name, flags in FLAGS.items():
        for page, after in shots(*flags).items():
            yield Case(page, name, 1, is_change=False, before=before[page], after=after)
