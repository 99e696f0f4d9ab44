"""Folders of small pictures, and the settings of a bulk run."""

import io

import numpy as np
import pytest
from PIL import Image

from bento_service.settings import ImageRoot, Settings


def picture(seed, kind="PNG"):
    """Return a picture of coloured squares."""
    pixels = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((140, 100), Image.Resampling.NEAREST).save(file, kind)
    return file.getvalue()


@pytest.fixture
def pictures(tmp_path):
    """Return a folder of twelve files: nine different pictures, two copies, and a text."""
    folder = tmp_path / "photos"
    (folder / "below" / "ünder").mkdir(parents=True)
    for number in range(6):
        (folder / f"{number}.png").write_bytes(picture(number))
    for number in range(6, 9):
        (folder / "below" / f"{number}.jpg").write_bytes(picture(number, "JPEG"))
    (folder / "below" / "ünder" / "copy.png").write_bytes(picture(2))
    (folder / "copy.png").write_bytes(picture(2))
    (folder / "text.png").write_text("no picture")
    (folder / "Thumbs.db").write_text("clutter")
    return folder


@pytest.fixture
def root(pictures):
    return ImageRoot("photos", pictures)


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data", engine="onnxruntime", threads=1)
