"""The error codes of the HTTP contract, shared by the service and the client.

Decoder processes load this module, so it must not load pydantic.
"""

from collections.abc import Mapping

STATUSES: Mapping[str, int] = {
    "bad_request": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "collection_not_found": 404,
    "image_not_found": 404,
    "job_not_found": 404,
    "path_not_found": 404,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "conflict": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "invalid_argument": 422,
    "image_unreadable": 422,
    "image_too_expensive": 422,
    "url_unreachable": 422,
    "overloaded": 429,
    "internal_error": 500,
    "index_unavailable": 503,
    "not_ready": 503,
    "time_exceeded": 503,
    "storage_full": 507,
}
"""The HTTP status of each code."""
