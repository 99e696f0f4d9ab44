import shutil
import stat

import pytest
import yaml

from bento_service.descriptors.choice import Choice
from bento_service.descriptors.model import NETWORK_FILES, WEIGHTS_FILE, Model
from bento_service.descriptors.version import DescriptorVersion
from model_build.photographs import CHECKED, photographs
from model_build.store import MODEL_FILES

# BentoML settles once per process where its store is, so each of these is a process of its own.
PUBLISH = """
import logging, sys
from pathlib import Path
from bento_service.descriptors.version import Weights
from model_build.activation_ranges import ActivationRanges
from model_build.convert import Agreement
from model_build.publish import publish
from model_build.store import MODEL_FILES, all_versions

logging.basicConfig(level=logging.INFO, format="%(message)s")
folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
for name in MODEL_FILES:
    (folder / name).write_text(name)
versions = all_versions(Weights(digest="0" * 64, source="a test"), ActivationRanges.committed())
print(publish(folder, versions, [Agreement("vgg16-mac", "fp32", 1.0, 0.99999, "coffee.png")]))
"""
LOOK_UP = """
import bentoml, sys
print(bentoml.models.get(sys.argv[1]).path)
"""


@pytest.fixture
def publish(program, tmp_path):
    """Publishes a small model and returns its tag and its log."""

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


def test_the_stored_model_is_its_files_and_bentomls_own(built):
    names = {path.name for path in folder_of(built.program, built.tag).iterdir()}
    assert names == {*MODEL_FILES, "model.yaml"}


def test_the_stored_model_holds_the_networks_that_were_converted(built, converted):
    stored = folder_of(built.program, built.tag)
    for name in (WEIGHTS_FILE, *NETWORK_FILES.values()):
        assert (stored / name).read_bytes() == (converted / name).read_bytes()


@pytest.mark.parametrize(
    ("descriptor", "engine", "precision"),
    [
        ("vgg16-rmac4", "onnxruntime", "int8"),
        ("vgg16-mac", "onnxruntime", "fp32"),
        ("vgg16-rgem", "torch", "fp32"),  # bf16 is slow without a GPU; see tests/descriptors
    ],
)
def test_the_service_loads_the_stored_model(built, versions, descriptor, engine, precision):
    folder = folder_of(built.program, built.tag)
    model = Model.load(folder, Choice(descriptor, engine, precision), threads=2)
    assert model.version in versions
    assert (model.version.name, model.version.precision) == (descriptor, precision)
    assert (model.engine.name, model.engine.precision) == (engine, precision)
    pictures = photographs(["rocket.jpg"], model.version.preprocessing)
    (given,) = model.engine.outputs(pictures, [descriptor]).values()
    assert given.shape == (1, model.version.dimension)


def test_the_metadata_tells_all_that_descriptors_depend_on(built, versions):
    record = yaml.safe_load((folder_of(built.program, built.tag) / "model.yaml").read_text())
    metadata = record["metadata"]
    stored = [
        DescriptorVersion.model_validate(
            {name: value for name, value in fields.items() if name != "fingerprint"}
        )
        for fields in metadata["versions"]
    ]
    assert tuple(stored) == versions
    assert [fields["fingerprint"] for fields in metadata["versions"]] == [
        version.fingerprint for version in versions
    ]
    assert record["labels"]["weights"] == versions[0].weights.digest[:16]


def test_the_metadata_tells_how_well_the_networks_agree_with_pytorch(built):
    record = yaml.safe_load((folder_of(built.program, built.tag) / "model.yaml").read_text())
    agreements = record["metadata"]["agreement_with_pytorch"]
    assert len(agreements) == 10  # three descriptors and two taps, in two precisions
    for each in agreements:
        lowest = {"fp32": 0.9999, "int8": 0.996}[each["precision"]]
        assert lowest < each["min_cosine"] <= each["mean_cosine"] <= 1
        assert each["worst"] in CHECKED
    assert {"torch", "onnx", "onnxruntime"} < set(record["metadata"]["built_with"])


def test_publishing_again_keeps_what_is_there(program, publish):
    tag, _ = publish()
    before = (folder_of(program, tag) / "model.yaml").stat()
    again, log = publish()
    assert again == tag
    assert f"{tag} is in the store already and is kept" in log
    assert (folder_of(program, tag) / "model.yaml").stat().st_mtime_ns == before.st_mtime_ns


def test_a_damaged_model_in_the_store_is_replaced(program, publish):
    tag, _ = publish()
    network = folder_of(program, tag) / NETWORK_FILES["int8"]
    network.write_bytes(b"netw")
    again, log = publish()
    assert again == tag
    assert "damaged; it is replaced" in log
    assert network.read_text() == NETWORK_FILES["int8"]


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


def test_a_store_that_cannot_be_written_is_reported_in_one_sentence(program, tmp_path):
    (tmp_path / "home").write_text("a file where the folder should be")
    result = program.python("-c", PUBLISH, str(tmp_path / "built"))
    assert "PublishingFailed" in result.stderr
    assert "BENTOML_HOME" in result.stderr
