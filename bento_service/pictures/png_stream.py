"""Pillow's PNG reader without its limits on text, which nothing here needs.

Pillow refuses a whole picture for a text or a colour profile that takes more than a mebibyte when
it is unpacked, or for texts of more than 64 MiB together. Here such a chunk is left out.
"""

from PIL import PngImagePlugin

LEFT_OUT_PROFILE = b"left out"
"""What stands for a profile that is too large, so that it is reported like a broken one."""
_TEXTS_AND_PROFILE = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")


class PngStream(PngImagePlugin.PngStream):
    """Chunks of a PNG."""

    def call(self, cid: bytes, pos: int, length: int) -> bytes:
        """Read one chunk."""
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
