"""What a cassette holds: calls and their answers, as one readable JSON file.

    {"version": 1,
     "calls": [{"request": {"method": "POST", "path": "/api/v2/search",
                            "form": [["top_k", "3"]],
                            "files": [{"field": "file", "name": "cat.jpg", "sha256": "...",
                                       "bytes": 4242}]},
                "response": {"status": 200, "headers": {"content-type": "application/json"},
                             "json": {...}}}]}

Of requests the pictures are digests; answers are whole: `json`, `text` (its lines) or `base64`.
Headers of requests are not there, and of answers only those that the client reads.
"""

import base64
import difflib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from client_sdk.errors import UsageError

VERSION = 1
KEPT_HEADERS = ("content-type", "location", "retry-after")
_ROUTE = re.compile(r"/api/v\d.*|/readyz|/livez")
_NAMES = re.compile(rb'name="([^"]*)"(?:; filename="([^"]*)")?')
_REMOVED = "[token]"
_SHORTEST_SECRET = 8  # a shorter one could be a part of any word


@dataclass(frozen=True, slots=True)
class Asked:
    """One call, without what differs from one run to the next.

    Attributes:
        key: The whole request as JSON; equal for calls that are the same.
    """

    key: str

    @classmethod
    def by(cls, request: httpx.Request) -> Self:
        """The call of a request whose body has been read."""
        route = _ROUTE.search(request.url.path)
        fields: dict[str, Any] = {
            "method": request.method,
            "path": route.group() if route else request.url.path,
        }
        if params := sorted(request.url.params.multi_items()):
            fields["params"] = [list(pair) for pair in params]
        fields.update(_body(request))
        return cls.of(fields)

    @classmethod
    def of(cls, fields: Any) -> Self:
        """The call as a cassette has it."""
        return cls(json.dumps(fields, ensure_ascii=False, sort_keys=True))

    @classmethod
    def from_key(cls, key: str) -> Self:
        """The call of a key."""
        return cls(key)

    @property
    def fields(self) -> dict[str, Any]:
        """The call as it is written."""
        fields: dict[str, Any] = json.loads(self.key)
        order = ("method", "path", "params", "json", "form", "files", "sha256", "bytes")
        return {name: fields[name] for name in order if name in fields}

    def __str__(self) -> str:
        fields = self.fields
        words = [f"{fields['method']} {fields['path']}"]
        words += [f"{name}={value}" for name, value in fields.get("params", ())]
        words += [f"{name}={value}" for name, value in fields.get("form", ())]
        words += [f"{one['field']}={one['name']} ({one['sha256'][:12]})" for one in _files(fields)]
        if "json" in fields:
            words.append(json.dumps(fields["json"], ensure_ascii=False))
        return " ".join(words)

    def nearest(self, others: Iterable["Asked"]) -> "Asked | None":
        """The call among others that is most like this one."""

        def likeness(other: Asked) -> tuple[bool, float]:
            same_route = [self.fields[name] == other.fields[name] for name in ("method", "path")]
            return all(same_route), difflib.SequenceMatcher(None, str(self), str(other)).ratio()

        return max(others, key=likeness, default=None)


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer as a cassette has it."""

    fields: dict[str, Any]

    @classmethod
    def by(cls, response: httpx.Response, body: bytes) -> Self:
        """The answer of a response with the bytes of its body as they came."""
        decoded = httpx.Response(200, headers=response.headers, content=body).content
        kept = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        return cls(
            {
                "status": response.status_code,
                "headers": kept,
                **_written(decoded, kept.get("content-type", "")),
            }
        )

    def response(self, request: httpx.Request) -> httpx.Response:
        """The answer, to be given again."""
        return httpx.Response(
            self.fields["status"],
            headers=self.fields["headers"],
            content=_read_back(self.fields),
            request=request,
        )


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call and its answer."""

    asked: Asked
    answered: Answered


def read(path: Path) -> list[Exchange]:
    """The calls of a cassette, in their order.

    Raises:
        UsageError: If there is no such file, or it is no cassette.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
        if document["version"] != VERSION:
            raise UsageError(
                f"{path} is a cassette of version {document['version']}, and this client reads "
                f"version {VERSION}; record it again"
            )
        return [
            Exchange(Asked.of(call["request"]), _checked(call["response"]))
            for call in document["calls"]
        ]
    except FileNotFoundError as error:
        raise UsageError(
            f"there is no cassette {path}; record it with a service: cassette(path, 'record')"
        ) from error
    except OSError as error:
        raise UsageError(f"the cassette {path} cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path} is no cassette; delete it and record it again") from error


def write(path: Path, exchanges: Sequence[Exchange], secrets: Iterable[str] = ()) -> None:
    """Write a cassette, whole or not at all.

    Args:
        path: Where to; the folder is made where there is none.
        exchanges: The calls, in their order.
        secrets: What must not be in it, wherever it stands.

    Raises:
        OSError: If it cannot be written.
    """
    calls = [{"request": one.asked.fields, "response": one.answered.fields} for one in exchanges]
    text = json.dumps({"version": VERSION, "calls": calls}, ensure_ascii=False, indent=2) + "\n"
    for secret in secrets:
        if len(secret) < _SHORTEST_SECRET:
            continue
        text = text.replace(json.dumps(secret, ensure_ascii=False)[1:-1], _REMOVED)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).chmod(0o644)  # a cassette is kept with the tests, not a secret
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _checked(fields: Any) -> Answered:
    answered = Answered(fields)
    answered.response(httpx.Request("GET", "http://cassette"))
    return answered


def _body(request: httpx.Request) -> dict[str, Any]:
    kind, _, rest = request.headers.get("content-type", "").partition(";")
    if not request.content:
        return {}
    if kind == "application/json":
        return {"json": json.loads(request.content)}
    if kind == "multipart/form-data":
        return _form(request.content, rest.partition("boundary=")[2].strip('"').encode())
    return _digest(request.content)


def _form(body: bytes, boundary: bytes) -> dict[str, Any]:
    fields: list[list[str]] = []
    files: list[dict[str, Any]] = []
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        names = _NAMES.search(head)
        name, file_name = names.groups() if names else (b"", None)
        if file_name is None:
            fields.append([name.decode(), content.decode("utf-8", "replace")])
        else:
            files.append({"field": name.decode(), "name": file_name.decode(), **_digest(content)})
    return {"form": sorted(fields), "files": files}


def _files(fields: dict[str, Any]) -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = fields.get("files", [])
    return files


def _digest(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _written(body: bytes, kind: str) -> dict[str, Any]:
    """The body in the form that is best read, and from which the same is read back."""
    if not body:
        return {}
    if kind.partition(";")[0].endswith("json"):
        try:
            return {"json": json.loads(body)}
        except ValueError:
            pass  # what is broken is kept as it is
    if kind.startswith("text/"):
        try:
            return {"text": body.decode("utf-8").split("\n")}
        except UnicodeDecodeError:
            pass
    return {"base64": base64.b64encode(body).decode("ascii")}


def _read_back(fields: dict[str, Any]) -> bytes:
    if "json" in fields:
        return json.dumps(fields["json"], ensure_ascii=False).encode()
    if "text" in fields:
        return "\n".join(fields["text"]).encode()
    return base64.b64decode(fields.get("base64", ""), validate=True)
