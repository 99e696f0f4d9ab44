import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bento_service.descriptors.version import (
    DESCRIPTORS,
    PRECISIONS,
    QUANTISED,
    VERSIONS_FILE,
    DescriptorVersion,
    Part,
    Pooling,
    Preprocessing,
    Quantisation,
    Thresholds,
    Weights,
    canonical_json,
    read_versions,
    write_versions,
)
from model_build.recipes import descriptor_version

DIGEST = "25d244c5fdb86c278c3442bce00783954c822e6564e34bea523f31bddfdcc4d1"
RANGES = Quantisation(digest="ab" * 32)
WEIGHTS = Weights(digest=DIGEST, source="a test")
VERSIONS = tuple(
    descriptor_version(name, WEIGHTS, precision=precision, quantisation=RANGES)
    for precision in PRECISIONS
    for name in DESCRIPTORS
)
VERSION = descriptor_version("vgg16-mac", WEIGHTS)

# Written out by hand, so that a renamed field or another default is noticed: it would lock every
# collection that exists.
PREPROCESSING = (
    '"preprocessing":{"alpha":"white-unless-the-edge-vanishes","channel_order":"BGR","colour":"pillow-convert-rgb",'
    '"deep_range":"8-10-12-14-16-bits-in-use","deep_samples":"scaled-to-8-bit","jpeg_scaling":"dct-at-least-twice-the-target-exact-edges",'
    '"mean":[103.939,116.779,123.68],"orientation":"exif","padding":null,"profile":"to-srgb-after-resizing",'
    '"resampling":"pillow-bilinear-antialiased","scale":1.0,"size":224}'
)
MAC_IN_FP32 = (
    '{"dimension":512,"hash_kind":null,"metric":"ip","name":"vgg16-mac",'
    '"pooling":{"eps":1e-12,"joined":"concatenation","norm":"l2","parts":['
    '{"parameter":null,"pooling":"mac","tap":"conv5_3","weight":1.0}]},'
    '"precision":"fp32",' + PREPROCESSING + ',"quantisation":null,'
    '"storage":"float32","weights":{"digest":"' + DIGEST + '"}}'
)
RGEM_IN_BF16 = (
    '{"dimension":512,"hash_kind":null,"metric":"ip","name":"vgg16-rgem",'
    '"pooling":{"eps":1e-12,"joined":"sum","norm":"l2","parts":['
    '{"parameter":3,"pooling":"rmac","tap":"conv5_3","weight":1.0},'
    '{"parameter":3,"pooling":"gem","tap":"conv5_3","weight":2.0}]},'
    '"precision":"bf16",' + PREPROCESSING + ',"quantisation":null,'
    '"storage":"float32","weights":{"digest":"' + DIGEST + '"}}'
)
RMAC4_IN_INT8 = (
    '{"dimension":1024,"hash_kind":null,"metric":"ip","name":"vgg16-rmac4",'
    '"pooling":{"eps":1e-12,"joined":"concatenation","norm":"l2","parts":['
    '{"parameter":3,"pooling":"rmac","tap":"conv5_3","weight":1.0},'
    '{"parameter":null,"pooling":"mac","tap":"conv4_3","weight":1.0}]},'
    '"precision":"int8",' + PREPROCESSING + ',"quantisation":{"digest":"' + "ab" * 32 + '",'
    '"scheme":"static-per-channel-u8s8"},'
    '"storage":"float32","weights":{"digest":"' + DIGEST + '"}}'
)


def with_preprocessing(**changes):
    return {"preprocessing": Preprocessing().model_copy(update=changes)}


def with_part(**changes):
    (part,) = VERSION.pooling.parts
    parts = (part.model_copy(update=changes),)
    return {"pooling": VERSION.pooling.model_copy(update={"parts": parts})}


@pytest.mark.parametrize(
    ("name", "precision", "record"),
    [
        ("vgg16-mac", "fp32", MAC_IN_FP32),
        ("vgg16-rgem", "bf16", RGEM_IN_BF16),
        ("vgg16-rmac4", "int8", RMAC4_IN_INT8),
    ],
)
def test_the_fingerprint_is_the_digest_of_the_record(name, precision, record):
    version = descriptor_version(name, WEIGHTS, precision=precision, quantisation=RANGES)
    assert version.fingerprint == hashlib.sha256(record.encode()).hexdigest()


def test_three_descriptors_in_four_precisions_are_twelve_fingerprints():
    assert len(VERSIONS) == 12
    assert len({version.fingerprint for version in VERSIONS}) == 12


