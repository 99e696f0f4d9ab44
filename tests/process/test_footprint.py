"""Libraries and freed blocks in the memory of a real server's processes."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bento_service.catalogue import Catalogue
from bento_service.settings import Settings
from client_sdk import Client
from tests.support.indexes import commit, described, random_units
from tests.support.waiting import wait_until

PARENT, EMBEDDER, SERVICE = "parent", "vgg16-embedder", "lookalike"
DECODERS = "decoders"
DECODER_BYTES = 16 * 2**20
ROWS = 5000
LIBRARIES = {
    "numpy": {PARENT, EMBEDDER, SERVICE},
    "aiohttp": {EMBEDDER, SERVICE},
    "onnxruntime": {EMBEDDER},
    "grpc": {SERVICE},
    "PIL": {SERVICE, DECODERS},  # in the service to scale pictures for their hashes
    "pyarrow": {SERVICE},
    "sqlalchemy": {SERVICE},
    "faiss": set(),
    "onnx": set(),
    "pandas": set(),
    "scipy": set(),
    "skimage": set(),
    "torch": set(),
}
FREES_MUCH = """
import re

def resident():
    status = open("/proc/self/status").read()
    return int(re.search(r"VmRSS:\\s+(\\d+) kB", status)[1])

for mebibytes in (1, 2, 4, 8, 16, 31):  # as a model or a large picture does, once
    bytearray(mebibytes << 20)
before = resident()
blocks = [bytearray(b"x" * 2**20) for _ in range(32)]
held = resident() - before
del blocks
print(held, resident() - before)
"""


@pytest.fixture(scope="module")
def server(new_server):
    """Start a server on the CPU, where it loads no PyTorch."""
    started = new_server(LOOKALIKE_ENGINE="onnxruntime").start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def processes(server, photographs):
    """Process ids by role, of a server that has indexed and searched; of one of the decoders."""
    with Client(server.url, timeout=120) as client:
        pictures = sorted(photographs.iterdir())[:2]
        client.upload(pictures).wait()
        assert len(client.search(pictures[0]).hits) == 2
    found = {_role(command): pid for pid, command in server.processes().items()}
    return {**found, DECODERS: server.decoders()[0]}


def _role(command: str) -> str:
    named = re.search(r"--service-name (\S+)", command)
    return named[1] if named else PARENT


def test_a_server_is_three_processes_and_decoders(server, processes):
    assert processes.keys() == {PARENT, EMBEDDER, SERVICE, DECODERS}
    assert len(server.processes()) == 3
    assert 1 <= len(server.decoders()) <= 2 * Settings().most_decoders


def test_a_decoder_takes_little_memory_of_its_own(server, processes):
    for pid in server.decoders():
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        kibibytes = re.findall(r"^(?:Private_Dirty|Private_Clean): +(\d+) kB$", rollup, re.M)
        assert 0 < 1024 * sum(map(int, kibibytes)) < DECODER_BYTES


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_loaded_only_where_it_is_used(processes, library):
    assert importlib.util.find_spec(library)

    def is_loaded(pid: int) -> bool:
        return f"-packages/{library}/" in Path(f"/proc/{pid}/maps").read_text()

    assert {role for role, pid in processes.items() if is_loaded(pid)} == LIBRARIES[library]


def _environment(pid: int, prefix: str) -> dict[str, str]:
    """Return the variables of a running process that begin with a prefix."""
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(line.split("=", 1) for line in variables if line.startswith(prefix))


def _printed(code: str, variables: dict[str, str]) -> list[str]:
    others = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "ARROW_"))}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**others, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout.split()


@pytest.mark.parametrize("role", [EMBEDDER, SERVICE])
def test_freed_memory_goes_back_to_the_system(processes, role):
    held, left = map(int, _printed(FREES_MUCH, _environment(processes[role], "MALLOC_")))
    assert left < held / 4

    held, left = map(int, _printed(FREES_MUCH, {}))
    assert left > held / 2  # so that it is the setting that makes the difference


def test_arrow_takes_its_memory_from_the_same_allocator(processes):
    names = "import pyarrow as pa; print(pa.default_memory_pool().backend_name)"

    assert _printed(names, _environment(processes[SERVICE], "ARROW_")) == ["system"]
    assert _printed(names, {}) != ["system"]


def _private_bytes(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * sum(map(int, re.findall(r"^Private_(?:Dirty|Clean): +(\d+) kB$", rollup, re.M)))


def test_memory_that_milvus_lite_has_freed_goes_back_too(server, processes):
    """It lies between blocks that are used, so the settings of the allocator do not help."""
    few_rows = _private_bytes(processes[SERVICE])
    server.stop()
    with Catalogue.open(f"sqlite:///{server.data_dir}/catalogue.db") as catalogue:
        collection = catalogue.collections.named("default")
        version, dimension = collection.space.fingerprint, collection.space.dimension
        vectors = random_units(ROWS, dimension)
        pictures = {
            f"{number}.png": described(str(number), {version: vector})
            for number, vector in enumerate(vectors)
        }
        commit(catalogue, collection, pictures)
    server.start()
    with Client(server.url) as client:
        wait_until(lambda: client.info().index_memory_bytes > vectors.nbytes)
    (service,) = (pid for pid, line in server.processes().items() if _role(line) == SERVICE)

    # Milvus Lite has each row, and so has the cache.
    wait_until(lambda: _private_bytes(service) - few_rows < 3.5 * vectors.nbytes)
