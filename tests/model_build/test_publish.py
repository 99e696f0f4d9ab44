import shutil
import stat

import pytest
import yaml

from bento_service.vision.descriptor_version import DescriptorVersion
from bento_service.vision.engine import (
    GOLDEN_FILE,
    NETWORK_FILE,
    VERSION_FILE,
    Model,
)
from model_build.photographs import photographs

# BentoML settles once per process where its store is, so each of these is a process of its own.
PUBLISH = """
import logging, sys
from pathlib import Path
from bento_service.vision.descriptor_version import DescriptorVersion, Weights
from model_build.convert import Comparison
from model_build.publish import publish
from model_build.store import write_version

logging.basicConfig(level=logging.INFO, format="%(message)s")
folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
version = DescriptorVersion(weights=Weights(digest="0" * 64, source="a test"))
(folder / "descriptor.onnx").write_bytes(b"network")
(folder / "golden.npz").write_bytes(b"golden vectors")
write_version(version, folder)
print(publish(folder, version, Comparison(mean_cosine=1.0, min_cosine=0.99999, photographs=8)))
"""
LOOK_UP = """
import bentoml, sys
print(bentoml.models.get(sys.argv[1]).path)
"""


@pytest.fixture
def publish(program, tmp_path):
    """Publishes a small model and returns its tag and what was told."""

    def run(**variables):
        result = program.python("-c", PUBLISH, str(tmp_path / "built"), **variables)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip(), result.stderr

    return run


def folder_of(program, tag):
    return program.home / "models" / tag.replace(":", "/")


def test_bentoml_finds_the_model_under_its_tag(built):
    found = built.program.python("-c", LOOK_UP, built.tag)
    assert found.stdout.strip() == str(folder_of(built.program, built.tag))


def test_the_stored_model_is_three_files_and_bentomls_own(built):
    names = {path.name for path in folder_of(built.program, built.tag).iterdir()}
    assert names == {NETWORK_FILE, GOLDEN_FILE, VERSION_FILE, "model.yaml"}


def test_the_stored_model_holds_the_network_that_was_converted(built, network_file):
    stored = folder_of(built.program, built.tag) / NETWORK_FILE
    assert stored.read_bytes() == network_file.read_bytes()


def test_the_service_loads_the_stored_model(built, version):
    model = Model.load(folder_of(built.program, built.tag), threads=2)
    assert model.version == version
    descriptors = model.engine.describe(photographs(["rocket.jpg"], side=224))
    assert descriptors.shape == (1, version.dimension)


def test_the_metadata_tells_all_that_descriptors_depend_on(built, version):
    record = yaml.safe_load((folder_of(built.program, built.tag) / "model.yaml").read_text())
    metadata = record["metadata"]
    fields = {name: metadata.get(name) for name in DescriptorVersion.model_fields}
    assert DescriptorVersion.model_validate(fields, strict=False) == version
    assert metadata["fingerprint"] == record["labels"]["fingerprint"] == version.fingerprint
    assert metadata["check"]["photographs"] == 8
    assert 0.9999 < metadata["check"]["min_cosine"] <= metadata["check"]["mean_cosine"] <= 1
    assert {"torch", "onnx"} < set(metadata["built_with"])


def test_publishing_again_keeps_what_is_there(program, publish):
    tag, _ = publish()
    before = (folder_of(program, tag) / "model.yaml").stat()
    again, told = publish()
    assert again == tag
    assert f"{tag} is in the store already and is kept" in told
    assert (folder_of(program, tag) / "model.yaml").stat().st_mtime_ns == before.st_mtime_ns


def test_a_damaged_model_in_the_store_is_replaced(program, publish):
    tag, _ = publish()
    network = folder_of(program, tag) / NETWORK_FILE
    network.write_bytes(b"netw")
    again, told = publish()
    assert again == tag
    assert "damaged; it is replaced" in told
    assert network.read_bytes() == b"network"


def test_another_user_may_read_a_stored_model(program, publish):
    """In a container the service is not the user that built the image."""
    tag, _ = publish()
    assert stat.S_IMODE(folder_of(program, tag).stat().st_mode) & 0o055 == 0o055


def test_publishing_tells_nobody_outside_unless_that_is_wanted(program, publish):
    """With this variable BentoML logs what it would send, and sends nothing."""
    debugging = {"__BENTOML_DEBUG_USAGE": "True"}
    assert "Tracking Payload" not in publish(**debugging)[1]
    shutil.rmtree(program.home)
    assert "Tracking Payload" in publish(BENTOML_DO_NOT_TRACK="False", **debugging)[1]


def test_a_store_that_cannot_be_written_is_told_in_one_sentence(program, tmp_path):
    (tmp_path / "home").write_text("a file where the folder should be")
    result = program.python("-c", PUBLISH, str(tmp_path / "built"))
    assert "PublishingFailed" in result.stderr
    assert "BENTOML_HOME" in result.stderr
