import pytest

from bento_service.settings.cores import usable_cores

UNIFIED = "31 23 0:28 {mounted} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
FIRST_VERSION = (
    "30 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "31 23 0:28 {mounted} /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct\n"
    "32 23 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)


@pytest.fixture
def system(tmp_path):
    """Return a function that writes the files of the kernel and returns their root."""

    def system(group, mounts, **quotas):
        files = {"proc/self/cgroup": group, "proc/self/mountinfo": mounts} | quotas
        for name, text in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return system


def test_without_cgroups_the_affinity_decides(tmp_path):
    assert usable_cores(tmp_path, affinity=3) == 3
    assert usable_cores() >= 1


@pytest.mark.parametrize(
    ("written", "cores"),
    [
        ("max 100000", 8),
        ("400000 100000", 4),
        ("150000 100000", 2),
        ("10000 100000", 1),
        ("1600000 100000", 8),
        ("", 8),
    ],
)
def test_a_quota_of_a_container_is_rounded_up(system, written, cores):
    files = {"sys/fs/cgroup/cpu.max": f"{written}\n"}
    root = system("0::/\n", UNIFIED.format(mounted="/"), **files)
    assert usable_cores(root, affinity=8) == cores


def test_the_smallest_quota_of_a_group_and_those_above_it_counts(system):
    files = {
        "sys/fs/cgroup/system.slice/cpu.max": "200000 100000\n",
        "sys/fs/cgroup/system.slice/lookalike.service/cpu.max": "300000 100000\n",
        "sys/fs/cgroup/user.slice/cpu.max": "100000 100000\n",
    }
    group = "0::/system.slice/lookalike.service\n"
    root = system(group, UNIFIED.format(mounted="/"), **files)
    assert usable_cores(root, affinity=8) == 2


@pytest.mark.parametrize("mounted", ["/", "/docker/4f1a"])
def test_a_quota_of_the_first_version_counts_too(system, mounted):
    folder = "sys/fs/cgroup/cpu,cpuacct" + ("/docker/4f1a" if mounted == "/" else "")
    files = {f"{folder}/cpu.cfs_quota_us": "250000\n", f"{folder}/cpu.cfs_period_us": "100000\n"}
    group = "5:memory:/docker/4f1a\n4:cpu,cpuacct:/docker/4f1a\n0::/\n"
    root = system(group, FIRST_VERSION.format(mounted=mounted), **files)
    assert usable_cores(root, affinity=8) == 3


def test_no_quota_of_the_first_version_limits_nothing(system):
    folder = "sys/fs/cgroup/cpu,cpuacct"
    files = {f"{folder}/cpu.cfs_quota_us": "-1\n", f"{folder}/cpu.cfs_period_us": "100000\n"}
    root = system("4:cpu,cpuacct:/\n0::/\n", FIRST_VERSION.format(mounted="/"), **files)
    assert usable_cores(root, affinity=8) == 8
