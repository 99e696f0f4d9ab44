"""A colour histogram, the baseline that uses colour alone.

If a network does not beat it, the pictures differ by their colours.
"""

import numpy as np
from numpy.typing import NDArray

NAME = "colour-histogram"
BINS = 8
"""Bins a channel: 8 x 8 x 8 colours."""


def colour_histograms(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the square root of the share of each colour (N, 512) in images (N, H, W, 3).

    The rows have unit length, and their inner product is the Bhattacharyya coefficient of two
    histograms: the square root limits the weight of one large plain area.
    """
    levels = images.astype(np.intp) * BINS // 256
    colours = levels @ np.array([BINS * BINS, BINS, 1])
    counts = np.stack([np.bincount(image.ravel(), minlength=BINS**3) for image in colours])
    shares = counts / (images.shape[1] * images.shape[2])
    descriptors: NDArray[np.float32] = np.sqrt(shares).astype(np.float32)
    return descriptors
