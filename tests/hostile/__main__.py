"""Everything that is hostile, against a running service: `python -m tests.hostile`."""

import argparse
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import machine
from tests.chaos.light import Forge, LightServer
from tests.hostile import corpora, report
from tests.hostile.campaign import Campaign, Service
from tests.hostile.made import made
from tests.hostile.mutations import mutations
from tests.support.models import CACHE, built_models
from tests.support.server import Server

HOME = CACHE / "hostile"


def main() -> int:
    """Run a campaign; 1 where something was found."""
    options = _parsed()
    folder = HOME / "service"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    bombs = list(made())
    with _started(folder, light=options.light) as service:
        campaign = Campaign(service)
        campaign.attack_during_searches("made for it", bombs, rounds=options.rounds)
        campaign.attack("Pillow's test images", corpora.pillow())
        campaign.attack("libpng's test images", corpora.libpng())
        campaign.attack("mutations", mutations(options.mutations, options.seed))
        campaign.end()
    kind = "light service" if options.light else "whole service"
    conditions = f"The {kind}, {machine.described()}, seed {options.seed}:"
    print(report.block(campaign.tally, conditions))
    if options.write:
        report.write(campaign.tally, conditions)
    return 1 if campaign.tally.all_findings() else 0


@contextmanager
def _started(folder: Path, *, light: bool) -> Iterator[Service]:
    with ExitStack() as stack:
        if light:
            service: LightServer | Server = LightServer(folder, stack.enter_context(Forge({})))
        else:
            service = Server(folder, built_models())
        stack.callback(service.stop)
        service.launch()
        yield service


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--mutations", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5, help="that a bystander is watched in (5)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--light", action="store_true", help="without BentoML and with a small descriptor"
    )
    parser.add_argument("--write", action="store_true", help="into docs/reliability.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
