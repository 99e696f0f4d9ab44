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
     ├─ NotReady                503  not_ready
     │   └─ CatalogueUnavailable
     ├─ TimeExceeded            503  time_exceeded
     └─ StorageFull             507  storage_full

A message says what is wrong, names the value, and says what to do. It never has a path outside of
the image roots.
"""

from typing import ClassVar


class LookalikeError(Exception):
    """An error of the HTTP contract."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"


class BadRequest(LookalikeError):
    """The body cannot be parsed."""

    status, code, title = 400, "bad_request", "Bad request"


class Unauthenticated(LookalikeError):
    """The request has no token or an invalid one."""

    status, code, title = 401, "unauthenticated", "Unauthenticated"


class Forbidden(LookalikeError):
    """The caller may not do this; the answer does not reveal if a path exists."""

    status, code, title = 403, "forbidden", "Forbidden"


class CollectionNotFound(LookalikeError):
    """No collection has that name."""

    status, code, title = 404, "collection_not_found", "Collection not found"


class ImageNotFound(LookalikeError):
    """No image has that id, the image was deleted, or its original is gone."""

    status, code, title = 404, "image_not_found", "Image not found"


class JobNotFound(LookalikeError):
    """No job has that id."""

    status, code, title = 404, "job_not_found", "Job not found"


class PathNotFound(LookalikeError):
    """The image root has no such file or folder."""

    status, code, title = 404, "path_not_found", "Path not found"


class RequestTimeout(LookalikeError):
    """The body of the request was too slow or incomplete."""

    status, code, title = 408, "request_timeout", "Request timeout"


class Conflict(LookalikeError):
    """The request contradicts what is stored, such as another descriptor version's collection."""

    status, code, title = 409, "conflict", "Conflict"


class TooLarge(LookalikeError):
    """The request has more bytes or pixels than allowed."""

    status, code, title = 413, "too_large", "Too large"


class UnsupportedMediaType(LookalikeError):
    """The bytes are not one of the supported picture formats."""

    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class InvalidArgument(LookalikeError):
    """A value violates the contract."""

    status, code, title = 422, "invalid_argument", "Invalid argument"


class ImageUnreadable(LookalikeError):
    """The bytes begin like a picture but cannot be decoded."""

    status, code, title = 422, "image_unreadable", "Image unreadable"


class ImageTooExpensive(LookalikeError):
    """Decoding a picture takes more time or memory than allowed."""

    status, code, title = 422, "image_too_expensive", "Image too expensive"


class UrlUnreachable(LookalikeError):
    """A download from a URL failed; the reason is not given, because it describes the network."""

    status, code, title = 422, "url_unreachable", "URL unreachable"


class Overloaded(LookalikeError):
    """More requests are in flight than allowed."""

    status, code, title = 429, "overloaded", "Overloaded"


class IndexUnavailable(LookalikeError):
    """Milvus does not answer; nothing is lost, and searches work again once it does."""

    status, code, title = 503, "index_unavailable", "Index unavailable"


class NotReady(LookalikeError):
    """The service is still starting or is shutting down."""

    status, code, title = 503, "not_ready", "Not ready"


class CatalogueUnavailable(NotReady):
    """The catalogue's database does not answer, or is locked for too long; nothing is lost."""


class TimeExceeded(LookalikeError):
    """A response took longer than allowed; a later request may be faster."""

    status, code, title = 503, "time_exceeded", "Time exceeded"


class StorageFull(LookalikeError):
    """The disk has no room for the request's data."""

    status, code, title = 507, "storage_full", "Storage full"
