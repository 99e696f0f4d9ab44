import numpy as np
import pytest

from bento_service.descriptors.choice import Choice
from bento_service.descriptors.golden import GOLDEN_FILE, GoldenVectors, save_golden
from bento_service.descriptors.model import NETWORK_FILES, Model, find_version, find_versions
from bento_service.descriptors.version import (
    VERSIONS_FILE,
    Preprocessing,
    Quantisation,
    Weights,
    write_versions,
)
from bento_service.errors import NotReady
from model_build.recipes import descriptor_version

WEIGHTS = Weights(digest="0" * 64, source="a test")
IN_FP32 = Choice("vgg16-mac", "onnxruntime", "fp32")


def version(name="vgg16-mac", precision="fp32"):
    ranges = Quantisation(digest="ab" * 32)
    return descriptor_version(name, WEIGHTS, precision=precision, quantisation=ranges)


VERSIONS = (version(), version("vgg16-rgem"), version(precision="int8"))


@pytest.fixture
def folder_with(tmp_path, small_network, small_pictures, small_descriptors):
    """Makes the folder of a small model in two precisions, by default a right one."""

    def make(*, network=None, quantised=None, vectors=None, images=None):
        images = small_pictures(3) if images is None else images
        right = small_descriptors(images)
        vectors = right if vectors is None else vectors
        (tmp_path / NETWORK_FILES["fp32"]).write_bytes(network or small_network())
        (tmp_path / NETWORK_FILES["int8"]).write_bytes(quantised or small_network())
        write_versions(VERSIONS, tmp_path)
        golden = [
            GoldenVectors(VERSIONS[0], images, vectors),
            GoldenVectors(VERSIONS[1], images, -vectors),
            GoldenVectors(VERSIONS[2], images, vectors),
        ]
        save_golden(golden, tmp_path / GOLDEN_FILE)
        return tmp_path

    return make


def test_a_model_that_reproduces_its_golden_vectors_is_loaded(
    folder_with, small_pictures, small_descriptors
):
    model = Model.load(folder_with(), IN_FP32, threads=1)
    assert model.version == VERSIONS[0]
    assert (model.engine.name, model.engine.precision) == ("onnxruntime", "fp32")
    images = small_pictures(2, seed=1)
    descriptors = model.describe(images)[:, :12]
    np.testing.assert_allclose(descriptors, small_descriptors(images), atol=1e-6)


def test_the_chosen_descriptor_is_the_one_that_is_computed_and_checked(
    folder_with, small_pictures, small_descriptors
):
    model = Model.load(folder_with(), Choice("vgg16-rgem", "onnxruntime", "fp32"), threads=1)
    assert model.version == VERSIONS[1]
    images = small_pictures(2, seed=1)
    descriptors = model.describe(images)[:, :12]
    np.testing.assert_allclose(descriptors, -small_descriptors(images), atol=1e-6)


def test_one_run_gives_every_descriptor_of_the_precision_the_chosen_one_first(
    folder_with, small_pictures, small_descriptors
):
    model = Model.load(folder_with(), Choice("vgg16-rgem", "onnxruntime", "fp32"), threads=1)
    assert model.versions == (VERSIONS[1], VERSIONS[0])
    images = small_pictures(3, seed=1)
    expected = np.concatenate([-small_descriptors(images), small_descriptors(images)], axis=1)
    np.testing.assert_allclose(model.describe(images), expected, atol=1e-6)
    assert model.describe(images[:0]).shape == (0, 24)


def test_descriptors_of_other_pixels_are_not_computed_along(folder_with):
    folder = folder_with()
    squares = Preprocessing(padding=(0, 0, 0))
    padded = VERSIONS[1].model_copy(update={"preprocessing": squares})
    write_versions((VERSIONS[0], padded, VERSIONS[2]), folder)
    assert find_versions(folder, IN_FP32) == (VERSIONS[0],)


def test_a_descriptor_that_was_not_chosen_is_checked_too(folder_with, small_pictures):
    folder = folder_with()
    with np.load(folder / GOLDEN_FILE) as arrays:
        golden = dict(arrays)
    golden["vgg16-rgem-fp32"] = -golden["vgg16-rgem-fp32"]
    np.savez(folder / GOLDEN_FILE, **golden)
    with pytest.raises(NotReady, match="vgg16-rgem in fp32 by onnxruntime does not reproduce"):
        Model.load(folder, IN_FP32, threads=1)


def test_the_chosen_precision_decides_which_network_is_loaded(folder_with, small_network):
    folder = folder_with(quantised=small_network(shift=20.0))
    assert Model.load(folder, IN_FP32, threads=1).engine.precision == "fp32"
    with pytest.raises(NotReady, match="vgg16-mac in int8 by onnxruntime does not reproduce"):
        Model.load(folder, Choice("vgg16-mac", "onnxruntime", "int8"), threads=1)


@pytest.mark.parametrize(
    "wrong",
    [{"shift": 20.0}, {"factor": 1.05}, {"factor": -1.0}, {"factor": np.nan}],
    ids=["another mean", "not of unit length", "turned round", "not numbers"],
)
def test_a_model_that_does_not_reproduce_them_is_refused(folder_with, small_network, wrong):
    folder = folder_with(network=small_network(**wrong))
    with pytest.raises(NotReady, match=r"LOOKALIKE_PRECISION=fp32, or .* `python -m model_build`"):
        Model.load(folder, IN_FP32, threads=1)


def test_one_wrong_golden_vector_among_many_is_enough_to_refuse(
    folder_with, small_pictures, small_descriptors
):
    images = small_pictures(5)
    vectors = small_descriptors(images)
    vectors[3] = vectors[4]
    folder = folder_with(images=images, vectors=vectors)
    with pytest.raises(NotReady, match="golden vectors"):
        Model.load(folder, IN_FP32, threads=1)


@pytest.mark.parametrize(
    ("descriptor", "precision"), [("vgg16-mac", "bf16"), ("vgg16-rmac4", "fp32")]
)
def test_a_missing_version_is_reported_with_those_of_the_folder(folder_with, descriptor, precision):
    folder = folder_with()
    with pytest.raises(NotReady) as caught:
        find_version(folder, descriptor, precision)
    message = str(caught.value)
    assert f"has no {descriptor} in {precision}" in message
    assert "vgg16-mac in fp32, vgg16-rgem in fp32, vgg16-mac in int8" in message
    with pytest.raises(NotReady, match=f"no {descriptor} in {precision}"):
        Model.load(folder, Choice(descriptor, "onnxruntime", precision), threads=1)


def test_the_message_for_a_folder_of_a_former_release_says_to_build_it_again(folder_with):
    folder = folder_with()
    text = (folder / VERSIONS_FILE).read_text()
    (folder / VERSIONS_FILE).write_text(text.replace('"joined"', '"combined"'))
    with pytest.raises(NotReady, match="another release; build it again"):
        Model.load(folder, IN_FP32, threads=1)
    (folder / VERSIONS_FILE).unlink()
    with pytest.raises(NotReady, match="another release; build it again"):
        Model.load(folder, IN_FP32, threads=1)
