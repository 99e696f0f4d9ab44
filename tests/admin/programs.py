"""Programs that are started as an operator starts them."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def run_python(place, *arguments, **settings):
    """Run Python with the settings of a place, and more; return the ended process."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=place.environment | settings,
        capture_output=True,
        text=True,
        timeout=300,
    )
