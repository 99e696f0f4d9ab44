"""The same network by another library; on the CPU here, on a CUDA device where there is one."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bento_service.descriptors.choice import Choice
from bento_service.descriptors.golden import GOLDEN_FILE, GoldenVectors, cosines
from bento_service.descriptors.model import NETWORK_FILES, WEIGHTS_FILE, Model, find_version
from bento_service.descriptors.onnx_engine import OnnxEngine
from bento_service.descriptors.version import DESCRIPTORS
from bento_service.errors import InvalidArgument
from bento_service.serving.process_environment import ONE_THREAD

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")

from bento_service.descriptors import torch_engine  # noqa: E402
from bento_service.descriptors.torch_engine import CudaGraphs, TorchEngine  # noqa: E402

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@pytest.fixture(scope="module")
def folder(models) -> Path:
    """Return the folder of the built model."""
    import bento_service

    tag = (Path(bento_service.__file__).parent / "model_tag.txt").read_text().strip()
    return models.joinpath(*tag.split(":"))


@pytest.fixture(scope="module")
def golden(folder):
    """Return the golden vectors in fp32, by descriptor."""
    return {
        name: GoldenVectors.load(folder / GOLDEN_FILE, find_version(folder, name, "fp32"))
        for name in DESCRIPTORS
    }


@pytest.fixture(scope="module")
def pictures(golden):
    """Return two of the golden pictures, and one of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    return np.concatenate([golden["vgg16-mac"].pictures[:2], noise])


@pytest.fixture(scope="module")
def by_onnxruntime(folder, pictures):
    engine = OnnxEngine(folder / NETWORK_FILES["fp32"], "fp32", threads=2)
    return engine.outputs(pictures, DESCRIPTORS)


def opened(folder, name, precision, *, on_gpu=False):
    version = find_version(folder, name, precision)
    return TorchEngine(folder / WEIGHTS_FILE, [version], on_gpu=on_gpu, threads=2)


def described(engine, images):
    """Describe images with an engine of one descriptor."""
    (name,) = engine._names
    return engine.outputs(images, [name])[name]


@pytest.fixture(scope="module")
def on_cpu(folder):
    """Engines by descriptor, in fp32."""
    return {name: opened(folder, name, "fp32") for name in DESCRIPTORS}


OTHERS_SHARE = """
import sys, threading, time
import numpy as np
from pathlib import Path
from bento_service.descriptors.model import WEIGHTS_FILE, find_version
from bento_service.descriptors.torch_engine import TorchEngine

folder, images = Path(sys.argv[1]), np.zeros((2, 224, 224, 3), np.uint8)
version = find_version(folder, "vgg16-mac", "fp32")
engine = TorchEngine(folder / WEIGHTS_FILE, [version], on_gpu=False, threads=2)

def describe():
    engine.outputs(images, ["vgg16-mac"])
    own, together = time.thread_time(), time.process_time()
    engine.outputs(images, ["vgg16-mac"])
    print(1 - (time.thread_time() - own) / (time.process_time() - together))

thread = threading.Thread(target=describe)  # as in the embedder
thread.start()
thread.join()
"""


def test_it_keeps_its_threads_where_everything_else_has_one(folder):
    command = [sys.executable, "-c", OTHERS_SHARE, str(folder)]
    ran = subprocess.run(
        command, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=True
    )

    assert float(ran.stdout) > 0.3  # of the CPU time, half with two threads and none with one


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_in_fp32_it_gives_what_onnxruntime_gives(on_cpu, pictures, by_onnxruntime, name):
    descriptors = described(on_cpu[name], pictures)
    assert descriptors.dtype == np.float32
    assert descriptors.shape == by_onnxruntime[name].shape
    assert cosines(by_onnxruntime[name], descriptors).min() > 0.999999


def test_one_run_gives_every_descriptor(folder, pictures, by_onnxruntime):
    versions = [find_version(folder, name, "fp32") for name in DESCRIPTORS]
    engine = TorchEngine(folder / WEIGHTS_FILE, versions, on_gpu=False, threads=2)
    runs = []
    taps = engine._network.taps
    engine._network.taps = lambda images: runs.append(len(images)) or taps(images)
    given = engine.outputs(pictures, DESCRIPTORS[::-1])
    assert list(given) == list(DESCRIPTORS[::-1])
    for name, descriptors in given.items():
        assert cosines(by_onnxruntime[name], descriptors).min() > 0.999999
    assert runs == [3]


def test_in_bf16_it_gives_nearly_that(folder, pictures, by_onnxruntime):
    """One picture, because this arithmetic is slow where a processor has to imitate it."""
    engine = opened(folder, "vgg16-mac", "bf16")
    with torch.inference_mode():
        taps = engine._network.taps(torch.from_numpy(pictures[:1]))
    assert {name: maps.dtype for name, maps in taps.items()} == dict.fromkeys(taps, torch.float32)
    for name in DESCRIPTORS:
        other = opened(folder, name, "bf16")
        assert other.precision == "bf16"
        other._network.taps = lambda images: taps
        found = cosines(by_onnxruntime[name][:1], described(other, pictures[:1]))
        assert 0.9999 < found < 0.9999999


