"""Threads of a service sleep while they wait; a spinning one would take a core from the engine.

CPU time is read from `/proc`, by thread, so that a busy machine changes little. That spinning would
be seen is shown with the libraries as they are by themselves.
"""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bento_service.admin.interchange import schema
from bento_service.catalogue.records import DescriptorSpace
from bento_service.serving.process_environment import ONE_THREAD
from client_sdk import Client
from tests.support.models import PROJECT

TICK = os.sysconf("SC_CLK_TCK")
IMAGES = 900
CALLS = 60
PAUSE = 0.05  # OpenBLAS spins for about half as long
MULTIPLIES = """
    import numpy as np
    matrix = np.random.default_rng(0).standard_normal((1200, 1024)).astype(np.float32)
    work = lambda: matrix @ matrix[0]
"""
DESCRIBES = """
    import sys
    import numpy as np
    from pathlib import Path
    from bento_service.descriptors import onnx_engine
    if sys.argv[2] == "as it is":
        onnx_engine.SPINNING = ()
    network = onnx_engine.OnnxEngine(Path(sys.argv[1]), "fp32", threads=2)
    image = np.zeros((1, 224, 224, 3), np.uint8)
    work = lambda: network.outputs(image, ["vgg16-mac"])
"""
AFTERWARDS = """
    import time
    work()
    used = 0.0
    for _ in range(5):
        work()
        before = time.process_time()
        time.sleep(0.2)
        used += time.process_time() - before
    print(used / 5)
"""


def seconds_after(code, *arguments, **environment):
    """CPU seconds that a process uses while it does nothing, after each piece of its work."""
    own = {k: v for k, v in os.environ.items() if k not in ONE_THREAD}
    text = "".join(map(textwrap.dedent, (code, AFTERWARDS)))
    command = [sys.executable, "-c", text, *map(str, arguments)]
    ran = subprocess.run(
        command, cwd=PROJECT, env=own | environment, capture_output=True, text=True, check=True
    )
    return float(ran.stdout)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="OpenBLAS has one thread anyway")
def test_numpy_spins_after_a_product_unless_it_has_one_thread():
    assert seconds_after(MULTIPLIES) > 0.003
    assert seconds_after(MULTIPLIES, **ONE_THREAD) < 0.001


def test_onnxruntime_spins_after_a_run_unless_it_is_configured_not_to(model_folder):
    network = model_folder / "vgg16-fp32.onnx"

    assert seconds_after(DESCRIBES, network, "as it is") > 0.003
    assert seconds_after(DESCRIBES, network, "configured") < 0.001


@pytest.fixture(scope="module")
def server(new_server, tmp_path_factory):
    """Return a running server with so many images that searches multiply large matrices."""
    server = new_server().start()
    with Client(server.url) as client:
        known = client.info()
    server.stop()
    file = tmp_path_factory.mktemp("rows") / "rows.parquet"
    write_rows(file, space_of(known), IMAGES)
    command = [sys.executable, "-m", "bento_service.admin", "import", str(file)]
    subprocess.run(
        [*command, "--collection", "default", "--without-bytes"],
        env=server.environment,
        check=True,
        capture_output=True,
    )
    return server.start()


def space_of(info):
    name, precision = info.descriptor, info.precision
    return DescriptorSpace(name, info.model, info.fingerprint, info.dimension, precision)


def write_rows(file, space, number):
    rows = np.random.default_rng(5).standard_normal((number, space.dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    columns = schema(space, "default", "another catalogue")
    plain = {
        "id": range(1, number + 1),
        "sha256": [f"{one:064x}" for one in range(number)],
        "format": ["JPEG"] * number,
        "width": [8] * number,
        "height": [8] * number,
        "bytes": [100] * number,
        "created_at": [0] * number,
        "metadata": ["{}"] * number,
        "sources": [[{"kind": "upload", "root": "", "path": b"%d" % n}] for n in range(number)],
        "descriptor": rows.tolist(),
        "hashes": [None] * number,
        "miniature": [None] * number,
    }
    arrays = [pa.array(plain[field.name], field.type) for field in columns]
    pq.write_table(pa.Table.from_arrays(arrays, schema=columns), file)


def cpu_by_thread(pids):
    used = {}
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            used[int(task.name)] = (int(fields[11]) + int(fields[12])) / TICK
    return used


def cpu_of(pids, act):
    """CPU seconds that each thread of some processes used meanwhile."""
    before = cpu_by_thread(pids)
    act()
    after = cpu_by_thread(pids)
    return [used - before.get(task, 0.0) for task, used in after.items()]


def repeated(call):
    def act():
        for number in range(1, CALLS + 1):
            call(number)
            time.sleep(PAUSE)

    return act


def test_a_search_takes_little_more_of_the_service_than_a_look_at_an_image(server):
    (service,) = (
        pid for pid, line in server.processes().items() if "--service-name lookalike" in line
    )
    with Client(server.url, timeout=60) as client:
        look, search = repeated(client.image), repeated(client.search)
        search()
        looking, searching = cpu_of([service], look), cpu_of([service], search)

    assert sum(searching) < 4.5 * sum(looking)  # with a second, spinning thread 6 to 11 times


def test_an_idle_second_after_searches_takes_next_to_nothing(server, photographs):
    with Client(server.url, timeout=60) as client:
        for picture in sorted(photographs.iterdir()):
            client.search(picture)

    idle = cpu_of([*server.processes(), *server.decoders()], lambda: time.sleep(1.0))

    assert sum(idle) < 0.2
