"""Pictures in a terminal, as kitty graphics or sixels if it supports them, else half blocks."""

import io
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.text import Text

from client_sdk._sync.results import StoredImage
from client_sdk._transport.workers import each
from client_sdk.cli.commands import Session
from client_sdk.cli.screen import Form
from client_sdk.errors import LookalikeError

_PIXELS = 256  # of the longer side; the service caches this size
_COLUMNS, _LINES = 18, 7  # of a thumbnail in a list
_AT_ONCE = 8
_MOST_PIXELS = 50_000_000
_STDIN = 0
_NO_PICTURE = Text("?", style="dim")

Draw = Callable[[bytes, int, int], RenderableType]
"""A function that renders the bytes of a picture within a number of columns and lines."""


def drawing(session: Session, *, wanted: bool | None) -> Draw | None:
    """Return the function that draws pictures; `None` if the user or the terminal wants none."""
    console = session.screen.out
    able = session.screen.form is Form.TABLE and not console.is_dumb_terminal
    if wanted is False or not able or console.no_color or console.color_system is None:
        return None
    with _terminal_answers() as answers:
        if not answers and not wanted:
            return None
        import PIL.Image  # slow to import, and few commands need it
        from textual_image import renderable  # queries the terminal when it is imported
    kind = renderable.Image if answers else renderable.HalfcellImage

    def draw(content: bytes, columns: int, lines: int) -> RenderableType:
        with PIL.Image.open(io.BytesIO(content)) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                return _NO_PICTURE
            image = kind(picture.convert("RGB"), width="auto", height="auto")
            return _Framed(image, columns, lines)

    return draw


def thumbnails(
    draw: Draw | None, images: Sequence[StoredImage]
) -> Callable[[Any], RenderableType] | None:
    """Return a function from stored images to their drawn thumbnails; `None` without `draw`.

    The thumbnails are fetched in parallel. One that cannot be fetched, as of an image that was just
    deleted, is a question mark.
    """
    if draw is None:
        return None

    def one(image: StoredImage) -> RenderableType:
        try:
            return draw(image.thumbnail(size=_PIXELS), _COLUMNS, _LINES)
        except (LookalikeError, OSError):
            return _NO_PICTURE

    ids = [image.image_id for image in images]
    small = dict(zip(ids, each(one, images, _AT_ONCE), strict=True))
    return lambda image: small[image.image_id]


@dataclass(frozen=True, slots=True)
class _Framed:
    """A picture scaled to fit a number of columns and lines, with its aspect ratio."""

    picture: Any
    columns: int
    lines: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = min(self.columns, options.max_width)
        try:
            yield from console.render(
                self.picture, options.update(max_width=columns, height=self.lines)
            )
        except ValueError:  # the picture is so narrow that it has no column
            yield _NO_PICTURE

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        columns = min(self.columns, options.max_width)
        return Measurement(columns, columns)


@contextmanager
def _terminal_answers() -> Generator[bool]:
    """Yield True if the terminal can be queried, which needs it as standard input.

    If standard input is a pipe, the terminal replaces it within the block.
    """
    if os.isatty(_STDIN):
        yield True
        return
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        yield False
        return
    former = os.dup(_STDIN)
    try:
        os.dup2(terminal, _STDIN)
        yield True
    finally:
        os.dup2(former, _STDIN)
        os.close(former)
        os.close(terminal)
