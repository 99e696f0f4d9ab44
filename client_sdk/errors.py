"""The errors that the client raises, as one tree.

    LookalikeError
     ├─ UsageError                      an argument or a setting cannot be used
     │   └─ FileUnreadable              a local file cannot be read
     ├─ LocalUnavailable                no service can run in this process
     ├─ ConnectError                    no connection, or it broke
     ├─ TimeoutExceeded                 no answer in time, or a wait timed out
     ├─ UnexpectedAnswer                an answer that does not follow the contract
     ├─ VersionMismatch                 the service is too old or too new for this client
     ├─ JobFailed                       a job ended `failed` or `canceled`
     ├─ UploadStopped                   the upload of a folder could not continue
     └─ ApiError                        the service rejected the request or failed; one subclass
                                        for each error code, such as `ImageNotFound`

`UsageError` is also a `ValueError`, `FileUnreadable` an `OSError`, `ConnectError` a
`ConnectionError` and `TimeoutExceeded` a `TimeoutError`.
"""

from dataclasses import dataclass
from typing import ClassVar

from client_sdk.problem_codes import STATUSES
from client_sdk.schemas import Job, JobState

PASSING_STATUSES = frozenset({429, 502, 503, 504})
"""HTTP statuses of temporary failures: the same request may succeed later."""


class LookalikeError(Exception):
    """The base class of all errors of the client.

    Attributes:
        is_passing: True if the failure is temporary: the same request may succeed later.
    """

    is_passing: bool = False


class UsageError(LookalikeError, ValueError):
    """An argument, an environment variable or a client is not usable; the message names it."""


class FileUnreadable(OSError, UsageError):
    """A local file cannot be read; `filename`, `errno` and `strerror` are the system's."""

    def __str__(self) -> str:
        return f"{self.filename!r} cannot be read: {self.strerror}"


class LocalUnavailable(LookalikeError):
    """A service cannot start or continue in this process; the message says what to do."""


class ConnectError(LookalikeError, ConnectionError):
    """The service cannot be reached, or the connection broke before the answer was complete."""

    is_passing: bool = True


class TimeoutExceeded(LookalikeError, TimeoutError):
    """The service did not answer in time, or a wait timed out."""

    is_passing: bool = True


class UnexpectedAnswer(LookalikeError):
    """The answer does not follow the contract; another program may listen at the address."""


class VersionMismatch(LookalikeError):
    """The service is too old or too new for this client; the message says what to do."""


class JobFailed(LookalikeError):
    """A job ended before its work was complete.

    Attributes:
        job: The job in its last state, `failed` or `canceled`.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.job = job

    def __str__(self) -> str:
        ended = "was canceled" if self.job.state is JobState.CANCELED else "failed"
        reason = f": {self.job.detail}" if self.job.detail else ""
        return f"job {self.job.id} {ended} after {self.job.done} of {self.job.total}{reason}"


@dataclass(eq=False, repr=False)
class ApiError(LookalikeError):
    """The service rejected the request or failed.

    Every code of the contract has a subclass. A code that this version of the client does not know
    raises `ApiError` itself.

    Attributes:
        status: The HTTP status.
        code: The error code of the contract; if the answer has none, one such as `http_502`.
        detail: The reason as a sentence.
        request_id: The id of the request in the log of the service; `None` if the answer has none.
        retry_after: Seconds to wait before a retry; `None` if the service names none.
    """

    status: int
    code: str
    detail: str
    request_id: str | None = None
    retry_after: float | None = None
    known_status: ClassVar[int | None] = None
    known_code: ClassVar[str | None] = None

    def __init_subclass__(cls, *, code: str) -> None:
        cls.known_status, cls.known_code = STATUSES[code], code

    def __post_init__(self) -> None:
        super().__init__(self.status, self.code, self.detail, self.request_id, self.retry_after)
        self.is_passing: bool = self.status in PASSING_STATUSES

    def __str__(self) -> str:
        request = f", request {self.request_id}" if self.request_id else ""
        return f"{self.detail} [{self.status} {self.code}{request}]"


class BadRequest(ApiError, code="bad_request"):
    """The body cannot be parsed."""


class Unauthenticated(ApiError, code="unauthenticated"):
    """The token is missing or wrong."""


class Forbidden(ApiError, code="forbidden"):
    """The token lacks the permission, or the path is outside the image roots."""


class CollectionNotFound(ApiError, code="collection_not_found"):
    """There is no collection of that name."""


class ImageNotFound(ApiError, code="image_not_found"):
    """There is no image with that id, or it was deleted."""


class JobNotFound(ApiError, code="job_not_found"):
    """There is no job with that id."""


class PathNotFound(ApiError, code="path_not_found"):
    """There is no file or folder of that name under the image root."""


class RouteNotFound(ApiError, code="not_found"):
    """The service has no such route; it may be older, or its address may lack a path."""


class MethodNotAllowed(ApiError, code="method_not_allowed"):
    """The route exists, but not for this HTTP method."""


class RequestTimeout(ApiError, code="request_timeout"):
    """The body of the request arrived too slowly or is incomplete."""


class Conflict(ApiError, code="conflict"):
    """The request conflicts with the stored state."""


class TooLarge(ApiError, code="too_large"):
    """The request has more bytes, or the picture more pixels, than allowed."""


class UnsupportedMediaType(ApiError, code="unsupported_media_type"):
    """The bytes are not in a supported picture format."""


class InvalidArgument(ApiError, code="invalid_argument"):
    """A value is not allowed by the contract."""


class ImageUnreadable(ApiError, code="image_unreadable"):
    """The bytes begin like a picture but cannot be decoded."""


class ImageTooExpensive(ApiError, code="image_too_expensive"):
    """Decoding the picture takes more time or memory than allowed."""


class UrlUnreachable(ApiError, code="url_unreachable"):
    """The service could not fetch the URL, or is not allowed to; it does not say which."""


class Overloaded(ApiError, code="overloaded"):
    """Too many requests are in flight; `retry_after` says when to retry."""


class InternalError(ApiError, code="internal_error"):
    """The service has a defect; its log has the details under the `request_id`."""


class IndexUnavailable(ApiError, code="index_unavailable"):
    """The index does not answer; no data is lost, and searches work again once it answers."""


class NotReady(ApiError, code="not_ready"):
    """The service is still starting or is shutting down."""


class TimeExceeded(ApiError, code="time_exceeded"):
    """The request exceeded the time limit of the service; a retry may be faster."""


class StorageFull(ApiError, code="storage_full"):
    """The disk of the service is full."""
