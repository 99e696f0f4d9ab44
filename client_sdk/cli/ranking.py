"""The arithmetic of `evaluate`: how good one ranking is. Pure, and without NumPy.

The definitions are those of docs/evaluation.md: a query is left out of its own ranking, and among
equal scores the right answers come last.
"""

from collections.abc import Collection, Sequence

ROUNDING = 1e-6
"""Scores that differ by less are equal: sums in single precision end differently."""


def ranks_of_relevant(ranking: Sequence[tuple[int, float]], relevant: Collection[int]) -> list[int]:
    """Where the relevant images stand, the first place being 1.

    Args:
        ranking: (id, score) of every image but the query, in any order.
        relevant: Ids of those that are right answers, all of them in the ranking.

    Returns:
        Ascending places, one for each relevant image.
    """
    order = sorted(ranking, key=lambda one: (-one[1], one[0] in relevant))
    return [place for place, (image_id, _) in enumerate(order, 1) if image_id in relevant]


def average_precision(ranks: Sequence[int]) -> float:
    """The mean, over the relevant images, of the precision at the place of each.

    Args:
        ranks: Ascending places of all relevant images, at least one, the first being 1.
    """
    return sum(found / rank for found, rank in enumerate(ranks, 1)) / len(ranks)


def recall_at(ranks: Sequence[int], k: int) -> float:
    """1 where at least one relevant image is among the first `k`, else 0."""
    return float(ranks[0] <= k)


def found_of_best(
    exact: Sequence[tuple[int, float]], found: Collection[int], *, k: int = 10
) -> float:
    """The share of the `k` best images that was found; one as good as the k-th will do.

    Args:
        exact: (id, score) of every image but the query, at least one.
        found: Ids that the index answered with, the query left out.
        k: At least 1; where there are fewer images, all of them are wanted.
    """
    scores = dict(exact)
    best = sorted(scores.values(), reverse=True)[:k]
    good = [one for one in found if scores.get(one, -2.0) >= best[-1] - ROUNDING]
    return min(len(good), len(best)) / len(best)
