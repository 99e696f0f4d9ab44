"""The start of the service with checked settings: `python -m bento_service [--images FOLDER ...]`.

The settings are read from the environment; see `bento_service.settings`. SIGTERM and Ctrl-C end
all started processes.
"""

import argparse
import os
import runpy
import socket
import ssl
import sys
import threading
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
_INDEX_SECONDS = 7 * 24 * 3600.0
_SHOWN_ERRORS = 5
_SERVICE = "bento_service.service:ImageSearch"


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal; return the exit code, which is 2 if the settings are wrong."""
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
    roots = [*map(ConfiguredRoot, images), *parse_roots(environment.get(name, ""))]
    environment[name] = format_roots(roots)  # the server has another working directory
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
    """Check that the store has the model of this release.

    Raises:
        SettingsError: It does not.
    """
    tag_file = Path(__file__).with_name("model_tag.txt")
    tag = tag_file.read_text().strip() if tag_file.is_file() else "of this release"
    if not (home / "models" / tag.replace(":", "/") / "model.yaml").is_file():
        raise SettingsError(
            f"the model {tag} is not in {home}; build it with `make run` or "
            f"`BENTOML_HOME={home} {sys.executable} -m model_build --if-missing`"
        )


def _check_port(settings: Settings) -> None:
    """Check the port early, because the server would check it in the middle of its start.

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
    """Check that LOOKALIKE_WATCH names image roots of the catalogue.

    Raises:
        SettingsError: It does not.
    """
    if not settings.watch:
        return
    from bento_service.catalogue import Catalogue
    from bento_service.storage.root_bindings import planned_roots

    with sole_user(settings.data_dir), Catalogue.open(settings.catalogue) as catalogue:
        settings.watched(planned_roots(catalogue, settings.image_roots).all)


def _serve(settings: Settings, environment: Mapping[str, str], images: Sequence[Path]) -> int:
    """Run BentoML's server in this process, and wait for its readiness in a second one."""
    server = os.getpid()
    if os.fork() == 0:
        with suppress(KeyboardInterrupt):
            _welcome(server, _address(settings), images)
        return 0
    environment = {**ONE_THREAD, "BENTOML_DO_NOT_TRACK": "true", **environment}
    os.environ.update(environment)
    os.chdir(_PROJECT)
    # The server reads host and port from the settings again, like a plain `bentoml serve`.
    grace = ["--timeout-graceful-shutdown", str(_GRACE_SECONDS)]
    sys.argv = ["bentoml", "serve", _SERVICE, *grace]
    # In this process, because one that only waits for the server would use 20 MiB.
    runpy.run_module("bentoml", run_name="__main__", alter_sys=True)
    return 0


def _address(settings: Settings) -> str:
    scheme = "http" if settings.tls_certificate is None else "https"
    return f"{scheme}://{settings.host}:{settings.port}"


def _welcome(server: int, url: str, images: Sequence[Path]) -> None:
    """Report that the service is ready, then index the folders of `--images`."""
    deadline = time.monotonic() + _READY_SECONDS
    while not _is_ready(url):
        if os.getppid() != server or time.monotonic() > deadline:
            return
        time.sleep(_POLL_SECONDS)
    print(f"\nLookalike is ready: {url}\n", file=sys.stderr, flush=True)
    for folder in images:
        train = threading.Thread(target=_index, args=(url, str(folder.resolve())), daemon=True)
        train.start()
        while train.is_alive() and os.getppid() == server:
            train.join(_POLL_SECONDS)
        if os.getppid() != server:
            return


def _index(url: str, folder: str) -> None:
    """Index a folder and show the progress; the service goes on if that fails."""
    from client_sdk import Client, LookalikeError  # only this process needs it

    try:
        with Client(url) as client:
            job = client.train(folder).wait(timeout=_INDEX_SECONDS, progress=True)
    except LookalikeError as error:
        print(f"lookalike: {folder} was not indexed: {error}", file=sys.stderr, flush=True)
        return
    print(f"{job.indexed} indexed, {job.duplicates} already known, {job.failed} failed")
    for failed in job.errors[:_SHOWN_ERRORS]:
        print(f"  {failed.source!r}: {failed.detail}")
    if job.failed > _SHOWN_ERRORS:
        print(f"  and {job.failed - _SHOWN_ERRORS} more", flush=True)


def _is_ready(url: str) -> bool:
    try:
        # The certificate of the own server is for its public name, not for this address.
        unverified = ssl._create_unverified_context()  # noqa: S323
        with urllib.request.urlopen(  # noqa: S310
            f"{url}/readyz", timeout=5, context=unverified
        ) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(main())
