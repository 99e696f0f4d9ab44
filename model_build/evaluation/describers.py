"""Which descriptors can be evaluated: the one place that knows models and networks.

A describer is one pass over decoded pictures that gives one or more descriptors, so that a network
runs once for all that is taken from it. Describers that want the same pixels share the decoding.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bento_service.vision.decode import Region, decode
from bento_service.vision.engine import Model
from model_build.evaluation.errors import DescriptorUnknown, ModelMissing
from model_build.evaluation.histogram import NAME as COLOUR_HISTOGRAM
from model_build.evaluation.histogram import colour_histograms
from model_build.evaluation.protocol import MAX_PIXELS
from model_build.store import TAG_FILE, stored_folder

FROM_MODEL = ("vgg16-mac",)
"""The descriptors that a model's network gives."""
NAMES = (*FROM_MODEL, COLOUR_HISTOGRAM)
"""Every descriptor that can be asked for; also what is evaluated unless something is asked for."""

_HISTOGRAM_SIDE = 224


@dataclass(frozen=True)
class Squash:
    """Decodes a picture to a square, whatever its shape.

    Attributes:
        side: S, in pixels.
    """

    side: int

    def __call__(self, content: bytes, region: Region | None) -> NDArray[np.uint8]:
        """(S, S, 3) uint8, RGB.

        Raises:
            LookalikeError: The picture cannot be read; see `decode`.
        """
        return decode(content, side=self.side, max_pixels=MAX_PIXELS, region=region).pixels


@dataclass(frozen=True)
class Describer:
    """One pass over pictures.

    Attributes:
        names: The descriptors that it gives.
        origin: What computes them, for people.
        prepare: Decodes a picture; equal ones are run once for all describers.
        describe: Pixels (N, S, S, 3) uint8 to the descriptors (N, D) float32 of unit length, by
            name.
    """

    names: tuple[str, ...]
    origin: str
    prepare: Callable[[bytes, Region | None], NDArray[np.uint8]]
    describe: Callable[[NDArray[np.uint8]], Mapping[str, NDArray[np.float32]]]


def describers(names: Sequence[str], models: Path | None, *, threads: int) -> list[Describer]:
    """What gives some descriptors.

    Args:
        names: Some of `NAMES`.
        models: The `models` folder of a store; BentoML's own where it is none.
        threads: How many cores a network may use.

    Raises:
        DescriptorUnknown: A name is not one of `NAMES`.
        ModelMissing: The model that the service names is not in the store.
        NotReady: The model does not reproduce its golden vectors.
    """
    if unknown := [name for name in names if name not in NAMES]:
        raise DescriptorUnknown(f"no descriptor {unknown[0]}; there are {', '.join(NAMES)}")
    made = []
    if from_model := tuple(name for name in FROM_MODEL if name in names):
        made.append(_of_model(from_model, _model_folder(models), threads))
    if COLOUR_HISTOGRAM in names:
        made.append(_colour_histogram())
    return made


def _of_model(names: tuple[str, ...], folder: Path, threads: int) -> Describer:
    model = Model.load(folder, threads=threads)

    def describe(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        return {model.version.name: model.engine.describe(images)}

    return Describer(
        names=names,
        origin=f"model {folder.parent.name}:{folder.name}, {model.engine.name} "
        f"{model.engine.precision}",
        prepare=Squash(model.version.preprocessing.size),
        describe=describe,
    )


def _colour_histogram() -> Describer:
    return Describer(
        names=(COLOUR_HISTOGRAM,),
        origin="8 x 8 x 8 RGB, square root of the shares",
        prepare=Squash(_HISTOGRAM_SIDE),
        describe=lambda images: {COLOUR_HISTOGRAM: colour_histograms(images)},
    )


def _model_folder(models: Path | None) -> Path:
    """Where the model lies that the service names."""
    tag = TAG_FILE.read_text().strip() if TAG_FILE.is_file() else ""
    folder = models / tag.replace(":", "/") if models else stored_folder(tag)
    if not tag or not folder.is_dir():
        raise ModelMissing(
            f"the model {tag or 'of the service'} is not in {models or stored_folder('')}; build "
            "it with `python -m model_build`, or say with --models or BENTOML_HOME where it is"
        )
    return folder
