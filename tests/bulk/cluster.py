"""A program that runs the bulk pipeline on a Ray cluster of two machines and kills parts of it.

`python -m tests.bulk.cluster IMAGES OUT MODEL` prints, as JSON, the answer of the run and what was
killed during it. It needs Ray, which the other tests do without.
"""

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import ray
from ray.cluster_utils import Cluster

from bento_service.bulk.ray_cluster import connected
from bento_service.bulk.running import BulkOptions, describe_folder
from bento_service.settings import Settings

MARKER = f"BULK_CLUSTER={uuid4().hex}"
MEMORY = 100 * 2**20
SECONDS = 300


def actor_pids():
    """Return the process ids of this cluster's actors that describe."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_own = MARKER.encode() in (folder / "environ").read_bytes()
            if is_own and b"ray::MapWorker" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def wait_for_shards(out, count):
    deadline = time.monotonic() + SECONDS
    while len(list(out.glob("shard-*.parquet"))) < count and time.monotonic() < deadline:
        time.sleep(0.05)


def kill_parts(cluster, node, out, killed):
    """Kill an actor after some shards, and a machine after some more."""
    wait_for_shards(out, 2)
    for pid in actor_pids()[:1]:
        os.kill(pid, signal.SIGKILL)
        killed["actors"] += 1
    wait_for_shards(out, 6)
    cluster.remove_node(node, allow_graceful=False)
    killed["nodes"] += 1
    killed["shards_then"] = len(list(out.glob("shard-*.parquet")))


def main(images, out, model):
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    name, _, value = MARKER.partition("=")
    os.environ[name] = value
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=MEMORY) for _ in range(2)]
    killed = {"actors": 0, "nodes": 0}
    options = BulkOptions(images=Path(images), out=Path(out), model=Path(model), images_a_shard=4)
    killing = threading.Thread(target=kill_parts, args=(cluster, nodes[1], Path(out), killed))
    try:
        with connected(cluster.address, actors=2, cpus=0.5, gpus=0.0) as runner:
            killing.start()
            answer = describe_folder(Settings.from_environment(), options, runner)
            killing.join(SECONDS)
    finally:
        cluster.shutdown()
    sys.stdout.write(json.dumps({**answer.record, "killed": killed, "ray": ray.__version__}))


if __name__ == "__main__":
    main(*sys.argv[1:])
