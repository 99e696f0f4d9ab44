import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image

from bento_service.pictures.decoders.decoders import Decoders
from bento_service.pictures.decoders.process import DecoderLimits
from bento_service.pictures.in_process import decode
from tests.support import bombs

MAX_PIXELS = 50_000_000
MIB = 2**20


def lost(**numbers):
    """Return the counts of `replaced` with these, and 0 for all others."""
    return {**dict.fromkeys(("time", "memory", "died", "clock", "slow"), 0), **numbers}


def assert_answers(decoders, good):
    data, expected = good
    assert np.array_equal(decoders.decode(data, side=16).pixels, expected)


@pytest.fixture(scope="session")
def encoded():
    """Encode a smooth picture in a format."""

    def encode(file_format="JPEG", size=(300, 200), mode="RGB", seed=0, **options):
        width, height = size
        rng = np.random.default_rng(seed)
        across, down = np.meshgrid(np.linspace(0, 6, width), np.linspace(0, 5, height))
        waves = [np.sin(across + down * rng.uniform(1, 3) + rng.uniform(0, 6)) for _ in range(3)]
        pixels = (127.5 + 127.5 * np.stack(waves, axis=-1)).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(file, file_format, **options)
        return file.getvalue()

    return encode


@pytest.fixture
def good(encoded):
    """Return a picture and its pixels at 16 x 16."""
    return encoded(), decode(encoded(), side=16, max_pixels=10**6).pixels


@pytest.fixture
def opened() -> Iterator[Callable[..., Decoders]]:
    """Yield a function that opens decoders with limits of their own, and closes them at the end."""
    made: list[Decoders] = []

    def open_decoders(*, count=2, limits_by_clock=None, **limits) -> Decoders:
        usual = {
            "max_pixels": MAX_PIXELS,
            "max_jpeg_pixels": 2 * MAX_PIXELS,
            "memory_bytes": 20 * MAX_PIXELS + 128 * MIB,
            "seconds": 60.0,
        }
        by_clock = limits_by_clock or {"job_factor": 1000.0}  # a busy machine changes no result
        decoders = Decoders(DecoderLimits(**{**usual, **limits}), count=count, **by_clock)
        made.append(decoders.__enter__())
        return decoders

    yield open_decoders
    for one in made:
        one.__exit__(None, None, None)


@pytest.fixture(scope="session")
def flat_webp() -> bytes:
    """Return a WebP of 1.9 KB and 49 million pixels; Pillow needs 943 MB to decode it."""
    data = bombs.flat("WEBP", (16383, 3000), lossless=True)
    assert len(data) < 2000
    return data


@pytest.fixture(scope="session")
def flat_avif() -> bytes:
    """Return an AVIF of 1 KB and 48 million pixels."""
    data = bombs.flat("AVIF", (8000, 6000), speed=10)
    assert len(data) < 2000
    return data


@pytest.fixture(scope="session")
def scan_bomb() -> bytes:
    """Return a JPEG of 311 KB that takes fifteen seconds."""
    return bombs.many_scans((7000, 7000), 300)
