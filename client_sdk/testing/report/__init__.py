"""The report of a run: one self-contained HTML file."""

import base64
import hashlib
import platform
import shlex
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

import client_sdk
from client_sdk.testing.artefacts import REPORT
from client_sdk.testing.messages import accept_command, plural, region_of, score_of, short
from client_sdk.testing.outcome import Outcome
from client_sdk.testing.report.embedding import Embedder


def write(folder: Path, outcomes: Sequence[Outcome]) -> Path:
    """Write the report of a run to the folder of its pictures, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / REPORT
    unfinished = report.with_suffix(".html.part")
    unfinished.write_text(render(folder, outcomes), "utf-8")
    unfinished.replace(report)
    return report


def render(folder: Path, outcomes: Sequence[Outcome], *, now: datetime | None = None) -> str:
    """Return the report as HTML; see `write`."""
    failed = [one for one in outcomes if not one.passed and not one.written]
    written = [one for one in outcomes if one.written]
    shown = [*failed, *written]
    style, script = _part("page.css"), _part("page.js")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_part("page.html")).render(
        style=Markup(style),  # noqa: S704 - ours, from this package
        script=Markup(script),  # noqa: S704
        style_digest=_digest(style),
        script_digest=_digest(script),
        shown=shown,
        failed=len(failed),
        written=len(written),
        passed=len(outcomes) - len(shown),
        accept=partial(accept_command, report=folder),
        accept_all=f"pytest --visual-accept={shlex.quote(short(folder))}",
        plural=plural,
        region_of=region_of,
        score_of=score_of,
        picture=Embedder(folder, sum(len(one.pictures) for one in shown)),
        now=(now or datetime.now().astimezone()).strftime("%d %B %Y, %H:%M"),
        version=client_sdk.__version__,
        python=platform.python_version(),
    )


def _part(name: str) -> str:
    return files(__name__).joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
