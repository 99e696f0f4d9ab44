"""All errors of the service in one tree, with their HTTP statuses and codes.

    LookalikeError
     ├─ BadRequest              400  bad_request
     ├─ Unauthenticated         401  unauthenticated
     ├─ Forbidden               403  forbidden
     ├─ CollectionNotFound      404  collection_not_found
     ├─ ImageNotFound           404  image_not_found
     ├─ JobNotFound             404  job_not_found
     ├─ PathNotFound            404  path_not_found
     ├─ RequestTimeout          408  request_timeout
     ├─ Conflict                409  conflict
     ├─ TooLarge                413  too_large
     ├─ UnsupportedMediaType    415  unsupported_media_type
     ├─ InvalidArgument         422  invalid_argument
     ├─ ImageUnreadable         422  image_unreadable
     ├─ ImageTooExpensive       422  image_too_expensive
     ├─ UrlUnreachable          422  url_unreachable
     ├─ Overloaded              429  overloaded
     ├─ IndexUnavailable        503  index_unavailable
     │   └─ IndexUnanswered
     ├─ NotReady                503  not_ready
     │   ├─ CatalogueUnavailable
     │   └─ StorageUnavailable
     ├─ TimeExceeded            503  time_exceeded
     └─ StorageFull             507  storage_full

A message says what is wrong, names the value, and says what to do. It never has a path outside of
the image roots.
"""

from typing import ClassVar

from client_sdk.problem_codes import STATUSES


class LookalikeError(Exception):
    """An error of the HTTP contract; its subclasses name their code."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = STATUSES[code]
    title: ClassVar[str] = "Internal error"

    def __init_subclass__(cls, *, code: str | None = None) -> None:
        if code is not None:
            cls.code, cls.status = code, STATUSES[code]
            cls.title = code.replace("_", " ").capitalize().replace("Url", "URL")


class BadRequest(LookalikeError, code="bad_request"):
    """The body cannot be parsed."""


class Unauthenticated(LookalikeError, code="unauthenticated"):
    """The request has no token or an invalid one."""


class Forbidden(LookalikeError, code="forbidden"):
    """The caller may not do this; the answer does not reveal if a path exists."""


class CollectionNotFound(LookalikeError, code="collection_not_found"):
    """No collection has that name."""


class ImageNotFound(LookalikeError, code="image_not_found"):
    """No image has that id, the image was deleted, or its original is gone."""


class JobNotFound(LookalikeError, code="job_not_found"):
    """No job has that id."""


class PathNotFound(LookalikeError, code="path_not_found"):
    """The image root has no such file or folder."""


class RequestTimeout(LookalikeError, code="request_timeout"):
    """The body of the request was too slow or incomplete."""


class Conflict(LookalikeError, code="conflict"):
    """The request contradicts what is stored, such as another descriptor version's collection."""


class TooLarge(LookalikeError, code="too_large"):
    """The request has more bytes or pixels than allowed."""


class UnsupportedMediaType(LookalikeError, code="unsupported_media_type"):
    """The bytes are not one of the supported picture formats."""


class InvalidArgument(LookalikeError, code="invalid_argument"):
    """A value violates the contract."""


class ImageUnreadable(LookalikeError, code="image_unreadable"):
    """The bytes begin like a picture but cannot be decoded."""


class ImageTooExpensive(LookalikeError, code="image_too_expensive"):
    """Decoding a picture takes more time or memory than allowed."""


class UrlUnreachable(LookalikeError, code="url_unreachable"):
    """A download from a URL failed; the reason is not given, because it describes the network."""


class Overloaded(LookalikeError, code="overloaded"):
    """More requests are in flight than allowed, or come from one caller.

    Attributes:
        retry_after: Seconds after which a retry is admitted; `None` if they are not known.
    """

    def __init__(self, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class IndexUnavailable(LookalikeError, code="index_unavailable"):
    """Milvus does not answer, or refuses; nothing is lost."""


class IndexUnanswered(IndexUnavailable):
    """Milvus cannot be connected to or exceeds a time limit, which says nothing of its rows."""


class NotReady(LookalikeError, code="not_ready"):
    """The service is still starting or is shutting down."""


class CatalogueUnavailable(NotReady):
    """The catalogue's database does not answer, or is locked for too long; nothing is lost."""


class StorageUnavailable(NotReady):
    """The object storage of uploads does not answer or refuses; nothing acknowledged is lost."""


class TimeExceeded(LookalikeError, code="time_exceeded"):
    """A response took longer than allowed; a later request may be faster."""


class StorageFull(LookalikeError, code="storage_full"):
    """The disk has no room for the request's data."""
