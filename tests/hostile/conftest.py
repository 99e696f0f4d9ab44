import pytest

from tests.chaos.light import LightServer


@pytest.fixture(scope="module")
def service(forge, tmp_path_factory):
    """Yield the real application behind its real HTTP surface, with a small descriptor."""
    server = LightServer(tmp_path_factory.mktemp("hostile"), forge)
    server.launch()
    yield server
    server.stop()
