"""The form of the images that every engine takes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bento_service.errors import InvalidArgument


def check_images(images: NDArray[np.uint8], shape: Sequence[int]) -> None:
    """Raise `InvalidArgument` unless images are uint8 of the shape (N, *shape), RGB."""
    if images.dtype != np.uint8 or list(images.shape[1:]) != list(shape):
        raise InvalidArgument(
            f"images are {images.dtype} {images.shape}; send uint8 (N, "
            f"{', '.join(map(str, shape))})"
        )
