import numpy as np

from benchmarks.keras_vgg16 import keras_arrays


def test_convolutions_come_in_keras_order_and_the_first_takes_blue_first():
    outputs, inputs = 4, 3
    first = np.random.default_rng(0).random((outputs, inputs, 3, 3), np.float32)
    second = np.random.default_rng(1).random((5, outputs, 3, 3), np.float32)
    arrays = {
        "features.0.weight": first,
        "features.0.bias": np.arange(4, dtype=np.float32),
        "features.2.weight": second,
        "features.2.bias": np.arange(5, dtype=np.float32),
    }
    keras = keras_arrays(arrays)
    assert set(keras) == {
        f"block1_conv{number}_{what}" for number in (1, 2) for what in ("kernel", "bias")
    }
    for output, plane, row, column in np.ndindex(outputs, inputs, 3, 3):
        ours = first[output, plane, row, column]
        assert keras["block1_conv1_kernel"][row, column, 2 - plane, output] == ours
    assert keras["block1_conv2_kernel"].shape == (3, 3, 4, 5)
    assert keras["block1_conv2_kernel"][0, 1, 2, 3] == second[3, 2, 0, 1]
    assert keras["block1_conv2_bias"].tolist() == [0, 1, 2, 3, 4]
