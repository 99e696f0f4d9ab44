"""The service against a plain model, under restarts and kills."""

import os

from tests.chaos.light import LightServer
from tests.chaos.machine import Machine, run_machine

_EXAMPLES = int(os.environ.get("CHAOS_EXAMPLES", "4"))


def test_the_service_does_what_a_plain_model_does(forge, tmp_path_factory):
    def make() -> LightServer:
        return LightServer(tmp_path_factory.mktemp("machine"), forge)

    run_machine(lambda: Machine(make), examples=_EXAMPLES)
