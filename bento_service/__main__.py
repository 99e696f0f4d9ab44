"""Starts the service with checked settings: `python -m bento_service [--images FOLDER ...]`.

The environment says where and with what; see `bento_service.settings`. SIGTERM and Ctrl-C end
every process that was started.
"""

import argparse
import os
import runpy
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bento_service.api.auth.tokens import TokensError
from bento_service.descriptors.choice import choose
from bento_service.descriptors.hardware import Hardware
from bento_service.errors import Conflict
from bento_service.serving.process_environment import ONE_THREAD
from bento_service.serving.start_checks import check_start
from bento_service.settings import PREFIX, Settings, SettingsError
from bento_service.settings.root_list import ConfiguredRoot, format_roots, parse_roots
from bento_service.storage.data_folder import sole_user

_PROJECT = Path(__file__).parents[1]
_GRACE_SECONDS = 10
_READY_SECONDS = 300
_POLL_SECONDS = 0.2
_SERVICE = "bento_service.service:ImageSearch"


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; the exit code is the server's, 2 where it could not start."""
    parser = argparse.ArgumentParser(prog="python -m bento_service", description=__doc__)
    parser.add_argument(
        "--images",
        metavar="FOLDER",
        action="append",
        default=[],
        help="make FOLDER an image root, index it and show the progress; may be repeated",
    )
    options = parser.parse_args(arguments)
    environment = dict(os.environ)
    images = [Path(folder).absolute() for folder in options.images]
    name = f"{PREFIX}IMAGE_ROOTS"
    given = [*map(ConfiguredRoot, images), *parse_roots(environment.get(name, ""))]
    environment[name] = format_roots(given)  # the server has another working directory
    try:
        settings = Settings.from_environment(environment)
        choose(settings, Hardware.detect())
        environment.setdefault("BENTOML_HOME", str(settings.data_dir / "bentoml"))
        _check_model(Path(environment["BENTOML_HOME"]).expanduser())
        check_start(settings)
        _check_port(settings)
        _check_watched(settings)
    except (SettingsError, TokensError, Conflict) as error:
        print(f"lookalike: {error}", file=sys.stderr)
        return 2
    return _serve(settings, environment, images)


def _check_model(home: Path) -> None:
    """Check that the store holds the model that the service names.

    Raises:
        SettingsError: It does not.
    """
    tag_file = Path(__file__).with_name("model_tag.txt")
    tag = tag_file.read_text().strip() if tag_file.is_file() else "of this release"
    if not (home / "models" / tag.replace(":", "/") / "model.yaml").is_file():
        raise SettingsError(
            f"the model {tag} is not in {home}; `make run` makes it, and so does "
            f"`BENTOML_HOME={home} {sys.executable} -m model_build --if-missing`"
        )


def _check_port(settings: Settings) -> None:
    """Check beforehand what the server would only say in the middle of its start.

    Raises:
        Conflict: The port is in use.
    """
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Conflict(
                f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); set "
                "LOOKALIKE_HOST and LOOKALIKE_PORT"
            ) from error


def _check_watched(settings: Settings) -> None:
    """Check that what is to be watched are image roots, under the names that they have here.

    Raises:
        SettingsError: Something is not.
    """
    if not settings.watch:
        return
    from bento_service.catalogue import Catalogue
    from bento_service.storage.root_bindings import planned_roots

    with sole_user(settings.data_dir), Catalogue.open(settings.catalogue) as catalogue:
        settings.watched(planned_roots(catalogue, settings.image_roots).all)


def _serve(settings: Settings, environment: Mapping[str, str], images: Sequence[Path]) -> int:
    """Become BentoML's server; a second process waits for it to be ready, says so and ends."""
    server = os.getpid()
    if os.fork() == 0:
        with suppress(KeyboardInterrupt):
            _welcome(server, _address(settings), images)
        return 0
    environment = {**ONE_THREAD, "BENTOML_DO_NOT_TRACK": "true", **environment}
    os.environ.update(environment)
    os.chdir(_PROJECT)
    # Where to listen is read from the settings once more, as `bentoml serve` does by itself.
    grace = ["--timeout-graceful-shutdown", str(_GRACE_SECONDS)]
    sys.argv = ["bentoml", "serve", _SERVICE, *grace]
    # In this process, since one that only waited for it would still hold 20 MiB.
    runpy.run_module("bentoml", run_name="__main__", alter_sys=True)
    return 0


def _address(settings: Settings) -> str:
    scheme = "http" if settings.tls_certificate is None else "https"
    return f"{scheme}://{settings.host}:{settings.port}"


def _welcome(server: int, url: str, images: Sequence[Path]) -> None:
    """Say when the page can be opened, then index what was asked for."""
    deadline = time.monotonic() + _READY_SECONDS
    while not _is_ready(url):
        if os.getppid() != server or time.monotonic() > deadline:
            return
        time.sleep(_POLL_SECONDS)
    print(f"\nLookalike is ready: {url}\n", file=sys.stderr, flush=True)
    for folder in images:
        if os.getppid() != server:
            return
        path = str(folder.resolve())
        command = [sys.executable, "-m", "client_sdk", "train", path, "--url", url]
        with subprocess.Popen(command, cwd=_PROJECT) as train:
            while train.poll() is None and os.getppid() == server:
                time.sleep(_POLL_SECONDS)
            train.terminate()  # does nothing where it has ended


def _is_ready(url: str) -> bool:
    try:
        # It asks its own server, whose certificate is for a name that others call it by.
        unverified = ssl._create_unverified_context()  # noqa: S323
        with urllib.request.urlopen(  # noqa: S310
            f"{url}/readyz", timeout=5, context=unverified
        ) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(main())
