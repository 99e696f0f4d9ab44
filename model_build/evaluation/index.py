"""Recall of the service's index against exact search.

Descriptors go into a separate Milvus Lite through the service's gallery, in a folder that
is deleted afterwards.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from bento_service.gallery.index_types import MAX_NEIGHBOURS
from bento_service.gallery.milvus_gallery import MilvusGallery
from model_build.evaluation.measures import scores_of_questions
from model_build.evaluation.protocol import Protocol

K = 10
"""The k of the recall@k."""
_ROUNDING = 1e-6  # rounding of sums of products of unit vectors in single precision


def index_recalls(
    protocol: Protocol, descriptors: Mapping[str, NDArray[np.float32]]
) -> dict[str, float]:
    """Return, by descriptor, the share of the exact first ten that the index returns.

    Args:
        protocol: A protocol with at least one question.
        descriptors: Unit vectors (N, D) float32 by name, one for each of the pictures.

    Raises:
        IndexUnavailable: Milvus Lite does not start here.
    """
    with _temporary_gallery() as gallery:
        return {
            name: _recall(gallery, f"evaluation_{number}", protocol, vectors, name)
            for number, (name, vectors) in enumerate(descriptors.items())
        }


def recall_of_found(
    scores: NDArray[np.float32], ranked: NDArray[np.bool_], found: Sequence[int], *, k: int = K
) -> float:
    """Return the share of the `k` best that was found; pictures tied with the k-th count.

    Args:
        scores: (G,) exact scores, larger is better.
        ranked: (G,) which pictures are ranked, at least one; the others are left out.
        found: Distinct positions in `scores`, best first, of ranked pictures.
        k: Number of best pictures, at least 1; if fewer are ranked, all of them count.
    """
    best = np.sort(scores[ranked])[::-1][:k]
    good_enough = scores[list(found[:k])] >= best[-1] - _ROUNDING
    return float(good_enough.sum() / len(best))


@contextmanager
def _temporary_gallery() -> Iterator[MilvusGallery]:
    with (
        TemporaryDirectory(prefix="lookalike-evaluation-") as folder,
        MilvusGallery(str(Path(folder) / "milvus.db")) as gallery,
    ):
        yield gallery


def _recall(
    gallery: MilvusGallery,
    index: str,
    protocol: Protocol,
    descriptors: NDArray[np.float32],
    name: str,
) -> float:
    """Return the mean over the questions; ids in the index are positions in the gallery."""
    gallery.open(index, descriptors.shape[1])
    gallery.upsert(
        index,
        range(len(protocol.gallery)),
        [descriptors[place] for place in protocol.gallery],
    )
    gallery.flush(index)
    recalls = []
    with tqdm(total=len(protocol.questions), desc=f"index, {name}", disable=None) as bar:
        for question, scores in scores_of_questions(protocol, descriptors):
            ranked = ~protocol.among_gallery(question.left_out)
            top_k = min(K + int((~ranked).sum()), MAX_NEIGHBOURS)
            near = gallery.search(index, descriptors[question.query], top_k=top_k)
            found = [one.image_id for one in near if ranked[one.image_id]]
            recalls.append(recall_of_found(scores, ranked, found))
            bar.update()
    return float(np.mean(recalls))
