"""What the service computes, on what and in which precision: from the settings and the hardware."""

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
    """What runs.

    Attributes:
        descriptor: What is computed.
        engine: The library.
        precision: Of its arithmetic.
        on_gpu: Whether it runs on a CUDA device.
    """

    descriptor: DescriptorName
    engine: EngineName
    precision: Precision
    on_gpu: bool = False

    @property
    def max_batch(self) -> int:
        """Pictures in one run. More does not raise a CPU's throughput, only its memory."""
        return 64 if self.on_gpu else 8

    @property
    def ingest_run(self) -> int:
        """Pictures of jobs in one run; a query waits for at most one such run."""
        return 32 if self.on_gpu else 2

    @property
    def ingest_message(self) -> int:
        """Pictures of jobs that are sent to the engine together, so that it never waits for any."""
        return 64 if self.on_gpu else 8


def choose(settings: Settings, hardware: Hardware) -> Choice:
    """Decide.

    The fastest engine is taken in its fastest precision; a setting takes precedence, even where
    it is slower.

    Raises:
        SettingsError: A setting names what there is not, an engine that is not installed, or
            one without that precision.
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
