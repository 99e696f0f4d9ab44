"""Uploads through faults and a `kill -9`, to the real application and its HTTP surface."""

from tests.chaos.faulty_proxy import Fate
from tests.chaos.light import LightServer
from tests.chaos.uploads import run

UPLOADS = 400


def test_uploads_through_faults_and_a_restart_are_all_there_once(forge, tmp_path):
    server = LightServer(tmp_path, forge)
    server.launch()
    try:
        found = run(server, UPLOADS)
    finally:
        server.kill()
    assert found.is_whole, str(found)
    assert set(found.fates) >= set(Fate)  # every fault was met, the restart too
    assert min(found.fates.values()) >= 5
