from pathlib import Path

import numpy as np
import pytest

from bento_service.vision.decode import decode
from bento_service.vision.engine import GOLDEN_FILE
from bento_service.vision.golden import GoldenVectors
from model_build.evaluation.describers import FROM_MODEL, NAMES, Squash, describers
from model_build.evaluation.errors import DescriptorUnknown, ModelMissing
from model_build.evaluation.histogram import colour_histograms
from model_build.store import TAG_FILE, stored_folder


def test_a_model_gives_its_golden_vectors(models):
    (describer,) = describers(["vgg16-mac"], models, threads=2)
    tag = TAG_FILE.read_text().strip()
    golden = GoldenVectors.load(models / tag.replace(":", "/") / GOLDEN_FILE)
    described = describer.describe(golden.pictures)
    assert golden.worst_cosine(described["vgg16-mac"]) > 0.9999
    assert tag in describer.origin


def test_everything_that_can_be_asked_for_is_given(models):
    made = describers(NAMES, models, threads=2)
    assert sorted(name for one in made for name in one.names) == sorted(NAMES)
    images = np.zeros((2, 224, 224, 3), np.uint8)
    for describer in made:
        described = describer.describe(images)
        assert tuple(described) == describer.names
        for vectors in described.values():
            assert vectors.dtype == np.float32
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_the_default_reference_is_the_replaced_systems_descriptor():
    assert NAMES[0] == FROM_MODEL[0] == "vgg16-mac"


def test_describers_that_squash_to_one_size_share_their_pixels(models):
    network, histogram = describers(NAMES, models, threads=2)
    assert network.prepare == histogram.prepare
    assert hash(network.prepare) == hash(histogram.prepare)


def test_no_model_is_needed_for_the_histogram():
    (describer,) = describers(["colour-histogram"], Path("nowhere"), threads=1)
    images = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), np.uint8)
    np.testing.assert_array_equal(
        describer.describe(images)["colour-histogram"], colour_histograms(images)
    )


def test_squashing_is_the_services_own_decoding(photographs):
    content = (photographs / "chelsea.jpg").read_bytes()
    squashed = Squash(224)(content, (10, 20, 100, 50))
    expected = decode(content, side=224, max_pixels=10**7, region=(10, 20, 100, 50)).pixels
    np.testing.assert_array_equal(squashed, expected)


def test_an_unknown_descriptor_is_told_with_those_there_are():
    with pytest.raises(DescriptorUnknown, match="no descriptor vgg19; there are vgg16-mac"):
        describers(["colour-histogram", "vgg19"], None, threads=1)


def test_a_model_that_is_not_there_is_told_with_what_to_do(tmp_path):
    with pytest.raises(ModelMissing, match="python -m model_build"):
        describers(["vgg16-mac"], tmp_path, threads=1)


def test_without_a_folder_the_models_of_the_store_are_used(models, monkeypatch):
    monkeypatch.setenv("BENTOML_HOME", str(models.parent))
    assert stored_folder(TAG_FILE.read_text().strip()).is_dir()
    (describer,) = describers(["vgg16-mac"], None, threads=2)
    assert describer.names == ("vgg16-mac",)


def test_a_service_without_a_model_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("model_build.evaluation.describers.TAG_FILE", tmp_path / "none.txt")
    with pytest.raises(ModelMissing, match="the model of the service is not in"):
        describers(["vgg16-mac"], tmp_path, threads=1)
