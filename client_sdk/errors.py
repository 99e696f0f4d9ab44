"""Every failure that the client raises: one tree.

    LookalikeError
     ├─ UsageError                      the client was asked for something that cannot be sent
     ├─ ConnectError                    no connection, or it broke
     ├─ TimeoutExceeded                 no answer in time, or a wait came to its end
     ├─ UnexpectedAnswer                an answer that the contract does not know
     ├─ VersionMismatch                 the service is too old or too new for this client
     ├─ JobFailed                       a job ended `failed` or `canceled`
     └─ ApiError                        the service refused
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

`UsageError` is a `ValueError` too, `ConnectError` a `ConnectionError` and `TimeoutExceeded` a
`TimeoutError`. Files of the caller that cannot be read raise Python's own `OSError`.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import ClassVar

import httpx
from pydantic import ValidationError

from client_sdk.schemas import Job, JobState, Problem

MAX_QUOTED_CHARACTERS = 200
"""How much of an answer that is no problem document goes into an error."""

PASSING_STATUSES = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may well succeed a little later."""


class LookalikeError(Exception):
    """Anything that goes wrong between the caller and the service."""

    @property
    def is_passing(self) -> bool:
        """Whether the same request may well succeed a little later."""
        return False


class UsageError(LookalikeError, ValueError):
    """An argument or an environment variable from which no request can be made."""


class ConnectError(LookalikeError, ConnectionError):
    """The service cannot be reached, or the connection broke before the answer was complete."""

    @property
    def is_passing(self) -> bool:
        """Always: a service that starts again is away for a moment."""
        return True


class TimeoutExceeded(LookalikeError, TimeoutError):
    """The service did not answer in time, or what was waited for did not happen in time."""

    @property
    def is_passing(self) -> bool:
        """Always: what takes long now may be quick later."""
        return True


class UnexpectedAnswer(LookalikeError):
    """The answer is not what the contract says; perhaps something else listens there."""


class VersionMismatch(LookalikeError):
    """The service is too old or too new for this client; the message says what to do."""


