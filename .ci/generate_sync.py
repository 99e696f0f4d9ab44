"""Writes `client_sdk/_sync`, the synchronous half of the client, from `client_sdk/_async`.

    python .ci/generate_sync.py                   writes the files; `make sync`
    python .ci/generate_sync.py --check [FOLDER]  fails if they are not what it would write

Each file is translated by the rules below and formatted by ruff. What differs by more than words
is written by hand for both halves: `client_sdk._transport.workers`, the thumbnails of
`client_sdk._calls.listing`, and the two functions that wait for a part of an answer in
`client_sdk._transport.local`.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).parents[1]
SOURCES = PROJECT / "client_sdk" / "_async"
TARGETS = PROJECT / "client_sdk" / "_sync"

RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\bAsyncByteStream\b", "SyncByteStream"),  # of httpx
        (r"\b(_?)Async(?=[A-Z])", r"\1"),  # AsyncClient, _AsyncPieces, httpx.AsyncClient
        (r"\basync_(?=\w)", ""),  # async_result_of
        (r"\b_async\b", "_sync"),
        (r"\bhandle_async_request\b", "handle_request"),
        (r"\b__a(enter|exit|iter)__\b", r"__\1__"),
        (r"\ba(close|read|iter_sse)\b", r"\1"),
        (r"\baclosing\b", "closing"),
        (r"\bAwaitable\[(\w+)\]", r"\1"),
        (r"(?<!\w)\(await ([\w.]+\([\w.]*\))\)", r"\1"),  # (await send(call)).count
        (r"\bawait asyncio\.to_thread\(([\w.]+)(, )?", r"\1("),
        (r"\basyncio\b", "time"),  # asyncio.sleep
        (r"\basync (?=def|for|with)", ""),
        (r"\bawait ", ""),
        (r"  # noqa: ASYNC\d+.*", ""),
    )
)
HEAD = "# Generated from {} by `make sync`; edit that file instead.\n"
RUFF = (sys.executable, "-m", "ruff")


def translated(source: Path) -> str:
    """Return the synchronous twin of a module."""
    text = source.read_text("utf-8")
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return _formatted(HEAD.format(source.relative_to(PROJECT).as_posix()) + text)


def _formatted(text: str) -> str:
    # Shorter names change the line breaks and the order of imports; `time` may be unused.
    for command in (
        ("check", "--fix-only", "--quiet", "--select", "F401,I"),
        ("format", "--quiet"),
    ):
        name = ("--stdin-filename", str(TARGETS / "module.py"), "-")
        ran = subprocess.run(  # noqa: S603 - our own words
            [*RUFF, *command, *name], input=text, capture_output=True, text=True, check=True
        )
        text = ran.stdout
    return text


def main(arguments: Sequence[str]) -> int:
    """Write the files, or check them; return the exit code."""
    folder = Path(arguments[1]) if len(arguments) > 1 else TARGETS
    wanted = {source.name: translated(source) for source in SOURCES.glob("*.py")}
    present = {path.name: path.read_text("utf-8") for path in folder.glob("*.py")}
    if "--check" in arguments:
        names = sorted(wanted.keys() | present.keys())
        wrong = [name for name in names if wanted.get(name) != present.get(name)]
        if wrong:
            sys.stderr.write(f"{folder}: {', '.join(wrong)} differ; run `make sync`\n")
        return 1 if wrong else 0
    for name in present.keys() - wanted.keys():
        (folder / name).unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
