"""Failed answers, wrong versions and exceptions of httpx, as the errors of the client."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from pydantic import ValidationError

from client_sdk import __version__, errors
from client_sdk.schemas import VERSION_HEADER, Problem

OLDEST, TOO_NEW = (0, 1), (0, 2)
"""The major and minor version of the oldest supported service, and of the first too new one."""
MAX_QUOTED = 200  # characters of an answer without a problem document


def from_response(response: httpx.Response) -> errors.ApiError:
    """Return the error for an answer with a status other than 2xx, whose body has been read.

    Its class is that of the code. For an unknown code, or an answer without one, as from a proxy,
    it is the only class with this status, or else `ApiError`.
    """
    status = response.status_code
    try:
        problem = Problem.model_validate_json(response.content)
        code, detail, request_id = problem.code, problem.detail, problem.request_id
    except ValidationError:
        phrase = response.reason_phrase or "failed without a reason"
        quoted = " ".join(response.text.split())[:MAX_QUOTED]
        code, detail = f"http_{status}", f"{phrase}: {quoted}" if quoted else phrase
        request_id = response.headers.get("x-request-id")
    known = errors.ApiError.__subclasses__()
    kinds = [kind for kind in known if kind.known_code == code]
    kinds = kinds or [kind for kind in known if kind.known_status == status]
    kind = kinds[0] if len(kinds) == 1 else errors.ApiError
    return kind(status, code, detail, request_id, retry_after(response))


def from_httpx(error: Exception, address: str) -> errors.LookalikeError:
    """Return the error for an exception of httpx; its message names the service by `address`."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return errors.TimeoutExceeded(f"no answer from {address} in time: {reason}")
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return errors.UsageError(f"the request to {address} cannot be sent: {reason}")
    if isinstance(error, httpx.ConnectError):
        return errors.ConnectError(
            f"cannot reach {address}: {reason}; is the service running there?"
        )
    if isinstance(error, httpx.TransportError):
        return errors.ConnectError(f"the connection to {address} broke: {reason}")
    return errors.UnexpectedAnswer(f"the answer of {address} cannot be read: {reason}")


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


def check_version(response: httpx.Response) -> None:
    """Raise if the service is too old or too new; an answer without a version passes."""
    version = response.headers.get(VERSION_HEADER, "")
    numbers = re.match(r"(\d+)\.(\d+)", version)
    found = (int(numbers[1]), int(numbers[2])) if numbers else OLDEST
    if numbers is None or OLDEST <= found < TOO_NEW:
        return
    oldest, too_new = (".".join(map(str, one)) for one in (OLDEST, TOO_NEW))
    remedy = "upgrade the service, or " if found < OLDEST else ""
    raise errors.VersionMismatch(
        f"the service has version {version[:40]}, and this client, {__version__}, supports "
        f"versions from {oldest} to below {too_new}; {remedy}install the client of Lookalike "
        f"{numbers[0]} (or pass check_version=False)"
    )
