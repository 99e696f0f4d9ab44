"""Choice of descriptor, engine and precision by the settings and the hardware."""

from dataclasses import dataclass
from typing import Literal, TypeVar

from bento_service.descriptors.hardware import Hardware
from bento_service.descriptors.version import (
    DESCRIPTORS,
    PRECISIONS,
    DescriptorName,
    Precision,
)
from bento_service.settings import Settings, SettingsError

EngineName = Literal["onnxruntime", "torch"]
_PRECISIONS: dict[EngineName, tuple[Precision, ...]] = {
    "onnxruntime": ("int8", "fp32"),
    "torch": ("bf16", "fp32"),
}
_Name = TypeVar("_Name", bound=str)


@dataclass(frozen=True)
class Choice:
    """The chosen descriptor, engine and precision.

    Attributes:
        descriptor: The descriptor to compute.
        engine: The library that computes it.
        precision: The precision of the arithmetic.
        on_gpu: True if the engine runs on a CUDA device.
    """

    descriptor: DescriptorName
    engine: EngineName
    precision: Precision
    on_gpu: bool = False

    @property
    def max_batch(self) -> int:
        """Most pictures in one run. On a CPU, more would need more memory without being faster."""
        return 64 if self.on_gpu else 8

    @property
    def ingest_run(self) -> int:
        """Most pictures of jobs in one run; a query waits for at most one such run."""
        return 32 if self.on_gpu else 2

    @property
    def ingest_message(self) -> int:
        """Pictures of jobs in one message to the engine, enough to keep the engine busy."""
        return 64 if self.on_gpu else 8


def choose(settings: Settings, hardware: Hardware) -> Choice:
    """Return the fastest engine in its fastest precision; settings override both.

    Raises:
        SettingsError: A setting has an unknown value, or the engine is not installed or lacks the
            precision.
    """
    descriptor = _named("DESCRIPTOR", settings.descriptor, DESCRIPTORS)
    engine = _engine(settings, hardware)
    if engine == "torch" and not hardware.torch:
        raise SettingsError(
            f"LOOKALIKE_ENGINE={settings.engine} and LOOKALIKE_PRECISION={settings.precision} "
            "need PyTorch and safetensors, which are not installed; install them, or set neither"
        )
    on_gpu = engine == "torch" and hardware.cuda
    if settings.precision != "auto":
        precision = _named("PRECISION", settings.precision, PRECISIONS)
        if precision not in _PRECISIONS[engine]:
            raise SettingsError(
                f"LOOKALIKE_PRECISION is {precision!r}, which the engine {engine} does not have; "
                f"use {' or '.join(_PRECISIONS[engine])}, or another LOOKALIKE_ENGINE"
            )
        return Choice(descriptor, engine, precision, on_gpu)
    fast = on_gpu or (engine == "onnxruntime" and hardware.dot_products)
    return Choice(descriptor, engine, _PRECISIONS[engine][0] if fast else "fp32", on_gpu)


def _engine(settings: Settings, hardware: Hardware) -> EngineName:
    if settings.engine != "auto":
        return _named("ENGINE", settings.engine, tuple(_PRECISIONS))
    only_onnx = settings.precision in _PRECISIONS["onnxruntime"][:1]
    only_torch = settings.precision in _PRECISIONS["torch"][:1]
    return "torch" if only_torch or (hardware.cuda and not only_onnx) else "onnxruntime"


def _named(setting: str, value: str, known: tuple[_Name, ...]) -> _Name:
    for name in known:
        if name == value:
            return name
    usable: tuple[str, ...] = known if setting == "DESCRIPTOR" else (*known, "auto")
    raise SettingsError(f"LOOKALIKE_{setting} is {value!r}; use one of {', '.join(usable)}")
