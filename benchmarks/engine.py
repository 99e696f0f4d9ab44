"""Benchmark of the engines against plain PyTorch and against the limits of the machine.

    python -m benchmarks.engine [--models FOLDER] [--rounds N] [--json FILE]

The sides are VGG16's convolutions in plain PyTorch (eager, fp32, channels last) and every engine
that this machine can run. In each round every side has a short turn, and so have the limits: a
plain matrix product in the same precision (on a CPU by onnxruntime with the engine's options), and
the multiply-and-add instructions alone (`peak.c`, if there is a C compiler). Ratios are computed
within a round, so that a change of the machine's speed affects both sides. The medians are printed.

The goals apply to the engine that the service chooses on a processor with VNNI or AMX, and a batch
of 8. The exit code is 1 if it misses a goal. The peak is that of VNNI; AMX goes beyond it.
"""

import argparse
import json
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks import machine
from benchmarks.models import model_folder
from bento_service.descriptors.choice import Choice, choose
from bento_service.descriptors.hardware import Hardware
from bento_service.descriptors.model import WEIGHTS_FILE, Model
from bento_service.descriptors.onnx_engine import session_options
from bento_service.descriptors.version import Precision
from bento_service.settings import Settings
from model_build.weights import BLOCKS

_CPU_BATCHES = (1, 8)
_GPU_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_SECONDS = 1.0
_EAGER = "torch eager fp32"
_GOALS = {"times_eager": 4.5, "share_of_product": 0.95, "share_of_peak": 0.80}
# The rows, depth and columns of matrix products: of block 3, of block 5, and a large square.
_PRODUCTS = ((3136, 2304, 256), (1568, 4608, 512), (2048, 2048, 2048))


@dataclass(frozen=True)
class Side:
    """One way to run the convolutions."""

    name: str
    precision: Precision
    on_gpu: bool
    describe: Callable[[NDArray[np.uint8]], object]


