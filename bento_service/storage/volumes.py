"""Identity of file systems, which tells two disks apart that are mounted in one place in turn.

A device number does not tell them apart: it belongs to the slot. The UUID that a file system was
made with does, where udev publishes it; in most containers it does not.
"""

import os
from pathlib import Path

_BY_UUID = Path("/dev/disk/by-uuid")
_MOUNTS = Path("/proc/self/mountinfo")


def volume_of(device: int, *, by_uuid: Path = _BY_UUID, mounts: Path = _MOUNTS) -> str | None:
    """Return the UUID of the file system of a file's device; `None` where it is not known.

    Args:
        device: As `st_dev` of the file.
        by_uuid: The folder of links that udev keeps, from UUIDs to block devices.
        mounts: What the kernel says of the mounted file systems.
    """
    block_device = _block_device(device, mounts)
    try:
        links = sorted(by_uuid.iterdir())
    except OSError:
        return None
    for link in links:
        try:
            if link.stat().st_rdev == block_device:
                return link.name[:64]
        except OSError:
            continue  # it was removed meanwhile
    return None


def _block_device(device: int, mounts: Path) -> int:
    """Return the number of the block device; some file systems give their files another one."""
    if os.major(device) != 0:
        return device
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return device
    for line in lines:
        mount, _, file_system = line.partition(" - ")
        if mount.split()[2] == f"{os.major(device)}:{os.minor(device)}":
            source = Path(file_system.split()[1])
            try:
                return source.stat().st_rdev if source.is_relative_to("/dev") else device
            except OSError:
                return device
    return device
