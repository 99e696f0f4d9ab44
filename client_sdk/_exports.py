"""The public names of `client_sdk`, loaded on first use."""

from client_sdk._async.client import AsyncClient
from client_sdk._async.handles import AsyncCollectionHandle, AsyncJobHandle
from client_sdk._async.results import (
    AsyncDuplicateGroup,
    AsyncGroupedImage,
    AsyncHit,
    AsyncImage,
    AsyncSearchResponse,
)
from client_sdk._async.retries import AsyncRetryTransport
from client_sdk._calls.pictures import Picture, Query
from client_sdk._folder.report import UploadReport, UploadStopped
from client_sdk._sync.client import Client
from client_sdk._sync.handles import CollectionHandle, JobHandle
from client_sdk._sync.results import DuplicateGroup, GroupedImage, Hit, Image, SearchResponse
from client_sdk._sync.retries import RetryTransport
from client_sdk._transport.retries import Retries
from client_sdk.errors import *
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    MAX_TOP_K,
    Collection,
    Descriptor,
    Info,
    Job,
    JobError,
    JobState,
    Limits,
    Skipped,
    Source,
    Took,
)
from client_sdk.schemas.compare import Comparison, Evidence, Likeness, Lines, Orientation, Verdict

# fmt: off
__all__ = [
    "DEFAULT_COLLECTION", "MAX_TOP_K", "ApiError", "AsyncClient", "AsyncCollectionHandle",
    "AsyncDuplicateGroup", "AsyncGroupedImage", "AsyncHit", "AsyncImage", "AsyncJobHandle",
    "AsyncRetryTransport", "AsyncSearchResponse", "BadRequest", "Client", "Collection",
    "CollectionHandle", "CollectionNotFound", "Comparison", "Conflict", "ConnectError",
    "Descriptor", "DuplicateGroup", "Evidence", "FileUnreadable", "Forbidden", "GroupedImage",
    "Hit", "Image", "ImageNotFound", "ImageTooExpensive", "ImageUnreadable", "IndexUnavailable",
    "Info", "InternalError", "InvalidArgument", "Job", "JobError", "JobFailed", "JobHandle",
    "JobNotFound", "JobState", "Likeness", "Limits", "Lines", "LocalUnavailable",
    "LookalikeError", "MethodNotAllowed", "NotReady", "Orientation", "Overloaded",
    "PathNotFound", "Picture", "Query", "RequestTimeout", "Retries", "RetryTransport",
    "RouteNotFound", "SearchResponse", "Skipped", "Source", "StorageFull", "TimeExceeded",
    "TimeoutExceeded", "TooLarge", "Took", "Unauthenticated", "UnexpectedAnswer",
    "UnsupportedMediaType", "UploadReport", "UploadStopped", "UrlUnreachable", "UsageError",
    "Verdict", "VersionMismatch",
]
