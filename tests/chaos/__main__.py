"""The whole campaign: `python -m tests.chaos --backend lite --kills 200`.

What was counted is in `.cache/chaos/` after every step; a second run goes on from there, and
`--from-scratch` begins from nothing. A data folder in which something was found is kept.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from tests.chaos import faults, milvus_faults, report
from tests.chaos.campaign import Campaign, Service, next_point
from tests.chaos.crash_points import POINTS
from tests.chaos.ledger import Fault, Finding
from tests.chaos.light import Forge, LightServer
from tests.chaos.proxy import Proxy
from tests.chaos.reins import Reins
from tests.chaos.tally import Tally
from tests.support.models import CACHE, built_models
from tests.support.server import Server

HOME = CACHE / "chaos"
_KILLS_A_FOLDER = 60
_TRIES_A_POINT = 4
_STEPS_A_FAULT = 6
_STEPS_A_VERIFY = 25
_SESSION_SECONDS = 12  # longer than it is paused, or it would end itself when it goes on
Step = Callable[[], None]


def main() -> int:
    """Run a campaign; 1 where something was found."""
    options = _parser().parse_args()
    # So that everything that was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    HOME.mkdir(parents=True, exist_ok=True)
    backend = f"{options.backend}-light" if options.light else options.backend
    path = HOME / f"{backend}.json"
    if options.from_scratch:
        path.unlink(missing_ok=True)
    tally = Tally.read(path, backend)
    deadline = time.monotonic() + 60 * options.minutes
    while not _is_enough(tally, options.kills) and time.monotonic() < deadline:
        _one_folder(tally, path, options, deadline)
    if not options.light:
        report.write(tally, _conditions(options))
    print(report.block(tally, ""))
    print("\n".join(tally.details))
    return 0 if tally.is_clean else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--backend", choices=["lite", "server"], default="lite")
    parser.add_argument("--kills", type=int, default=200, help="at least so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=120.0, help="at most so long, this time")
    parser.add_argument(
        "--from-scratch", action="store_true", help="forget what was counted before"
    )
    parser.add_argument(
        "--light", action="store_true", help="one process without BentoML and without the network"
    )
    return parser


def _conditions(options: argparse.Namespace) -> str:
    milvus = "Milvus Lite" if options.backend == "lite" else "a Milvus 2.3.5 server"
    cores = len(os.sched_getaffinity(0))
    return (
        f"Whole service with {milvus}, {cores} cores shared with other work, seed {options.seed}:"
    )


def _is_enough(tally: Tally, kills: int) -> bool:
    unhit = [
        point
        for point in POINTS
        if not tally.hits[point.name] and tally.armed[point.name] < _TRIES_A_POINT
    ]
    return tally.killed >= kills and not unhit


def _one_folder(tally: Tally, path: Path, options: argparse.Namespace, deadline: float) -> None:
    """Go on in an empty data folder, until there were many kills or something was found."""
    random_ = random.Random(f"{options.seed} {tally.killed}")  # noqa: S311 - chaos, no secret
    folder = HOME / f"{tally.backend}-{tally.killed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    until, faults_before = tally.killed + _KILLS_A_FOLDER, tally.faults.total()
    with _prepared(folder, options, tally, random_) as (campaign, others):
        steps = [campaign.begin]
        for number in range(10**6):
            step = steps.pop() if steps else _next_step(campaign, others, number, random_)
            _taken(step, tally, path)
            if (
                tally.faults.total() > faults_before
                or tally.killed >= until
                or _is_enough(tally, options.kills)
                or time.monotonic() > deadline
            ):
                break
        if tally.faults.total() == faults_before:
            _taken(partial(faults.verified, campaign), tally, path)
    if tally.faults.total() == faults_before:
        shutil.rmtree(folder, ignore_errors=True)


def _taken(step: Step, tally: Tally, path: Path) -> None:
    """Take one step, count how long it took, write everything down and say it."""
    started, before = time.monotonic(), len(tally.details)
    try:
        step()
    except Exception as error:  # noqa: BLE001 - a campaign goes on, but does not end clean
        last = traceback.format_exc(limit=-3)
        tally.found([Finding(Fault.UNFINISHED, f"{error!r}: {last}")], "the campaign itself")
    tally.seconds += time.monotonic() - started
    tally.write(path)
    print(
        f"{tally.killed:4} kills, {time.monotonic() - started:5.1f} s, {_name(step)}",
        *tally.details[before:],
        flush=True,
    )


def _name(step: Step) -> str:
    if isinstance(step, partial):
        named = [one if isinstance(one, str) else getattr(one, "name", "") for one in step.args]
        return " ".join([step.func.__name__, *filter(None, named)])
    return step.__name__


def _next_step(
    campaign: Campaign, others: dict[str, Step], number: int, random_: random.Random
) -> Step:
    if number % _STEPS_A_VERIFY == _STEPS_A_VERIFY - 1:
        return partial(faults.verified, campaign)
    if number % _STEPS_A_FAULT == _STEPS_A_FAULT - 1 and others:
        return partial(_try_another, campaign, others)
    if number % 3 == 0:
        return campaign.kill_starting
    if number % 3 == 1:
        return campaign.kill_under_load
    return partial(campaign.at, next_point(campaign.tally, random_))


def _try_another(campaign: Campaign, others: dict[str, Step]) -> None:
    """Run the fault that was tried least."""
    tally = campaign.tally
    open_ = [name for name in others if name not in tally.skipped]
    if not open_:
        return
    name = min(open_, key=lambda one: tally.trials[one])
    try:
        others[name]()
        tally.trials[name] += 1
    except faults.Impossible as error:
        tally.skipped[name] = str(error)


@contextmanager
def _prepared(
    folder: Path, options: argparse.Namespace, tally: Tally, random_: random.Random
) -> Iterator[tuple[Campaign, dict[str, Step]]]:
    reins = Reins(folder / "reins")
    with ExitStack() as stack:
        settings, milvus, proxy = dict(reins.environment), None, None
        if options.backend == "server":
            from tests.support.milvus_server import MilvusServer, unpacked

            milvus = MilvusServer(
                folder / "milvus", unpacked(CACHE.absolute()), session_seconds=_SESSION_SECONDS
            )
            stack.callback(milvus.remove)
            milvus.start()
            proxy = Proxy(int(milvus.uri.rpartition(":")[2]))
            stack.callback(proxy.close)
            settings["LOOKALIKE_MILVUS_URI"] = f"http://127.0.0.1:{proxy.port}"
        service: Service
        if options.light:
            forge = stack.enter_context(Forge(reins.environment))
            service = LightServer(folder, forge, **settings)
        else:
            service = Server(folder, built_models(), **settings)
        stack.callback(service.kill)
        seconds = {"load_seconds": 1.0, "start_seconds": 0.5} if options.light else {}
        campaign = Campaign(service, reins, tally, random_, **seconds)
        others = _others(campaign, whole=not options.light)
        if milvus is not None and proxy is not None:
            campaign.lose_index = partial(milvus_faults.drop_everything, milvus.uri)
            others |= {
                "Milvus paused": partial(milvus_faults.paused, campaign, milvus),
                "Milvus killed": partial(milvus_faults.killed, campaign, milvus),
                "Milvus stopped": partial(milvus_faults.stopped, campaign, milvus),
                "Milvus slow": partial(milvus_faults.slow, campaign, proxy),
                "Milvus and the service killed": partial(
                    milvus_faults.both_killed, campaign, milvus
                ),
            }
        else:
            others |= {
                f"Milvus Lite, {kind} {how}": partial(faults.damaged, campaign, kind, how)
                for kind in faults.KINDS
                for how in faults.DAMAGES
            }
        yield campaign, others


def _others(campaign: Campaign, *, whole: bool) -> dict[str, Step]:
    """Faults of any backend, by name."""
    of_processes: dict[str, Step] = {
        "embedder killed": partial(faults.embedder_killed, campaign),
        "service's process killed": partial(faults.service_killed, campaign),
        "second service": partial(faults.second_service, campaign),
        "clock steps": partial(faults.clock_steps, campaign),
    }
    of_disks: dict[str, Step] = {
        "disk of uploads full": partial(faults.disk_full, campaign, "uploads"),
        "disk of all data full": partial(faults.disk_full, campaign, "catalogue"),
    }
    return {**of_processes, **of_disks} if whole else of_disks


if __name__ == "__main__":
    sys.exit(main())
