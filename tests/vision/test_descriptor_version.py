import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bento_service.vision.descriptor_version import (
    DescriptorVersion,
    Pooling,
    Preprocessing,
    Thresholds,
    Weights,
    canonical_json,
)

DIGEST = "25d244c5fdb86c278c3442bce00783954c822e6564e34bea523f31bddfdcc4d1"
VERSION = DescriptorVersion(weights=Weights(digest=DIGEST, source="a test"))

# Written out by hand, so that a renamed field or another default is noticed: it would lock every
# collection that exists.
RECORD = (
    '{"dimension":512,"hash_kind":null,"metric":"ip","name":"vgg16-mac",'
    '"pooling":{"eps":1e-12,"kind":"mac","norm":"l2","taps":["pool5"]},"precision":"fp32",'
    '"preprocessing":{"alpha":[255,255,255],"channel_order":"BGR","colour":"pillow-convert-rgb",'
    '"deep_samples":"scaled-to-8-bit","jpeg_scaling":"dct-at-least-twice-the-target",'
    '"mean":[103.939,116.779,123.68],"orientation":"exif",'
    '"resampling":"pillow-bilinear-antialiased","resize":"squash","scale":1.0,"size":224},'
    '"storage":"float32","weights":{"digest":"' + DIGEST + '"}}'
)


def test_the_fingerprint_is_the_digest_of_the_record():
    assert VERSION.fingerprint == hashlib.sha256(RECORD.encode()).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"weights": Weights(digest="0" * 64, source="a test")},
        {"preprocessing": Preprocessing(size=256)},
        {"preprocessing": Preprocessing(mean=(103.939, 116.779, 123.681))},
        {"preprocessing": Preprocessing(scale=1 / 255)},
        {"preprocessing": Preprocessing(alpha=(0, 0, 0))},
        {"pooling": Pooling(eps=1e-10)},
        {"dimension": 1024},
    ],
)
def test_whatever_changes_descriptors_changes_the_fingerprint(change):
    assert VERSION.model_copy(update=change).fingerprint != VERSION.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"weights": Weights(digest=DIGEST, source="elsewhere")},
        {"thresholds": Thresholds(duplicate=0.9, near_duplicate=0.8)},
    ],
)
def test_what_leaves_descriptors_alone_leaves_the_fingerprint_alone(change):
    changed = VERSION.model_copy(update=change)
    assert changed != VERSION
    assert changed.fingerprint == VERSION.fingerprint


def test_a_version_comes_back_from_json_as_it_was():
    assert DescriptorVersion.model_validate_json(VERSION.model_dump_json()) == VERSION


def test_an_unknown_field_is_refused_instead_of_ignored():
    record = VERSION.model_dump(mode="json") | {"whitening": "pca"}
    with pytest.raises(ValidationError, match="whitening"):
        DescriptorVersion.model_validate(record)


def test_a_version_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        VERSION.dimension = 1024


@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_canonical_json_does_not_depend_on_the_order_of_insertion(record):
    reversed_record = dict(reversed(record.items()))
    assert canonical_json(reversed_record) == canonical_json(record)
    assert json.loads(canonical_json(record)) == record


def test_canonical_json_refuses_what_is_not_a_number():
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"mean": float("nan")})
