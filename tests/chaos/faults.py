"""Further faults: killed parts, a full disk, a set clock, a damaged index, two starts."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.chaos.campaign import Campaign
from tests.chaos.ledger import Fault, Finding
from tests.chaos.load import Load
from tests.support.waiting import wait_until

PROJECT = Path(__file__).parents[2]
_LOAD_SECONDS = 1.5
_ATTEMPTS = 20
_FULL_SECONDS = 3.0
_DISK = "12m"
KINDS = (
    "data.idx",
    "data.parquet",
    "delta.parquet",
    "manifest.json",
    "manifest.json.prev",
    "schema.json",
    "wal.arrow",
    "LOCK",
    "everything",
)
"""Kinds of Milvus Lite's files: names without numbers; `everything` is the whole folder."""
_SAYS_SO = ("is damaged", "does not load", " lacked ", "unknown rows")


class Impossible(Exception):
    """This machine cannot do that; the message says why."""


def embedder_killed(campaign: Campaign) -> None:
    """`kill -9` of the process that describes; everything goes on when it is back."""
    _kill_one(campaign, "vgg16-embedder")


def service_killed(campaign: Campaign) -> None:
    """`kill -9` of the process that callers talk to; the others live."""
    _kill_one(campaign, "--service-name lookalike")


def _kill_one(campaign: Campaign, marker: str) -> None:
    with campaign.callers() as callers:
        with Load(callers, []):
            time.sleep(campaign.random.uniform(0, _LOAD_SECONDS))
            for pid, command in campaign.service.processes().items():
                if marker in command.lower():
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_LOAD_SECONDS)
        for caller in callers:
            campaign.tally.found(caller.findings, marker)
    campaign.look(f"{marker} was killed")


