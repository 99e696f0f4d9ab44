"""Every failure that the service answers with: one tree, the HTTP status and the code on the class.

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
     ├─ NotReady                503  not_ready
     │   └─ CatalogueUnavailable
     ├─ TimeExceeded            503  time_exceeded
     └─ StorageFull             507  storage_full

A message says what is wrong, names the value, and says what to do about it. It never holds a path
outside the image roots.
"""

from typing import ClassVar


class LookalikeError(Exception):
    """A failure with a place in the HTTP contract."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"


class BadRequest(LookalikeError):
    """The body cannot be parsed."""

    status, code, title = 400, "bad_request", "Bad request"


class Unauthenticated(LookalikeError):
    """Nobody knows who asks: no token, or one that is not valid."""

    status, code, title = 401, "unauthenticated", "Unauthenticated"


class Forbidden(LookalikeError):
    """The caller may not do this; for paths the same answer whether or not the path exists."""

    status, code, title = 403, "forbidden", "Forbidden"


class CollectionNotFound(LookalikeError):
    """There is no collection of that name."""

    status, code, title = 404, "collection_not_found", "Collection not found"


class ImageNotFound(LookalikeError):
    """There is no image with that id, or it was deleted, or its original is gone."""

    status, code, title = 404, "image_not_found", "Image not found"


class JobNotFound(LookalikeError):
    """There is no job with that id."""

    status, code, title = 404, "job_not_found", "Job not found"


class PathNotFound(LookalikeError):
    """Nothing of that name lies under the image root."""

    status, code, title = 404, "path_not_found", "Path not found"


class RequestTimeout(LookalikeError):
    """The body of the request came too slowly, or not to its end."""

    status, code, title = 408, "request_timeout", "Request timeout"


class Conflict(LookalikeError):
    """The request contradicts what is stored, such as another descriptor version's collection."""

    status, code, title = 409, "conflict", "Conflict"


class TooLarge(LookalikeError):
    """More bytes or more pixels than allowed."""

    status, code, title = 413, "too_large", "Too large"


class UnsupportedMediaType(LookalikeError):
    """The bytes are not one of the supported picture formats."""

    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class InvalidArgument(LookalikeError):
    """A value is outside of what the contract allows."""

    status, code, title = 422, "invalid_argument", "Invalid argument"


class ImageUnreadable(LookalikeError):
    """The bytes begin like a picture but cannot be decoded."""

    status, code, title = 422, "image_unreadable", "Image unreadable"


class ImageTooExpensive(LookalikeError):
    """Decoding takes more time or memory than one picture may take."""

    status, code, title = 422, "image_too_expensive", "Image too expensive"


class UrlUnreachable(LookalikeError):
    """Nothing was fetched from a URL; why is not said, so that nobody can look around by it."""

    status, code, title = 422, "url_unreachable", "URL unreachable"


class Overloaded(LookalikeError):
    """More requests in flight than allowed."""

    status, code, title = 429, "overloaded", "Overloaded"


class IndexUnavailable(LookalikeError):
    """Milvus does not answer; nothing is lost, searches work again once it does."""

    status, code, title = 503, "index_unavailable", "Index unavailable"


class NotReady(LookalikeError):
    """The service is still starting or is shutting down."""

    status, code, title = 503, "not_ready", "Not ready"


class CatalogueUnavailable(NotReady):
    """The catalogue's database does not answer, or is locked for too long; nothing is lost."""


class TimeExceeded(LookalikeError):
    """An answer took longer than any may; it may be quicker later."""

    status, code, title = 503, "time_exceeded", "Time exceeded"


class StorageFull(LookalikeError):
    """The disk has no room for what was sent."""

    status, code, title = 507, "storage_full", "Storage full"
