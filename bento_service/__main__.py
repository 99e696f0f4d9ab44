"""The start of the service with checked settings: `python -m bento_service [--images FOLDER ...]`.

The settings are read from the environment; see `bento_service.settings`. SIGTERM and Ctrl-C end
all started processes.
"""

import argparse
import hashlib
import os
import runpy
import secrets
import socket
import ssl
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from shlex import quote

from bento_service.api.auth.tokens import Tokens, TokensError
from bento_service.descriptors.choice import choose
from bento_service.descriptors.hardware import Hardware
from bento_service.errors import Conflict
from bento_service.serving.process_environment import ONE_THREAD, run_in_utf8_mode
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
    run_in_utf8_mode("bento_service")
    environment = dict(os.environ)
    images = [Path(folder).absolute() for folder in options.images]
    name = f"{PREFIX}IMAGE_ROOTS"
    roots = [*map(ConfiguredRoot, images), *parse_roots(environment.get(name, ""))]
    environment[name] = format_roots(roots)  # the server has another working directory
    try:
        settings = Settings.from_environment(environment)
        hardware = Hardware.detect()
        choose(settings, hardware)
        environment.setdefault("BENTOML_HOME", str(settings.data_dir / "bentoml"))
        _check_model(Path(environment["BENTOML_HOME"]).expanduser())
        check_start(settings)
        _check_port(settings)
        _check_watched(settings)
    except (SettingsError, TokensError, Conflict) as error:
        print(f"lookalike: {error}", file=sys.stderr)
        return 2
    if hardware.cuda and not hardware.torch:
        print("lookalike: `make torch` installs what uses the NVIDIA device", file=sys.stderr)
    return _serve(settings, environment, images)


def _check_model(home: Path) -> None:
    """Raise `SettingsError` if the store lacks the model of this release."""
    tag_file = Path(__file__).with_name("model_tag.txt")
    tag = tag_file.read_text().strip() if tag_file.is_file() else "of this release"
    if not (home / "models" / tag.replace(":", "/") / "model.yaml").is_file():
        raise SettingsError(
            f"the model {tag} is not in {home}; build it with `make run` or "
            f"`BENTOML_HOME={quote(str(home))} {quote(sys.executable)} -m model_build --if-missing`"
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
    """Raise `SettingsError` if LOOKALIKE_WATCH names other folders than image roots."""
    if not settings.watch:
        return
    from bento_service.catalogue import Catalogue
    from bento_service.storage.root_bindings import planned_roots

    with sole_user(settings.data_dir), Catalogue.open(settings.catalogue) as catalogue:
        settings.watched(planned_roots(catalogue, settings.image_roots).all)


@dataclass(frozen=True)
class _Own:
    """The service of this start, as its own processes call it.

    Attributes:
        url: Its address on this machine.
        certificate: The file of its certificate chain, if it speaks HTTPS.
        token: A token for this start, if it asks for one.
    """

    url: str
    certificate: Path | None
    token: str

    @cached_property
    def trust(self) -> ssl.SSLContext:
        """The TLS context that accepts this certificate, whatever name it is for, and no other."""
        context = ssl.create_default_context(cafile=self.certificate)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context


def _serve(settings: Settings, environment: Mapping[str, str], images: Sequence[Path]) -> int:
    """Run BentoML's server in this process, and wait for its readiness in a second one."""
    server = os.getpid()
    environment = {**ONE_THREAD, "BENTOML_DO_NOT_TRACK": "true", **environment, "PYTHONUTF8": "1"}
    token = ""
    if images and Tokens(settings.tokens, settings.tokens_file).are_required:
        token = secrets.token_hex(32)
        environment |= token_settings(settings, token)
    if os.fork() == 0:
        with suppress(KeyboardInterrupt):
            _welcome(server, _Own(own_url(settings), settings.tls_certificate, token), images)
        return 0
    os.environ.update(environment)
    os.chdir(_PROJECT)
    # The server reads host and port from the settings again, like a plain `bentoml serve`.
    grace = ["--timeout-graceful-shutdown", str(_GRACE_SECONDS)]
    sys.argv = ["bentoml", "serve", _SERVICE, *grace]
    # In this process, because one that only waits for the server would use 20 MiB.
    runpy.run_module("bentoml", run_name="__main__", alter_sys=True)
    return 0


def token_settings(settings: Settings, token: str) -> dict[str, str]:
    """Return the settings of a server that also accepts a token of this start."""
    own_line = f"make-run search,train sha256:{hashlib.sha256(token.encode()).hexdigest()}"
    named = {f"{PREFIX}TOKENS": ";".join(filter(None, (settings.tokens, own_line)))}
    if settings.tokens_file is not None:
        # With LOOKALIKE_TOKENS, the server would not read the file of LOOKALIKE_FIRST_TOKEN.
        named[f"{PREFIX}TOKENS_FILE"] = str(settings.tokens_file)
    return named


def own_url(settings: Settings) -> str:
    """Return the URL of the service on this machine, also if it listens on every address."""
    scheme = "http" if settings.tls_certificate is None else "https"
    address = ip_address(settings.host)
    if address.is_unspecified:
        address = ip_address("127.0.0.1" if address.version == 4 else "::1")
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"{scheme}://{host}:{settings.port}"


def _welcome(server: int, own: _Own, images: Sequence[Path]) -> None:
    """Report that the service is ready, then index the folders of `--images`."""
    deadline = time.monotonic() + _READY_SECONDS
    while not _is_ready(own):
        if os.getppid() != server:
            return
        if time.monotonic() > deadline:
            print(
                f"lookalike: {own.url} was not ready within {_READY_SECONDS} s; its log says why",
                file=sys.stderr,
            )
            return
        time.sleep(_POLL_SECONDS)
    print(f"\nLookalike is ready: {own.url}\n", file=sys.stderr, flush=True)
    for folder in images:
        train = threading.Thread(target=_index, args=(own, str(folder.resolve())), daemon=True)
        train.start()
        while train.is_alive() and os.getppid() == server:
            train.join(_POLL_SECONDS)
        if os.getppid() != server:
            return


def _index(own: _Own, folder: str) -> None:
    """Index a folder and show the progress; the service goes on if that fails."""
    import httpx  # only this process needs these

    from client_sdk import Client, LookalikeError, Retries

    try:
        transport = httpx.HTTPTransport(verify=own.trust, trust_env=False)
        with Client(own.url, token=own.token, transport=transport, retries=Retries()) as client:
            job = client.train(folder).wait(timeout=_INDEX_SECONDS, progress=True)
    except LookalikeError as error:
        _say(
            f"lookalike: {quote(folder)} was not indexed: {error}. The service runs without it; "
            "correct that and start again"
        )
        return
    _say(f"{job.indexed} indexed, {job.duplicates} already known, {job.failed} failed")
    for failed in job.errors[:_SHOWN_ERRORS]:
        _say(f"  {failed.source!r}: {failed.detail}")
    if job.failed > _SHOWN_ERRORS:
        _say(f"  and {job.failed - _SHOWN_ERRORS} more")
    for skipped in job.skipped:
        _say(f"{skipped.count} skipped: {skipped.detail}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # unlike stdout, it escapes what it cannot encode


def _is_ready(own: _Own) -> bool:
    """Ask `/readyz` without a proxy of the environment."""
    try:
        https = urllib.request.HTTPSHandler(context=own.trust)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), https)
        with direct.open(f"{own.url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:  # also `URLError`
        return False


if __name__ == "__main__":
    sys.exit(main())
