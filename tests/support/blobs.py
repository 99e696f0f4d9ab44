"""Bytes in a store of uploads."""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from bento_service.storage.blob_store import BlobStore, Staged
from bento_service.storage.uploads import Uploads


def put(blobs: BlobStore, *contents: bytes) -> list[str]:
    """Store contents together, and return their digests."""
    staged: list[Staged] = []
    try:
        staged += (blobs.stage(io.BytesIO(content)) for content in contents)
        blobs.keep(staged)
    finally:
        blobs.drop(staged)
    return [each.sha256 for each in staged]


@contextmanager
def receiving(uploads: Uploads, streams: Iterable[BinaryIO]) -> Iterator[list[str]]:
    """Store the bytes of each stream and yield their digests, which nothing discards meanwhile."""
    with uploads.intake() as intake:
        digests = [intake.add(stream) for stream in streams]
        intake.finish()
        yield digests
