"""What a measurement was made on."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def described() -> str:
    """One line: date, processor, cores, the vector instructions that matter, memory."""
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in facts if "model name" in line), "unknown")
    flags = next((line.split(":")[1].split() for line in facts if line.startswith("flags")), [])
    known = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "amx_int8") if flag in flags]
    cores = len(os.sched_getaffinity(0))
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    today = datetime.now(UTC).date().isoformat()
    return (
        f"{today}, {model}, {cores} cores, {' '.join(known) or 'no avx2'}, {gibibytes:.0f} GiB, "
        f"{platform.system()}, Python {platform.python_version()}"
    )
