"""A decoder in the test's own process, which starts no child processes."""

from contextlib import nullcontext
from dataclasses import dataclass

from bento_service.pictures.in_process import decode, thumbnail
from bento_service.pictures.picture import Picture, Snapshot


@dataclass(frozen=True)
class LocalDecoder:
    """A stand-in for `Decoders`, without child processes and their limits of time and memory."""

    max_pixels: int
    max_jpeg_pixels: int | None = None

    def snapshot(self, source, *, max_bytes=None):
        if isinstance(source, bytes):
            return nullcontext(Snapshot(source[:max_bytes], file=-1))
        source.seek(0)
        data = source.read(-1 if max_bytes is None else max_bytes)
        return nullcontext(Snapshot(data, file=-1))

    def decode(self, source, *, side, padding=None, region=None, sender=None) -> Picture:
        return decode(
            _plain(source), side=side, padding=padding, region=region, **self._most_pixels
        )

    def thumbnail(self, source, *, side, sender=None) -> bytes:
        return thumbnail(_plain(source), side=side, **self._most_pixels)

    @property
    def _most_pixels(self):
        return {"max_pixels": self.max_pixels, "max_jpeg_pixels": self.max_jpeg_pixels}


def _plain(source):
    return bytes(source.data) if isinstance(source, Snapshot) else source
