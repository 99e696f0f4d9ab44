"""Checks before the start of any process, so that a failure does not restart them endlessly."""

import os
import secrets
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from bento_service.api.auth.loopback import is_loopback
from bento_service.api.auth.tokens import Tokens
from bento_service.settings import FIRST_CALLERS_FILE, Settings, SettingsError
from bento_service.storage.blob_stores import check_blob_store
from bento_service.storage.data_folder import sole_user
from bento_service.table_revisions import check_sqlite

# BentoML's sockets are `bentoml-uds-XXXXXXXX/NUMBER.sock` in the folder of temporary files, and the
# path of a socket has at most 103 characters there.
_LONGEST_FOLDER = 103 - len("/bentoml-uds-XXXXXXXX/") - len("140000000000000.sock")
_SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - BentoML makes a private folder


def check_start(settings: Settings) -> None:
    """Check data folder, storage, catalogue, tokens, address, index and sockets.

    It also makes the first token.

    Raises:
        SettingsError: Other machines could call without a token, the data folder is not writable,
            Milvus Lite or a package for object storage is needed and not installed, or no folder
            is short enough for sockets.
        TokensError: The tokens cannot be read.
        Conflict: Another service uses the data folder, or the catalogue is of a newer release.
    """
    if "://" not in settings.milvus and find_spec("milvus_lite") is None:
        raise SettingsError(
            "LOOKALIKE_MILVUS_URI names no server, and Milvus Lite is not installed; set it to "
            "http://host:19530, or install lookalike-service[lite]"
        )
    check_blob_store(settings)
    try:
        with sole_user(settings.data_dir):
            check_sqlite(settings.catalogue)
            _make_first_token(settings)
    except OSError as error:
        raise SettingsError(
            f"the data folder {settings.data_dir} cannot be written to ({error.strerror}); let "
            "this user write there, or name another folder in LOOKALIKE_DATA_DIR"
        ) from error
    tokens = Tokens(settings.tokens, settings.tokens_file)
    if not (tokens.are_required or settings.allow_anonymous or is_loopback(settings.host)):
        raise SettingsError(
            f"LOOKALIKE_HOST is {settings.host}, which other machines can reach, and there is no "
            "token; set LOOKALIKE_TOKENS (`NAME SCOPES TOKEN`), or LOOKALIKE_ALLOW_ANONYMOUS=1 "
            "to let everybody search, train and delete"
        )
    shorten_socket_paths()


def shorten_socket_paths(short_folders: Sequence[str] = _SHORT_FOLDERS) -> None:
    """Let this process put its sockets elsewhere if the path of `TMPDIR` is too long for them.

    The serving processes still use `TMPDIR`, which may name the disk for large uploads.

    Raises:
        SettingsError: No other folder can be written to.
    """
    folder = tempfile.gettempdir()
    if len(os.fsencode(folder)) <= _LONGEST_FOLDER:
        return
    for short in short_folders:
        if Path(short).is_dir() and os.access(short, os.W_OK | os.X_OK):
            tempfile.tempdir = short
            return
    raise SettingsError(
        f"TMPDIR is {folder}, whose path is too long for sockets, and none of "
        f"{', '.join(short_folders)} can be written to; set TMPDIR to a folder of at most "
        f"{_LONGEST_FOLDER} characters"
    )


def _make_first_token(settings: Settings) -> None:
    """Write the tokens file of LOOKALIKE_FIRST_TOKEN if it does not exist, and print the token."""
    file = settings.data_dir / FIRST_CALLERS_FILE
    if not settings.first_token or settings.tokens_file != file or file.exists():
        return
    token = secrets.token_hex(16)
    file.touch(0o600)
    file.write_text(f"first admin {token}\n")
    sys.stderr.write(
        f"lookalike: the first token is {token}\n"
        f"lookalike: the page asks for it, programs send it as `Authorization: Bearer {token}`; "
        f"it is kept in {file}\n"
    )
