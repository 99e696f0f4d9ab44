"""Two replicas against a plain model: whichever is asked, both are one service."""

import os

from hypothesis.stateful import initialize, precondition, rule

from client_sdk import Client
from tests.chaos.light import LightServer
from tests.chaos.machine import Machine, run_machine
from tests.replicas.pair import READY_SECONDS, Pair, client

_EXAMPLES = int(os.environ.get("CHAOS_EXAMPLES", "2"))


class PairMachine(Machine):
    """Each call goes to the next of the replicas that run."""

    @initialize()
    def begin(self) -> None:
        self.pair: Pair = self._make().start()
        self.running = {server: client(server) for server in self.pair.servers}
        self.asked = 0

    def teardown(self) -> None:
        for one in self.running.values():
            one.close()
        self.pair.kill()

    @property
    def service(self) -> LightServer:
        return list(self.running)[self.asked % len(self.running)]

    @property
    def client(self) -> Client:
        self.asked += 1
        return self.running[self.service]

    @precondition(lambda self: len(self.running) == 2)
    @rule()
    def restart(self) -> None:
        self._end(self.service)

    @precondition(lambda self: len(self.running) == 2)
    @rule()
    def kill(self) -> None:
        self._end(self.service, kill=True)

    @precondition(lambda self: len(self.running) == 1)
    @rule()
    def start_again(self) -> None:
        (dead,) = set(self.pair.servers) - self.running.keys()
        self.pair.launch(dead)
        self.running[dead] = client(dead)
        self.running[dead].wait_ready(timeout=READY_SECONDS, interval=0.02)

    def _end(self, server: LightServer, *, kill: bool = False) -> None:
        self.running.pop(server).close()
        (server.kill if kill else server.stop)()


def test_two_replicas_do_what_a_plain_model_does(
    forge, tmp_path_factory, new_postgresql_database, milvus_server
):
    def make() -> Pair:
        folder = tmp_path_factory.mktemp("machine") / "pair"
        return Pair(folder, forge, new_postgresql_database(), milvus_server.uri)

    run_machine(lambda: PairMachine(make), examples=_EXAMPLES)
