"""Conversion of pictures with an ICC profile to sRGB, by LittleCMS.

Most profiles are sRGB itself. Their name says so, and those pictures need no conversion. A broken
profile leaves the picture unchanged.
"""

import io
from functools import lru_cache
from typing import Any, cast

from PIL import Image, ImageCms

BROKEN_PROFILE = "the picture's colour profile cannot be read and is ignored"
_RGB = "RGB "
_MODES = ("RGB", "RGBA", "RGBX", "P", "PA")
"""The Pillow modes whose samples an RGB profile can describe."""
_MOST_BYTES = 2**20
_BLACK_POINT = ImageCms.Flags.BLACKPOINTCOMPENSATION


class BrokenProfile(Exception):
    """A colour profile that cannot be used."""


def profile_of(image: Image.Image) -> bytes | None:
    """Return the ICC profile of a loaded picture; `None` if it has none or is not RGB."""
    profile = image.info.get("icc_profile")
    is_usable = isinstance(profile, bytes) and image.mode in _MODES
    return profile if is_usable and profile else None


def in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Return an RGB picture with its colours converted from the profile to sRGB.

    Raises:
        BrokenProfile: The profile cannot be used.
    """
    if profile is None:
        return picture
    if len(profile) > _MOST_BYTES:
        raise BrokenProfile
    try:
        transform = _transform(profile)
        return picture if transform is None else transform.apply(picture)
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError) as error:
        raise BrokenProfile from error


@lru_cache(maxsize=4)  # building one takes milliseconds; a camera has one profile
def _transform(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    given = cast("Any", ImageCms.ImageCmsProfile(io.BytesIO(profile))).profile
    if given.xcolor_space != _RGB or (given.profile_description or "").startswith("sRGB"):
        return None
    return ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        cast("Any", ImageCms).createProfile("sRGB"),
        "RGB",
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        _BLACK_POINT,
    )
