import ctypes
import importlib.util
import re
from pathlib import Path

import pytest

from bento_service.descriptors import hardware
from bento_service.descriptors.hardware import Hardware, cpu_facts, has_dot_products

# Shortened after the first of each kind; the flags that matter are where the kernel writes them.
ICE_LAKE = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz
flags\t\t: fpu sse4_2 avx f16c avx2 avx512f avx512bw avx512vl avx512vbmi avx512_vnni avx512_bitalg
vmx flags\t: vnmi preemption_timer
bugs\t\t: spectre_v1
"""
ALDER_LAKE = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: 12th Gen Intel(R) Core(TM) i7-12700
flags\t\t: fpu sse4_2 avx f16c avx2 avx_vnni serialize
vmx flags\t: vnmi preemption_timer
"""
ZEN_4 = """\
processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 9554 64-Core Processor
flags\t\t: fpu sse4_2 avx f16c avx2 avx512f avx512bw avx512_bf16 avx512_vnni vaes
"""
ZEN_3 = """\
processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 7763 64-Core Processor
flags\t\t: fpu sse4_2 avx f16c avx2 sha_ni vaes vpclmulqdq
"""
SKYLAKE_X = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8168 CPU @ 2.70GHz
flags\t\t: fpu sse4_2 avx f16c avx2 avx512f avx512dq avx512bw avx512vl
"""
GRAVITON_2 = """\
processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd evtstrm aes pmull sha1 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc asimddp
CPU implementer\t: 0x41
CPU part\t: 0xd0c
"""
RASPBERRY_PI_4 = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU part\t: 0xd08
"""


@pytest.mark.parametrize(
    "facts",
    [ICE_LAKE, ALDER_LAKE, ZEN_4, GRAVITON_2, ZEN_4 * 64],
    ids=["Ice Lake", "Alder Lake", "Zen 4", "Graviton 2", "64 cores"],
)
def test_processors_with_8_bit_dot_products_are_recognised(facts):
    assert has_dot_products(facts)


@pytest.mark.parametrize(
    "facts",
    [ZEN_3, SKYLAKE_X, RASPBERRY_PI_4, "", "processor\t: 0\n", "flags\n", "\0\n\n: :\n"],
    ids=["AVX2", "AVX-512 alone", "ARM without", "empty", "no flags", "no colon", "nonsense"],
)
def test_processors_without_them_are_too(facts):
    assert not has_dot_products(facts)


def test_a_flag_counts_as_a_whole_word_on_the_right_line_alone():
    assert not has_dot_products("flags\t: fpu avx512_vnni_emulated\n")
    assert not has_dot_products("model name\t: avx512_vnni\nflags\t: fpu avx2\n")
    assert not has_dot_products("bugs\t: avx_vnni\nflags\t: fpu\n")


@pytest.mark.parametrize("flags", ["amx_tile amx_int8 avx512_vnni", "avx512_vnni", "amx_bf16"])
def test_matrix_units_are_those_of_8_bits(flags):
    detected = Hardware.detect(f"flags\t: fpu {flags}\n")
    assert detected.matrix_units == ("amx_int8" in flags)


def test_an_apple_processor_has_them_without_saying_so(monkeypatch):
    monkeypatch.setattr(hardware.platform, "machine", lambda: "arm64")
    assert has_dot_products("")


def test_this_machine_is_found_to_be_what_its_kernel_says():
    facts = Path("/proc/cpuinfo")
    if not facts.exists():
        pytest.skip("this system has no /proc/cpuinfo")
    expected = re.search(r"\b(avx512_vnni|avx_vnni|asimddp)\b", facts.read_text()) is not None
    assert Hardware.detect().dot_products is expected


def test_a_system_that_tells_nothing_of_its_processor_gets_the_safe_choice(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware.platform, "machine", lambda: "x86_64")
    assert Hardware.detect(cpu_facts(tmp_path / "cpuinfo")).dot_products is False


def test_pytorch_agrees_on_whether_there_is_a_cuda_device():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    detected = Hardware.detect()
    assert detected.torch
    assert detected.cuda == torch.cuda.is_available()


class Driver:
    """NVIDIA's driver as far as it is asked; a machine of the tests rarely has one."""

    def __init__(self, *, devices, initialised=0, counted=0):
        self.cuInit = lambda flags: initialised
        self.cuDeviceGetCount = lambda pointer: self._count(pointer, devices, counted)

    @staticmethod
    def _count(pointer, devices, status):
        ctypes.cast(pointer, ctypes.POINTER(ctypes.c_int))[0] = devices
        return status


NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [
        (Driver(devices=1), True),
        (Driver(devices=8), True),
        (Driver(devices=0), False),
        (Driver(devices=1, initialised=NO_DEVICE), False),
        (Driver(devices=1, counted=NO_DEVICE), False),
    ],
    ids=["one", "eight", "none", "driver without a device", "devices that cannot be counted"],
)
def test_a_device_counts_if_the_driver_offers_it(monkeypatch, driver, cuda):
    monkeypatch.setattr(hardware.ctypes, "CDLL", lambda name: driver)
    assert Hardware.detect().cuda is cuda


def test_without_a_driver_there_is_no_device(monkeypatch):
    def missing(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(hardware.ctypes, "CDLL", missing)
    assert Hardware.detect().cuda is False


@pytest.mark.parametrize("absent", ["torch", "safetensors"])
def test_pytorch_without_safetensors_does_not_count_nor_the_reverse(monkeypatch, absent):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        hardware.importlib.util,
        "find_spec",
        lambda name: None if name == absent else find_spec(name),
    )
    monkeypatch.setattr(hardware.ctypes, "CDLL", lambda name: Driver(devices=1))
    detected = Hardware.detect()
    assert (detected.torch, detected.cuda) == (False, True)
