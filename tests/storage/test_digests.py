"""The form of digests, which requests, manifests and names of uploads share."""

import hashlib

import pytest
from pydantic import TypeAdapter, ValidationError

from bento_service.storage.digests import Digest, is_digest

DIGEST = hashlib.sha256(b"a picture").hexdigest()


def test_a_digest_is_one():
    assert is_digest(DIGEST)
    assert TypeAdapter(Digest).validate_python(DIGEST) == DIGEST


@pytest.mark.parametrize(
    "other", ["", DIGEST[:-1], DIGEST + "0", DIGEST.upper(), DIGEST + "\n", "x" * 64, "\u0661" * 64]
)
def test_other_texts_are_none(other):
    assert not is_digest(other)
    with pytest.raises(ValidationError):
        TypeAdapter(Digest).validate_python(other)
