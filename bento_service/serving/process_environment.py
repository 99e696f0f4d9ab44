"""Environment variables, freed memory and the end of the service's processes.

Libraries read them when they are loaded, so they are set before Python starts: by BentoML for the
serving processes, and by `python -m bento_service` for the process that starts those. Variables
that the operator has set are kept.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
# OpenBLAS and OpenMP start a thread for every core in each process. Those threads spin while they
# wait for the next matrix product, which takes tens of milliseconds of a core from the engine after
# every search. The products are small; onnxruntime and PyTorch have their own thread settings.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# These settings return freed memory to the system. Without thresholds glibc keeps more memory the
# larger the freed blocks are; Arrow's own allocator, which Milvus Lite uses, keeps even more. The
# thresholds are above the 150 KB of a decoded picture: new pages for each cost 0.1 ms every time.
_ALLOCATORS = {
    "MALLOC_MMAP_THRESHOLD_": str(2**19),
    "MALLOC_TRIM_THRESHOLD_": str(2**20),
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
# Milvus Lite gathers so many bytes of rows before it writes them to a file, 128 MiB by default. It
# takes several times as much while it writes.
_MILVUS_LITE = {"MILVUS_LITE_MEMTABLE_MEMORY_LIMIT_BYTES": str(32 * 2**20)}
# File names are UTF-8 in messages and in JSON, whatever the locale is.
SERVING = ONE_THREAD | _ALLOCATORS | _MILVUS_LITE | {"PYTHONUTF8": "1"}
"""The environment variables of the serving processes."""


def run_in_utf8_mode(module: str) -> None:
    """Run this program's module again if a foreign locale decodes the names of files."""
    if sys.getfilesystemencoding() != "utf-8":
        command = [sys.executable, "-X", "utf8", "-m", module, *sys.argv[1:]]
        os.execv(sys.executable, command)  # noqa: S606 - this program


def end_with_parent() -> None:
    """Let the kernel stop this process when the one that started it ends, even by SIGKILL."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def release_freed_memory() -> None:
    """Return freed blocks between used ones to the system, which takes about a millisecond.

    glibc returns only those at the end of a heap by itself; other C libraries are left alone.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
