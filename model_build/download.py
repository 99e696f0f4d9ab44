"""Downloads of single files over HTTP, with time limits and a checksum."""

import hashlib
import http.client
import logging
import re
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO

from tqdm import tqdm

from model_build.errors import WeightsUnavailable

_CHUNK = 2**18
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TimeLimits:
    """Time limits of a download, in seconds.

    Attributes:
        connect: Limit until the response starts, including name lookup and all addresses.
        read: Limit for the next bytes.
        total: Limit for the whole file.
    """

    connect: float = 10
    read: float = 20
    total: float = 1800


def download(url: str, folder: Path, limits: TimeLimits) -> Path:
    """Download a file such as `https://…/vgg16_features-88682ab5.pth`, unless it is present.

    The name ends with a prefix of the file's SHA-256, by which a present file is verified too.

    Raises:
        WeightsUnavailable: The server times out, or sends another file.
    """
    target = folder / Path(urllib.parse.urlparse(url).path).name
    beginning = re.search(r"-([0-9a-f]{8,64})$", target.stem)
    if beginning is None:
        raise WeightsUnavailable(f"{target.name} does not name its SHA-256, so it is not fetched")
    if not has_sha256(target, beginning[1]):
        _fetch(url, target, beginning[1], limits)
    return target


def has_sha256(path: Path, beginning: str) -> bool:
    """Return true if the file exists and its SHA-256 has this prefix."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(beginning)


def _fetch(url: str, target: Path, sha256: str, limits: TimeLimits) -> None:
    """Download into a temporary file first, so that the target is complete or missing."""
    _LOG.info("fetching %s", url)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".partial-") as folder:
        partial = Path(folder) / target.name
        try:
            with partial.open("wb") as file:
                _stream(url, file, limits)
        except (OSError, http.client.HTTPException) as error:
            raise WeightsUnavailable(f"{url}: {_reason(error)}") from error
        if not has_sha256(partial, sha256):
            raise WeightsUnavailable(
                f"{url} sent a file whose SHA-256 does not begin with {sha256}"
            )
        partial.replace(target)


def _stream(url: str, file: IO[bytes], limits: TimeLimits) -> None:
    deadline = time.monotonic() + limits.total
    with _opened(url, limits) as answer:
        size = int(answer.headers.get("Content-Length") or 0)
        with tqdm(total=size or None, unit="B", unit_scale=True, disable=None) as progress:
            while chunk := answer.read1(_CHUNK):
                file.write(chunk)
                progress.update(len(chunk))
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not finished after {limits.total:g} s")
        if file.tell() < size:
            raise ConnectionError(f"ended after {file.tell()} of {size} bytes")


def _opened(url: str, limits: TimeLimits) -> http.client.HTTPResponse:
    """Call `urlopen` with one limit on the whole wait.

    The limit of `urlopen` applies to each address separately and not to the name lookup, which
    takes minutes if a firewall drops packets. The thread ends by itself later.
    """
    answers: SimpleQueue[http.client.HTTPResponse | OSError | http.client.HTTPException]
    answers = SimpleQueue()

    def open_it() -> None:
        try:
            answers.put(urllib.request.urlopen(url, timeout=limits.read))  # noqa: S310
        except urllib.error.HTTPError as error:
            error.close()
            answers.put(error)
        except (OSError, http.client.HTTPException) as error:
            answers.put(error)

    Thread(target=open_it, daemon=True).start()
    try:
        answer = answers.get(timeout=limits.connect)
    except Empty:
        raise TimeoutError(f"no answer within {limits.connect:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    reason = getattr(error, "reason", error)
    return str(reason) or type(reason).__name__
