"""The bare cost of a picture: decoding alone and describing alone."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.models import model_folder
from bento_service.descriptors.choice import Choice, choose
from bento_service.descriptors.hardware import Hardware
from bento_service.descriptors.model import Model
from bento_service.pictures.in_process import decode
from bento_service.settings import Settings

Input = TypeVar("Input")

MAX_PIXELS = 10**8


@dataclass(frozen=True)
class Cost:
    """The cost of one picture.

    Attributes:
        seconds: Wall-clock seconds.
        cpu_seconds: CPU seconds of all cores together.
    """

    seconds: float
    cpu_seconds: float

    @classmethod
    def mean(cls, *costs: "Cost") -> "Cost":
        """Return the mean of several measurements."""
        return cls(
            statistics.mean(cost.seconds for cost in costs),
            statistics.mean(cost.cpu_seconds for cost in costs),
        )


@dataclass(frozen=True)
class Bare:
    """The engine that the server runs, without the server."""

    model: Model
    choice: Choice

    @classmethod
    def load(cls, models: Path) -> "Bare":
        """Load the service's model on all cores.

        Args:
            models: The models folder of a BentoML home.
        """
        choice = choose(Settings.from_environment(), Hardware.detect())
        model = Model.load(model_folder(models), choice, threads=machine.cores())
        return cls(model, choice)

    def decoded(self, encoded: bytes) -> NDArray[np.uint8]:
        """Return the pixels of a picture, (S, S, 3)."""
        how = self.model.version.preprocessing
        return decode(encoded, side=how.size, padding=how.padding, max_pixels=MAX_PIXELS).pixels

    def decoding(self, encoded: Sequence[bytes], *, seconds: float) -> Cost:
        """Return the cost of decoding a picture on one core, measured for `seconds`."""
        return _measured(cycle(encoded).__next__, self.decoded, 1, seconds)

    def describing(self, pixels: NDArray[np.uint8], *, batch: int, seconds: float) -> Cost:
        """Return the cost of describing a picture on all cores.

        Args:
            pixels: (N, S, S, 3) uint8, described repeatedly.
            batch: Pictures in one run, at most N.
            seconds: The duration of the measurement.
        """
        whole = len(pixels) - len(pixels) % batch
        parts = cycle(pixels[at : at + batch] for at in range(0, whole, batch))
        return _measured(parts.__next__, self.model.describe, batch, seconds)


def _measured(
    following: Callable[[], Input], act: Callable[[Input], object], pictures: int, seconds: float
) -> Cost:
    act(following())
    done, cpu, started = 0, machine.own_seconds(), time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        act(following())
        done += pictures
    return Cost(passed / done, (machine.own_seconds() - cpu) / done)
