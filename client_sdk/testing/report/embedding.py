"""Pictures inside of a page, small enough that hundreds of failures fit in one file."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from client_sdk.testing.outcome import Outcome

BUDGET_BYTES = 24 * 2**20
"""What all pictures of a report may take, before they are written as text."""

SIDES = (1280, 960, 640, 400, 240)
"""Pixels of the longer side, tried in turn until a picture has its share of the budget."""

TALLEST = 3.0  # times its width; what is below that of a long page is in the file beside the report
QUALITY = 80
EFFORT = 1  # of 6; more is slow, and hardly smaller


@dataclass(frozen=True, slots=True)
class Embedded:
    """One picture inside of the page.

    Attributes:
        source: A `data:` address.
        width: Pixels of the picture itself.
        height: The same.
        is_cut: Whether the page shows only its upper part.
    """

    source: str
    width: int
    height: int
    is_cut: bool


class Embedder:
    """Makes pictures of failures part of a page.

    Args:
        folder: Of the report.
        count: How many pictures there are to share the budget.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._share = BUDGET_BYTES // max(1, count)

    def __call__(self, outcome: Outcome, role: str) -> Embedded | None:
        """One picture of a failure; `None` where there is none, or its file is gone."""
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
