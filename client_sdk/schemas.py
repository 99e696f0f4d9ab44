"""The wire models of the HTTP contract, version 2: what travels between client and service.

Shared by both sides, so a field exists once. Every model is frozen. Unknown fields are ignored
when an answer is read, so that an older client keeps working with a newer service; requests
refuse them, so that a misspelt option is an error and not silence, and take no value of another
type: a text is neither a number nor a list, also when it holds digits. Those of jobs are in
`client_sdk.job_schemas`, and here too; those of comparing are in `client_sdk.compare_schemas`.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from client_sdk._fields import Flag as _Flag
from client_sdk._fields import Listed as _Listed
from client_sdk._fields import Name as _Name
from client_sdk._fields import Real as _Real
from client_sdk._fields import Region as _Region
from client_sdk._fields import Request as _Request
from client_sdk._fields import Whole as _Whole
from client_sdk.job_schemas import Answer
from client_sdk.job_schemas import Job as Job
from client_sdk.job_schemas import JobError as JobError
from client_sdk.job_schemas import JobErrorList as JobErrorList
from client_sdk.job_schemas import JobList as JobList
from client_sdk.job_schemas import JobState as JobState

MAX_TOP_K = 1000
"""The largest `top_k` of a search."""

DEFAULT_COLLECTION = "default"
"""The collection that is meant where none is named."""

MAX_IDS = 100_000
"""Ids that one call takes."""

MAX_DIGESTS = 10_000
"""Digests that one call takes."""

VERSION_HEADER = "X-Lookalike-Version"
"""Says on every answer to a known caller which version of the service it comes from."""

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
"""What a `filter` is, in the API description."""


class Count(Answer):
    """How many images a collection holds. Counts what was acknowledged, read-your-writes."""

    collection: str
    count: int


class Deleted(Answer):
    """How many images a delete call removed."""

    collection: str
    deleted: int


class Source(Answer):
    """One place where the bytes of an image were found.

    Attributes:
        kind: `file` for a file under an image root, `upload` for bytes sent by a client.
        root: The name of the image root, `None` for uploads.
        path: The path below the root, or the name of the uploaded file.
    """

    kind: str
    root: str | None
    path: str


class Image(Answer):
    """One image of a collection. The same bytes found twice are one image with two sources."""

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
    """Images by rising id. `next_cursor` is `None` on the last page."""

    images: tuple[Image, ...]
    next_cursor: str | None = None


class Known(Answer):
    """Which of some bytes a collection holds, by their SHA-256, in the order of the question."""

    collection: str
    known: tuple[str, ...]


class Hit(Answer):
    """One found image.

    Attributes:
        rank: Place in the whole result, from 1; with an `offset` of 10 the first hit has 11.
        score: Cosine of the two descriptors, in [-1, 1]; larger is better.
        distance: Euclidean distance of the two unit vectors, `sqrt(2 - 2 score)`.
        content_url: Where the bytes are, relative to the service.
        thumbnail_url: Where a small WebP is, relative to the service.
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
    """Milliseconds that each stage of a search took."""

    decode: float
    describe: float
    search: float
    total: float


class SearchResponse(Answer):
    """The images nearest to a query, best first, ties by id.

    Attributes:
        model: Tag of the model that described the query.
        warnings: What the user should know about the query, such as that an animation was
            described by its first frame.
        explanation: How the answer was found; only with `explain`.
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
        dimension: Components of a descriptor.
        precision: In which the network computes it; empty where that was not written down.
        fingerprint: Digest of the descriptor version; another version's descriptors are refused.
        former: The descriptor before the last reindex, to which `undo` goes back.
        preparing: The descriptor that a reindex prepares, until searches use it.
        index_type: How Milvus searches it, such as `FLAT` (every descriptor is compared) or
            `HNSW`; empty where Milvus does not answer.
        building: The kind of index that is to take its place.
        advice: What its operator should do.
        lag: Changes acknowledged by the catalogue that the index does not hold yet. Searches see
            them all the same.
        expires_at: When the service deletes it if no change comes before; `None` for never.
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
    """All collections, by name."""

    collections: tuple[Collection, ...]


class Limits(Answer):
    """What the service accepts."""

    max_upload_bytes: int
    max_request_bytes: int
    max_pixels: int
    max_jpeg_pixels: int
    max_top_k: int
    formats: tuple[str, ...]


class Info(Answer):
    """What runs: versions, model, engine, index and limits.

    Attributes:
        index_type: Of the default collection's index.
        index_types: Of each collection's, by name; empty where Milvus does not answer.
        milvus_lite: Whether the index is the embedded one.
        advice: What the operator should do, by collection.
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
    """Index a file or a folder that the service can read, or work off a manifest.

    Attributes:
        path: Absolute and under an image root, or relative to the root. With a manifest, the
            folder where its paths begin; else they begin at the manifest's own folder.
        manifest: A file, NDJSON or CSV, that says what to add and what to delete.
        root: Name of the image root that relative paths start from; needed only where the
            service has several.
        ignore: Patterns (`*.gif`, `drafts/`, `**/thumbs/**`) of what to leave out below `path`.
        metadata: Stored with every new image of this call.
        prune: Delete images whose files are gone from the folder.
        verify_bytes: Read every file, also those whose size and time of change are as before.
        dry_run: Change nothing, and say what would become of every file.
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
    """What to search and how much to return; the same for every kind of query.

    Attributes:
        min_score: Leave out hits with a lower score.
        region: `(x, y, width, height)` in pixels of the upright query picture.
        exact: Compare with every descriptor instead of asking an approximate index.
        explain: Add an `explanation` to the answer.
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
    """Which of some bytes does a collection hold?

    Attributes:
        sha256: Digests of whole files, as 64 hexadecimal digits in lower case.
    """

    collection: _Name = DEFAULT_COLLECTION
    sha256: _Listed[_Digest] = Field(max_length=MAX_DIGESTS)


class DeleteRequest(_Request):
    """What to delete: exactly one of `ids`, `filter` and `all=True`."""

    collection: _Name = DEFAULT_COLLECTION
    ids: _Listed[_Whole] | None = Field(default=None, max_length=MAX_IDS)
    filter: str | None = Field(default=None, description=FILTER_LANGUAGE)
    all: _Flag = False


MAX_TTL_SECONDS = 366 * 24 * 3600


class CollectionRequest(_Request):
    """A collection to create.

    Attributes:
        descriptor: What its images are described by, such as `vgg16-rmac4`; the service's own
            choice where none is named.
        ttl_seconds: Delete it so long after its last change; an open job keeps it.
    """

    name: _Name
    descriptor: _Name | None = None
    ttl_seconds: _Whole | None = Field(default=None, ge=1, le=MAX_TTL_SECONDS)


class ReindexRequest(_Request):
    """How to describe a collection anew.

    Attributes:
        descriptor: By which descriptor; the service's own choice where none is named.
        drop_missing: Delete images whose originals are gone, instead of not switching.
    """

    descriptor: _Name | None = None
    drop_missing: _Flag = False
