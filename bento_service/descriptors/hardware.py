"""What the machine can compute with, found out without loading anything large."""

import ctypes
import importlib.util
import platform
from dataclasses import dataclass
from pathlib import Path

_CPU_FACTS = Path("/proc/cpuinfo")
# x86: VNNI of AVX-512 or AVX; ARM: the dot product of 8-bit integers.
_DOT_PRODUCT_FLAGS = {"avx512_vnni", "avx_vnni", "asimddp"}


@dataclass(frozen=True)
class Hardware:
    """What decides which engine runs.

    Attributes:
        dot_products: The processor multiplies and adds 8-bit integers without overflow (VNNI), in
            a quarter of the time of fp32. Others need longer for it than for fp32.
        cuda: An NVIDIA device and its driver are there, and PyTorch is installed.
        torch: PyTorch is installed.
    """

    dot_products: bool
    cuda: bool
    torch: bool

    @classmethod
    def detect(cls) -> "Hardware":
        """Of this machine."""
        torch = all(importlib.util.find_spec(name) for name in ("torch", "safetensors"))
        return cls(
            dot_products=has_dot_products(cpu_facts()),
            cuda=torch and _cuda_devices() > 0,
            torch=torch,
        )


def cpu_facts() -> str:
    """What the kernel says of the processor; empty where it does not."""
    return _CPU_FACTS.read_text() if _CPU_FACTS.exists() else ""


def has_dot_products(cpu_facts: str) -> bool:
    """Whether a text like that of `/proc/cpuinfo` names 8-bit dot products."""
    if platform.machine() == "arm64":
        return True
    for line in cpu_facts.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            return not _DOT_PRODUCT_FLAGS.isdisjoint(value.split())
    return False


def _cuda_devices() -> int:
    """How many devices the driver offers; PyTorch would need seconds to say so."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
