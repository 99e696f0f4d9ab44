"""Files of failures: the pictures and a `result.json`, in one folder for each failure."""

import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path

from client_sdk.testing.baselines import PNG, plain
from client_sdk.testing.outcome import SCHEMA, Judged, Outcome
from client_sdk.testing.pictures import Shot, as_png

RESULT = "result.json"
REPORT = "report.html"


def keep(judged: Judged, report: Path) -> Judged:
    """Write the files of a failure below a report; return the judgement with their names."""
    outcome = judged.outcome
    if outcome.passed:
        return judged
    folder = Path(_folder_of(outcome.test), f"{outcome.number}-{plain(outcome.name)}")
    _begin(report, report / folder)
    pictures: dict[str, str] = {}
    for role, data in judged.pictures.items():
        pictures[role] = f"{role}.png"
        as_file = data if data.startswith(PNG) else as_png(Shot(role, data).image)
        (report / folder / pictures[role]).write_bytes(as_file)
    kept = outcome.model_copy(update={"folder": folder.as_posix(), "pictures": pictures})
    (report / folder / RESULT).write_text(kept.model_dump_json(indent=2), "utf-8")
    return Judged(kept, judged.pictures)


def forget_others(report: Path, outcomes: Collection[Outcome]) -> None:
    """Remove the failure folders of earlier runs: only folders with our `result.json`."""
    current = {outcome.folder for outcome in outcomes}
    for result in report.glob(f"*/*/{RESULT}"):
        folder = result.parent
        if folder.relative_to(report).as_posix() not in current and _is_ours(result):
            shutil.rmtree(folder)
            if not any(folder.parent.iterdir()):
                folder.parent.rmdir()


def _begin(report: Path, folder: Path) -> None:
    if not report.exists():
        report.mkdir(parents=True)
        (report / ".gitignore").write_text("*\n", "utf-8")
    if folder.exists():
        shutil.rmtree(folder)  # a plugin has repeated the test
    folder.mkdir(parents=True)


def _folder_of(test: str) -> str:
    digest = hashlib.sha256(test.encode()).hexdigest()[:8]
    return f"{plain(test.rpartition('/')[2])}-{digest}"


def _is_ours(result: Path) -> bool:
    try:
        return Outcome.model_validate_json(result.read_bytes()).schema_name == SCHEMA
    except ValueError:
        return False
