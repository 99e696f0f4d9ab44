"""`lookalike images`: lists and shows stored images, gets their bytes, and sets metadata."""

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from client_sdk.cli import options as given
from client_sdk.cli.commands import Session, command
from client_sdk.cli.pictures import drawing
from client_sdk.cli.screen import Column, Field, fields_of
from client_sdk.errors import UsageError
from client_sdk.schemas import Image

app: typer.Typer = typer.Typer(help="List images, look at one, get its bytes, set its metadata.")

IdArgument = Annotated[int, Argument(metavar="IMAGE_ID", min=0, help="Its id.")]
COLUMNS = (
    Column[Image]("image_id", lambda image: image.image_id, right=True, style="dim"),
    Column[Image]("format", lambda image: image.format, style="dim"),
    Column[Image]("size", lambda image: f"{image.width}x{image.height}", right=True, style="dim"),
    Column[Image]("bytes", lambda image: image.bytes, right=True, style="dim"),
    Column[Image]("source", lambda image: image.source, folds=True),
    Column[Image](
        "metadata",
        lambda image: json.dumps(image.metadata, ensure_ascii=False) if image.metadata else "",
        folds=True,
    ),
)


@command(app, group=True)
def images(
    session: Session,
    *,
    collection: given.CollectionOption = given.DEFAULT,
    prefix: Annotated[
        str | None, Option(metavar="PATH", help="Only images whose source begins with this.")
    ] = None,
    filter: given.FilterOption = None,
    limit: Annotated[
        int | None, Option("--limit", "-n", min=1, help="At most this many; by default all.")
    ] = None,
) -> None:
    """List the images of a collection in the order of their ids."""
    page = min(limit or 100, 100)
    found = session.client.images(
        collection=collection, prefix=prefix, filter=filter, page_size=page
    )
    session.screen.many(islice(found, limit), COLUMNS)


@command(app)
def show(session: Session, image_id: IdArgument, *, pictures: given.PicturesOption = None) -> None:
    """Show one image with all its fields."""
    image = session.client.image(image_id)
    draw = drawing(session, wanted=pictures)
    picture = draw(image.thumbnail(size=512), 36, 12) if draw else None
    session.screen.one(image, _fields(image), picture=picture)


@command(app)
def get(
    session: Session,
    image_id: IdArgument,
    *,
    output: Annotated[
        Path | None,
        Option(
            "--output", "-o", metavar="FILE", help="The output file; by default standard output."
        ),
    ] = None,
    size: Annotated[
        int | None,
        Option(
            metavar="PIXELS",
            min=1,
            help="A WebP whose longer side has this length, instead of the original.",
        ),
    ] = None,
) -> None:
    """Get the stored bytes of an image."""
    if output is None and session.around.stdout.isatty():
        raise UsageError("a terminal cannot show these bytes; give --output FILE, or use a pipe")
    image = session.client.image(image_id)
    content = image.content() if size is None else image.thumbnail(size=size)
    if output is not None:
        output.write_bytes(content)
        return
    sink = getattr(session.around.stdout, "buffer", sys.stdout.buffer)
    sink.write(content)
    sink.flush()


@command(app, "set")
def set_metadata(
    session: Session,
    image_id: IdArgument,
    pairs: Annotated[
        list[str], Argument(metavar="NAME=VALUE", help="Such as shop=north price=20.")
    ] = [],
    *,
    replace: Annotated[
        bool, Option("--replace", help="Remove all metadata that is not named.")
    ] = False,
    unset: Annotated[list[str], Option(metavar="NAME", help="Remove this name.")] = [],
) -> None:
    """Set metadata of an image."""
    if not (pairs or replace or unset):
        raise UsageError("give a value to set: lookalike images set ID shop=north")
    named = given.metadata_of(pairs)
    image = session.client.image(image_id)
    changed = {**({} if replace else image.metadata), **named}
    kept = {name: value for name, value in changed.items() if name not in unset}
    changed_image = image.update_metadata(kept)
    session.screen.one(changed_image, _fields(changed_image))


def _fields(image: Image) -> list[Field]:
    places = [f"{one.root}/{one.path}" if one.root else one.path for one in image.sources]
    return [
        *fields_of(image, "image_id collection source"),
        Field("sources", ", ".join(places) if len(places) > 1 else None),
        Field("format", image.format),
        Field("size", f"{image.width}x{image.height}"),
        Field("bytes", image.bytes, f"{image.bytes:,}"),
        *fields_of(image, "sha256 created_at"),
        Field("metadata", image.metadata and json.dumps(image.metadata, ensure_ascii=False)),
    ]