def second_service(campaign: Campaign) -> None:
    """Another service on the same data folder has to refuse, and to harm nothing."""
    environment = {**os.environ, **campaign.service.environment, "LOOKALIKE_PORT": "1"}
    answer = subprocess.run(
        [sys.executable, "-m", "bento_service"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if answer.returncode != 2 or "uses this data folder" not in answer.stderr:
        detail = f"a second service ended with {answer.returncode}: {answer.stderr[-300:]}"
        campaign.tally.found([Finding(Fault.REFUSED, detail)], "a second service")
    campaign.look("a second service was refused")


def damaged(campaign: Campaign, kind: str, how: str) -> None:
    """Damage one file of Milvus Lite, or all of a kind, of a service that does not run.

    Args:
        campaign: Whose service runs.
        kind: What the name of a file ends in, such as `.parquet`.
        how: `corrupt`, `truncated` or `deleted`.
    """
    if kind == "wal.arrow":  # a service that was stopped in good order leaves no log
        _killed_with_log(campaign, kind)
    else:
        campaign.service.stop()
    files = _lite_files(campaign, kind)
    if not files:
        campaign.launch()
        campaign.look(f"no {kind} to damage")
        raise Impossible(f"Milvus Lite has no {kind} file at the moment")
    for path in files:
        _DAMAGES[how](path, campaign.random)
    offset = campaign.service.log.stat().st_size
    campaign.launch()
    campaign.look(f"{kind} was {how}")
    log = campaign.service.log.read_bytes()[offset:].decode("utf-8", "replace")
    if any(word in log for word in _SAYS_SO):  # not every damage is of consequence
        campaign.tally.healed[f"Milvus Lite, {kind} {how}"] += 1


def _killed_with_log(campaign: Campaign, kind: str) -> None:
    """Kill a service that uploads, while its Milvus Lite has a log; it removes it at each flush."""
    for _ in range(_ATTEMPTS):
        with campaign.callers() as callers, Load(callers, ["upload"] * 100):
            wait_until(lambda: _lite_files(campaign, kind), pause=0.001)
            campaign.service.kill()
        if _lite_files(campaign, kind):
            return
        campaign.launch()
        campaign.look("it was killed without a log")
    campaign.service.stop()


def _lite_files(campaign: Campaign, kind: str) -> list[Path]:
    """Return Milvus Lite's files of a kind; folders that it removes meanwhile are skipped."""
    folders = os.walk(campaign.service.data_dir / "milvus.db")
    found = (Path(folder) / name for folder, _, names in folders for name in names)
    return [path for path in found if kind in (_kind(path), "everything")]


def _kind(path: Path) -> str:
    """Kinds of files, without the numbers in their names."""
    stem = "".join(c for c in path.stem if not c.isdigit()).strip("_-.")
    return f"{stem.split('_')[0]}{path.suffix}"


def _corrupt(path: Path, random_: random.Random) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        for _ in range(8):
            file.seek(random_.randrange(max(1, size)))
            file.write(random_.randbytes(min(16, max(1, size))))


def _truncate(path: Path, random_: random.Random) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _delete(path: Path, _: random.Random) -> None:
    path.unlink()


_DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "corrupt": _corrupt,
    "truncated": _truncate,
    "deleted": _delete,
}
DAMAGES = tuple(_DAMAGES)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Yield a small disk in the place of a folder, with what the folder holds.

    Raises:
        Impossible: This user may not mount one.
    """
    kept = folder.with_name(f"{folder.name}.kept")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder, kept, dirs_exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "none", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False, timeout=120)
    if mounted.returncode != 0:
        shutil.rmtree(kept)
        raise Impossible(f"this user may not mount a disk: {mounted.stderr.strip()}")
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield
        shutil.rmtree(kept)
        shutil.copytree(folder, kept)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=120)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        shutil.rmtree(kept)


def disk_full(campaign: Campaign, what: str) -> None:
    """Fill the disk of `uploads`, or of the whole data folder (`catalogue`), under load.

    Raises:
        Impossible: See `small_disk`.
    """
    data = campaign.service.data_dir
    folder = data if what == "catalogue" else data / "uploads"
    campaign.service.stop()
    try:
        with small_disk(folder):
            campaign.launch()
            campaign.look("a small disk")
            _fill_under_load(campaign, folder)
            campaign.service.stop()
    finally:
        campaign.launch()
        campaign.look("back on a large disk")


def _fill_under_load(campaign: Campaign, folder: Path) -> None:
    filler = folder / "filler"
    with campaign.callers() as callers:
        with Load(callers, ["upload"] * 100):
            with suppress(OSError), filler.open("wb") as file:
                while True:
                    file.write(bytes(4096))
                    file.flush()
            time.sleep(_FULL_SECONDS)
            filler.unlink()
            time.sleep(_LOAD_SECONDS)
        for caller in callers:
            campaign.tally.found(caller.findings, "the disk was full")
    campaign.look("the disk was full")


def clock_steps(campaign: Campaign, steps: tuple[int, ...] = (86_400, -172_800, 3600)) -> None:
    """Set the service's clock forwards and backwards under load."""
    try:
        with campaign.callers() as callers:
            with Load(callers, []):
                for step in steps:
                    time.sleep(_LOAD_SECONDS)
                    campaign.reins.set_clock(step)
                time.sleep(_LOAD_SECONDS)
            for caller in callers:
                campaign.tally.found(caller.findings, "clock steps")
        campaign.look("clock steps")
        campaign.service.kill()
        campaign.launch()
        campaign.look("a start after clock steps")
    finally:
        campaign.reins.set_clock(0)
    campaign.look("back on the real clock")


def verified(campaign: Campaign) -> None:
    """Stop the service, let the operator's command compare everything deeply, and start again."""
    found = _verify(campaign)
    if {one["kind"] for one in found} == {"index_left_over"}:
        # The stop came before it was dropped; the next start does that.
        campaign.launch()
        campaign.look("before verify again")
        found = _verify(campaign)
    if found:
        campaign.tally.found([Finding(Fault.DIFFERENT, f"verify: {found}")], "verify")
    campaign.tally.trials["admin verify --deep"] += 1
    campaign.launch()
    campaign.look("verified")


def _verify(campaign: Campaign) -> list[dict[str, Any]]:
    campaign.service.stop()
    answer = subprocess.run(
        [sys.executable, "-m", "bento_service.admin", "verify", "--deep", "--json"],
        cwd=PROJECT,
        env={**os.environ, **campaign.service.environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    try:
        found: list[dict[str, Any]] = json.loads(answer.stdout)["findings"]
    except (ValueError, KeyError):
        found = [{"kind": answer.stderr[-500:]}]
    return found
