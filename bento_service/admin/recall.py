"""`recall`: how much of what exact search finds the searches of a live collection find."""

import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bento_service.admin.answer import CLEAN, FINDINGS, Answer, Refusal
from bento_service.admin.data import chosen, opened_catalogue, service_stopped
from bento_service.admin.progress import stage
from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import CollectionRecord, Computed
from bento_service.errors import NotReady
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.pictures.in_process import LocalDecoder
from bento_service.search.nearest import NearestSearch
from bento_service.search.query import Query
from bento_service.search.searcher import Searcher
from bento_service.settings import Settings

_TIED = 2e-6
"""Scores so near to each other are the same, in different orders of summing."""
_EXACT_TIMES = 5
_Z = 1.96
"""Of an interval of 95 %."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What `recall` is asked to do.

    Attributes:
        collection: This one alone.
        sample: How many of its images search for their neighbours.
        top_k: How many neighbours.
        at_least: A recall below this is to be looked at.
        dry_run: Only say what would be done.
    """

    collection: str | None = None
    sample: int = 200
    top_k: int = 10
    at_least: float = 0.99
    dry_run: bool = False


@dataclass(frozen=True)
class Recall:
    """What was measured of a collection; `low` and `high` bound its recall with 95 %."""

    collection: str
    index_type: str
    queries: int
    recall: float
    low: float
    high: float
    p50_ms: float
    exact_p50_ms: float


def recall(settings: Settings, asked: Measurement) -> Answer:
    """Measure; nothing is changed.

    On a Milvus server it can be done while the service runs.

    Raises:
        Refusal: A service uses Milvus Lite, or a number makes no sense.
        IndexUnavailable: Milvus does not answer.
        CollectionNotFound: There is no collection of that name.
    """
    if asked.sample < 1 or not 1 <= asked.top_k <= 1000 or not 0 <= asked.at_least <= 1:
        raise Refusal("--sample is at least 1, --top-k 1 to 1000, --at-least 0 to 1")
    with ExitStack() as stack:
        gallery = MilvusGallery(settings.milvus, effort=settings.index_effort)
        if gallery.is_embedded:
            stack.enter_context(service_stopped(settings, instead=_INSTEAD))
        catalogue = stack.enter_context(opened_catalogue(settings))
        stack.enter_context(gallery)
        collections = chosen(catalogue, asked.collection)
        if asked.dry_run:
            names = ", ".join(one.name for one in collections)
            return Answer({"would_be_measured": names}, (f"would be measured: {names}",))
        found = [_measured(catalogue, gallery, one, asked) for one in collections]
    known = [one for one in found if one is not None]
    below = any(one.recall < asked.at_least for one in known)
    record = {"top_k": asked.top_k, "collections": [vars(one) for one in known]}
    lines = [_line(one, asked.top_k) for one in known] or ["no collection holds two images"]
    return Answer(record, tuple(lines), FINDINGS if below else CLEAN)


_INSTEAD = ": Milvus Lite can be used by one process only; with a Milvus server it may go on"


def _line(one: Recall, top_k: int) -> str:
    return (
        f"{one.collection}: recall@{top_k} {one.recall:.4f} ({one.low:.4f} to {one.high:.4f}) by "
        f"{one.index_type}, {one.queries} queries; p50 {one.p50_ms:.1f} ms, exact "
        f"{one.exact_p50_ms:.1f} ms"
    )


def _measured(
    catalogue: Catalogue, gallery: MilvusGallery, collection: CollectionRecord, asked: Measurement
) -> Recall | None:
    """`None` where there is nothing to be found."""
    index = collection.index
    if index.applied == 0 and index.revision > 0:
        raise NotReady(f"the index of {collection.name!r} is not filled yet; try again later")
    ids, queries = catalogue.descriptors.sample(index, asked.sample)
    if len(ids) == 0 or catalogue.images.count(collection.id) < 2:
        return None
    gallery.load(index.name)
    least = _least_scores(catalogue, collection, ids, queries, asked.top_k)
    decoder = LocalDecoder(max_pixels=1)  # never asked either
    searcher = Searcher(
        catalogue, gallery, decoder, _never, computed=Computed((index.space,)), side=1
    )
    shares, times = [], []
    with stage(f"searches of {collection.name}", len(ids), "searches") as advance:
        for image_id, query, bound in zip(ids.tolist(), queries, least, strict=True):
            started = time.perf_counter()
            # One more, since an image finds itself, which says nothing.
            wanted = Query(collection.name, top_k=min(asked.top_k + 1, 1000))
            result = searcher.by_descriptor(wanted, query)
            times.append(1000 * (time.perf_counter() - started))
            hits = [
                one for one in result.hits if one.image.id != image_id and one.score >= bound[-1]
            ]
            shares.append(min(len(hits), len(bound)) / len(bound))
            advance(1)
    share = statistics.mean(shares)
    low, high = _interval(share, len(shares))
    return Recall(
        collection=collection.name,
        index_type=str(gallery.kind(index.name)),
        queries=len(shares),
        recall=share,
        low=low,
        high=high,
        p50_ms=statistics.median(times),
        exact_p50_ms=_exact_p50(
            NearestSearch(catalogue, gallery), collection, queries, asked.top_k
        ),
    )


async def _never(_: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    raise NotReady("nothing is described here")


def _least_scores(
    catalogue: Catalogue,
    collection: CollectionRecord,
    ids: NDArray[np.int64],
    queries: NDArray[np.float32],
    top_k: int,
) -> NDArray[np.float64]:
    """Scores of the nearest others of each query, best first, (Q, K); one pass over all images."""
    best = np.empty((len(ids), 0))
    wide = queries.astype(np.float64)
    total = catalogue.images.count(collection.id)
    with stage(f"images of {collection.name}", total, "images") as advance:
        for others, vectors in catalogue.descriptors.all(collection.index):
            scores = wide @ vectors.astype(np.float64).T
            scores[ids[:, np.newaxis] == others] = -np.inf
            best = -np.sort(-np.hstack([best, scores]), axis=1)[:, :top_k]
            advance(len(others))
    # Where there are fewer images than neighbours, the query itself is left over.
    there = np.isfinite(best).all(axis=0)
    return best[:, there] - _TIED


def _exact_p50(
    nearest: NearestSearch, collection: CollectionRecord, queries: NDArray[np.float32], top_k: int
) -> float:
    times = []
    for query in queries[:_EXACT_TIMES]:
        started = time.perf_counter()
        nearest.compare_all(collection.index, query, top_k)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def _interval(share: float, queries: int) -> tuple[float, float]:
    """Wilson's, as if all neighbours of a query were found or missed together."""
    spread = _Z * np.sqrt(share * (1 - share) / queries + _Z**2 / (4 * queries**2))
    middle, scale = share + _Z**2 / (2 * queries), 1 + _Z**2 / queries
    return max(0.0, float((middle - spread) / scale)), min(1.0, float((middle + spread) / scale))
