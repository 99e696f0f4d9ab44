"""Starts the service with checked settings: `python -m bento_service [--images FOLDER]`.

The environment says where and with what; see `bento_service.settings`. SIGTERM and Ctrl-C end
every process that was started.
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
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from bento_service.api.auth.loopback import is_loopback
from bento_service.api.auth.tokens import Tokens, TokensError
from bento_service.descriptors.choice import choose
from bento_service.descriptors.hardware import Hardware
from bento_service.errors import Conflict
from bento_service.settings import PREFIX, Settings, SettingsError
from bento_service.storage.data_folder import sole_user

_PROJECT = Path(__file__).parents[1]
_GRACE_SECONDS = 10
_READY_SECONDS = 300
_POLL_SECONDS = 0.2
_INDEX_SECONDS = 7 * 24 * 3600.0
_SHOWN_ERRORS = 5
_SERVICE = "bento_service.service:ImageSearch"


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; the exit code is the server's, 2 where it could not start."""
    parser = argparse.ArgumentParser(prog="python -m bento_service", description=__doc__)
    parser.add_argument(
        "--images",
        metavar="FOLDER",
        help="make FOLDER an image root, index it and show the progress",
    )
    options = parser.parse_args(arguments)
    environment = dict(os.environ)
    if options.images:
        roots = environment.get(f"{PREFIX}IMAGE_ROOTS", "")
        environment[f"{PREFIX}IMAGE_ROOTS"] = f"{options.images}:{roots}".rstrip(":")
    try:
        settings = Settings.from_environment(environment)
        choose(settings, Hardware.detect())
        _check_guarded(settings)
        _check_free(settings)
    except (SettingsError, TokensError, Conflict) as error:
        print(f"lookalike: {error}", file=sys.stderr)
        return 2
    return _serve(settings, environment, options.images)


def _check_guarded(settings: Settings) -> None:
    """Refuse to let the whole network in by oversight.

    Raises:
        SettingsError: It would.
        TokensError: The tokens cannot be read.
    """
    tokens = Tokens(settings.tokens, settings.tokens_file)
    if not (tokens.are_asked_for or settings.allow_anonymous or is_loopback(settings.host)):
        raise SettingsError(
            f"LOOKALIKE_HOST is {settings.host}, which other machines can reach, and there is no "
            "token; set LOOKALIKE_TOKENS (`NAME SCOPES TOKEN`), or LOOKALIKE_ALLOW_ANONYMOUS=1 "
            "to let everybody search, train and delete"
        )


def _check_free(settings: Settings) -> None:
    """Check beforehand what the server would only say in the middle of its start.

    Raises:
        Conflict: The data folder or the port is in use.
    """
    with sole_user(settings.data_dir), socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Conflict(
                f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); set "
                "LOOKALIKE_HOST and LOOKALIKE_PORT"
            ) from error


def _serve(settings: Settings, environment: Mapping[str, str], images: str | None) -> int:
    """Become BentoML's server; a second process waits for it to be ready, says so and ends."""
    server = os.getpid()
    if os.fork() == 0:
        with suppress(KeyboardInterrupt):
            _welcome(server, _address(settings), images)
        return 0
    defaults = {"BENTOML_HOME": str(settings.data_dir / "bentoml"), "BENTOML_DO_NOT_TRACK": "true"}
    data = {f"{PREFIX}DATA_DIR": str(settings.data_dir)}
    os.environ.update({**defaults, **environment, **data})
    os.chdir(_PROJECT)
    address = ["--host", settings.host, "--port", str(settings.port)]
    grace = ["--timeout-graceful-shutdown", str(_GRACE_SECONDS)]
    sys.argv = ["bentoml", "serve", _SERVICE, *address, *grace, *_tls(settings)]
    # In this process, since one that only waited for it would still hold 20 MiB.
    runpy.run_module("bentoml", run_name="__main__", alter_sys=True)
    return 0


def _tls(settings: Settings) -> list[str]:
    if settings.tls_certificate is None or settings.tls_key is None:
        return []
    certificate, key = settings.tls_certificate.absolute(), settings.tls_key.absolute()
    return ["--ssl-certfile", str(certificate), "--ssl-keyfile", str(key)]


def _address(settings: Settings) -> str:
    scheme = "http" if settings.tls_certificate is None else "https"
    return f"{scheme}://{settings.host}:{settings.port}"


def _welcome(server: int, url: str, images: str | None) -> None:
    """Say when the page can be opened, then index what was asked for."""
    deadline = time.monotonic() + _READY_SECONDS
    while not _is_ready(url):
        if os.getppid() != server or time.monotonic() > deadline:
            return
        time.sleep(_POLL_SECONDS)
    print(f"\nLookalike is ready: {url}\n", file=sys.stderr, flush=True)
    if images:
        folder = str(Path(images).resolve())
        train = threading.Thread(target=_index, args=(url, folder), daemon=True)
        train.start()
        while train.is_alive() and os.getppid() == server:
            train.join(_POLL_SECONDS)


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