@pytest.mark.parametrize(
    "change",
    [
        {"name": "vgg16-rgem"},
        {"weights": Weights(digest="0" * 64, source="a test")},
        with_preprocessing(size=256),
        with_preprocessing(mean=(103.939, 116.779, 123.681)),
        with_preprocessing(scale=1 / 255),
        with_preprocessing(alpha="white"),
        with_preprocessing(padding=(124, 117, 104)),
        with_preprocessing(padding=(0, 0, 0)),
        with_part(tap="conv4_3"),
        with_part(pooling="rmac"),
        with_part(parameter=3),
        with_part(weight=2.0),
        {"pooling": VERSION.pooling.model_copy(update={"joined": "sum"})},
        {"pooling": VERSION.pooling.model_copy(update={"eps": 1e-10})},
        {"pooling": VERSION.pooling.model_copy(update={"parts": VERSION.pooling.parts * 2})},
        {"dimension": 1024},
        {"precision": "bf16"},
        {"precision": "int8"},
        {"quantisation": RANGES},
    ],
    ids=str,
)
def test_every_field_that_changes_descriptors_changes_the_fingerprint(change):
    assert VERSION.model_copy(update=change).fingerprint != VERSION.fingerprint


def test_the_order_of_the_parts_is_part_of_the_fingerprint():
    version = descriptor_version("vgg16-rmac4", WEIGHTS)
    turned = version.pooling.model_copy(update={"parts": version.pooling.parts[::-1]})
    assert version.model_copy(update={"pooling": turned}).fingerprint != version.fingerprint


def test_other_activation_ranges_are_other_versions_in_8_bits_alone():
    def fingerprints(digest):
        return {
            (name, precision): descriptor_version(
                name, WEIGHTS, precision=precision, quantisation=Quantisation(digest=digest)
            ).fingerprint
            for name in DESCRIPTORS
            for precision in PRECISIONS
        }

    before, after = fingerprints("ab" * 32), fingerprints("cd" * 32)
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {(name, precision) for name in DESCRIPTORS for precision in QUANTISED}


@pytest.mark.parametrize(
    "change",
    [
        {"weights": Weights(digest=DIGEST, source="elsewhere")},
        {"thresholds": Thresholds(duplicate=0.9, near_duplicate=0.8)},
    ],
    ids=str,
)
def test_fields_that_leave_descriptors_alone_leave_the_fingerprint_alone(change):
    changed = VERSION.model_copy(update=change)
    assert changed != VERSION
    assert changed.fingerprint == VERSION.fingerprint


def test_the_fingerprint_does_not_change_when_a_version_is_written_and_read(tmp_path):
    write_versions(VERSIONS, tmp_path)
    again = read_versions(tmp_path)
    assert again == VERSIONS
    assert [v.fingerprint for v in again] == [v.fingerprint for v in VERSIONS]


def test_equal_versions_give_equal_files(tmp_path):
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        write_versions(VERSIONS, folder)
    assert (tmp_path / "a" / VERSIONS_FILE).read_bytes() == (
        tmp_path / "b" / VERSIONS_FILE
    ).read_bytes()


def test_versions_that_another_release_wrote_are_refused(tmp_path):
    write_versions(VERSIONS, tmp_path)
    file = tmp_path / VERSIONS_FILE
    file.write_text(file.read_text().replace('"joined"', '"combined"'))
    with pytest.raises(ValidationError, match="joined"):
        read_versions(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "vgg19-mac"), ("precision", "fp16"), ("metric", "l2"), ("whitening", "pca")],
)
def test_a_record_of_what_there_is_not_is_refused_instead_of_ignored(field, value):
    record = VERSION.model_dump(mode="json") | {field: value}
    with pytest.raises(ValidationError, match=field):
        DescriptorVersion.model_validate(record)


@pytest.mark.parametrize(
    ("field", "value"), [("tap", "pool5"), ("pooling", "spoc"), ("parameter", "three")]
)
def test_a_part_that_nobody_can_compute_is_refused(field, value):
    part = {"tap": "conv5_3", "pooling": "mac", field: value}
    with pytest.raises(ValidationError, match=field):
        Part.model_validate(part)
    with pytest.raises(ValidationError, match=field):
        Pooling.model_validate({"parts": [part], "joined": "sum"})


def test_a_version_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        VERSION.dimension = 1024
    with pytest.raises(ValidationError, match="frozen"):
        VERSION.preprocessing.size = 256


@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_canonical_json_does_not_depend_on_the_order_of_insertion(record):
    reversed_record = dict(reversed(record.items()))
    assert canonical_json(reversed_record) == canonical_json(record)
    assert json.loads(canonical_json(record)) == record


def test_canonical_json_refuses_what_is_not_a_number():
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"mean": float("nan")})
