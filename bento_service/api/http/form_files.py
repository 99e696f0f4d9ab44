"""Multipart forms whose files share one temporary file.

Starlette keeps small files in memory and opens a temporary file for each larger one, so a form
with a thousand files exhausts memory or file descriptors. Here neither depends on the request.
"""

import errno
import io
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from bento_service.errors import BadRequest, StorageFull

_LARGE = 2**20
_PARAMETER = re.compile(rb';\s*([\w*-]+)=(?:"((?:[^"\\]|\\.)*)"|([^;]*))', re.DOTALL)
_QUOTED = re.compile(rb'\\(["\\])')
_ESCAPED = re.compile(rb"%(22|[01][0-9A-F])", re.IGNORECASE)


class FormFile(io.RawIOBase):
    """One file of a form: a range of the shared temporary file. Only the last file can grow."""

    def __init__(self, shared: io.FileIO) -> None:
        """Start an empty file in the shared one, where its first bytes will be written."""
        self._shared = shared
        self._start = 0
        self._size = 0
        self._at = 0

    @property
    def _rolled(self) -> bool:
        """True if the file is large enough to be written in a thread; the name is Starlette's."""
        return self._size > _LARGE

    def readable(self) -> bool:
        """Return true."""
        return True

    def writable(self) -> bool:
        """Return true; only the last file of the form may be written to."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, at most to the end of this file."""
        room = memoryview(buffer).cast("B")[: max(0, self._size - self._at)]
        place = self._start + self._at
        read = os.preadv(self._shared.fileno(), [room], place) if room else 0
        self._at += read
        return read

    def write(self, data: Any) -> int:
        """Append data to the file, or raise `StorageFull` if the disk is."""
        left, shared = memoryview(data).cast("B"), self._shared.fileno()
        if self._size == 0:
            self._start = os.fstat(shared).st_size
        try:
            while left:
                written = os.pwrite(shared, left, self._start + self._size)
                self._size += written
                left = left[written:]
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise StorageFull("the disk has no room for what was sent; send less at once") from (
                error
            )
        self._at = self._size
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise ValueError("the position is before the start of the file")
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at


class _Parser(MultiPartParser):
    """Starlette's parser, storing files in the shared temporary file."""

    def __init__(self, *arguments: Any, shared: io.FileIO, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._shared = shared

    def on_headers_finished(self) -> None:
        """Replace the file that Starlette opened for a part."""
        super().on_headers_finished()
        given = self._current_part.file
        if given is not None:
            self._files_to_close_on_error.pop().close()
            file = cast("BinaryIO", FormFile(self._shared))
            name = sent_name(self._current_part.content_disposition or b"")
            filename = given.filename if name is None else name.decode(errors="replace")
            self._current_part.file = UploadFile(
                file, size=0, filename=filename, headers=given.headers
            )


def sent_name(disposition: bytes) -> bytes | None:
    r"""Return the file name of a part's `Content-Disposition` as its sender had it.

    Browsers write `"` and line breaks as `%22`, `%0D` and `%0A`, as the HTML standard says, httpx
    all control characters in that way, other programs `\"`. A name that looks like a path of
    Windows is kept whole.
    """
    for match in _PARAMETER.finditer(disposition):
        name, quoted, token = match.groups()
        if name.lower() == b"filename":
            unquoted = token.strip() if quoted is None else _QUOTED.sub(rb"\1", quoted)
            return _ESCAPED.sub(lambda escape: bytes([int(escape[1], 16)]), unquoted)
    return None


@asynccontextmanager
async def multipart_form(request: Request, **limits: int) -> AsyncIterator[FormData]:
    """Read a multipart body; its files are deleted at the end of the block.

    Args:
        request: The request with the body.
        limits: Starlette's `max_files`, `max_fields` and `max_part_size`.

    Raises:
        BadRequest: The body is no form, or exceeds a limit.
        StorageFull: See `FormFile.write`.
    """
    with TemporaryFile(buffering=0) as shared:
        parser = _Parser(request.headers, request.stream(), shared=shared, **limits)
        try:
            form = await parser.parse()
        except (MultiPartException, ValueError) as error:
            # A charset that Python knows but Starlette does not expect raises ValueError.
            reason = getattr(error, "message", "its charset does not fit")
            raise BadRequest(f"the form cannot be read: {reason}") from error
        yield form
