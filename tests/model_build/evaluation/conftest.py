"""Pictures of two plain colours, whose colour histograms can be worked out by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_build.evaluation.protocol import Picture, Protocol, Question

SIDE = 224
RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture(scope="session")
def two_colours() -> Callable[..., Path]:
    """Write a picture whose left columns are red and whose others are blue."""

    def write(path: Path, red_columns: int) -> Path:
        pixels = np.full((SIDE, SIDE, 3), BLUE, np.uint8)
        pixels[:, :red_columns] = RED
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture(scope="session")
def asked() -> Callable[..., Protocol]:
    """A protocol over pictures that are not there: who asks for whom, leave-one-out."""

    def make(relevant: dict[int, set[int]], gallery: int, **further: int) -> Protocol:
        files = [Path(f"{place}.png") for place in range(gallery + further.get("extra", 0))]
        return Protocol.of_questions(
            "test",
            files[:gallery],
            [
                Question(
                    query=query, relevant=frozenset(those), left_out=frozenset({query}), unit=query
                )
                for query, those in relevant.items()
            ],
            queries=[*map(Picture, files[gallery:])],
        )

    return make