class JobFailed(LookalikeError):
    """A job ended without doing its work to the end.

    Attributes:
        job: The job as it was last seen, `failed` or `canceled`.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.job = job

    def __str__(self) -> str:
        ended = "was canceled" if self.job.state is JobState.CANCELED else "failed"
        reason = f": {self.job.detail}" if self.job.detail else ""
        return f"job {self.job.id} {ended} after {self.job.done} of {self.job.total}{reason}"


class ApiError(LookalikeError):
    """The service answered with a failure.

    Raised as it is for a code that this version of the client does not know; every code of the
    contract has a subclass.

    Attributes:
        status: The HTTP status.
        code: The contract's word for the reason; `http_502` where the answer names none.
        detail: The same for people.
        request_id: What to look for in the log of the service.
        retry_after: Seconds after which to try again, where the service says so.
    """

    known_status: ClassVar[int | None] = None
    known_code: ClassVar[str | None] = None

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

    def __str__(self) -> str:
        request = f", request {self.request_id}" if self.request_id else ""
        return f"{self.detail} [{self.status} {self.code}{request}]"

    @property
    def is_passing(self) -> bool:
        """Whether the service, or a proxy before it, is only busy or away for a moment."""
        return self.status in PASSING_STATUSES


class BadRequest(ApiError):
    """The body cannot be parsed."""

    known_status: ClassVar[int | None] = 400
    known_code: ClassVar[str | None] = "bad_request"


class Unauthenticated(ApiError):
    """No token, or a wrong one."""

    known_status: ClassVar[int | None] = 401
    known_code: ClassVar[str | None] = "unauthenticated"


class Forbidden(ApiError):
    """The token may not do this, or the path lies outside the image roots."""

    known_status: ClassVar[int | None] = 403
    known_code: ClassVar[str | None] = "forbidden"


class CollectionNotFound(ApiError):
    """There is no collection of that name."""

    known_status: ClassVar[int | None] = 404
    known_code: ClassVar[str | None] = "collection_not_found"


class ImageNotFound(ApiError):
    """There is no image with that id, or it was deleted."""

    known_status: ClassVar[int | None] = 404
    known_code: ClassVar[str | None] = "image_not_found"


class JobNotFound(ApiError):
    """There is no job with that id."""

    known_status: ClassVar[int | None] = 404
    known_code: ClassVar[str | None] = "job_not_found"


class PathNotFound(ApiError):
    """Nothing of that name lies under the image root."""

    known_status: ClassVar[int | None] = 404
    known_code: ClassVar[str | None] = "path_not_found"


class RouteNotFound(ApiError):
    """The service has no such call; perhaps it is older, or its address lacks a path."""

    known_status: ClassVar[int | None] = 404
    known_code: ClassVar[str | None] = "not_found"


class MethodNotAllowed(ApiError):
    """The address is there, but takes no such call."""

    known_status: ClassVar[int | None] = 405
    known_code: ClassVar[str | None] = "method_not_allowed"


class RequestTimeout(ApiError):
    """The body of the request came too slowly, or not to its end."""

    known_status: ClassVar[int | None] = 408
    known_code: ClassVar[str | None] = "request_timeout"


class Conflict(ApiError):
    """The request contradicts what is stored."""

    known_status: ClassVar[int | None] = 409
    known_code: ClassVar[str | None] = "conflict"


class TooLarge(ApiError):
    """More bytes or more pixels than allowed."""

    known_status: ClassVar[int | None] = 413
    known_code: ClassVar[str | None] = "too_large"


class UnsupportedMediaType(ApiError):
    """The bytes are not one of the supported picture formats."""

    known_status: ClassVar[int | None] = 415
    known_code: ClassVar[str | None] = "unsupported_media_type"


class InvalidArgument(ApiError):
    """A value is outside of what the contract allows."""

    known_status: ClassVar[int | None] = 422
    known_code: ClassVar[str | None] = "invalid_argument"


class ImageUnreadable(ApiError):
    """The bytes begin like a picture but cannot be decoded."""

    known_status: ClassVar[int | None] = 422
    known_code: ClassVar[str | None] = "image_unreadable"


class ImageTooExpensive(ApiError):
    """Decoding the picture takes more time or memory than allowed."""

    known_status: ClassVar[int | None] = 422
    known_code: ClassVar[str | None] = "image_too_expensive"


class UrlUnreachable(ApiError):
    """The service could not fetch a picture from a URL, or may not; it does not say which."""

    known_status: ClassVar[int | None] = 422
    known_code: ClassVar[str | None] = "url_unreachable"


class Overloaded(ApiError):
    """More requests in flight than allowed; `retry_after` says when to try again."""

    known_status: ClassVar[int | None] = 429
    known_code: ClassVar[str | None] = "overloaded"


class InternalError(ApiError):
    """A defect of the service; its log has the details under the `request_id`."""

    known_status: ClassVar[int | None] = 500
    known_code: ClassVar[str | None] = "internal_error"


class IndexUnavailable(ApiError):
    """The index does not answer; nothing is lost, searches work again once it does."""

    known_status: ClassVar[int | None] = 503
    known_code: ClassVar[str | None] = "index_unavailable"


class NotReady(ApiError):
    """The service is still starting or is shutting down."""

    known_status: ClassVar[int | None] = 503
    known_code: ClassVar[str | None] = "not_ready"


class TimeExceeded(ApiError):
    """The answer took longer than any may; it may be quicker later."""

    known_status: ClassVar[int | None] = 503
    known_code: ClassVar[str | None] = "time_exceeded"


class StorageFull(ApiError):
    """The disk of the service has no room for what was sent."""

    known_status: ClassVar[int | None] = 507
    known_code: ClassVar[str | None] = "storage_full"


def from_response(response: httpx.Response) -> ApiError:
    """The error that a failed answer stands for.

    A code that is not known, or an answer of a proxy that names none, becomes the class of its
    status where the contract has only one for it, and a plain `ApiError` elsewhere.

    Args:
        response: An answer with a status other than 2xx, its body read.
    """
    problem = _problem(response)
    known = ApiError.__subclasses__()
    kinds = [kind for kind in known if kind.known_code == problem.code]
    if not kinds:
        kinds = [kind for kind in known if kind.known_status == response.status_code]
    kind = kinds[0] if len(kinds) == 1 else ApiError
    return kind(
        response.status_code,
        problem.code,
        problem.detail,
        problem.request_id,
        retry_after(response),
    )


def from_httpx(error: Exception, address: str) -> LookalikeError:
    """The error of this tree that a failure inside httpx stands for.

    Args:
        error: What httpx raised.
        address: Where the request went, for the message.
    """
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
    """Seconds after which to try again, where an answer says so: as a number, or as a date."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if then.tzinfo is None:  # written as -0000, which means UTC too
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())
