"""Benchmark of the alignment of pictures, with and without what makes it fast.

    python -m benchmarks.alignment FOLDER [--photographs N] [--rounds N]

Pairs are photographs of FOLDER with edited copies of them, and with the next photographs. The sides
take turns in one process: the service's alignment, the same with a search in every orientation, and
the same with the smallest number in place of zeros among the weights of blurs. It prints the CPU
time of a pair, divided by the service's, and how far the agreements of the sides are apart. Run it
with OPENBLAS_NUM_THREADS=1, as the service does.
"""

import argparse
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks import machine
from bento_service.comparison import alignment
from bento_service.pictures.miniature import Miniature, prints_of
from bento_service.pictures.perceptual_hash import Hashes, closeness
from model_build.evaluation.edits import EDITS, edited_copy
from model_build.evaluation.folders import pictures_in
from model_build.photographs import Square

_SIDE = 224
_SMALLEST = np.finfo(np.float32).smallest_subnormal
_Prints = tuple[Hashes | None, Miniature]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alignment", description=__doc__)
    parser.add_argument("folder", type=Path, help="photographs")
    parser.add_argument("--photographs", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(machine.described(), flush=True)
    files = list(pictures_in([options.folder]))[: options.photographs]
    copies, others = _pairs(files)
    sides: dict[str, Callable[[], AbstractContextManager[object]]] = {
        "the service": nullcontext,
        "every orientation": lambda: mock.patch.object(alignment, "_LEAST_LIKELY", -np.inf),
        "subnormal weights": _subnormal_weights,
    }
    for name, pairs in {"copies": copies, "other photographs": others}.items():
        spent: dict[str, list[float]] = defaultdict(list)
        agreements: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            for side, prepared in sides.items():
                with prepared():
                    began = time.process_time()
                    aligned = [alignment.align([pair])[0] for pair in pairs]
                    spent[side].append((time.process_time() - began) / len(pairs))
                agreements[side] = [each.agreement for each in aligned]
        usual = min(spent["the service"])
        print(f"\n{len(pairs)} pairs: {name}")
        for side, seconds in spent.items():
            apart = np.abs(np.subtract(agreements[side], agreements["the service"])).max()
            cost = f"{1000 * min(seconds):6.2f} ms a pair, ratio {min(seconds) / usual:.2f}"
            print(f"{side:<18}{cost}, agreements differ by up to {apart:.4f}")


def _pairs(files: Sequence[Path]) -> tuple[list[alignment.Pair], list[alignment.Pair]]:
    """Return pairs of photographs and their copies, and pairs of different photographs."""
    pictures = [file.read_bytes() for file in files]
    prints = [_prints(picture) for picture in pictures]
    copies = [
        (own, _prints(edited_copy(picture, edit=edit, seed=1)))
        for picture, own in zip(pictures, prints, strict=True)
        for edit in EDITS
    ]
    others = list(itertools.pairwise(prints))
    return [_pair(*pair) for pair in copies], [_pair(*pair) for pair in others]


def _prints(picture: bytes) -> _Prints:
    return prints_of(Square(_SIDE)(picture))


def _pair(first: _Prints, second: _Prints) -> alignment.Pair:
    return alignment.Pair(first[1], second[1], closeness(first[0], second[0]))


@contextmanager
def _subnormal_weights() -> Iterator[None]:
    """Put the smallest number where the weights of a blur are zero."""
    blurs = (*alignment._BLURS.values(), alignment._WINDOW)
    zeros = [blur == 0 for blur in blurs]
    for blur, zero in zip(blurs, zeros, strict=True):
        blur[zero] = _SMALLEST
    yield
    for blur, zero in zip(blurs, zeros, strict=True):
        blur[zero] = 0


if __name__ == "__main__":
    main()
