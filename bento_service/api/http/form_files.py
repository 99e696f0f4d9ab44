"""The files of a form in one temporary file, however many they are.

Starlette keeps each file in memory up to a size, which a thousand files just below it fill, or
opens a temporary file for each, of which a process has not so many. Here memory and open files do
not depend on what is sent.
"""

import errno
import io
import os
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from bento_service.errors import BadRequest, StorageFull

_LARGE = 2**20


class FormFile(io.RawIOBase):
    """One file of a form: a stretch of the temporary file, the last of which grows."""

    def __init__(self, shared: io.FileIO) -> None:
        """Begin with nothing; where the others end is known when the first piece comes.

        Args:
            shared: The temporary file.
        """
        self._shared = shared
        self._start = 0
        self._size = 0
        self._at = 0

    @property
    def _rolled(self) -> bool:
        """Whether it is large enough to be written in a thread; Starlette's name for it."""
        return self._size > _LARGE

    def readable(self) -> bool:
        """It is."""
        return True

    def writable(self) -> bool:
        """It is, until the next one begins."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what fits, and no more than belongs to this file."""
        room = memoryview(buffer).cast("B")[: max(0, self._size - self._at)]
        place = self._start + self._at
        read = os.preadv(self._shared.fileno(), [room], place) if room else 0
        self._at += read
        return read

    def write(self, data: Any) -> int:
        """Write all of it at the end.

        Raises:
            StorageFull: The disk of temporary files has no room.
        """
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
        """Go to a place."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise ValueError("before the beginning")
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at


class _Parser(MultiPartParser):
    """Starlette's, with another place for files."""

    def __init__(self, *arguments: Any, shared: io.FileIO, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._shared = shared

    def on_headers_finished(self) -> None:
        """A part begins."""
        super().on_headers_finished()
        given = self._current_part.file
        if given is not None:
            self._files_to_close_on_error.pop().close()
            file = cast("BinaryIO", FormFile(self._shared))
            self._current_part.file = UploadFile(
                file, size=0, filename=given.filename, headers=given.headers
            )


class MultipartForm:
    """Reads a multipart body. Use it as `async with`; its files are gone at the end."""

    def __init__(self, request: Request, **limits: int) -> None:
        """Prepare.

        Args:
            request: Whose body it is.
            limits: Starlette's: `max_files`, `max_fields`, `max_part_size`.
        """
        self._request = request
        self._limits = limits
        self._shared = TemporaryFile(buffering=0)  # noqa: SIM115 - closed at the end of the form

    async def __aenter__(self) -> FormData:
        """Read it.

        Raises:
            BadRequest: It is no form, or has too much of something.
            StorageFull: See `FormFile.write`.
        """
        request = self._request
        parser = _Parser(request.headers, request.stream(), shared=self._shared, **self._limits)
        try:
            return await parser.parse()
        except (MultiPartException, ValueError) as error:
            # Charsets that Python knows, and Starlette does not expect, are ValueErrors.
            self._shared.close()
            reason = getattr(error, "message", "its charset does not fit")
            raise BadRequest(f"the form cannot be read: {reason}") from error
        except BaseException:
            self._shared.close()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._shared.close()
