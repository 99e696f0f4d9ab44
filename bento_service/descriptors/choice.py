"""Choice of descriptor, engine and precision by the settings and the hardware."""

from dataclasses import dataclass
from typing import Literal, TypeVar

from bento_service.descriptors.hardware import Hardware
from bento_service.descriptors.version import (
    DESCRIPTORS,
    PRECISIONS,
    QUANTISED,
    DescriptorName,
    Precision,
)
from bento_service.settings import Settings, SettingsError

EngineName = Literal["onnxruntime", "openvino", "torch"]
_PRECISIONS: dict[EngineName, tuple[Precision, ...]] = {
    "onnxruntime": ("int8", "fp32"),
    "openvino": ("int8_openvino",),
    "torch": ("bf16", "fp32"),
}
_Name = TypeVar("_Name", bound=str)


@dataclass(frozen=True)
class Choice:
    """The chosen descriptor, engine and precision; `on_gpu` if it runs on a CUDA device."""

    descriptor: DescriptorName
    engine: EngineName
    precision: Precision
    on_gpu: bool = False

    @property
    def max_batch(self) -> int:
        """Most pictures in one run of queries.

        On a CPU, larger runs are hardly faster and need more memory, and callers whose queries are
        computed together also return together, while the engine waits for them.
        """
        return 64 if self.on_gpu else 4

    @property
    def ingest_run(self) -> int:
        """Most pictures of jobs in one run; a query waits for at most one such run."""
        return 32 if self.on_gpu else 2

    @property
    def ingest_message(self) -> int:
        """Pictures of jobs in one message to the engine.

        A message costs some milliseconds besides its pictures, which matters for a fast engine.
        With a slow one, long messages would delay the pictures of other jobs.
        """
        return 64 if self.on_gpu else 16 if self.precision in QUANTISED else 8


def choose(settings: Settings, hardware: Hardware) -> Choice:
    """Return the fastest engine in its fastest precision; settings override both.

    Raises:
        SettingsError: A setting has an unknown value, or the engine is not installed or lacks the
            precision.
    """
    descriptor = _named("DESCRIPTOR", settings.descriptor, DESCRIPTORS)
    engine = _engine(settings, hardware)
    missing = _missing(engine, hardware)
    if missing:
        raise SettingsError(
            f"LOOKALIKE_ENGINE={settings.engine} and LOOKALIKE_PRECISION={settings.precision} "
            f"need {missing}, or set neither"
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
    fast = on_gpu or engine == "openvino" or (engine == "onnxruntime" and hardware.dot_products)
    return Choice(descriptor, engine, _PRECISIONS[engine][0] if fast else "fp32", on_gpu)


def engine_of(precision: Precision) -> EngineName:
    """Return the first engine that has a precision."""
    return next(engine for engine, known in _PRECISIONS.items() if precision in known)


def _engine(settings: Settings, hardware: Hardware) -> EngineName:
    if settings.engine != "auto":
        return _named("ENGINE", settings.engine, tuple(_PRECISIONS))
    able: list[EngineName] = [
        engine
        for engine, known in _PRECISIONS.items()
        if settings.precision in (*known, "auto") or settings.precision not in PRECISIONS
    ]
    if "torch" in able and hardware.cuda and hardware.torch:
        return "torch"
    if "openvino" in able and hardware.matrix_units and hardware.openvino:
        return "openvino"
    return able[0]


def _missing(engine: EngineName, hardware: Hardware) -> str:
    """Return what an engine lacks here and how to install it; empty if it can run."""
    if engine == "torch" and not hardware.torch:
        return "PyTorch and safetensors, which are not installed; run `make torch`"
    if engine == "openvino" and not hardware.openvino:
        return "OpenVINO, which is not installed; install the extra `openvino`"
    return ""


def _named(setting: str, value: str, known: tuple[_Name, ...]) -> _Name:
    for name in known:
        if name == value:
            return name
    usable: tuple[str, ...] = known if setting == "DESCRIPTOR" else (*known, "auto")
    raise SettingsError(f"LOOKALIKE_{setting} is {value!r}; use one of {', '.join(usable)}")
