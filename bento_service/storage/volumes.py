"""Identity of file systems, to distinguish disks that are mounted at the same place in turn.

A device number belongs to the slot, so two disks can have the same one. The UUID of a file system
is unique, but udev does not publish it in most containers.
"""

import os
from pathlib import Path

_BY_UUID = Path("/dev/disk/by-uuid")
_MOUNTS = Path("/proc/self/mountinfo")


def volume_of(device: int, *, by_uuid: Path = _BY_UUID, mounts: Path = _MOUNTS) -> str | None:
    """Return the UUID of a device's file system, `None` if it is unknown.

    Args:
        device: The `st_dev` of a file.
        by_uuid: udev's folder of links from UUIDs to block devices.
        mounts: The kernel's list of mounted file systems.
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
            continue  # the link was removed meanwhile
    return None


def _block_device(device: int, mounts: Path) -> int:
    """Return the number of the block device, because some file systems use another `st_dev`."""
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
