"""The files of the page, compressed once and served under the digest of all of them.

A browser keeps a file under a digest for good, and an upgrade changes every address: it never mixes
the files of two versions, and asks for none of them again.
"""

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname, normpath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

_WEB = Path(__file__).parent.parent / "web"
_INDEX = "index.html"
_KINDS = (".html", ".css", ".js", ".svg")
_MIN_COMPRESSED = 500
_FIRST_MODULE = re.compile(r'<script type="module" src="static/([^"]+)"')
_COMMENT = re.compile(r"^[ \t]*(?:/\*(?:(?!\*/).)*\*/|//[^\n]*)[ \t]*$", re.MULTILINE | re.DOTALL)
_IMPORT = re.compile(r"""^(?:import|export)\s[^"';]*?["'](\.[^"']+)["']""", re.MULTILINE)
_HEADERS = {"X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding"}
_FILE_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable", **_HEADERS}
_PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    **_HEADERS,
}


@dataclass(frozen=True)
class _File:
    """A file of the page; `compressed` is `None` if compression saves nothing."""

    media_type: str
    content: bytes
    compressed: bytes | None

    @classmethod
    def of(cls, name: str, content: bytes) -> "_File":
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        is_long = len(content) >= _MIN_COMPRESSED
        return cls(kind, content, gzip.compress(content, 9, mtime=0) if is_long else None)

    def answer(self, request: Request, headers: dict[str, str]) -> Response:
        """Return the answer to a request."""
        if self.compressed is None or "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(self.content, media_type=self.media_type, headers=headers)
        headers = {**headers, "Content-Encoding": "gzip"}
        return Response(self.compressed, media_type=self.media_type, headers=headers)


def page_routes(folder: Path = _WEB) -> list[BaseRoute]:
    """Return the routes of the page and of its files."""
    files = {
        path.relative_to(folder).as_posix(): _without_comments(path)
        for path in sorted(folder.rglob("*"))
        if path.suffix in _KINDS
    }
    digest = _digest(files)
    index = _File.of(_INDEX, _addressed(files.pop(_INDEX).decode(), files, digest).encode())
    served = {name: _File.of(name, content) for name, content in files.items()}

    async def page(request: Request) -> Response:
        return index.answer(request, _PAGE_HEADERS)

    async def file(request: Request) -> Response:
        found = served.get(request.path_params["name"])
        if found is None or request.path_params["digest"] != digest:
            return Response(status_code=404)
        return found.answer(request, _FILE_HEADERS)

    return [Route("/", page), Route("/static/{digest}/{name:path}", file)]


def _without_comments(path: Path) -> bytes:
    """Return a file without the comments that fill lines; the lines keep their numbers."""
    text = path.read_text("utf-8")
    if path.suffix in (".js", ".css"):
        text = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text)
    return text.encode()


def _digest(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(name.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:16]


def _addressed(index: str, files: dict[str, bytes], digest: str) -> str:
    """Return the page with its files' addresses, and with the modules that it needs at once."""
    first = _FIRST_MODULE.findall(index)
    preloads = "".join(
        f'<link rel="modulepreload" href="static/{name}">\n' for name in _needed(first, files)
    )
    return index.replace("</head>", f"{preloads}</head>").replace(
        '="static/', f'="static/{digest}/'
    )


def _needed(first: list[str], files: dict[str, bytes]) -> list[str]:
    """Return modules and those that they import, directly or not."""
    needed = [*first]
    for name in needed:  # the loop itself appends
        for path in _IMPORT.findall(files[name].decode()):
            imported = normpath(f"{dirname(name)}/{path}").lstrip("/")
            if imported not in needed:
                needed.append(imported)
    return needed
