"""Arrays as messages: what is sent arrives, and nothing else is taken for an array."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento_service.serving.array_messages import (
    MEDIA_TYPE,
    InvalidArray,
    array_body,
    array_headers,
    descriptors_kind,
    images_kind,
)

IMAGES = images_kind(2, 8)  # 12 bytes a row


def headers(**changed):
    right = {
        "content-type": MEDIA_TYPE,
        "array-type": "uint8",
        "array-shape": "3,2,2,3",
        "content-length": "36",
    }
    return right | {name.replace("_", "-"): value for name, value in changed.items()}


def test_a_message_is_type_and_shape_in_the_headers_and_little_endian_bytes():
    array = np.array([[1.0, -2.0]], ">f4")

    assert array_headers(array) == {
        "content-type": "application/vnd.lookalike.array",
        "array-type": "float32",
        "array-shape": "1,2",
        "content-length": "8",
    }
    assert bytes(array_body(array)) == b"\0\0\x80?\0\0\0\xc0"


@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_images_arrive_as_they_were_sent(rows, seed):
    images = np.random.default_rng(seed).integers(0, 256, (rows, 2, 2, 3), np.uint8)

    assert IMAGES.rows(array_headers(images)) == rows
    arrived = IMAGES.array(bytes(array_body(images)), rows)

    assert arrived.dtype == np.uint8
    assert np.array_equal(arrived, images)


@pytest.mark.parametrize("step", [1, -1, 2])
def test_descriptors_arrive_as_they_were_sent_however_they_lie_in_memory(step):
    rows = np.arange(48, dtype=np.float32).reshape(6, 8)[::step]
    kind = descriptors_kind((5, 3), 6)

    count = kind.rows(array_headers(rows))

    assert np.array_equal(kind.array(bytes(array_body(rows)), count), rows)


def test_headers_that_fit_are_taken_with_parameters_of_the_content_type():
    assert IMAGES.rows(headers()) == 3
    assert IMAGES.rows(headers(content_type=f"{MEDIA_TYPE}; charset=binary")) == 3


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"content_type": "application/vnd.bentoml+pickle"}, "send application/vnd.lookalike"),
        ({"content_type": ""}, "the content type is ''"),
        ({"array_type": "float32"}, "send uint8"),
        ({"array_type": "object"}, "send uint8"),
        ({"array_type": ""}, "send uint8"),
        ({"array_shape": "3,2,3,2"}, r"send uint8 \(N, 2, 2, 3\)"),
        ({"array_shape": "3"}, "of shape '3'"),
        ({"array_shape": ""}, "of shape ''"),
        ({"array_shape": "-3,2,2,3"}, "of shape"),
        ({"array_shape": "٣,2,2,3"}, "of shape"),
        ({"array_shape": "3,2,2,3\n"}, "of shape"),
        ({"array_shape": "9" * 10_000}, "of shape"),
        ({"array_shape": "0,2,2,3", "content_length": "0"}, "has 0 rows; send 1 to 8"),
        ({"array_shape": "9,2,2,3", "content_length": "108"}, "has 9 rows; send 1 to 8"),
        ({"content_length": "35"}, "has 35 bytes; an array of shape 3,2,2,3 has 36"),
        ({"content_length": "037"}, "has 037 bytes"),
    ],
)
def test_headers_that_do_not_fit_are_refused_and_say_why(wrong, why):
    with pytest.raises(InvalidArray, match=why):
        IMAGES.rows(headers(**wrong))


def test_a_body_whose_length_nobody_announced_is_refused():
    chunked = headers()
    del chunked["content-length"]

    with pytest.raises(InvalidArray, match="the body has none bytes"):
        IMAGES.rows(chunked)


@pytest.mark.parametrize("length", [0, 35, 37])
def test_a_body_of_another_length_than_announced_is_refused(length):
    with pytest.raises(InvalidArray, match=f"{length} bytes came, not 36"):
        IMAGES.array(bytes(length), 3)