@dataclass
class Figures:
    """The measurements of one side at one batch size, one number a round."""

    images_per_second: list[float] = field(default_factory=list)
    times_eager: list[float] = field(default_factory=list)
    share_of_product: list[float] = field(default_factory=list)
    share_of_peak: list[float] = field(default_factory=list)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("data/bentoml/models"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write every round's numbers there")
    options = parser.parse_args()
    hardware = Hardware.detect()
    sides = _sides(model_folder(options.models), hardware)
    print(machine.described())
    print(f"{operations_a_picture() / 1e9:.2f} billion operations a picture, up to conv5_3")
    with tempfile.TemporaryDirectory() as folder:
        peak = _Peak(Path(folder))
        figures = _measured(sides, peak, options.rounds)
    _print(figures)
    if options.json:
        rows = [{"side": s, "batch": b, **vars(f)} for (s, b), f in figures.items()]
        options.json.write_text(json.dumps({"machine": machine.described(), "rows": rows}))
    return _judge(figures, hardware)


def operations_a_picture() -> int:
    """Return the multiplications and additions of the 13 convolutions on 224 x 224 pixels."""
    planes, side, total = 3, 224, 0
    for block, channels in zip(BLOCKS, (64, 128, 256, 512, 512), strict=True):
        for _ in block:
            total += 2 * side * side * channels * planes * 9
            planes = channels
        side //= 2
    return total


def _sides(folder: Path, hardware: Hardware) -> list[Side]:
    threads = machine.cores()
    choices = [
        Choice("vgg16-rmac4", "onnxruntime", "fp32"),
        Choice("vgg16-rmac4", "onnxruntime", "int8"),
    ]
    if hardware.openvino and hardware.dot_products:
        choices.append(Choice("vgg16-rmac4", "openvino", "int8_openvino"))
    if hardware.cuda:
        choices += [
            Choice("vgg16-rmac4", "torch", "fp32", on_gpu=True),
            Choice("vgg16-rmac4", "torch", "bf16", on_gpu=True),
        ]
    sides = [Side(_EAGER, "fp32", hardware.cuda, _eager(folder / WEIGHTS_FILE, hardware, threads))]
    for choice in choices:
        model = Model.load(folder, choice, threads=threads)
        precision = choice.precision.removesuffix("_openvino")
        name = f"{choice.engine} {precision}{' on CUDA' if choice.on_gpu else ''}"
        sides.append(Side(name, choice.precision, choice.on_gpu, model.describe))
    return sides


def _eager(
    weights: Path, hardware: Hardware, threads: int
) -> Callable[[NDArray[np.uint8]], object]:
    """Return torchvision's plain VGG16 up to pool5, in fp32 with channels last."""
    import safetensors.torch
    import torch
    import torchvision

    torch.set_num_threads(threads)
    device = torch.device("cuda" if hardware.cuda else "cpu")
    layers = torchvision.models.vgg16(weights=None).features
    tensors = safetensors.torch.load_file(weights)
    layers.load_state_dict({name.removeprefix("features."): t for name, t in tensors.items()})
    layers = layers.eval().to(device, memory_format=torch.channels_last)

    def describe(images: NDArray[np.uint8]) -> object:
        with torch.inference_mode():
            planes = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() - 117.0
            return layers(planes).amax(dim=(2, 3)).cpu().numpy()

    return describe


def _measured(sides: Sequence[Side], peak: "_Peak", rounds: int) -> dict[tuple[str, int], Figures]:
    """Measure every side and every limit for a short turn a round at each batch size."""
    products = {
        (precision, on_gpu): _fastest_product(precision, on_gpu=on_gpu)
        for precision, on_gpu in {(side.precision, side.on_gpu) for side in sides}
    }
    figures: dict[tuple[str, int], Figures] = {}
    for batch in _GPU_BATCHES if any(side.on_gpu for side in sides) else _CPU_BATCHES:
        for number in range(rounds):
            print(f"batch {batch}, round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            speeds = {
                side.name: _rate(_describing(side, batch), batch)
                for side in sides
                if side.on_gpu or batch in _CPU_BATCHES
            }
            limits = {key: _rate(product.run, product.work) for key, product in products.items()}
            peaks = peak.measured()
            for side in (side for side in sides if side.name in speeds):
                found = figures.setdefault((side.name, batch), Figures())
                speed = speeds[side.name]
                found.images_per_second.append(speed)
                if _EAGER in speeds:
                    found.times_eager.append(speed / speeds[_EAGER])
                done = speed * operations_a_picture()
                found.share_of_product.append(done / limits[side.precision, side.on_gpu])
                if not side.on_gpu and peaks.get(side.precision):
                    found.share_of_peak.append(done / peaks[side.precision])
    return figures


def _describing(side: Side, batch: int) -> Callable[[], object]:
    images = np.random.default_rng(0).integers(0, 256, (batch, 224, 224, 3), dtype=np.uint8)
    return lambda: side.describe(images)


def _rate(run: Callable[[], object], work: float) -> float:
    """Return the work a second in a turn of at least `_SECONDS`, after one warm-up run."""
    run()
    runs, began = 0, time.perf_counter()
    while runs == 0 or time.perf_counter() - began < _SECONDS:
        run()
        runs += 1
    return runs * work / (time.perf_counter() - began)


@dataclass(frozen=True)
class _Product:
    """A matrix product and its number of operations."""

    run: Callable[[], object]
    work: float


def _fastest_product(precision: Precision, *, on_gpu: bool) -> _Product:
    """Return the plain matrix product with the most operations a second."""
    products = [
        _Product(
            _gpu_product(*size, precision) if on_gpu else _cpu_product(*size, precision),
            2.0 * math.prod(size),
        )
        for size in (((8192, 8192, 8192),) if on_gpu else _PRODUCTS)
    ]
    return max(products, key=lambda product: _rate(product.run, product.work))


def _gpu_product(rows: int, depth: int, columns: int, precision: Precision) -> Callable[[], object]:
    import torch

    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    left = torch.randn(rows, depth, device="cuda").to(kind)
    right = torch.randn(depth, columns, device="cuda").to(kind)

    def run() -> None:
        torch.mm(left, right)
        torch.cuda.synchronize()

    return run


def _cpu_product(rows: int, depth: int, columns: int, precision: Precision) -> Callable[[], object]:
    """Return a product by onnxruntime with the engine's options, and so its instructions.

    NumPy's and PyTorch's libraries may choose slower instructions on the same processor.
    """
    drawn = np.random.default_rng(0)
    left: NDArray[Any] = drawn.integers(0, 256, (rows, depth), dtype=np.uint8)
    right: NDArray[Any] = drawn.integers(-127, 128, (depth, columns), dtype=np.int8)
    operator, of_left, of_product = "MatMulInteger", TensorProto.UINT8, TensorProto.INT32
    if precision == "fp32":
        left, right = left.astype(np.float32), right.astype(np.float32)
        operator, of_left, of_product = "MatMul", TensorProto.FLOAT, TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(operator, ["left", "right"], ["product"])],
        "product",
        [helper.make_tensor_value_info("left", of_left, [rows, depth])],
        [helper.make_tensor_value_info("product", of_product, [rows, columns])],
        [numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(),
        session_options(threads=machine.cores()),
        providers=["CPUExecutionProvider"],
    )
    return lambda: session.run(None, {"left": left})


