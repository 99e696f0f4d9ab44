"""What assertions go by where the call says nothing: command line, ini file, environment."""

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
    """What an assertion goes by where its call says nothing.

    Attributes:
        min_score: The score that `assert_similar` asks for. The default lets the same page
            through that was drawn by another machine, and hardly a missing part of it.
        known_score: From which score on `assert_known`, `assert_new` and `assert_no_duplicates`
            take two pictures for the same; `None` leaves it to the verdict of the service.
        margin: How far `assert_nearest` wants the expected image ahead of others.
        pixels: How `assert_similar` looks at pixels; `None` does not.
        collection: What is searched.
        baselines: The folder of baselines; a relative one lies beside each test's file.
        report: The folder of pictures and report.
        update: Whether baselines are written, and then fail for review.
        offline: Whether tests are skipped or fail where the service does not answer.
        in_ci: Whether this is a machine that nobody sits at, so that it makes no baselines.
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
        checked_score("margin", self.margin, most=2.0)  # the widest distance of two scores


ScoreT = TypeVar("ScoreT", float, float | None)


def checked_score(name: str, value: ScoreT, most: float = 1.0) -> ScoreT:
    """Return a score that an assertion may ask for.

    Raises:
        UsageError: If no two pictures can have such a score.
    """
    if value is None:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1 <= value <= most:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"visual {name} is {value!r}; scores lie in [-1, 1]")
    return value


def layered(*layers: Mapping[str, str | None], in_ci: bool = False) -> Options:
    """Options from texts by name; the first layer that has one wins.

    Raises:
        UsageError: If a text is not what the option takes.
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
    """Options from `LOOKALIKE_VISUAL_MIN_SCORE` and so on, for suites without pytest."""
    texts = {name: environ.get(f"LOOKALIKE_VISUAL_{name.upper()}") for name in (*VALUES, "update")}
    return layered(texts, in_ci=is_ci(environ))


def is_ci(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment says that this is a machine of continuous integration."""
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
