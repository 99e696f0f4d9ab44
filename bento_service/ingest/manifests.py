"""Manifests: lists of pictures to add and to delete, read as a stream.

A manifest is NDJSON, one object a line, or CSV with a header; its first character decides. Lines
are independent: an invalid line becomes a `Faulty` with its number, and reading continues.
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from bento_service.errors import InvalidArgument
from bento_service.filters.values import check_metadata
from bento_service.storage.digests import is_digest
from bento_service.strict_json import JsonError, read_json

MAX_LINE_BYTES = 2**20
"""The longest line of a manifest."""

_FIELDS = ("op", "path", "sha256", "id", "metadata")
_COLUMNS = ("op", "path", "sha256", "id")
_DELIMITERS = ",;\t"
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?")
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class Addition:
    """A picture to index; without metadata, `metadata` is `None`."""

    line: int
    path: str
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True)
class Deletion:
    """A picture to delete, by exactly one of path, digest and id."""

    line: int
    path: str | None = None
    sha256: str | None = None
    image_id: int | None = None


@dataclass(frozen=True)
class Faulty:
    """An invalid line and the reason."""

    line: int
    reason: InvalidArgument = field(compare=False)


Statement = Addition | Deletion | Faulty


def statements(stream: BinaryIO) -> Iterator[Statement]:
    """Yield the statements of a manifest, without its empty lines.

    Raise `InvalidArgument` for a file that is no manifest: a JSON list, or CSV whose header has
    neither a `path` nor an `id` nor a `sha256`.
    """
    lines = (pair for pair in _lines(stream) if pair[1] is None or pair[1].strip())
    read: Callable[[str], Mapping[str, Any]] | None = None
    for number, line in lines:
        if line is None:
            yield Faulty(number, _fault(f"is longer than {MAX_LINE_BYTES} bytes"))
        elif read is None and not line.lstrip().startswith(b"{"):
            read = _csv_reader(line)
        else:
            read = read or _json_object
            try:
                yield _statement(number, read(_decoded(line)))
            except InvalidArgument as reason:
                yield Faulty(number, reason)


def _fault(predicate: str) -> InvalidArgument:
    return InvalidArgument(f"this line {predicate}")


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Yield lines with their numbers from 1, and `None` for a line that is too long."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if len(line) <= MAX_LINE_BYTES:
            yield number, line
            continue
        while not line.endswith(b"\n") and (line := stream.readline(MAX_LINE_BYTES)):
            pass
        yield number, None


def _decoded(line: bytes) -> str:
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise _fault("is not UTF-8; save the manifest as UTF-8") from error


def _json_object(line: str) -> Mapping[str, Any]:
    try:
        # A path may have bytes that are not UTF-8; `check_metadata` checks the metadata.
        value = read_json(line, lone_surrogates=True)
    except JsonError as error:
        raise _fault(str(error)) from error
    if not isinstance(value, dict):
        raise _fault("is not a JSON object")
    if unknown := sorted(value.keys() - set(_FIELDS)):
        raise _fault(f"has the unknown field {unknown[0]!r:.100}; use {', '.join(_FIELDS)}")
    return value


def _csv_reader(line: bytes) -> Callable[[str], Mapping[str, Any]]:
    """Return the function that reads the rows below a header."""
    try:
        header = _decoded(line)
        delimiter = next((each for each in _DELIMITERS if each in header), ",")
        names = [name.strip() for name in _csv_row(header, delimiter)]
    except InvalidArgument as fault:
        raise InvalidArgument(f"manifest: its header cannot be read: {fault}") from fault
    if problem := _wrong_header(header, names):
        raise InvalidArgument(f"manifest: {problem}")
    has_metadata = not set(names) <= set(_COLUMNS)

    def read(line: str) -> Mapping[str, Any]:
        cells = _csv_row(line, delimiter)
        if len(cells) != len(names):
            raise _fault(f"has {len(cells)} cells, the header {len(names)}")
        row = {name: text for name, text in zip(names, cells, strict=True) if text != ""}
        fields: dict[str, Any] = {name: row.pop(name) for name in _COLUMNS if name in row}
        fields["op"] = fields.get("op", "add").strip().lower()
        if "id" in fields:
            fields["id"] = _typed(fields["id"])
        if has_metadata and fields["op"] == "add":
            fields["metadata"] = {name: _typed(text) for name, text in row.items()}
        return fields

    return read


def _wrong_header(header: str, names: list[str]) -> str | None:
    if header.startswith("["):
        return "it is a JSON list; write one object a line"
    if not {"path", "sha256", "id"} & set(names):
        return "its first line is neither a JSON object nor a header with a column `path`"
    if len(set(names)) < len(names) or "" in names:
        return "its header has a repeated or an unnamed column"
    if "metadata" in names:
        return "its header has a column `metadata`; give each value a column of its own"
    return None


def _csv_row(line: str, delimiter: str) -> list[str]:
    # Each line is parsed alone, so that an unclosed quote does not swallow the next lines.
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise _fault(f"is not CSV: {error}") from error


def _typed(text: str) -> Any:
    """Return a cell as the JSON value that it looks like; `007` is text."""
    if text in ("true", "false"):
        return text == "true"
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if set(text) & set(".eE") else int(text)


def _statement(number: int, fields: Mapping[str, Any]) -> Statement:
    op = fields.get("op", "add")
    if op == "add":
        return _addition(number, fields)
    if op == "delete":
        return _deletion(number, fields)
    raise _fault(f"has the op {op!r:.100}; use add or delete")


def _addition(number: int, fields: Mapping[str, Any]) -> Addition:
    if "sha256" in fields or "id" in fields:
        raise _fault("adds by `sha256` or `id`, which are only for delete; give a `path`")
    metadata = fields.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise _fault("has `metadata` that is not a JSON object")
    check_metadata(metadata or {})
    return Addition(number, _path(fields.get("path")), metadata)


def _deletion(number: int, fields: Mapping[str, Any]) -> Deletion:
    named = [name for name in ("path", "sha256", "id") if fields.get(name) is not None]
    if len(named) != 1:
        raise _fault("deletes: give exactly one of `path`, `sha256` and `id`")
    if fields.get("metadata") is not None:
        raise _fault("deletes: `metadata` is only for add")
    value = fields[named[0]]
    if named == ["path"]:
        return Deletion(number, path=_path(value))
    if named == ["sha256"]:
        if not isinstance(value, str) or not is_digest(value.lower()):
            raise _fault("has a `sha256` that is not 64 hexadecimal digits")
        return Deletion(number, sha256=value.lower())
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _LARGEST_ID:
        raise _fault("has an `id` that is not a positive integer")
    return Deletion(number, image_id=value)


def _path(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _fault("has no `path`; name the picture")
    return value
