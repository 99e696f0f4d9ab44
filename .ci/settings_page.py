"""Writes the tables of docs/settings.md from the descriptions in `bento_service/settings`.

    python .ci/settings_page.py           writes the page
    python .ci/settings_page.py --check   fails if it is not what it would write

Which setting is in which table, and the page's other text, are written by hand.
"""

import re
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "settings.md"
_DESCRIPTION = re.compile(
    r"^(LOOKALIKE_\w+) +(.*?)(?: \(((?:[^()]|\([^()]*\))*)\))?$", re.MULTILINE
)
_ROW = re.compile(r"^\| `(LOOKALIKE_\w+)` \|.*$", re.MULTILINE)


def descriptions() -> dict[str, tuple[str, str]]:
    """Return the default and the description of every setting, by name."""
    text = (PROJECT / "bento_service" / "settings" / "__init__.py").read_text("utf-8")
    document = text.split('"""')[1]
    return {
        name: (default or "", what.strip())
        for name, what, default in _DESCRIPTION.findall(document)
    }


def written(page: str) -> str:
    """Return the page with the rows of its tables written again."""
    known = descriptions()

    def row(match: re.Match[str]) -> str:
        if match[1] not in known:
            return match[0]
        default, what = (text.replace("|", "\\|") for text in known[match[1]])
        return f"| `{match[1]}` | {default} | {what} |"

    return _ROW.sub(row, page)


def rows(page: str) -> list[str]:
    """Return the names of the settings that the page describes."""
    return _ROW.findall(page)


def main(arguments: list[str]) -> int:
    """Write the page, or check it; return the exit code."""
    page = PAGE.read_text("utf-8")
    if missing := sorted(descriptions().keys() - set(rows(page))):
        sys.stderr.write(f"{PAGE}: add a row for {', '.join(missing)}\n")
        return 1
    new = written(page)
    if "--check" in arguments:
        if new != page:
            sys.stderr.write(f"{PAGE}: run `python .ci/settings_page.py`\n")
        return int(new != page)
    PAGE.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
