"""The descriptors that can be evaluated; the only module that knows models and networks.

A describer is one pass over decoded pictures that returns one or more descriptors, so that a
network runs once for all of them. Describers with equal preprocessing share the decoding.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bento_service.descriptors.choice import Choice, choose, engine_of
from bento_service.descriptors.hardware import Hardware
from bento_service.descriptors.model import Model
from bento_service.descriptors.version import (
    DESCRIPTORS,
    PRECISIONS,
    DescriptorName,
    Precision,
)
from bento_service.settings import Settings
from client_sdk.decoding.formats import Colour, Region
from model_build.errors import EvaluationError
from model_build.evaluation.histogram import NAME as COLOUR_HISTOGRAM
from model_build.evaluation.histogram import colour_histograms
from model_build.photographs import Square
from model_build.store import TAG_FILE, stored_folder

NAMES = (*DESCRIPTORS, COLOUR_HISTOGRAM)
"""The descriptors that are evaluated by default. A name of the model may be followed by a precision
and by `pad` or `squash`, as in `vgg16-rmac4/int8` and `vgg16-rmac4/fp32/pad`."""

_HISTOGRAM_SIDE = 224
_PADDING: dict[str, Colour | None] = {"pad": (124, 117, 104), "squash": None}


@dataclass(frozen=True)
class Describer:
    """A function from pictures to one or more descriptors.

    Attributes:
        origin: A readable name of what computes them.
        prepare: Decodes a picture; describers with equal ones share the result.
        describe: Maps pixels (N, S, S, 3) uint8 to descriptors (N, D) float32 of unit length, by
            name.
    """

    names: tuple[str, ...]
    origin: str
    prepare: Callable[[bytes, Region | None], NDArray[np.uint8]]
    describe: Callable[[NDArray[np.uint8]], Mapping[str, NDArray[np.float32]]]


def describers(names: Sequence[str], models: Path | None, *, threads: int) -> list[Describer]:
    """Return the describers that compute some descriptors; see `NAMES`.

    The model is taken from `models`, the folder of a store; by default BentoML's own.

    Raises:
        EvaluationError: No descriptor has such a name, or the model that the service names is not
            in the store.
        NotReady: The model does not reproduce its golden vectors.
    """
    rows = [_row(name) for name in names if name != COLOUR_HISTOGRAM]
    made = []
    if rows:
        folder = _model_folder(models)
        usual = choose(Settings(), Hardware.detect())
        by_pass: dict[tuple[Precision, str], list[_Row]] = {}
        for row in rows:
            by_pass.setdefault((row.precision or usual.precision, row.squared), []).append(row)
        made += [
            _of_model(some, folder, precision, threads) for (precision, _), some in by_pass.items()
        ]
    if COLOUR_HISTOGRAM in names:
        made.append(_colour_histogram())
    return made


@dataclass(frozen=True)
class _Row:
    """The parts of a name; parts that it omits are chosen by the hardware or the model."""

    name: str
    descriptor: DescriptorName
    precision: Precision | None = None
    squared: str = ""


def _row(name: str) -> _Row:
    first, *others = name.split("/")
    for descriptor in DESCRIPTORS:
        if descriptor == first:
            row = _Row(name, descriptor)
            break
    else:
        raise EvaluationError(f"no descriptor {name}; there are {', '.join(NAMES)}")
    for other in others:
        precision = next((known for known in PRECISIONS if known == other), None)
        if precision is not None:
            row = replace(row, precision=precision)
        elif other in _PADDING:
            row = replace(row, squared=other)
        else:
            raise EvaluationError(
                f"{name}: no {other}; after the descriptor there may be {', '.join(PRECISIONS)}, "
                "pad or squash"
            )
    return row


def _of_model(rows: Sequence[_Row], folder: Path, precision: Precision, threads: int) -> Describer:
    """Return the describer for rows of one precision and preprocessing."""
    engine = engine_of(precision)
    on_gpu = engine == "torch" and Hardware.detect().cuda
    choice = Choice(rows[0].descriptor, engine, precision, on_gpu)
    model = Model.load(folder, choice, threads=threads)
    ours = model.version.preprocessing

    def describe(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        outputs = model.engine.outputs(images, sorted({row.descriptor for row in rows}))
        return {row.name: outputs[row.descriptor] for row in rows}

    squared = rows[0].squared
    return Describer(
        names=tuple(row.name for row in rows),
        origin=f"model {folder.parent.name}:{folder.name}, {engine} {precision}",
        prepare=Square(ours.size, _PADDING[squared] if squared else ours.padding),
        describe=describe,
    )


def _colour_histogram() -> Describer:
    return Describer(
        names=(COLOUR_HISTOGRAM,),
        origin="8 x 8 x 8 RGB, square root of the shares",
        prepare=Square(_HISTOGRAM_SIDE),
        describe=lambda images: {COLOUR_HISTOGRAM: colour_histograms(images)},
    )


def _model_folder(models: Path | None) -> Path:
    """Return the folder of the model that the service names."""
    tag = TAG_FILE.read_text().strip() if TAG_FILE.is_file() else ""
    folder = models / tag.replace(":", "/") if models else stored_folder(tag)
    if not tag or not folder.is_dir():
        raise EvaluationError(
            f"the model {tag or 'of the service'} is not in {models or stored_folder('')}; build "
            "it with `python -m model_build`, or say with --models or BENTOML_HOME where it is"
        )
    return folder
