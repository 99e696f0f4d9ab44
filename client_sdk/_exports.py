"""The public names of `client_sdk`, loaded on first use."""

from client_sdk._async.client import AsyncClient
from client_sdk._async.jobs import AsyncJobHandle
from client_sdk._async.retries import AsyncRetryTransport
from client_sdk._calls.pictures import Picture, Query
from client_sdk._folder.report import FailedFile, UploadReport, UploadStopped
from client_sdk._sync.client import Client
from client_sdk._sync.jobs import JobHandle
from client_sdk._sync.retries import RetryTransport
from client_sdk._transport.retries import Retries
from client_sdk.errors import *
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    MAX_TOP_K,
    Collection,
    Hit,
    Image,
    Info,
    Job,
    JobError,
    JobState,
    Limits,
    SearchResponse,
    Source,
    Took,
)
from client_sdk.schemas.compare import (
    Comparison,
    DuplicateGroup,
    Evidence,
    GroupedImage,
    Likeness,
    Lines,
    Orientation,
    Verdict,
)

# fmt: off
__all__ = [
    "DEFAULT_COLLECTION", "MAX_TOP_K", "ApiError", "AsyncClient", "AsyncJobHandle",
    "AsyncRetryTransport", "BadRequest", "Client", "Collection", "CollectionNotFound",
    "Comparison", "Conflict", "ConnectError", "DuplicateGroup", "Evidence", "FailedFile",
    "Forbidden", "GroupedImage", "Hit", "Image", "ImageNotFound", "ImageTooExpensive",
    "ImageUnreadable", "IndexUnavailable", "Info", "InternalError", "InvalidArgument", "Job",
    "JobError", "JobFailed", "JobHandle", "JobNotFound", "JobState", "Likeness", "Limits", "Lines",
    "LocalUnavailable", "LookalikeError", "MethodNotAllowed", "NotReady", "Orientation",
    "Overloaded", "PathNotFound", "Picture", "Query", "RequestTimeout", "Retries",
    "RetryTransport", "RouteNotFound", "SearchResponse", "Source", "StorageFull", "TimeExceeded",
    "TimeoutExceeded", "TooLarge", "Took", "Unauthenticated", "UnexpectedAnswer",
    "UnsupportedMediaType", "UploadReport", "UploadStopped", "UrlUnreachable", "UsageError",
    "Verdict", "VersionMismatch",
]
