"""The errors that the client raises, as one tree.

    LookalikeError
     ├─ UsageError                      an argument or a setting cannot be used
     ├─ LocalUnavailable                no service can be opened in this process
     ├─ ConnectError                    no connection, or it broke
     ├─ TimeoutExceeded                 no answer in time, or a wait timed out
     ├─ UnexpectedAnswer                an answer that does not follow the contract
     ├─ VersionMismatch                 the service is too old or too new for this client
     ├─ JobFailed                       a job ended `failed` or `canceled`
     ├─ UploadStopped                   the upload of a folder could not go on
     └─ ApiError                        the service rejected the request
         ├─ BadRequest             400  bad_request
         ├─ Unauthenticated        401  unauthenticated
         ├─ Forbidden              403  forbidden
         ├─ CollectionNotFound     404  collection_not_found
         ├─ ImageNotFound          404  image_not_found
         ├─ JobNotFound            404  job_not_found
         ├─ PathNotFound           404  path_not_found
         ├─ RouteNotFound          404  not_found
         ├─ MethodNotAllowed       405  method_not_allowed
         ├─ RequestTimeout         408  request_timeout
         ├─ Conflict               409  conflict
         ├─ TooLarge               413  too_large
         ├─ UnsupportedMediaType   415  unsupported_media_type
         ├─ InvalidArgument        422  invalid_argument
         ├─ ImageUnreadable        422  image_unreadable
         ├─ ImageTooExpensive      422  image_too_expensive
         ├─ UrlUnreachable         422  url_unreachable
         ├─ Overloaded             429  overloaded
         ├─ InternalError          500  internal_error
         ├─ IndexUnavailable       503  index_unavailable
         ├─ NotReady               503  not_ready
         ├─ TimeExceeded           503  time_exceeded
         └─ StorageFull            507  storage_full

`UsageError` is also a `ValueError`, `ConnectError` a `ConnectionError` and `TimeoutExceeded` a
`TimeoutError`. A local file that cannot be read raises Python's own `OSError`.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import ClassVar

import httpx
from pydantic import ValidationError

from client_sdk.problem_codes import STATUSES
from client_sdk.schemas import Job, JobState, Problem

# fmt: off
__all__ = [
    "ApiError", "BadRequest", "CollectionNotFound", "Conflict", "ConnectError", "Forbidden",
    "ImageNotFound", "ImageTooExpensive", "ImageUnreadable", "IndexUnavailable",
    "InternalError", "InvalidArgument", "JobFailed", "JobNotFound", "LocalUnavailable",
    "LookalikeError", "MethodNotAllowed", "NotReady", "Overloaded", "PathNotFound",
    "RequestTimeout", "RouteNotFound", "StorageFull", "TimeExceeded", "TimeoutExceeded",
    "TooLarge", "Unauthenticated", "UnexpectedAnswer", "UnsupportedMediaType", "UrlUnreachable",
    "UsageError", "VersionMismatch",
]
# fmt: on

MAX_QUOTED_CHARACTERS = 200
"""The number of characters that an error quotes from an answer without a problem document."""

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

    known_status: ClassVar[int | None] = None
    known_code: ClassVar[str | None] = None

    def __init_subclass__(cls, *, code: str) -> None:
        cls.known_status, cls.known_code = STATUSES[code], code

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, code, detail, request_id, retry_after)
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id
        self.retry_after = retry_after
        self.is_passing: bool = status in PASSING_STATUSES

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


def from_response(response: httpx.Response) -> ApiError:
    """Return the error for an answer with a status other than 2xx, whose body has been read.

    The code selects the class. If the code is unknown or missing, as in the answer of a proxy, the
    status selects it, provided that only one class has this status; otherwise it is `ApiError`.
    """
    problem = _problem(response)
    known = ApiError.__subclasses__()
    kinds = [kind for kind in known if kind.known_code == problem.code]
    if not kinds:
        kinds = [kind for kind in known if kind.known_status == response.status_code]
    kind = kinds[0] if len(kinds) == 1 else ApiError
    told = problem.code, problem.detail, problem.request_id
    return kind(response.status_code, *told, retry_after(response))


def from_httpx(error: Exception, address: str) -> LookalikeError:
    """Return the error for an exception of httpx; its message names the service by `address`."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return TimeoutExceeded(f"no answer from {address} in time: {reason}")
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return UsageError(f"the request to {address} cannot be sent: {reason}")
    if isinstance(error, httpx.ConnectError):
        return ConnectError(f"cannot reach {address}: {reason}; is the service running there?")
    if isinstance(error, httpx.TransportError):
        return ConnectError(f"the connection to {address} broke before the answer came: {reason}")
    return UnexpectedAnswer(f"the answer of {address} cannot be read: {reason}")


def _problem(response: httpx.Response) -> Problem:
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:
        pass
    phrase = response.reason_phrase or "failed without a reason"
    quoted = " ".join(response.text.split())[:MAX_QUOTED_CHARACTERS]
    return Problem(
        title=phrase,
        status=response.status_code,
        detail=f"{phrase}: {quoted}" if quoted else phrase,
        code=f"http_{response.status_code}",
        request_id=response.headers.get("x-request-id"),
    )


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds of the header `Retry-After`, a number or a date; `None` without one."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if then.tzinfo is None:  # the zone -0000 means UTC too
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())
