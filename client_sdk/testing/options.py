"""The default options of assertions, from the command line, the ini file and the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from client_sdk.errors import UsageError
from client_sdk.schemas import DEFAULT_COLLECTION
from client_sdk.testing.pixels import Pixels
from client_sdk.testing.values import VALUES

Offline = Literal["skip", "fail"]

FALSE = ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of assertions, used for the arguments that a call omits.

    Attributes:
        min_score: The smallest score that passes `assert_similar`, in [-1, 1]. The same page
            rendered by another machine passes the default; a page without one of its parts
            usually fails it.
        known_score: The lowest score of the same picture in `assert_known`, `assert_new` and
            `assert_no_duplicates`, in [-1, 1]; `None` uses the verdict of the service.
        margin: The smallest difference of scores between the expected image and the best other
            one that passes `assert_nearest`.
        pixels: The rule of the pixel comparison of `assert_similar`; `None` compares no pixels.
        collection: The collection to search.
        baselines: The folder of baselines; a relative path starts at the folder of each test.
        report: The folder of the pictures of failures and of the report.
        update: If true, missing and different baselines are written, and the test fails for
            review.
        in_ci: True on a machine of continuous integration; messages then advise to write
            baselines on another machine.
        offline: `skip` or `fail`, the result of tests if the service does not answer.
    """

    min_score: float = 0.99
    known_score: float | None = None
    margin: float = 0.0
    pixels: Pixels | None = None
    collection: str = DEFAULT_COLLECTION
    baselines: Path = Path("__visual__")
    report: Path = Path("visual-report")
    update: bool = False
    in_ci: bool = False
    offline: Offline = "fail"

    def __post_init__(self) -> None:
        checked_score("min_score", self.min_score)
        checked_score("known_score", self.known_score)
        checked_score("margin", self.margin, most=2.0)  # the largest difference of two scores


ScoreT = TypeVar("ScoreT", float, float | None)


def checked_score(name: str, value: ScoreT, most: float = 1.0) -> ScoreT:
    """Return a score unchanged, or `None`.

    Raises:
        UsageError: If it is not a possible score.
    """
    if value is None:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1 <= value <= most:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"visual {name} is {value!r}; scores lie in [-1, 1]")
    return value


def layered(*layers: Mapping[str, str | None], in_ci: bool = False) -> Options:
    """Return the options of layers of texts by option name; earlier layers take precedence.

    Raises:
        UsageError: If a text is not a valid value of its option.
    """

    def said(name: str) -> str | None:
        return next((layer[name] for layer in layers if layer.get(name)), None)

    usual = Options()
    known, pixels = said("known_score"), said("pixels")
    return Options(
        min_score=_number("min_score", said("min_score"), usual.min_score),
        known_score=None if known is None else _number("known_score", known, 0.0),
        margin=_number("margin", said("margin"), usual.margin),
        pixels=None if pixels is None else _pixels(pixels),
        collection=said("collection") or usual.collection,
        baselines=Path(said("baselines") or usual.baselines),
        report=Path(said("report") or usual.report),
        update=(said("update") or "").lower() not in FALSE,
        in_ci=in_ci,
        offline=_offline(said("offline") or usual.offline),
    )


def from_environment(environ: Mapping[str, str] = os.environ) -> Options:
    """Return the options of the environment, such as `LOOKALIKE_VISUAL_MIN_SCORE`.

    Raises:
        UsageError: If a variable is not a valid value of its option.
    """
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


def _pixels(text: str) -> Pixels | None:
    if text.lower() in ("off", "no", "false"):
        return None
    try:
        return Pixels(max_share=float(text))
    except ValueError as error:
        raise UsageError(
            f"visual pixels is {text!r}; give the largest share of differing pixels, such as "
            "0.001, or off"
        ) from error
