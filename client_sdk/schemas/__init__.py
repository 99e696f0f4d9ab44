"""The models of answers in the HTTP contract, version 2, which the client and the service share.

They are immutable, and ignore unknown fields, so that an older client works with a newer service.
The `content_url` of an image (its bytes) and its `thumbnail_url` (a small WebP) are relative to the
service.
"""

from datetime import datetime
from typing import Any

from pydantic import Field

from client_sdk.schemas.answer import DEFAULT_COLLECTION as DEFAULT_COLLECTION
from client_sdk.schemas.answer import Answer, Identified
from client_sdk.schemas.compare import Lines, Verdict
from client_sdk.schemas.jobs import Job as Job
from client_sdk.schemas.jobs import JobError as JobError
from client_sdk.schemas.jobs import JobState as JobState
from client_sdk.schemas.jobs import Skipped as Skipped

MAX_TOP_K = 1000
MAX_IDS = 100_000
"""The largest number of hits of one search, and of ids in one call."""
VERSION_HEADER = "X-Lookalike-Version"
"""The header with the version of the service, in every answer to an authenticated client."""


class Count(Answer):
    """The number of images in a collection. It includes every acknowledged change."""

    collection: str
    count: int


class Deleted(Answer):
    """The number of images that a delete call removed."""

    collection: str
    deleted: int


class Source(Answer):
    """One origin of the bytes of an image.

    Attributes:
        kind: `file` for a file under an image root, `upload` for bytes sent by a client.
        root: The name of the image root; `None` for uploads.
        path: The path relative to the root, or the name of the uploaded file.
    """

    kind: str
    root: str | None
    path: str


class Image(Identified):
    """One image of a collection. Two files with equal bytes are one image with two sources."""

    collection: str
    name: str
    source: str
    sources: tuple[Source, ...] = ()
    sha256: str
    format: str
    width: int
    height: int
    bytes: int
    metadata: dict[str, Any] = Field(default_factory=dict)
    created_at: datetime
    content_url: str
    thumbnail_url: str


class Known(Answer):
    """The requested SHA-256 digests whose files a collection has, in the order of the request.

    Attributes:
        ids: The ids of these images, by digest.
    """

    collection: str
    known: tuple[str, ...]
    ids: dict[str, int] = Field(default_factory=dict)


class Hit(Answer):
    """One hit of a search.

    Attributes:
        rank: The position in the whole result, from 1; with an `offset` of 10 the first hit has 11.
        score: The cosine of the two descriptors, in [-1, 1]; larger is better.
        distance: The Euclidean distance of the two unit vectors, `sqrt(2 - 2 score)`.
        verdict: The verdict on the query and the image. Bytes, hashes and detail decide it for the
            first eight ranks; after them the score alone, which never makes a duplicate.
    """

    rank: int
    image_id: int
    score: float
    distance: float
    verdict: Verdict | None = None
    name: str
    source: str
    width: int
    height: int
    metadata: dict[str, Any] = Field(default_factory=dict)
    content_url: str
    thumbnail_url: str


class Descriptor(Answer):
    """The descriptor of a picture.

    Attributes:
        descriptor: The name of the descriptor version.
        fingerprint: The digest of the descriptor version; only descriptors of one version can be
            compared.
        vector: The unit vector. The dot product of two vectors is their score.
    """

    descriptor: str
    fingerprint: str
    vector: tuple[float, ...]


class Took(Answer):
    """The time of each stage of a search, in milliseconds."""

    decode: float
    describe: float
    search: float
    total: float


class SearchResponse(Answer):
    """The images nearest to a query, best first, ties by id.

    Attributes:
        model: The tag of the model that described the query.
        lines: The thresholds of the verdicts, for the collection's descriptor.
        warnings: Remarks about the query, such as that only the first frame was used.
        explanation: How the hits were found; `None` without `explain`.
    """

    collection: str
    model: str
    hits: tuple[Hit, ...]
    took_ms: Took
    lines: Lines | None = None
    warnings: tuple[str, ...] = ()
    explanation: dict[str, Any] | None = None


class Collection(Answer):
    """A named gallery: images described by one descriptor version.

    Attributes:
        dimension: The number of components of a descriptor.
        precision: The precision in which the network computes it; empty if it was not recorded.
        fingerprint: The digest of the descriptor version.
        former: The descriptor before the last reindex; `undo` switches back to it.
        preparing: The descriptor of a running reindex, until searches use it.
        index_type: The type of the index, such as `FLAT` (every descriptor is compared) or `HNSW`;
            empty if Milvus does not answer.
        building: The type of the index that will replace it.
        advice: Advice for the operator.
        lag: The number of changes that the index does not have yet; searches include them.
        expires_at: The time at which the service deletes the collection unless it changes before.
    """

    name: str
    count: int
    dimension: int
    descriptor: str
    precision: str
    model: str
    fingerprint: str
    lag: int
    former: str | None = None
    preparing: str | None = None
    index_type: str = ""
    building: str | None = None
    advice: str | None = None
    created_at: datetime
    expires_at: datetime | None = None


class Limits(Answer):
    """The limits and the picture formats of the service."""

    max_upload_bytes: int
    max_request_bytes: int
    max_pixels: int
    max_jpeg_pixels: int
    max_top_k: int
    formats: tuple[str, ...]


class Info(Answer):
    """The version, model, engine, index and limits of the service.

    Attributes:
        index_type: The type of the default collection's index.
        index_types: The type of each index, by the name of the collection; an empty string if
            Milvus does not answer.
        milvus_lite: True if the index is the embedded Milvus Lite.
        index_memory_bytes: The memory of the indexes that are searched without Milvus.
        advice: Advice for the operator, by the name of the collection.
        urls: True if a search may name the URL of a picture.
        scopes: The scopes of the caller's token; all of them if the service needs no token.
        lines: The thresholds of the verdicts, for the default descriptor.
    """

    version: str
    model: str
    fingerprint: str
    descriptor: str
    dimension: int
    engine: str
    precision: str
    index_type: str
    index_types: dict[str, str] = Field(default_factory=dict)
    milvus_lite: bool | None = None
    index_memory_bytes: int | None = None
    advice: dict[str, str] = Field(default_factory=dict)
    image_roots: tuple[str, ...]
    urls: bool = False
    scopes: tuple[str, ...] = ()
    lines: Lines | None = None
    limits: Limits


class Problem(Answer):
    """A failure as `application/problem+json` (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None
