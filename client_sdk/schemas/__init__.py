"""The wire models of the HTTP contract, version 2.

The client and the service share them, so that each field is defined once. Every model is immutable.
Answers ignore unknown fields, so that an older client works with a newer service. Requests reject
unknown fields and values of a wrong type: a string is neither a number nor a list, even if it has
only digits. The models of jobs are in `client_sdk.schemas.jobs`, those of comparisons in
`client_sdk.schemas.compare`.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from client_sdk.schemas.fields import DEFAULT_COLLECTION as DEFAULT_COLLECTION
from client_sdk.schemas.fields import Answer
from client_sdk.schemas.fields import Flag as _Flag
from client_sdk.schemas.fields import Listed as _Listed
from client_sdk.schemas.fields import Name as _Name
from client_sdk.schemas.fields import Real as _Real
from client_sdk.schemas.fields import Region as _Region
from client_sdk.schemas.fields import Request as _Request
from client_sdk.schemas.fields import Whole as _Whole
from client_sdk.schemas.jobs import Job as Job
from client_sdk.schemas.jobs import JobError as JobError
from client_sdk.schemas.jobs import JobErrorList as JobErrorList
from client_sdk.schemas.jobs import JobList as JobList
from client_sdk.schemas.jobs import JobState as JobState

MAX_TOP_K = 1000
"""The largest `top_k` of a search."""

MAX_IDS = 100_000
"""The largest number of ids in one call."""

MAX_DIGESTS = 10_000
"""The largest number of digests in one call."""

VERSION_HEADER = "X-Lookalike-Version"
"""The header with the version of the service, in every answer to an authenticated client."""

_Path = Annotated[str, Field(min_length=1, max_length=4096)]
_Url = Annotated[str, Field(min_length=1, max_length=2048)]
_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

FILTER_LANGUAGE = (
    'Only images that pass this expression, such as `shop == "north" and (price < 20 or '
    'size.width > 3) and not tags contains "sold"`: `==` `!=` `<` `<=` `>` `>=`, `in [...]`, '
    '`not in [...]`, `like "north%"`, `contains`, `exists`, `and`, `or`, `not`, over the metadata '
    "and over `$id`, `$width`, `$height`, `$bytes`, `$format`, `$sha256`, `$created_at`. A "
    "comparison with a missing key, or with a value of another kind, is false."
)
"""The description of a `filter` in the API description."""


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


class Image(Answer):
    """One image of a collection. Two files with equal bytes are one image with two sources."""

    id: int
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


class ImageList(Answer):
    """One page of images, sorted by id. `next_cursor` is `None` on the last page."""

    images: tuple[Image, ...]
    next_cursor: str | None = None


class Known(Answer):
    """The requested SHA-256 digests whose files a collection has, in the order of the request."""

    collection: str
    known: tuple[str, ...]


class Hit(Answer):
    """One hit of a search.

    Attributes:
        rank: The position in the whole result, from 1; with an `offset` of 10 the first hit has 11.
        score: The cosine of the two descriptors, in [-1, 1]; larger is better.
        distance: The Euclidean distance of the two unit vectors, `sqrt(2 - 2 score)`.
        content_url: The URL of the bytes, relative to the service.
        thumbnail_url: The URL of a small WebP, relative to the service.
    """

    rank: int
    image_id: int
    score: float
    distance: float
    name: str
    source: str
    width: int
    height: int
    metadata: dict[str, Any] = Field(default_factory=dict)
    content_url: str
    thumbnail_url: str


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
        warnings: Remarks about the query, such as that an animation was described by its first
            frame.
        explanation: An explanation of the search; `None` without `explain`.
    """

    collection: str
    model: str
    hits: tuple[Hit, ...]
    took_ms: Took
    warnings: tuple[str, ...] = ()
    explanation: dict[str, Any] | None = None