@pytest.mark.parametrize("count", [0, 1, 3])
def test_n_images_give_n_descriptors(on_cpu, pictures, count):
    assert described(on_cpu["vgg16-rmac4"], pictures[:count]).shape == (count, 1024)


def test_a_batch_gives_what_its_pictures_give_one_by_one(on_cpu, pictures):
    engine = on_cpu["vgg16-rgem"]
    one_by_one = np.concatenate([described(engine, picture[None]) for picture in pictures])
    np.testing.assert_allclose(described(engine, pictures), one_by_one, atol=1e-5)


def test_a_view_of_an_array_is_described_like_a_copy_of_it(on_cpu, pictures):
    engine, turned = on_cpu["vgg16-mac"], pictures[:1, :, ::-1]
    np.testing.assert_array_equal(described(engine, turned), described(engine, turned.copy()))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda images: images[0],
        lambda images: images.astype(np.float32),
        lambda images: images.transpose(0, 3, 1, 2),
        lambda images: images[:, ::2],
    ],
    ids=["one picture without a batch", "floats", "planes first", "too small"],
)
def test_images_of_another_kind_are_refused_with_the_kind_that_is_needed(on_cpu, pictures, wrong):
    with pytest.raises(InvalidArgument, match=r"send uint8 \(N, 224, 224, 3\)"):
        described(on_cpu["vgg16-mac"], wrong(pictures))


def test_a_black_picture_has_a_descriptor_of_numbers(on_cpu):
    black = np.zeros((1, 224, 224, 3), np.uint8)
    descriptor = described(on_cpu["vgg16-rgem"], black).astype(np.float64)
    assert abs(np.linalg.norm(descriptor) - 1) < 1e-6


@pytest.fixture
def graphs(monkeypatch):
    """`CudaGraphs` over a network of sums, with recordings that are plain calls."""
    replayed = []

    def record(self, size, pool):
        source = torch.full((size, 2, 2, 3), 255, dtype=torch.uint8)
        target = torch.zeros(size, 1)

        class Graph:
            def replay(self):
                replayed.append(size)
                target.copy_(total(source))

        return Graph(), source, target

    def total(images):
        return images.float().sum(dim=(1, 2, 3))[:, None]

    monkeypatch.setattr(CudaGraphs, "_record", record)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
    for name in ("benchmark", "allow_tf32"):
        monkeypatch.setattr(torch.backends.cudnn, name, getattr(torch.backends.cudnn, name))
    made = CudaGraphs(total, 2)
    made.sizes = replayed
    return made


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (0, []),
        (1, [1]),
        (2, [2]),
        (3, [4]),
        (33, [64]),
        (64, [64]),
        (65, [64, 1]),
        (200, [64, 64, 64, 8]),
    ],
)
def test_a_batch_is_padded_to_the_next_recorded_size_and_cut_into_the_largest(graphs, count, sizes):
    images = torch.randint(0, 256, (count, 2, 2, 3), dtype=torch.uint8)
    described = graphs(images)
    assert described.tolist() == [[float(image.sum())] for image in images.int()]
    assert graphs.sizes == sizes


def test_an_answer_is_not_overwritten_by_the_next_batch(graphs):
    first = graphs(torch.full((2, 2, 2, 3), 1, dtype=torch.uint8))
    second = graphs(torch.full((2, 2, 2, 3), 2, dtype=torch.uint8))
    assert (first.tolist(), second.tolist()) == ([[12.0]] * 2, [[24.0]] * 2)


@needs_cuda
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", DESCRIPTORS)
def test_a_cuda_device_reproduces_the_golden_vectors(folder, name, precision):
    model = Model.load(folder, Choice(name, "torch", precision, on_gpu=True), threads=2)
    assert (model.engine.name, model.engine.precision) == ("torch", precision)


@needs_cuda
@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 64, 65])
def test_a_recorded_batch_gives_what_onnxruntime_gives_for_each(
    folder, pictures, by_onnxruntime, count
):
    engine = opened(folder, "vgg16-rmac4", "bf16", on_gpu=True)
    places = np.arange(count) % len(pictures)
    descriptors = described(engine, pictures[places])
    assert descriptors.shape == (count, 1024)
    if count:
        assert cosines(by_onnxruntime["vgg16-rmac4"][places], descriptors).min() > 0.9999
    np.testing.assert_allclose(described(engine, pictures[places]), descriptors, atol=1e-3)


@needs_cuda
def test_every_size_is_recorded_before_the_first_query(folder):
    engine = opened(folder, "vgg16-mac", "bf16", on_gpu=True)
    assert sorted(engine._network._recorded) == list(torch_engine._RECORDED)
