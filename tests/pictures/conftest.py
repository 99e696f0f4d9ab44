import io

import numpy as np
import pytest


@pytest.fixture(scope="session")
def encoded():
    """Encode a Pillow image in a format."""

    def encode(image, file_format, **options):
        file = io.BytesIO()
        image.save(file, file_format, **options)
        return file.getvalue()

    return encode


@pytest.fixture(scope="session")
def blobs():
    """A smooth coloured picture of a size, the same for the same seed."""

    def make(width, height, *, seed=0):
        rng = np.random.default_rng(seed)
        across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
        waves = [
            np.sin(across * rng.uniform(2, 9) + down * rng.uniform(2, 9) + rng.uniform(0, 6))
            for _ in range(3)
        ]
        return (127.5 + 127.5 * np.stack(waves, axis=-1)).astype(np.uint8)

    return make
