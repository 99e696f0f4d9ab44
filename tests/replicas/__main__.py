"""The campaign against two replicas: `python -m tests.replicas --kills 50`."""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.chaos import report
from tests.chaos.light import Forge
from tests.chaos.reins import Reins
from tests.chaos.tally import Tally
from tests.replicas.campaign import Campaign
from tests.replicas.pair import Pair
from tests.support.milvus_server import MilvusServer, unpacked
from tests.support.models import CACHE
from tests.support.postgresql import running_postgresql

DESCRIBE_SECONDS = 0.01


def main() -> int:
    """Run the campaign; return 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.replicas", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="at least so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=120.0, help="at most so long")
    options = parser.parse_args()
    tally, started = Tally("replicas"), time.monotonic()
    until = started + 60 * options.minutes
    with _started(tally, random.Random(options.seed)) as (campaign, pair):  # noqa: S311
        while tally.killed < options.kills and tally.is_clean and time.monotonic() < until:
            campaign.step(campaign.some_point())
            tally.seconds = time.monotonic() - started
            print(f"{tally.killed:4} kills", *tally.details, flush=True)
        if not tally.is_clean:
            print(pair.log())
    print(report.block(tally, "Two replicas:"))
    return 0 if tally.is_clean else 1


@contextmanager
def _started(tally: Tally, random_: random.Random) -> Iterator[tuple[Campaign, Pair]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        catalogue = f"{stack.enter_context(running_postgresql())}/postgres"
        milvus = MilvusServer(folder / "milvus", unpacked(CACHE.absolute()))
        stack.callback(milvus.remove)
        milvus.start()
        reins = Reins(folder / "reins")
        forge = stack.enter_context(Forge(reins.environment))
        pair = Pair(
            folder / "pair", forge, catalogue, milvus.uri, describe_seconds=DESCRIBE_SECONDS
        )
        stack.callback(pair.kill)
        yield Campaign(pair.start(), reins, tally, random_), pair


if __name__ == "__main__":
    sys.exit(main())
