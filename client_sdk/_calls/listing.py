"""Answers that are sequences of images, and their tables in notebooks."""

import base64
import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

from client_sdk.schemas.fields import Answer

ROWS = 30  # images that a notebook shows
THUMBNAIL = 128  # pixels of the longer side

ImageT = TypeVar("ImageT", bound=Answer)


class Listing(Answer, Generic[ImageT]):
    """An answer that is a sequence of images: iterate over it, index it, ask for its `len`."""

    @property
    def _listed(self) -> "tuple[ImageT, ...]":
        raise NotImplementedError

    def __iter__(self) -> Iterator[ImageT]:  # type: ignore[override] # pydantic yields its fields
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)

    @overload
    def __getitem__(self, at: int) -> ImageT: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[ImageT, ...]: ...
    def __getitem__(self, at: int | slice) -> ImageT | tuple[ImageT, ...]:
        return self._listed[at]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the images as dictionaries, such as `pandas.DataFrame` takes."""
        return [image.model_dump(by_alias=False) for image in self._listed]


def table(images: Sequence[Any], addresses: Mapping[int, str]) -> str:
    """Return images as an HTML table; `addresses` has the URLs of thumbnails by image id."""
    lines = "".join(_row(image, addresses.get(image.image_id, "")) for image in images[:ROWS])
    more = f"<p>and {len(images) - ROWS} more</p>" if len(images) > ROWS else ""
    heads = "".join(f"<th>{name}</th>" for name in ("", "score", "image_id", "source"))
    return f"<table><tr>{heads}</tr>{lines}</table>{more}"


def data_url(thumbnail: bytes) -> str:
    """Return a thumbnail as a `data:` URL, which a browser shows without a request."""
    return f"data:image/webp;base64,{base64.b64encode(thumbnail).decode()}" if thumbnail else ""


def _row(image: Any, address: str) -> str:
    score = getattr(image, "score", None)
    shown = "" if score is None else f"{score:.3f}"
    picture = f'<img src="{html.escape(address)}" style="max-height:96px">' if address else ""
    cells = (picture, shown, str(image.image_id), html.escape(image.source))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
