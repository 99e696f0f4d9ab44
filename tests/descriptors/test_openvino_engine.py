"""OpenVINO's descriptors against those of onnxruntime, and what its import does."""

import subprocess
import sys

import numpy as np
import pytest

from bento_service.descriptors.choice import Choice
from bento_service.descriptors.golden import GOLDEN_FILE, GoldenVectors
from bento_service.descriptors.hardware import Hardware
from bento_service.descriptors.model import Model, find_versions
from bento_service.descriptors.version import DESCRIPTORS
from bento_service.errors import InvalidArgument

pytest.importorskip("openvino", reason="OpenVINO has no wheel for this machine")
if not Hardware.detect().dot_products:
    pytest.skip("OpenVINO's 8-bit products overflow without VNNI", allow_module_level=True)
CHOICE = Choice("vgg16-rmac4", "openvino", "int8_openvino")


@pytest.fixture(scope="module")
def model(model_folder):
    return Model.load(model_folder, CHOICE, threads=2)


@pytest.fixture(scope="module")
def golden(model_folder):
    version = find_versions(model_folder, CHOICE)[0]
    return GoldenVectors.load(model_folder / GOLDEN_FILE, version)


def described(model, images):
    return model.engine.outputs(images, ["vgg16-rmac4"])["vgg16-rmac4"]


def test_it_computes_all_descriptors_at_once(model, golden):
    given = model.engine.outputs(golden.pictures, DESCRIPTORS)
    assert [given[name].shape for name in DESCRIPTORS] == [(3, 512), (3, 512), (3, 1024)]
    assert np.array_equal(described(model, golden.pictures), given["vgg16-rmac4"])
    for rows in given.values():
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_it_is_close_to_onnxruntime(model, golden):
    assert 0.9995 < golden.worst_cosine(described(model, golden.pictures)) < 1


def test_its_descriptors_have_a_fingerprint_of_their_own(model, model_folder):
    other = find_versions(model_folder, Choice("vgg16-rmac4", "onnxruntime", "int8"))
    assert {one.fingerprint for one in model.versions}.isdisjoint(one.fingerprint for one in other)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_a_picture_has_the_same_descriptor_in_every_batch(model, golden, count):
    pictures = np.concatenate([golden.pictures, golden.pictures])[:count]
    rows = described(model, pictures)
    assert rows.shape == (count, 1024)
    alone = [described(model, picture[np.newaxis])[0] for picture in pictures]
    assert all(np.array_equal(row, other) for row, other in zip(rows, alone, strict=True))


@pytest.mark.parametrize(
    "images", [np.zeros((1, 224, 224, 3), np.float32), np.zeros((1, 32, 32, 3), np.uint8)]
)
def test_an_array_of_another_form_is_rejected(model, images):
    with pytest.raises(InvalidArgument, match="send uint8"):
        described(model, images)


def test_the_import_does_not_report_its_use(tmp_path):
    code = """if True:
        import bento_service.descriptors.openvino_engine, sys
        print([name for name in sys.modules if name.startswith("openvino_telemetry.")])
    """
    command = [sys.executable, "-c", code]
    environment = {"HOME": str(tmp_path), "PYTHONPATH": "."}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert printed.stdout == "[]\n"
    assert list(tmp_path.iterdir()) == []
