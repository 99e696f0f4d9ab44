import numpy as np
import pytest

from bento_service.descriptors.golden import GOLDEN_FILE, GoldenVectors, cosines, save_golden
from bento_service.descriptors.version import Quantisation, Weights
from model_build.recipes import descriptor_version

WEIGHTS = Weights(digest="0" * 64, source="a test")


def version(name="vgg16-mac", precision="fp32"):
    ranges = Quantisation(digest="ab" * 32)
    return descriptor_version(name, WEIGHTS, precision=precision, quantisation=ranges)


def units(rows, dimension=12, *, seed=0):
    drawn = np.random.default_rng(seed).normal(size=(rows, dimension))
    return (drawn / np.sqrt((drawn**2).sum(axis=1, keepdims=True))).astype(np.float32)


def golden(of=None, *, seed=0):
    pictures = np.random.default_rng(seed).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    return GoldenVectors(of or version(), pictures, units(3, seed=seed))


def test_each_version_finds_its_own_vectors_in_the_file(tmp_path):
    written = [
        golden(version("vgg16-mac", "fp32"), seed=1),
        golden(version("vgg16-mac", "int8"), seed=1),
        golden(version("vgg16-rmac4", "fp32"), seed=1),
    ]
    written = [
        GoldenVectors(each.version, each.pictures, units(3, seed=number))
        for number, each in enumerate(written)
    ]
    save_golden(written, tmp_path / GOLDEN_FILE)
    for each in written:
        loaded = GoldenVectors.load(tmp_path / GOLDEN_FILE, each.version)
        assert loaded.version == each.version
        np.testing.assert_array_equal(loaded.pictures, each.pictures)
        np.testing.assert_array_equal(loaded.descriptors, each.descriptors)


def test_padded_and_squashed_pictures_are_kept_apart(tmp_path):
    squashed = golden(version("vgg16-mac"), seed=1)
    padded_preprocessing = version().preprocessing.model_copy(update={"padding": (0, 0, 0)})
    padded_version = version("vgg16-rmac4").model_copy(
        update={"preprocessing": padded_preprocessing}
    )
    padded = golden(padded_version, seed=2)
    save_golden([squashed, padded], tmp_path / GOLDEN_FILE)
    for each in (squashed, padded):
        loaded = GoldenVectors.load(tmp_path / GOLDEN_FILE, each.version)
        np.testing.assert_array_equal(loaded.pictures, each.pictures)


def test_a_version_without_vectors_in_the_file_is_reported(tmp_path):
    save_golden([golden()], tmp_path / GOLDEN_FILE)
    with pytest.raises(KeyError, match="vgg16-mac-bf16"):
        GoldenVectors.load(tmp_path / GOLDEN_FILE, version(precision="bf16"))


def test_equal_golden_vectors_give_equal_files_whatever_their_order(tmp_path):
    first, second = golden(version("vgg16-mac")), golden(version("vgg16-rgem"))
    save_golden([first, second], tmp_path / "a.npz")
    save_golden([second, first], tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_file_of_golden_vectors_with_a_pickle_inside_is_refused(tmp_path):
    pickled = np.array([{"a": "pickle"}], dtype=object)
    names = {"pictures-squashed": pickled, "vgg16-mac-fp32": pickled}
    np.savez(tmp_path / GOLDEN_FILE, **names)
    with pytest.raises(ValueError, match="allow_pickle"):
        GoldenVectors.load(tmp_path / GOLDEN_FILE, version())


def test_the_worst_cosine_is_that_of_the_worst_picture():
    vectors = golden()
    described = vectors.descriptors.copy()
    assert vectors.worst_cosine(described) == pytest.approx(1, abs=1e-7)
    described[1] = vectors.descriptors[2]
    expected = float(vectors.descriptors[1].astype(np.float64) @ vectors.descriptors[2])
    assert vectors.worst_cosine(described) == pytest.approx(expected, abs=1e-6)


def test_one_component_that_is_not_a_number_makes_the_worst_cosine_none():
    vectors = golden()
    described = vectors.descriptors.copy()
    described[0, 0] = np.nan
    assert np.isnan(vectors.worst_cosine(described))


def test_cosines_of_unit_vectors_are_their_inner_products():
    first, second = units(6), units(6, seed=1)
    inner = (first.astype(np.float64) * second).sum(axis=1)
    np.testing.assert_allclose(cosines(first, second), inner, atol=1e-6)
    np.testing.assert_allclose(cosines(first, first), 1, atol=1e-12)


@pytest.mark.parametrize("factor", [0.5, 0.99, 1.01, 2.0])
def test_cosines_are_less_where_the_length_is_not_one(factor):
    unit = units(1)
    assert cosines(unit, unit * np.float32(factor)) < 1 - 1e-5
