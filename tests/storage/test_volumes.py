import os
from pathlib import Path

import pytest

from bento_service.storage.volumes import volume_of

DEVICE = Path("/dev/null").stat().st_rdev  # any that has a number
MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
36 27 0:77 /home /home rw shared:1 - btrfs /dev/null rw,subvol=/home
"""


@pytest.fixture
def places(tmp_path):
    by_uuid = tmp_path / "by-uuid"
    by_uuid.mkdir()
    (by_uuid / "0000-1111").symlink_to("/dev/zero")
    (by_uuid / "4A7B-11C2").symlink_to("/dev/null")
    (by_uuid / "ffff-gone").symlink_to("/dev/nowhere")
    (tmp_path / "mountinfo").write_text(MOUNTS)
    return {"by_uuid": by_uuid, "mounts": tmp_path / "mountinfo"}


def test_a_file_system_is_known_by_its_uuid(places):
    assert volume_of(DEVICE, **places) == "4A7B-11C2"


def test_a_file_system_whose_files_have_another_device_is_found_by_its_mount(places):
    assert volume_of(os.makedev(0, 77), **places) == "4A7B-11C2"


@pytest.mark.parametrize("device", [os.makedev(0, 21), os.makedev(0, 78), os.makedev(240, 7)])
def test_a_file_system_without_a_block_device_is_not_known(places, device):
    assert volume_of(device, **places) is None


def test_where_nothing_is_published_no_file_system_is_known(places, tmp_path):
    places["by_uuid"] = tmp_path / "none"
    assert volume_of(DEVICE, **places) is None
