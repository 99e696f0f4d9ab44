import os
import subprocess
import sys
from contextlib import ExitStack

import pytest

from benchmarks.processes import of_each, of_server
from tests.support.processes import child

SPENDS_AND_HOLDS = """
import time
held = b"x" * (64 << 20)
while time.process_time() < 0.3:
    pass
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def running(tmp_path):
    """Yield two processes of a server: one that says which service it runs, and its parent."""
    environment = {**os.environ, "BENTOML_HOME": str(tmp_path)}
    with ExitStack() as started:
        for arguments in (["--service-name", "describing", "--fd", "3"], ["serve"]):
            command = [sys.executable, "-c", SPENDS_AND_HOLDS, *arguments]
            process = started.enter_context(child(command, env=environment, stdout=subprocess.PIPE))
            assert process.stdout.readline() == b"ready\n"
        yield tmp_path


def test_the_processes_of_a_server_are_found_with_what_they_use(running):
    found = of_server(running)

    assert [process.name for process in found] == ["describing", "parent"]
    for process in found:
        assert 64 << 20 < process.proportional <= process.resident < 128 << 20
        assert process.cpu_seconds >= 0.28  # in ticks of a hundredth


def test_the_decoders_of_a_server_are_found_too(running):
    parent = of_each(f"BENTOML_HOME={running}".encode(), lambda folder: int(folder.name))
    command = [sys.executable, "-c", SPENDS_AND_HOLDS, "bento_service.pictures.decoders.child"]
    with ExitStack() as started:
        for pid in (parent[0], os.getpid()):
            process = started.enter_context(
                child([*command, str(pid), "9"], env={}, stdout=subprocess.PIPE)
            )
            assert process.stdout.readline() == b"ready\n"
        assert [process.name for process in of_server(running)] == [
            "decoder",
            "describing",
            "parent",
        ]


def test_other_servers_are_not_counted(running):
    assert of_server(running / "other") == []
    assert of_server(running.parent) == []
