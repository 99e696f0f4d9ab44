import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from bento_service.descriptors.version import Preprocessing
from bento_service.errors import TooLarge
from bento_service.pictures.in_process import decode
from model_build import photographs
from model_build.errors import PhotographsMissing

SQUASHED = Preprocessing()
ON_GREY = Preprocessing(padding=(124, 117, 104))


def opened(name):
    content = (Path(skimage.__file__).parent / "data" / name).read_bytes()
    return Image.open(io.BytesIO(content)).convert("RGB")


def encoded(size, file_format):
    file = io.BytesIO()
    Image.new("1" if file_format == "PNG" else "L", size, 1).save(file, file_format)
    return file.getvalue()


def test_squashing_is_the_services_own_decoding():
    content = (Path(skimage.__file__).parent / "data" / "rocket.jpg").read_bytes()
    squashed = photographs.Square(224)(content, (10, 20, 100, 50))
    expected = decode(content, side=224, max_pixels=10**7, region=(10, 20, 100, 50)).pixels
    np.testing.assert_array_equal(squashed, expected)


def test_the_limits_of_pixels_are_those_of_the_service():
    square = photographs.Square(8)
    with pytest.raises(TooLarge, match="at most 50000000"):
        square(encoded((8_000, 7_000), "PNG"))
    assert square(encoded((8_000, 7_000), "JPEG")).shape == (8, 8, 3)


def test_squashed_photographs_are_pillows_own_resizing():
    for name, pixels in zip(
        photographs.GOLDEN, photographs.photographs(photographs.GOLDEN, SQUASHED), strict=True
    ):
        resized = opened(name).resize((224, 224), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(pixels, np.asarray(resized))


def test_padded_photographs_keep_their_shape():
    (pixels,) = photographs.photographs(["coffee.png"], ON_GREY)  # 600 x 400
    shrunk = opened("coffee.png").resize((224, 149), Image.Resampling.BILINEAR)
    assert (pixels[:37] == (124, 117, 104)).all()
    np.testing.assert_array_equal(pixels[37:186], np.asarray(shrunk))
    assert (pixels[186:] == (124, 117, 104)).all()


def test_their_size_is_that_of_the_preprocessing():
    small = SQUASHED.model_copy(update={"size": 96})
    assert photographs.photographs(["coffee.png"], small).shape == (1, 96, 96, 3)


def test_eight_different_photographs_are_compared_and_the_golden_ones_are_among_them():
    pictures = photographs.photographs(photographs.CHECKED, SQUASHED)
    assert pictures.shape == (8, 224, 224, 3)
    digests = {hashlib.sha256(picture.tobytes()).hexdigest() for picture in pictures}
    assert len(digests) == 8
    assert set(photographs.GOLDEN) < set(photographs.CHECKED)


def test_a_photograph_that_was_changed_is_refused(tmp_path):
    (tmp_path / "astronaut.png").write_bytes(b"another picture")
    with pytest.raises(PhotographsMissing, match=r"astronaut\.png is another picture"):
        photographs.photographs(["astronaut.png"], SQUASHED, folder=tmp_path)


def test_a_photograph_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(PhotographsMissing, match=r"ships no coffee\.png"):
        photographs.photographs(["coffee.png"], SQUASHED, folder=tmp_path)


def test_scikit_image_that_is_not_installed_is_reported(monkeypatch):
    monkeypatch.setattr(photographs.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PhotographsMissing, match=r"lookalike-service\[model\]"):
        photographs.photographs(["coffee.png"], SQUASHED)
