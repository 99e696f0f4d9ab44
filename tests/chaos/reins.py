"""Orders of the campaign to the processes of a service, and their answers; see `injected`."""

import json
import time
from pathlib import Path
from typing import Any

from tests.chaos import crash_points
from tests.chaos.crash_points import CrashPoint

INJECTED = Path(__file__).with_name("injected")
_ANSWER_SECONDS = 60.0
_POLL_SECONDS = 0.01


class Reins:
    """The folder through which a service is led."""

    def __init__(self, folder: Path) -> None:
        crash_points.check()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "points.json").write_text(json.dumps(crash_points.as_json()))
        self._folder = folder

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables for the service's processes."""
        return {"CHAOS_DIR": str(self._folder), "PYTHONPATH": str(INJECTED)}

    def arm(self, point: CrashPoint) -> None:
        """Let the service die when it comes by there."""
        self.disarm()
        whole = json.dumps({"point": point.name, "skip": point.skip})
        (self._folder / "armed.part").write_text(whole)
        (self._folder / "armed.part").rename(self._folder / "armed")

    def disarm(self) -> None:
        """Let it live."""
        for name in ("armed", "hit", "look", "seen"):
            (self._folder / name).unlink(missing_ok=True)

    @property
    def was_hit(self) -> bool:
        """Return true if a process died at the point where it was armed."""
        return (self._folder / "hit").exists()

    def spoil(self, sabotage: str) -> None:
        """Let the service do something wrong from now on; nothing, if it is empty."""
        (self._folder / "spoilt").write_text(sabotage)

    def set_clock(self, seconds: int) -> None:
        """Let the service's clock be wrong by so much from now on."""
        (self._folder / "clock.part").write_text(str(seconds))
        (self._folder / "clock.part").rename(self._folder / "clock")

    def indexes(self) -> list[dict[str, Any]]:
        """Return the ids in catalogue and gallery, by index; empty if no process answered."""
        seen = self._folder / "seen"
        seen.unlink(missing_ok=True)
        (self._folder / "look").touch()
        deadline = time.monotonic() + _ANSWER_SECONDS
        while not seen.exists():
            if time.monotonic() > deadline:
                return []
            time.sleep(_POLL_SECONDS)
        answer: dict[str, Any] = json.loads(seen.read_text())
        return list(answer.get("indexes", []))
