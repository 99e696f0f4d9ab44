"""Pictures embedded in the page, small enough for hundreds of failures in one file."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from client_sdk.testing.outcome import Outcome

BUDGET_BYTES = 24 * 2**20
"""The size of all pictures of a report, in bytes before their base64 encoding."""

SIDES = (1280, 960, 640, 400, 240)
"""The lengths of the longer side, in pixels, tried in turn until a picture fits its share."""

TALLEST = 3.0  # times the width; the file of the picture has the rest of a longer page
QUALITY = 80
EFFORT = 1  # of 6; more is slow, and saves little


@dataclass(frozen=True, slots=True)
class Embedded:
    """One picture embedded in the page.

    Attributes:
        source: The picture as a `data:` URL.
        width: The width of the original picture, in pixels.
        height: The height of the original picture, in pixels.
        is_cut: True if the page shows only its upper part.
    """

    source: str
    width: int
    height: int
    is_cut: bool


class Embedder:
    """A function that embeds pictures of a report; `count` pictures share the budget."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._share = BUDGET_BYTES // max(1, count)

    def __call__(self, outcome: Outcome, role: str) -> Embedded | None:
        """Return one picture of a failure; `None` if there is none, or its file cannot be read."""
        name = outcome.pictures.get(role)
        if name is None or outcome.folder is None:
            return None
        try:
            with Image.open(self._folder / outcome.folder / name) as opened:
                picture = opened.convert("RGB")
        except OSError:
            return None
        width, height = picture.size
        tallest = round(width * TALLEST)
        if height > tallest:
            picture = picture.crop((0, 0, width, tallest))
        data = self._small(picture)
        source = f"data:image/webp;base64,{base64.b64encode(data).decode()}"
        return Embedded(source, width, height, is_cut=height > tallest)

    def _small(self, picture: Image.Image) -> bytes:
        data = b""
        for side in SIDES:
            small = picture.copy()
            small.thumbnail((side, round(side * TALLEST)))
            buffer = io.BytesIO()
            small.save(buffer, "WEBP", quality=QUALITY, method=EFFORT)
            data = buffer.getvalue()
            if len(data) <= self._share:
                break
        return data
