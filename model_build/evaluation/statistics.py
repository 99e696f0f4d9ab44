"""Means over queries with bootstrap intervals.

The bootstrap (Efron, 1979): queries are drawn with replacement as often as there are, many times
over; the middle 95 % of the means is the interval. For two descriptors the differences of the same
queries are drawn (paired), so that what makes a query hard for both does not widen the interval.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
CONFIDENCE = 0.95
_DRAWS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Estimate:
    """A mean over queries with the ends of its interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """True if the whole interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


def bootstrap_mean(
    values: NDArray[np.float64],
    units: NDArray[np.intp],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    draws_at_once: int = _DRAWS_AT_ONCE,
) -> Estimate:
    """Return the mean of one value (Q,) for each query, with its bootstrap percentile interval.

    Queries with the same number in `units` (Q,) are drawn together, such as copies of one original.
    Equal seeds give equal intervals. `draws_at_once` is the number of draws held in memory.
    """
    _, unit_of = np.unique(units, return_inverse=True)
    sums = np.bincount(unit_of, weights=values).astype(np.float64)
    counts = np.bincount(unit_of)
    random = np.random.default_rng(seed)
    parts = _parts(resamples, size=max(1, draws_at_once // len(sums)))
    drawn = np.concatenate([_means_of_drawn(sums, counts, rows, random) for rows in parts])
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, (outside, 1 - outside))
    return Estimate(value=float(values.mean()), low=float(low), high=float(high))


def _means_of_drawn(
    sums: NDArray[np.float64],
    counts: NDArray[np.intp],
    rows: int,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """Return (rows,) means, each over the queries of as many drawn units as there are units."""
    drawn = random.integers(len(sums), size=(rows, len(sums)))
    means: NDArray[np.float64] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return means


def _parts(resamples: int, *, size: int) -> list[int]:
    """Return the sizes of parts of the resamples, each at most `size`."""
    return [min(size, resamples - done) for done in range(0, resamples, size)]
