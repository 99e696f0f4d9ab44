import pickle
import zipfile
from pathlib import Path

import pytest
import safetensors.numpy
import torch

from bento_service.descriptors.model import NETWORK_FILES, WEIGHTS_FILE
from model_build.errors import ModelBuildError, WeightsRefused, WeightsUnavailable
from model_build.network import network
from model_build.weight_files import read_weights
from model_build.weights import PUBLISHED_DIGEST

ENDINGS = (".pth", ".safetensors", ".onnx", ".whl")


@pytest.fixture(scope="session")
def files(weights, exact_versions, downloads, tmp_path_factory) -> dict[str, Path]:
    """Return the same weights in every kind of file."""
    folder = tmp_path_factory.mktemp("weights")
    tensors = {name: torch.tensor(array) for name, array in weights.arrays().items()}
    tensors["classifier.0.weight"] = torch.full((4, 4), torch.nan)
    torch.save(tensors, folder / "vgg16.pth")
    safetensors.numpy.save_file(weights.arrays(), folder / "vgg16.safetensors")
    content = network(weights, exact_versions).SerializeToString()
    (folder / "vgg16.onnx").write_bytes(content)
    return {
        ".pth": folder / "vgg16.pth",
        ".safetensors": folder / "vgg16.safetensors",
        ".onnx": folder / "vgg16.onnx",
        ".whl": next(downloads.glob("*.whl")),
    }


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_kind_of_file_gives_the_same_weights(files, ending):
    read = read_weights(files[ending], source="a test")
    assert read.digest == PUBLISHED_DIGEST
    assert read.source == "a test"


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "damaged",
    [
        lambda content: b"",
        lambda content: b"nothing of the kind",
        lambda content: content[: len(content) // 2],
        lambda content: content[:5000] + b"\xff" * 5000 + content[10000:-5000] + b"\xff" * 5000,
    ],
    ids=["empty", "something else", "cut off", "overwritten"],
)
def test_a_damaged_file_is_refused(files, ending, damaged, tmp_path):
    path = tmp_path / f"damaged{ending}"
    path.write_bytes(damaged(files[ending].read_bytes()))
    with pytest.raises(WeightsRefused, match="damaged"):
        read_weights(path, source=path.name)


class Payload:
    """Unpickling this creates a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("save", [torch.save, lambda payload, path: path.write_bytes(payload)])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(save, tmp_path):
    path, proof = tmp_path / "evil.pth", tmp_path / "it ran"
    payload = {"features.0.weight": Payload(proof)}
    save(payload if save is torch.save else pickle.dumps(payload, protocol=2), path)
    with pytest.raises(WeightsRefused, match="no PyTorch file of weights alone"):
        read_weights(path, source=path.name)
    assert not proof.exists()


def test_a_list_of_tensors_is_refused(tmp_path):
    path = tmp_path / "list.pth"
    torch.save([torch.zeros(3)], path)
    with pytest.raises(WeightsRefused, match="holds a list"):
        read_weights(path, source=path.name)


def test_a_wheel_without_a_network_is_refused(tmp_path):
    path = tmp_path / "empty.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("package/__init__.py", "")
    with pytest.raises(WeightsRefused, match=r"holds 0 usable \.onnx"):
        read_weights(path, source=path.name)


def test_another_kind_of_file_is_refused_with_the_kinds_that_are_read(tmp_path):
    with pytest.raises(WeightsUnavailable, match=r"\.whl, \.onnx, \.pth, \.pt, \.safetensors"):
        read_weights(tmp_path / "vgg16.h5", source="vgg16.h5")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_is_not_there_is_reported(tmp_path, ending):
    with pytest.raises(ModelBuildError, match="No such file"):
        read_weights(tmp_path / f"absent{ending}", source="absent")


def test_the_weights_of_a_built_model_can_be_built_from_again(converted):
    path = converted / WEIGHTS_FILE
    assert read_weights(path, source=path.name).digest == PUBLISHED_DIGEST


@pytest.mark.parametrize("name", NETWORK_FILES.values())
def test_a_built_network_holds_no_weights_that_can_be_read(converted, name):
    """The fp32 network's weights are in another file, and int8 weights are rounded."""
    with pytest.raises(WeightsRefused):
        read_weights(converted / name, source=name)
