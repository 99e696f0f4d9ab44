"""Two real services, without BentoML and the network, on one PostgreSQL and one Milvus server."""

import fcntl
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from client_sdk import Client
from tests.chaos.light import Forge, LightServer

READY_SECONDS = 180


class Pair:
    """Two replicas, `servers`, over one folder of pictures, `images`, and one of uploads.

    Args:
        folder: An empty folder for both.
        forge: Starts them.
        catalogue: The URL of an empty database.
        milvus: The URL of the Milvus server.
        describe_seconds: The time that describing one picture of a job takes.
        settings: More settings of both.
    """

    def __init__(
        self,
        folder: Path,
        forge: Forge,
        catalogue: str,
        milvus: str,
        *,
        describe_seconds: float = 0.0,
        **settings: str,
    ) -> None:
        self.images = folder / "pictures"
        self.images.mkdir(parents=True)
        self._described = [folder / name / "described" for name in ("a", "b")]
        self.servers = [
            LightServer(
                described.parent,
                forge,
                LOOKALIKE_IMAGE_ROOTS=str(self.images),
                LOOKALIKE_CATALOGUE_URL=catalogue,
                LOOKALIKE_MILVUS_URI=milvus,
                DESCRIBED_FILE=str(described),
                DESCRIBE_SECONDS=str(describe_seconds),
                **{"LOOKALIKE_STORAGE": str(folder / "uploads"), **settings},
            )
            for described in self._described
        ]
        for server in self.servers:
            server.images = self.images

    def launch(self, *servers: LightServer) -> None:
        """Start servers, as soon as the kernel has closed what dead ones had open."""
        for server in servers:
            server.data_dir.mkdir(parents=True, exist_ok=True)
            with (server.data_dir / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
            server.launch()

    def start(self) -> "Pair":
        """Start both at once, and wait until both are ready."""
        self.launch(*self.servers)
        for server in self.servers:
            with client(server) as one:
                one.wait_ready(timeout=READY_SECONDS, interval=0.05)
        return self

    def owners(self) -> list[LightServer]:
        """Return the running replicas that say that they write to the index."""
        running = [server for server in self.servers if server.processes()]
        pages = [httpx.get(f"{server.url}/metrics", timeout=30).text for server in running]
        answered = zip(running, pages, strict=True)
        return [server for server, page in answered if "\nlookalike_owner 1.0" in page]

    def kill(self) -> None:
        for server in self.servers:
            server.kill()

    def descriptions(self) -> list[Counter[str]]:
        """Return the number of times that each replica described each picture of a job."""
        return [
            Counter(file.read_text().split()) if file.exists() else Counter()
            for file in self._described
        ]

    def log(self) -> str:
        return "\n".join(server.log.read_text()[-4000:] for server in self.servers)


def client(server: LightServer, **options: Any) -> Client:
    # Reading the system's certificates would take longer than most calls.
    transport = httpx.HTTPTransport(verify=False)
    return Client(server.url, timeout=60, transport=transport, **options)
