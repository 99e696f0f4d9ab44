"""Pillow's PNG reader, which skips texts that are too large instead of rejecting the picture.

Pillow rejects a picture if an unpacked text or colour profile has more than 1 MiB, or if all texts
together have more than 64 MiB. Here such a chunk is skipped; nothing here needs the texts.
"""

from PIL import PngImagePlugin

LEFT_OUT_PROFILE = b"left out"
"""The replacement of a profile that is too large, so that it is reported as broken."""
_TEXTS_AND_PROFILE = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")


class PngStream(PngImagePlugin.PngStream):
    """A PNG's stream of chunks."""

    def call(self, cid: bytes, pos: int, length: int) -> bytes:
        """Read one chunk; skip a text or profile that is too large."""
        if cid not in _TEXTS_AND_PROFILE or self.fp is None:
            return super().call(cid, pos, length)
        if self.text_memory <= PngImagePlugin.MAX_TEXT_MEMORY:
            try:
                return super().call(cid, pos, length)
            except ValueError:
                self.fp.seek(pos)
                if cid == b"iCCP":
                    self.im_info["icc_profile"] = LEFT_OUT_PROFILE
        return self.fp.read(length)
