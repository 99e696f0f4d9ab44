"""A real Milvus server from the wheel `milvus`, which tests may stop, kill, pause and start again.

Only the wheel's files are used: its Python part would put every server on the same ports. This
Milvus knows no setting that keeps it to the loopback address; it listens on all of them.
"""

import lzma
import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from grpc import RpcError
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from tests.support.processes import bound_to_parent, free_ports
from tests.support.waiting import WAIT_SECONDS, wait_until

_START_SECONDS = 120
_STOP_SECONDS = 5
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)[^:}]*(?::\s*([^}]*?))?\s*\}\}")
_ROOMS = ("rootCoord", "proxy", "queryCoord", "queryNode", "indexNode", "dataCoord", "dataNode")


class MilvusServer:
    """A standalone server in a process group of its own, on free ports, over a folder of its own.

    Attributes:
        uri: What clients connect to.
        log: What it prints.
    """

    def __init__(
        self,
        folder: Path,
        programs: Path,
        *,
        session_seconds: int = 60,
        token: str = "",
        certificates: Path | None = None,
    ) -> None:
        """Write its settings; it is not started.

        Args:
            folder: The folder of its data, its settings and its logs.
            programs: See `unpacked`.
            session_seconds: Time until it takes a killed server for gone; Milvus' own default is
                30. A server that was paused, or got no processor time, for longer ends itself or
                refuses every call, so only tests that kill a server make this short.
            token: Ask callers for this one, which is `root:Milvus` in a new server.
            certificates: Serve TLS, and ask callers for a certificate of `ca.pem`, with the
                `server.pem` and `server.key` of this folder. Callers show its `client.pem`.
        """
        self.folder = folder
        self.log = folder / "milvus.log"
        self._program = programs.absolute() / "milvus"
        proxy, internal, *others = free_ports(len(_ROOMS) + 4)
        self.uri = f"http://127.0.0.1:{proxy}"
        self._access: dict[str, str] = {"token": token}
        etcd_client, etcd_peer, self._metrics_port, *rooms = others
        settings = _template(folder)
        for room, port in zip(_ROOMS, (rooms[0], proxy, *rooms[1:]), strict=True):
            settings[room] |= {"ip": "127.0.0.1", "port": port}
        settings["proxy"]["internalPort"] = internal
        # What was killed is given up after so many seconds, and holds up the next start until then.
        settings["common"]["session"] = {"ttl": session_seconds}
        settings["common"]["security"]["authorizationEnabled"] = bool(token)
        if certificates is not None:
            self.uri = f"https://localhost:{proxy}"
            settings["common"]["security"]["tlsMode"] = 2
            settings["tls"] = {
                "serverPemPath": str(certificates / "server.pem"),
                "serverKeyPath": str(certificates / "server.key"),
                "caPemPath": str(certificates / "ca.pem"),
            }
            self._access |= {
                "ca_pem_path": str(certificates / "ca.pem"),
                "client_pem_path": str(certificates / "client.pem"),
                "client_key_path": str(certificates / "client.key"),
            }
        settings["etcd"]["endpoints"] = f"127.0.0.1:{etcd_client}"
        settings["etcd"]["config"] = {"path": str(folder / "etcd.yaml")}
        (folder / "configs").mkdir(parents=True)
        (folder / "configs" / "milvus.yaml").write_text(yaml.safe_dump(settings))
        shutil.copy(_wheel() / "glog.conf", folder / "configs")
        (folder / "etcd.yaml").write_text(yaml.safe_dump(_etcd(etcd_client, etcd_peer)))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> "MilvusServer":
        """Start, on the data that are there, and wait until it answers searches."""
        environment = os.environ | {
            "DEPLOY_MODE": "STANDALONE",
            "LD_LIBRARY_PATH": str(self._program.parent),
            "METRICS_PORT": str(self._metrics_port),
            "MILVUS_RUN_DIR": str(self.folder / "run"),
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                bound_to_parent("KILL", self._program, "run", "standalone"),
                cwd=self.folder,  # where it looks for its settings
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self.wait()
        return self

    def wait(self) -> None:
        """Wait until a new collection can be made, loaded and searched."""
        assert self._process is not None
        process = self._process
        wait_until(
            lambda: self.answers() or process.poll() is not None,
            seconds=_START_SECONDS,
            pause=0.1,
            message=self._last_words,
        )
        assert process.poll() is None, self._last_words()

    def answers(self) -> bool:
        """Return true if a new collection can be created, loaded and searched."""
        name = f"probe_{uuid4().hex}"
        try:
            client = MilvusClient(self.uri, timeout=5, alias=name, dedicated=True, **self._access)
        except (MilvusException, RpcError):
            return False
        try:
            client.create_collection(name, dimension=2, metric_type="IP", timeout=20)
            client.search(name, [[1.0, 0.0]], limit=1, timeout=20)
            client.drop_collection(name, timeout=20)
        except (MilvusException, RpcError):
            return False
        finally:
            client.close()
        return True

    def pause(self) -> None:
        """Send SIGSTOP: connections stay open, and nobody answers. See `session_seconds`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Send SIGCONT."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """`kill -9`; the data stay for the next start."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._signal(signal.SIGKILL)
            self._process.wait(WAIT_SECONDS)
            self._process = None

    def stop(self) -> None:
        """Stop it with SIGTERM, then SIGKILL; no process remains."""
        if self._process is not None and self._process.poll() is None:
            self.resume()
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        self.kill()

    def remove(self) -> None:
        """Kill it and delete its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


def unpacked(cache: Path) -> Path:
    """Return the folder of the server's programs; unpacking them takes some seconds, once.

    Args:
        cache: A folder that outlives the session.
    """
    folder = cache / "milvus-2.3.5"
    if not folder.exists():
        part = cache / f"milvus.{uuid4().hex}"
        part.mkdir(parents=True)
        for packed in (_wheel() / "bin").glob("*.lzma"):
            program = part / packed.stem
            with lzma.open(packed) as source, program.open("wb") as target:
                shutil.copyfileobj(source, target)
            program.chmod(0o755)
        with suppress(OSError):  # another session may have been quicker
            part.rename(folder)
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _wheel() -> Path:
    found = find_spec("milvus")
    if found is None or found.origin is None:
        pytest.skip("there is no Milvus server for this machine (the package `milvus`)")
    return Path(found.origin).parent / "data"


def _template(folder: Path) -> dict[str, Any]:
    """Return the wheel's settings with its own defaults, and with folders of ours."""
    data = folder / "data"
    folders = {
        "etcd_log_path": folder / "etcd.log",
        "etcd_data_dir": data / "etcd",
        "local_storage_dir": data,
        "rocksmq_data_dir": data / "rocksmq",
        "system_log_path": "",
    }
    text = (_wheel() / "config.yaml.template").read_text()
    filled = _PLACEHOLDER.sub(lambda one: str(folders.get(one[1], one[2])), text)
    settings: dict[str, Any] = yaml.safe_load(filled)
    return settings


def _etcd(client_port: int, peer_port: int) -> dict[str, str]:
    client, peer = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
    return {
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
    }
