"""Detection of the machine's hardware without loading large libraries."""

import ctypes
import importlib.util
import platform
from dataclasses import dataclass
from pathlib import Path

_CPU_FACTS = Path("/proc/cpuinfo")
# x86: VNNI of AVX-512 or AVX; ARM: the dot product of 8-bit integers.
_DOT_PRODUCT_FLAGS = {"avx512_vnni", "avx_vnni", "asimddp"}
_MATRIX_FLAG = "amx_int8"


@dataclass(frozen=True)
class Hardware:
    """The hardware and libraries that decide which engine runs.

    Attributes:
        dot_products: True if the processor multiplies and adds 8-bit integers without overflow
            (VNNI). It then needs a quarter of the time of fp32; other processors are slower in
            8 bits than in fp32.
        matrix_units: True if the processor multiplies matrices of 8-bit integers (Intel's AMX).
        cuda: True if there are an NVIDIA device and its driver.
        torch: True if PyTorch and safetensors are installed.
        openvino: True if OpenVINO is installed.
    """

    dot_products: bool
    cuda: bool
    torch: bool
    matrix_units: bool = False
    openvino: bool = False

    @classmethod
    def detect(cls, facts: str | None = None) -> "Hardware":
        """Return the hardware of this machine; `facts` replaces its `/proc/cpuinfo`."""
        facts = cpu_facts() if facts is None else facts
        return cls(
            dot_products=has_dot_products(facts),
            matrix_units=_MATRIX_FLAG in _flags(facts),
            cuda=_cuda_devices() > 0,
            torch=all(importlib.util.find_spec(name) for name in ("torch", "safetensors")),
            openvino=importlib.util.find_spec("openvino") is not None,
        )


def cpu_facts(file: Path = _CPU_FACTS) -> str:
    """Return the kernel's description of the processor, or an empty text if there is none."""
    return file.read_text() if file.exists() else ""


def has_dot_products(cpu_facts: str) -> bool:
    """Return True if a text like `/proc/cpuinfo` lists 8-bit dot products."""
    return platform.machine() == "arm64" or not _DOT_PRODUCT_FLAGS.isdisjoint(_flags(cpu_facts))


def _flags(cpu_facts: str) -> set[str]:
    for line in cpu_facts.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            return set(value.split())
    return set()


def _cuda_devices() -> int:
    """Return the driver's number of devices; importing PyTorch for this would take seconds."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
