"""`recall`: the share of exact search's hits that searches of a live collection return."""

import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bento_service.admin.answer import Answer, Refusal
from bento_service.admin.data import chosen, opened_catalogue, service_stopped
from bento_service.admin.progress import stage
from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import CollectionRecord, Computed, IndexRecord
from bento_service.errors import NotReady
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.search.nearest import NearestSearch
from bento_service.search.query import Query
from bento_service.search.searcher import Searcher
from bento_service.settings import Settings

_TIED = 2e-6
"""Scores with at most this difference count as equal, because the order of summing differs."""
_EXACT_TIMES = 5
_Z = 1.96
"""Half the width of a 95 % interval, in standard deviations."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Options of `recall`, which its `--help` explains."""

    collection: str | None = None
    sample: int = 200
    top_k: int = 10
    at_least: float = 0.99
    dry_run: bool = False


@dataclass(frozen=True)
class Recall:
    """The recall of one collection, with the interval of 95 % from `low` to `high`."""

    collection: str
    index_type: str
    queries: int
    recall: float
    low: float
    high: float
    p50_ms: float
    exact_p50_ms: float


def recall(settings: Settings, options: Measurement) -> Answer:
    """Measure recall without changing anything.

    With a Milvus server, the service may run.
    """
    if options.sample < 1 or not 1 <= options.top_k <= 1000 or not 0 <= options.at_least <= 1:
        raise Refusal("--sample is at least 1, --top-k 1 to 1000, --at-least 0 to 1")
    with ExitStack() as stack:
        gallery = MilvusGallery.from_settings(settings)
        if gallery.is_embedded:
            stack.enter_context(service_stopped(settings, instead=_INSTEAD))
        catalogue = stack.enter_context(opened_catalogue(settings))
        stack.enter_context(gallery)
        collections = chosen(catalogue, options.collection)
        if options.dry_run:
            names = ", ".join(collection.name for collection in collections)
            return Answer({"would_be_measured": names}, (f"would be measured: {names}",))
        measured = [_measure(catalogue, gallery, each, options) for each in collections]
    results = [result for result in measured if result is not None]
    is_low = any(result.recall < options.at_least for result in results)
    record = {"top_k": options.top_k, "collections": [vars(result) for result in results]}
    lines = [_line(result, options.top_k) for result in results]
    return Answer(record, lines or ["no collection has two images"], is_clean=not is_low)


_INSTEAD = ": Milvus Lite can be used by one process only; with a Milvus server it may go on"


def _line(result: Recall, top_k: int) -> str:
    return (
        f"{result.collection}: recall@{top_k} {result.recall:.4f} ({result.low:.4f} to "
        f"{result.high:.4f}) by {result.index_type}, {result.queries} queries; p50 "
        f"{result.p50_ms:.1f} ms, exact {result.exact_p50_ms:.1f} ms"
    )


def _measure(
    catalogue: Catalogue, gallery: MilvusGallery, collection: CollectionRecord, options: Measurement
) -> Recall | None:
    """Measure one collection; return `None` if it has fewer than two images."""
    index = collection.index
    if index.applied == 0 and index.revision > 0:
        raise NotReady(f"the index of {collection.name!r} is not filled yet; try again later")
    ids, queries = catalogue.descriptors.sample(index, options.sample)
    if len(ids) == 0 or catalogue.images.count(collection.id) < 2:
        return None
    gallery.load(index.name)
    exact = _exact_scores(catalogue, collection, ids, queries, options.top_k)
    searcher = Searcher(catalogue, gallery, computed=Computed((index.space,)))
    shares, times = [], []
    with stage(f"searches of {collection.name}", len(ids), "searches") as advance:
        for image_id, vector, scores in zip(ids.tolist(), queries, exact, strict=True):
            started = time.perf_counter()
            # One more hit, because each image finds itself.
            query = Query(collection.name, top_k=options.top_k + 1)
            hits = searcher.by_descriptor(query, vector).hits
            times.append(1000 * (time.perf_counter() - started))
            right = [hit for hit in hits if hit.image.id != image_id and hit.score >= scores[-1]]
            shares.append(min(len(right), len(scores)) / len(scores))
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
        exact_p50_ms=_exact_p50(catalogue, gallery, index, queries, options.top_k),
    )


def _exact_scores(
    catalogue: Catalogue,
    collection: CollectionRecord,
    ids: NDArray[np.int64],
    queries: NDArray[np.float32],
    top_k: int,
) -> NDArray[np.float64]:
    """Return each query's best scores without itself, best first, (Q, K), in one pass."""
    best = np.empty((len(ids), 0))
    wide = queries.astype(np.float64)
    total = catalogue.images.count(collection.id)
    with stage(f"images of {collection.name}", total, "images") as advance:
        for others, vectors in catalogue.descriptors.all(collection.index):
            scores = wide @ vectors.astype(np.float64).T
            scores[ids[:, np.newaxis] == others] = -np.inf
            best = -np.sort(-np.hstack([best, scores]), axis=1)[:, :top_k]
            advance(len(others))
    # With fewer images than neighbours, the query's own score of -inf is among the best.
    is_other = np.isfinite(best).all(axis=0)
    return best[:, is_other] - _TIED


def _exact_p50(
    catalogue: Catalogue,
    gallery: MilvusGallery,
    index: IndexRecord,
    queries: NDArray[np.float32],
    top_k: int,
) -> float:
    times = []
    for query in queries[:_EXACT_TIMES]:
        started = time.perf_counter()
        NearestSearch(catalogue, gallery, index, query).compare_all(top_k)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def _interval(share: float, queries: int) -> tuple[float, float]:
    """Return Wilson's interval, as if each query found all of its neighbours or none."""
    spread = _Z * np.sqrt(share * (1 - share) / queries + _Z**2 / (4 * queries**2))
    middle, scale = share + _Z**2 / (2 * queries), 1 + _Z**2 / queries
    return max(0.0, float((middle - spread) / scale)), min(1.0, float((middle + spread) / scale))
