"""The models of requests: a client may send nothing else.

A request with an unknown field or a value of a wrong type is rejected.
"""

from typing import Annotated, Any

from pydantic import Field

from bento_service.request_fields import Flag, Listed, Name, Real, Region, Request, Whole
from bento_service.storage.digests import Digest
from client_sdk.schemas import DEFAULT_COLLECTION, MAX_IDS, MAX_TOP_K

MAX_DIGESTS = 10_000
MAX_GROUPS = 100
"""The largest number of digests in one call, and of groups of duplicates in one page."""
MAX_TTL_SECONDS = 366 * 24 * 3600

_Path = Annotated[str, Field(min_length=1, max_length=4096)]
_Url = Annotated[str, Field(min_length=1, max_length=2048)]

FILTER_LANGUAGE = (
    'Only images that pass this expression, such as `shop == "north" and (price < 20 or '
    'size.width > 3) and not tags contains "sold"`: `==` `!=` `<` `<=` `>` `>=`, `in [...]`, '
    '`not in [...]`, `like "north%"`, `contains`, `exists`, `and`, `or`, `not`, over the metadata '
    "and over `$id`, `$width`, `$height`, `$bytes`, `$format`, `$sha256`, `$created_at`. A "
    "comparison with a missing key, or with a value of another kind, is false."
)
"""The description of a `filter` in the API description."""


class TrainRequest(Request):
    """A request to index a file or a folder that the service can read, or to apply a manifest.

    Attributes:
        path: The path, absolute or relative to an image root. With a manifest, the folder to which
            its paths are relative; by default the manifest's own folder.
        manifest: The path of an NDJSON or CSV file that lists images to add and to delete.
        root: The name of the image root of relative paths; required if the service has several.
        recursive: If true, include subfolders.
        ignore: Patterns of files and folders to skip, such as `*.gif`, `drafts/`, `**/thumbs/**`.
        follow_links: If true, follow symbolic links that stay under the image root.
        metadata: Metadata to store with every new image of this call.
        prune: If true, delete images whose files are gone from the folder.
        verify_bytes: If true, read also files whose size and modification time did not change.
        dry_run: If true, change nothing and report what would happen to every file.
    """

    path: _Path | None = None
    manifest: _Path | None = None
    root: Name | None = None
    collection: Name = DEFAULT_COLLECTION
    recursive: Flag = True
    ignore: Listed[_Path] = Field(default=(), max_length=1000)
    follow_links: Flag = False
    metadata: dict[str, Any] = Field(default_factory=dict)
    prune: Flag = False
    verify_bytes: Flag = False
    dry_run: Flag = False


class SearchOptions(Request):
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

    collection: Name = DEFAULT_COLLECTION
    top_k: Whole = Field(default=10, ge=1, le=MAX_TOP_K)
    offset: Whole = Field(default=0, ge=0, le=15_000)
    min_score: Real | None = Field(default=None, ge=-1.0, le=1.0)
    filter: str | None = Field(default=None, description=FILTER_LANGUAGE)
    region: Region | None = None
    exact: Flag = False
    explain: Flag = False


class SearchRequest(SearchOptions):
    """A search sent as JSON: exactly one of `image` (base64), `image_id` and `url`."""

    image: str | None = None
    image_id: Whole | None = None
    url: _Url | None = None


class KnownRequest(Request):
    """A request for those of some SHA-256 digests whose files a collection has, in hex."""

    collection: Name = DEFAULT_COLLECTION
    sha256: Listed[Digest] = Field(max_length=MAX_DIGESTS)


class DeleteRequest(Request):
    """A request to delete images, with exactly one of `ids`, `filter` and `all=True`."""

    collection: Name = DEFAULT_COLLECTION
    ids: Listed[Whole] | None = Field(default=None, max_length=MAX_IDS)
    filter: str | None = Field(default=None, description=FILTER_LANGUAGE)
    all: Flag = False


class CollectionRequest(Request):
    """A request to create a collection.

    Attributes:
        descriptor: Such as `vgg16-rmac4`; by default the service chooses.
        ttl_seconds: The service deletes the collection this many seconds after its last change,
            but not during an unfinished job; by default never.
    """

    name: Name
    descriptor: Name | None = None
    ttl_seconds: Whole | None = Field(default=None, ge=1, le=MAX_TTL_SECONDS)


class ReindexRequest(Request):
    """A request to describe all images of a collection again.

    Attributes:
        descriptor: The name of the new descriptor; by default the service chooses.
        drop_missing: If true, delete images whose originals are gone. Otherwise such an image
            prevents the switch to the new descriptors.
    """

    descriptor: Name | None = None
    drop_missing: Flag = False


class CompareRequest(Request):
    """A request to compare two stored images of any collection by the descriptor of one."""

    collection: Name = DEFAULT_COLLECTION
    a_id: Whole
    b_id: Whole


class CompareForm(Request):
    """The text fields of a comparison form; an id replaces the picture `a` or `b`."""

    collection: Name = DEFAULT_COLLECTION
    a_id: Whole | None = None
    b_id: Whole | None = None


class DuplicatesRequest(Request):
    """A request for one page of groups of duplicates.

    Attributes:
        min_score: The lowest score that puts two images into one group although they may not be
            the same picture. By default, only duplicates are grouped.
        limit: The largest number of groups.
    """

    collection: Name = DEFAULT_COLLECTION
    min_score: Real | None = Field(default=None, ge=-1.0, le=1.0)
    limit: Whole = Field(default=20, ge=1, le=MAX_GROUPS)
    cursor: str | None = Field(default=None, max_length=64)
