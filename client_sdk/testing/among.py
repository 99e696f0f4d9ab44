"""The pictures that an assertion searches: a collection, or pictures indexed for it alone."""

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from client_sdk._sync.client import Client
from client_sdk.testing.baselines import pictures_below
from client_sdk.testing.messages import short
from client_sdk.testing.pictures import Shot, VisualPicture, read
from client_sdk.testing.scratch import ScratchCollection

Among = str | Path | Iterable[VisualPicture]
"""The name of a collection, a folder of pictures as a `Path`, or pictures."""


def place_of(among: Among) -> str:
    """Return for messages where the pictures are, such as `in shelf`."""
    if isinstance(among, str):
        return f"in {among}"
    return f"in {short(among)}" if isinstance(among, Path) else "among the given pictures"


@contextmanager
def indexed(client: Client, among: Among) -> Generator[tuple[str, Mapping[int, tuple[str, ...]]]]:
    """Yield the name of a collection with the pictures, and which of them have the same bytes.

    These are the names of pictures, by the id of their image.
    """
    if isinstance(among, str):
        yield among, {}
        return
    with ScratchCollection.create(client, "among") as scratch:
        yield scratch, scratch.add_distinct(_shots(among))


def _shots(among: Path | Iterable[VisualPicture]) -> Iterator[Shot]:
    if isinstance(among, Path):
        for path in pictures_below(among):
            yield Shot(path.relative_to(among).as_posix(), path.read_bytes())
    else:
        for number, picture in enumerate(among, 1):
            yield read(picture, f"picture-{number}")
