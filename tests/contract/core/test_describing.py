"""Descriptors of sent pictures and of stored images."""

import math
import operator

import pytest

from client_sdk import ImageNotFound, LookalikeError


def test_a_picture_and_its_stored_image_have_one_descriptor(client, gallery, photographs):
    picture = photographs / "coffee.jpg"
    sent = client.describe(picture, collection=gallery)
    hit = client.search(picture, collection=gallery, top_k=1)[0]
    stored = hit.descriptor()
    assert (sent.descriptor, sent.fingerprint) == (stored.descriptor, stored.fingerprint)
    assert math.hypot(*sent.vector) == pytest.approx(1, abs=1e-5)
    assert sum(map(operator.mul, sent.vector, stored.vector)) == pytest.approx(hit.score, abs=1e-5)
    part = client.describe(picture, collection=gallery, region=(0, 0, 60, 60))
    assert part.vector != sent.vector
    with pytest.raises(ImageNotFound):
        client.describe(10**9)


def test_a_file_that_is_no_picture_is_not_described(client):
    with pytest.raises(LookalikeError):
        client.describe(b"no picture")
