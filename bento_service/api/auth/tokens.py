"""Bearer tokens and their scopes.

A line of the setting or of the file is `NAME SCOPES TOKEN`, such as `ci search,train 8Jk…`. The
token may be replaced by its digest, `sha256:` and 64 hexadecimal digits. Two lines may have the
same name, so that a new token works before the old one is removed.
"""

import hashlib
import hmac
import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bento_service.storage.digests import SHA256

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(f"sha256:({SHA256})")
_MIN_LENGTH = 16
_CHECK_SECONDS = 1.0


class Scope(StrEnum):
    """A permission of callers; `ADMIN` includes the others."""

    SEARCH = "search"
    TRAIN = "train"
    ADMIN = "admin"


class TokensError(Exception):
    """Invalid tokens. The message never contains a token."""


@dataclass(frozen=True)
class Caller:
    """A caller and its scopes."""

    name: str
    scopes: frozenset[Scope]

    def may(self, *any_of: Scope) -> bool:
        """Return true if the caller has one of these scopes."""
        return Scope.ADMIN in self.scopes or not self.scopes.isdisjoint(any_of)


ANYBODY = Caller("anonymous", frozenset(Scope))
"""The caller of a service without tokens."""


@dataclass(frozen=True)
class _Entry:
    caller: Caller
    digest: bytes


class Tokens:
    """The valid tokens. A file is read again when it changes.

    A file that was emptied revokes its tokens, and callers still need one. A file that is missing,
    unreadable or wrong changes nothing, because it may be in the middle of a replacement.

    Args:
        inline: Lines, separated by line breaks or `;`.
        file: A file with more lines.
        clock: Returns the seconds between the checks of the file.

    Raises:
        TokensError: A line is invalid, or the file cannot be read or has no token.
    """

    def __init__(
        self,
        inline: str = "",
        file: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inline = _entries(inline.replace(";", "\n"), "LOOKALIKE_TOKENS")
        self._file = file
        self._clock = clock
        self._lock = threading.Lock()
        self._state = self._file_state()
        self._entries = self._read()
        if file is not None and not self._entries:
            raise TokensError("LOOKALIKE_TOKENS_FILE has no token; write one or unset it")
        self._next_check = self._clock() + _CHECK_SECONDS

    @property
    def are_required(self) -> bool:
        """True if callers need a token."""
        return self._file is not None or bool(self._inline)

    def caller(self, token: str) -> Caller | None:
        """Return the caller of a token, after comparing digests in constant time."""
        self._reload_changed_file()
        digest = hashlib.sha256(token.encode()).digest()
        caller = None
        for entry in self._entries:
            if hmac.compare_digest(entry.digest, digest):
                caller = entry.caller
        return caller

    def _reload_changed_file(self) -> None:
        with self._lock:
            if self._file is None or self._clock() < self._next_check:
                return
            self._next_check = self._clock() + _CHECK_SECONDS
            state = self._file_state()
            if state == self._state:
                return
            self._state = state
            try:
                self._entries = self._read()
            except TokensError as error:
                _log.error("the tokens were not changed: %s", error)
            else:
                _log.info("the tokens were read again, %d are valid", len(self._entries))

    def _file_state(self) -> tuple[int, ...]:
        if self._file is None:
            return ()
        try:
            status = self._file.stat()
        except OSError:
            return ()
        return (status.st_mtime_ns, status.st_size, status.st_ino)

    def _read(self) -> tuple[_Entry, ...]:
        entries = list(self._inline)
        if self._file is not None:
            try:
                text = self._file.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise TokensError(
                    "LOOKALIKE_TOKENS_FILE cannot be read; it takes lines `NAME SCOPES TOKEN`"
                ) from error
            entries += _entries(text, "LOOKALIKE_TOKENS_FILE")
        return tuple(entries)


def _entries(text: str, place: str) -> list[_Entry]:
    lines = enumerate(text.splitlines(), start=1)
    return [
        _entry(line, f"{place}, line {number}")
        for number, line in lines
        if line.strip() and not line.lstrip().startswith("#")
    ]


def _entry(line: str, place: str) -> _Entry:
    parts = line.split()
    if len(parts) != 3:
        raise TokensError(f"{place}: write `NAME SCOPES TOKEN`, such as `ci search,train TOKEN`")
    name, scopes, token = parts
    if not _NAME.fullmatch(name):
        raise TokensError(f"{place}: a name has up to 64 letters, digits, '.', '_' and '-'")
    unknown = set(scopes.split(",")) - set(Scope)
    if unknown:
        raise TokensError(f"{place}: the scopes are {', '.join(Scope)}, separated by commas")
    caller = Caller(name, frozenset(Scope(scope) for scope in scopes.split(",")))
    if digest := _DIGEST.fullmatch(token):
        return _Entry(caller, bytes.fromhex(digest[1]))
    if len(token) < _MIN_LENGTH or token.startswith("sha256:"):
        raise TokensError(
            f"{place}: a token has at least {_MIN_LENGTH} characters; "
            "`openssl rand -hex 32` makes one"
        )
    return _Entry(caller, hashlib.sha256(token.encode()).digest())
