"""Tables of images in notebooks."""

import base64
import html
from collections.abc import Mapping, Sequence
from typing import Any

from client_sdk._transport.workers import each
from client_sdk.errors import LookalikeError

ROWS = 30  # images that a notebook shows
THUMBNAIL = 128  # pixels of the longer side


def table(images: Sequence[Any], addresses: Mapping[int, str]) -> str:
    """Return images as an HTML table; `addresses` has the URLs of thumbnails by image id."""
    lines = "".join(_row(image, addresses.get(image.image_id, "")) for image in images[:ROWS])
    more = f"<p>and {len(images) - ROWS} more</p>" if len(images) > ROWS else ""
    heads = "".join(f"<th>{name}</th>" for name in ("", "score", "image_id", "source"))
    return f"<table><tr>{heads}</tr>{lines}</table>{more}"


def thumbnail_urls(images: Sequence[Any], _: object) -> dict[int, str]:
    """Return the thumbnails of images as `data:` URLs, by id."""

    def one(image: Any) -> str:
        try:
            thumbnail = base64.b64encode(image.thumbnail(size=THUMBNAIL)).decode()
        except LookalikeError:
            return ""
        return f"data:image/webp;base64,{thumbnail}"

    shown = images[:ROWS]
    return dict(zip([image.image_id for image in shown], each(one, shown, 8), strict=True))


def async_thumbnail_urls(images: Sequence[Any], connection: Any) -> dict[int, str]:
    """Return the URLs of thumbnails at the service, by id; the event loop cannot wait for them."""
    if connection is None or connection.settings.folder is not None:
        return {}
    return {image.image_id: connection.settings.base_url + image.thumbnail_url for image in images}


def _row(image: Any, address: str) -> str:
    score = getattr(image, "score", None)
    shown = "" if score is None else f"{score:.3f}"
    picture = f'<img src="{html.escape(address)}" style="max-height:96px">' if address else ""
    cells = (picture, shown, str(image.image_id), html.escape(image.source))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