class Collection(Answer):
    """A named gallery: images described by one descriptor version.

    Attributes:
        count: The number of images.
        dimension: The number of components of a descriptor.
        descriptor: The name of the descriptor.
        precision: The precision in which the network computes it; empty if it was not recorded.
        fingerprint: The digest of the descriptor version; the collection rejects descriptors of
            another version.
        former: The descriptor before the last reindex; `undo` switches back to it.
        preparing: The descriptor of a running reindex, until searches use it.
        index_type: The type of the Milvus index, such as `FLAT` (every descriptor is compared) or
            `HNSW`; empty if Milvus does not answer.
        building: The type of the index that is being built as its replacement.
        advice: Advice for the operator.
        lag: The number of acknowledged changes that the index does not have yet. Searches include
            them.
        expires_at: The time at which the service deletes the collection unless it changes before;
            `None` for never.
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


class CollectionList(Answer):
    """All collections, sorted by name."""

    collections: tuple[Collection, ...]


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
        index_types: The type of each collection's index, by the collection's name; an empty string
            if Milvus does not answer.
        milvus_lite: True if the index is the embedded Milvus Lite.
        advice: Advice for the operator, by the collection's name.
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
    advice: dict[str, str] = Field(default_factory=dict)
    image_roots: tuple[str, ...]
    limits: Limits


class Problem(Answer):
    """A failure as `application/problem+json` (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None


class TrainRequest(_Request):
    """A request to index a file or a folder that the service can read, or to apply a manifest.

    Attributes:
        path: The path, absolute and under an image root, or relative to the root. With a manifest,
            the folder to which its paths are relative; by default the manifest's own folder.
        manifest: The path of an NDJSON or CSV file that lists images to add and to delete.
        root: The name of the image root of relative paths; required if the service has several.
        recursive: If true, include subfolders.
        ignore: Patterns of files and folders below `path` to skip, such as `*.gif`, `drafts/` or
            `**/thumbs/**`.
        metadata: Metadata to store with every new image of this call.
        prune: If true, delete images whose files are gone from the folder.
        verify_bytes: If true, read every file, also those with an unchanged size and time of
            change.
        dry_run: If true, change nothing and report what would happen to every file.
    """

    path: _Path | None = None
    manifest: _Path | None = None
    root: _Name | None = None
    collection: _Name = DEFAULT_COLLECTION
    recursive: _Flag = True
    ignore: _Listed[_Path] = Field(default=(), max_length=1000)
    metadata: dict[str, Any] = Field(default_factory=dict)
    prune: _Flag = False
    verify_bytes: _Flag = False
    dry_run: _Flag = False


class SearchOptions(_Request):
    """The options of a search, the same for every kind of query.

    Attributes:
        top_k: The largest number of hits.
        offset: The number of hits to skip.
        min_score: The lowest score of a hit, in [-1, 1].
        region: The part of the query picture to search with, `(x, y, width, height)` in pixels of
            the upright picture.
        exact: If true, compare with every descriptor instead of using an approximate index.
        explain: If true, add an `explanation` to the answer.
    """

    collection: _Name = DEFAULT_COLLECTION
    top_k: _Whole = Field(default=10, ge=1, le=MAX_TOP_K)
    offset: _Whole = Field(default=0, ge=0, le=15_000)
    min_score: _Real | None = Field(default=None, ge=-1.0, le=1.0)
    filter: str | None = Field(default=None, description=FILTER_LANGUAGE)
    region: _Region | None = None
    exact: _Flag = False
    explain: _Flag = False


class SearchRequest(SearchOptions):
    """A search sent as JSON: exactly one of `image` (base64), `image_id` and `url`."""

    image: str | None = None
    image_id: _Whole | None = None
    url: _Url | None = None


class KnownRequest(_Request):
    """A request for those of some digests whose files a collection has.

    Attributes:
        sha256: The digests of whole files, each 64 hexadecimal digits in lower case.
    """

    collection: _Name = DEFAULT_COLLECTION
    sha256: _Listed[_Digest] = Field(max_length=MAX_DIGESTS)


class DeleteRequest(_Request):
    """A request to delete images, with exactly one of `ids`, `filter` and `all=True`."""

    collection: _Name = DEFAULT_COLLECTION
    ids: _Listed[_Whole] | None = Field(default=None, max_length=MAX_IDS)
    filter: str | None = Field(default=None, description=FILTER_LANGUAGE)
    all: _Flag = False


MAX_TTL_SECONDS = 366 * 24 * 3600


class CollectionRequest(_Request):
    """A request to create a collection.

    Attributes:
        descriptor: The name of its descriptor, such as `vgg16-rmac4`; by default the service
            chooses.
        ttl_seconds: The service deletes the collection this many seconds after its last change,
            but not during an unfinished job; by default never.
    """

    name: _Name
    descriptor: _Name | None = None
    ttl_seconds: _Whole | None = Field(default=None, ge=1, le=MAX_TTL_SECONDS)


class ReindexRequest(_Request):
    """A request to describe all images of a collection again.

    Attributes:
        descriptor: The name of the new descriptor; by default the service chooses.
        drop_missing: If true, delete images whose originals are gone. Otherwise such an image
            prevents the switch to the new descriptors.
    """

    descriptor: _Name | None = None
    drop_missing: _Flag = False