class _Peak:
    """The multiply-and-add instructions on all cores at once."""

    def __init__(self, folder: Path) -> None:
        self._program: Path | None = None
        compiler = shutil.which("cc") or shutil.which("gcc")
        source = Path(__file__).with_name("peak.c")
        target = folder / "peak"
        if compiler is not None:
            command = [compiler, "-O2", "-march=native", str(source), "-o", str(target)]
            if subprocess.run(command, check=False, capture_output=True).returncode == 0:
                self._program = target
        if self._program is None:
            print("no C compiler for this processor: the instructions' peak is not measured")

    def measured(self) -> dict[Precision, float]:
        """Return operations a second by precision; empty if `peak.c` cannot run here."""
        if self._program is None:
            return {}
        running = [
            subprocess.Popen([self._program], stdout=subprocess.PIPE, text=True)
            for _ in range(machine.cores())
        ]
        lines = [process.communicate()[0].split() for process in running]
        return {
            "fp32": sum(float(line[0]) for line in lines),
            "int8": sum(float(line[1]) for line in lines),
        }


def _print(figures: dict[tuple[str, int], Figures]) -> None:
    header = ("side", "batch", "img/s", "x eager", "of product", "of peak")
    print(f"{header[0]:<26}" + "".join(f"{name:>12}" for name in header[1:]))
    for (side, batch), found in figures.items():
        cells: list[Any] = [
            f"{statistics.median(found.images_per_second):.2f}",
            f"{statistics.median(found.times_eager):.2f}" if found.times_eager else "-",
            f"{statistics.median(found.share_of_product):.1%}",
            f"{statistics.median(found.share_of_peak):.1%}" if found.share_of_peak else "-",
        ]
        print(f"{side:<26}{batch:>12}" + "".join(f"{cell:>12}" for cell in cells))


def _judge(figures: dict[tuple[str, int], Figures], hardware: Hardware) -> int:
    if not hardware.dot_products:
        print("goals: not judged, this processor has no 8-bit dot products (VNNI)")
        return 0
    met, side = True, f"{choose(Settings(), hardware).engine} int8"
    for goal, wanted in _GOALS.items():
        measured = getattr(figures[side, 8], goal)
        if measured:
            reached = statistics.median(measured)
            met = met and reached >= wanted
            verdict = "met" if reached >= wanted else "MISSED"
            print(f"goal, {side}, batch 8, {goal}: {reached:.2f} of {wanted} {verdict}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
