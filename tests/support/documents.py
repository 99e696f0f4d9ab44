"""The documents of the project, and the fenced blocks in them."""

import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
_FENCED = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\w+\.py)\n")


def pages() -> list[Path]:
    """Return every document for users, README first."""
    return [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]


def name_of(page: Path) -> str:
    """Return the path of a document as people write it."""
    return page.relative_to(PROJECT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block of a document.

    Attributes:
        page: The document.
        line: Where the block begins.
        language: The first word after the fence.
        words: The other words there.
        text: What is between the fences.
    """

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def name(self) -> str:
        """A name for tests and files."""
        return f"{self.page.stem.lower().replace('-', '_')}_{self.line}"

    @property
    def file(self) -> str | None:
        """The file that a tutorial has its reader write, named in the first line."""
        named = _FILE.match(self.text) if self.language == "python" else None
        return named[1] if named else None


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a document, in order."""
    text = page.read_text("utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, found.start()) + 1,
            found[1],
            tuple(found[2].split()),
            found[3],
        )
        for found in _FENCED.finditer(text)
    ]
