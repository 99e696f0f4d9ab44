"""`lookalike info` and `lookalike count`."""

from client_sdk.cli import options as given
from client_sdk.cli.commands import Session
from client_sdk.cli.screen import Field, fields_of
from client_sdk.schemas import Count, Info


def info(session: Session) -> None:
    """Show version, model, engine, index and limits of the service."""
    found = session.client.info()
    session.screen.one(found, _fields(found))


def count(
    session: Session,
    *,
    collection: given.CollectionOption = given.DEFAULT,
    filter: given.FilterOption = None,
) -> None:
    """Count the images of a collection."""
    number = session.client.count(collection=collection, filter=filter)
    session.screen.number(Count(collection=collection, count=number), number)


def _fields(info: Info) -> list[Field]:
    limits = info.limits
    return [
        *fields_of(info, "version model fingerprint descriptor dimension engine precision"),
        Field("index", info.index_type),
        Field("milvus_lite", "yes" if info.milvus_lite else None),
        Field("image_roots", ", ".join(info.image_roots)),
        Field("formats", ", ".join(limits.formats)),
        Field("max_upload_bytes", limits.max_upload_bytes, _size(limits.max_upload_bytes)),
        Field("max_request_bytes", limits.max_request_bytes, _size(limits.max_request_bytes)),
        Field("max_pixels", limits.max_pixels, f"{limits.max_pixels:,}"),
        Field("max_jpeg_pixels", limits.max_jpeg_pixels, f"{limits.max_jpeg_pixels:,}"),
        Field("max_top_k", limits.max_top_k),
        *(Field(f"advice, {name}", text) for name, text in info.advice.items()),
    ]


def _size(number: int) -> str:
    return f"{number / 2**20:,.0f} MiB"
