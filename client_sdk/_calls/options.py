"""The keyword options that several methods share, with their types."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict


class SearchKeywords(TypedDict, total=False):
    """The options of a search; see `Client.search`."""

    collection: str
    top_k: int
    offset: int
    min_score: float | None
    region: Sequence[int] | None
    exact: bool
    filter: str | None
    explain: bool


class TrainKeywords(TypedDict, total=False):
    """The options that all train calls share; see `Client.train`."""

    collection: str
    root: str | None
    metadata: Mapping[str, Any] | None
    verify_bytes: bool
    follow_links: bool
    dry_run: bool
    idempotency_key: str | None


class FolderKeywords(TypedDict, total=False):
    """The options of the upload of a folder; see `Client.upload_folder`."""

    collection: str
    pattern: str | Iterable[str]
    ignore: str | Iterable[str]
    recursive: bool
    metadata: Mapping[str, Any] | None
    concurrency: int
    batch_files: int
    batch_bytes: int
    skip_known: bool
    wait: bool
    timeout: float
    progress: bool
