from pathlib import Path

import numpy as np
import pytest

from bento_service.descriptors.golden import GOLDEN_FILE, GoldenVectors
from bento_service.descriptors.model import find_version
from model_build.errors import EvaluationError
from model_build.evaluation.describers import NAMES, describers
from model_build.evaluation.histogram import colour_histograms
from model_build.photographs import Square
from model_build.store import TAG_FILE, stored_folder


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_model_gives_its_golden_vectors(models, precision):
    names = [f"vgg16-mac/{precision}", f"vgg16-rmac4/{precision}"]
    (describer,) = describers(names, models, threads=2)
    tag = TAG_FILE.read_text().strip()
    folder = models / tag.replace(":", "/")
    for name in names:
        version = find_version(folder, name.split("/")[0], precision)
        golden = GoldenVectors.load(folder / GOLDEN_FILE, version)
        described = describer.describe(golden.pictures)
        assert golden.worst_cosine(described[name]) > 0.9999
    assert describer.origin == f"model {tag}, onnxruntime {precision}"


def test_rows_of_two_precisions_are_two_passes_over_the_same_pixels(models):
    one, other = describers(["vgg16-rmac4/fp32", "vgg16-rmac4/int8"], models, threads=2)
    assert one.prepare == other.prepare
    assert (one.names, other.names) == (("vgg16-rmac4/fp32",), ("vgg16-rmac4/int8",))


def test_padding_and_squashing_are_two_passes(models):
    padded, squashed = describers(["vgg16-mac/pad", "vgg16-mac/squash"], models, threads=2)
    assert (padded.prepare, squashed.prepare) == (Square(224, (124, 117, 104)), Square(224))


def test_the_suffixes_of_a_name_are_listed():
    with pytest.raises(EvaluationError, match=r"vgg16-mac/int4: no int4; .* fp32, int8"):
        describers(["vgg16-mac/int4"], None, threads=1)


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
    assert NAMES[0] == "vgg16-mac"


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


def test_an_unknown_descriptor_is_reported_with_those_there_are():
    with pytest.raises(EvaluationError, match="no descriptor vgg19; there are vgg16-mac"):
        describers(["colour-histogram", "vgg19"], None, threads=1)


def test_a_model_that_is_not_there_is_reported_with_what_to_do(tmp_path):
    with pytest.raises(EvaluationError, match="python -m model_build"):
        describers(["vgg16-mac"], tmp_path, threads=1)


def test_without_a_folder_the_models_of_the_store_are_used(models, monkeypatch):
    monkeypatch.setenv("BENTOML_HOME", str(models.parent))
    assert stored_folder(TAG_FILE.read_text().strip()).is_dir()
    (describer,) = describers(["vgg16-mac"], None, threads=2)
    assert describer.names == ("vgg16-mac",)


def test_a_service_without_a_model_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr("model_build.evaluation.describers.TAG_FILE", tmp_path / "none.txt")
    with pytest.raises(EvaluationError, match="the model of the service is not in"):
        describers(["vgg16-mac"], tmp_path, threads=1)
