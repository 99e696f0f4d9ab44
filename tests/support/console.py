"""The console blocks of a document: the commands in them, and a comparison of their output.

A line that begins with `$ ` is a command, the lines below it are its output. A line `...` stands
for any lines, `...` inside a line for any text, and decimal numbers may differ a little, since
processors round in different ways.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.documents import blocks

TOLERANCE = 0.03
_BAR = re.compile(r"\d%\||\[\d\d:\d\d, ")  # of progress


@dataclass
class Command:
    """A command of a document, with the output that it shows."""

    text: str
    line: int
    shown: list[str] = field(default_factory=list)

    def difference(self, printed: str) -> str | None:
        """Return what was printed, without bars, if the document shows another output."""
        lines = [line for line in printed.splitlines() if not _BAR.search(line)]
        return difference(self.shown, lines) if self.shown else None


def commands(page: Path) -> list[Command]:
    """Return what a reader types: commands, and the files that the text asks for."""
    found: list[Command] = []
    for block in blocks(page):
        if block.file:
            text = f"cat > {block.file} << 'END OF FILE'\n{block.text}END OF FILE"
            found.append(Command(text, block.line))
        if block.language == "console" and "no-run" not in block.words:
            found += commands_in(block.text, block.line)
    return found


def commands_in(text: str, line: int) -> list[Command]:
    """Return the commands of a console block that begins at a line, with their output."""
    found: list[Command] = []
    for number, shown in enumerate(text.splitlines(), line + 1):
        if shown.startswith("$ "):
            found.append(Command(shown[2:], number))
        elif found and found[-1].text.endswith("\\"):
            found[-1].text += f"\n{shown}"
        else:
            assert found, f"line {number}: output before the first command"
            found[-1].shown.append(shown)
    return found


def difference(shown: list[str], printed: list[str]) -> str | None:
    """Return what a command printed, if that is not what the document shows."""
    pattern, numbers = "", []
    for line in filter(None, map(_words, shown)):
        if line == "...":
            pattern += r"(?:.*\n)*?"
            continue
        for part in re.split(r"(\.\.\.|\d+\.\d+)", line):
            if part == "...":
                pattern += ".*"
            elif re.fullmatch(r"\d+\.\d+", part):
                pattern += r"(\d+(?:\.\d+)?)"
                numbers.append(float(part))
            else:
                pattern += re.escape(part)
        pattern += r"\n"
    text = "".join(f"{line}\n" for line in filter(None, map(_words, printed)))
    match = re.fullmatch(pattern, text)
    near = match and all(
        abs(float(one) - other) <= TOLERANCE
        for one, other in zip(match.groups(), numbers, strict=True)
    )
    return None if near else text


def _words(line: str) -> str:
    return " ".join(line.split())
