"""Compares `assert_similar` with Playwright's own comparison of screenshots.

    python -m benchmarks.visual [--keep FOLDER]

Draws three pages with one change at a time, and with noise that is no change, and prints which of
them each comparison reports. Playwright's side is the comparator of `toHaveScreenshot` with its
defaults, from the driver of the installed Playwright. `--keep` writes the pictures to a folder, and
reads them from there the next time.
"""

import argparse
import base64
import io
import json
import math
import pickle
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import playwright
from PIL import Image

from benchmarks import machine
from benchmarks.visual_changes import Case, cases
from client_sdk.testing.pixels import difference

_DRIVER = Path(playwright.__file__).parent / "driver"
_COMPARE = """
const {utils} = require(process.argv[1] + '/package/lib/coreBundle.js');
const compare = utils.getComparator('image/png');
require('readline').createInterface({input: process.stdin}).on('line', (line) => {
  const [actual, expected] = JSON.parse(line).map((text) => Buffer.from(text, 'base64'));
  console.log(compare(actual, expected, {}) ? 'differs' : 'same');
});
"""
_Z = 1.96  # of a 95 % interval


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder of the drawn pictures")
    found = _drawn(parser.parse_args().keep)
    print(machine.described())
    started = machine.own_seconds()
    ours = [_differs(case) for case in found]
    seconds = machine.own_seconds() - started
    theirs = _by_playwright(found)
    print(f"{len(found)} pairs of pictures, {seconds / len(found):.2f} CPU seconds each\n")
    print("| pictures | assert_similar | Playwright |")
    print("|---|---|---|")
    for title, chosen in _groups(found):
        sides = (_share([side[n] for n in chosen]) for side in (ours, theirs))
        print(f"| {title} | {' | '.join(sides)} |")
    print("\nDifferent answers:")
    for case, mine, its in zip(found, ours, theirs, strict=True):
        if mine != case.is_change or its != case.is_change:
            kind = "change" if case.is_change else "noise"
            answers = f"assert_similar {_word(mine)}, Playwright {_word(its)}"
            print(f"- {case.page}, {case.scale}x, {kind}: {case.name}: {answers}")


def _drawn(folder: Path | None) -> list[Case]:
    kept = folder / "cases.pickle" if folder else None
    if kept is not None and kept.exists():
        return [Case(*values) for values in pickle.loads(kept.read_bytes())]  # noqa: S301 - ours
    found = list(cases())
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        fields = ("page", "name", "scale", "is_change", "before", "after")
        kept.write_bytes(
            pickle.dumps([[getattr(case, field) for field in fields] for case in found])
        )
    return found


def _differs(case: Case) -> bool:
    actual, expected = (
        Image.open(io.BytesIO(data)).convert("RGBA") for data in (case.after, case.before)
    )
    return not difference(actual, expected)[0].passed


def _by_playwright(found: Sequence[Case]) -> list[bool]:
    lines = [
        json.dumps([base64.b64encode(data).decode() for data in (case.after, case.before)])
        for case in found
    ]
    ran = subprocess.run(
        [_DRIVER / "node", "-e", _COMPARE, _DRIVER],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return [line == "differs" for line in ran.stdout.split()]


def _groups(found: Sequence[Case]) -> Iterable[tuple[str, list[int]]]:
    for is_change, word in ((True, "changes caught"), (False, "noise reported")):
        for scale in (1, 2):
            for page in dict.fromkeys(case.page for case in found):
                chosen = [
                    n
                    for n, case in enumerate(found)
                    if (case.is_change, case.scale, case.page) == (is_change, scale, page)
                ]
                yield f"{page}, {scale}x: {word}", chosen
        chosen = [n for n, case in enumerate(found) if case.is_change == is_change]
        yield f"**all: {word}**", chosen


def _share(answers: Sequence[bool]) -> str:
    """Return how many are true, with Wilson's 95 % interval."""
    count, total = sum(answers), len(answers)
    share, spread = count / total, _Z**2 / total
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return f"{count} of {total} ({100 * low:.0f}-{100 * high:.0f} %)"


def _word(differs: bool) -> str:  # noqa: FBT001
    return "differs" if differs else "passes"


if __name__ == "__main__":
    main()
