"""The default options of assertions, from the command line, the ini file and the environment."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from client_sdk.errors import UsageError
from client_sdk.schemas import DEFAULT_COLLECTION
from client_sdk.testing.values import VALUES

Offline = Literal["skip", "fail"]

PLATFORM = "{platform}"
"""The part of the folder of baselines that becomes `linux`, `darwin` or `win32`."""

FALSE = ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of assertions, used for the arguments that a call omits.

    Attributes:
        min_score: The smallest score that passes `assert_looks_like`, in [-1, 1].
        collection: The collection to search.
        baselines: The folder of baselines; a relative path starts at the folder of each test.
        report: The folder of the pictures of failures and of the report.
        update: If true, missing and different baselines are written, and the test fails for
            review.
        in_ci: True in continuous integration; messages then advise to write baselines elsewhere.
        offline: `skip` or `fail`, the result of tests if the service does not answer.
    """

    min_score: float = 0.99
    collection: str = DEFAULT_COLLECTION
    baselines: Path = Path("__visual__")
    report: Path = Path("visual-report")
    update: bool = False
    in_ci: bool = False
    offline: Offline = "fail"

    def __post_init__(self) -> None:
        checked_score("min_score", self.min_score)


ScoreT = TypeVar("ScoreT", float, float | None)


def checked_score(name: str, value: ScoreT, most: float = 1.0) -> ScoreT:
    """Return a score unchanged, or `None`; raise a `UsageError` if no score can have the value."""
    if value is None:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1 <= value <= most:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"visual {name} is {value!r}; give a number from -1 to {most:g}")
    return value


def layered(*layers: Mapping[str, str | None], in_ci: bool = False) -> Options:
    """Return the options of layers of texts by option name; earlier layers take precedence.

    Raises:
        UsageError: If a text is not a valid value of its option.
    """

    def chosen(name: str) -> str | None:
        return next((layer[name] for layer in layers if layer.get(name)), None)

    usual = Options()
    return Options(
        min_score=_number("min_score", chosen("min_score"), usual.min_score),
        collection=chosen("collection") or usual.collection,
        baselines=Path(
            (chosen("baselines") or str(usual.baselines)).replace(PLATFORM, sys.platform)
        ),
        report=Path(chosen("report") or usual.report),
        update=(chosen("update") or "").lower() not in FALSE,
        in_ci=in_ci,
        offline=_offline(chosen("offline") or usual.offline),
    )


def from_environment(environ: Mapping[str, str] = os.environ) -> Options:
    """Return the options of the environment, such as `LOOKALIKE_VISUAL_MIN_SCORE`."""
    texts = {name: environ.get(f"LOOKALIKE_VISUAL_{name.upper()}") for name in (*VALUES, "update")}
    return layered(texts, in_ci=is_ci(environ))


def is_ci(environ: Mapping[str, str] = os.environ) -> bool:
    """Return True if the environment variable `CI` is set to a true value."""
    return environ.get("CI", "").lower() not in FALSE


def _offline(text: str) -> Offline:
    match text:
        case "skip" | "fail":
            return text
        case _:
            raise UsageError(f"visual offline is {text!r}; give skip or fail")


def _number(name: str, text: str | None, usual: float) -> float:
    if text is None:
        return usual
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"visual {name} is {text!r}; give a number") from error
