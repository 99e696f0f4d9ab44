"""Prometheus metrics. Labels are route templates, never raw paths."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from anyio.to_thread import run_sync
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from starlette.responses import Response
from starlette.types import Scope

from bento_service.application import Application
from bento_service.catalogue.records import CollectionRecord
from bento_service.search.query import SearchResult
from client_sdk import __version__
from client_sdk.schemas import JobState

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
MoreMetrics = Callable[[], Awaitable[bytes]]


class Metrics:
    """The metrics of requests, and a page of all metrics.

    Args:
        embedder: Returns the metrics of the embedder, in Prometheus' text format.
    """

    def __init__(self, embedder: MoreMetrics | None = None) -> None:
        self._embedder = embedder
        self._registry = CollectorRegistry()
        self._counts: dict[int, tuple[int, int]] = {}
        labels = ("method", "route", "status")
        self._requests = Counter(
            "lookalike_requests", "Requests answered.", labels, registry=self._registry
        )
        self._seconds = Histogram(
            "lookalike_request_seconds",
            "Seconds until an answer began.",
            ("method", "route"),
            registry=self._registry,
            buckets=_BUCKETS,
        )
        self._stages = Histogram(
            "lookalike_search_stage_seconds",
            "Seconds of each stage of a search.",
            ("stage",),
            registry=self._registry,
            buckets=_BUCKETS,
        )
        self._in_flight = Gauge(
            "lookalike_requests_in_flight",
            "Requests whose answers are not sent to the end yet.",
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)

    @property
    def in_flight(self) -> AbstractContextManager[None]:
        """A block in which a request is counted as in flight."""
        return self._in_flight.track_inprogress()

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request by its route, with the seconds until its answer began."""
        route = getattr(scope.get("route"), "path", "none")
        self._requests.labels(scope["method"], route, str(status)).inc()
        self._seconds.labels(scope["method"], route).observe(seconds)

    def observe_search(self, result: SearchResult) -> None:
        """Count the stages of a search."""
        for stage, milliseconds in result.stages_ms.items():
            self._stages.labels(stage).observe(milliseconds / 1000)

    async def page(self, application: Application | None) -> Response:
        """Render all metrics in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(self._registry)
        if application is not None:
            registry.register(_CatalogueMetrics(application, self._counts))
        own = await run_sync(generate_latest, registry)
        more = b"" if self._embedder is None else await self._embedder()
        return Response(own + more, media_type=CONTENT_TYPE_LATEST)


@dataclass(frozen=True, eq=False)
class _CatalogueMetrics:
    """Metrics that are read from the catalogue at each scrape.

    Attributes:
        counts: The revision and the number of images of each collection at the last scrape; images
            are only counted again after a change.
    """

    application: Application
    counts: dict[int, tuple[int, int]]

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        catalogue = self.application.catalogue
        by_collection = partial(GaugeMetricFamily, labels=["collection"])
        images = by_collection("lookalike_images", "Images.")
        lag = by_collection("lookalike_index_lag", "Changes not in the index yet.")
        up = by_collection("lookalike_index_up", "1 where searches are answered.")
        overgrown = by_collection(
            "lookalike_index_overgrown",
            "1 where a collection is larger than what Milvus Lite serves well.",
        )
        for collection in catalogue.collections.all():
            count = self._count(collection)
            images.add_metric([collection.name], count)
            up.add_metric([collection.name], float(self.application.is_up(collection.index)))
            is_overgrown = self.application.rule.is_overgrown(count)
            overgrown.add_metric([collection.name], float(is_overgrown))
            lag.add_metric([collection.name], self._lag(collection))
        todo = sum(job.total - job.done for job in catalogue.jobs.open())
        yield from (images, lag, up, overgrown)
        yield GaugeMetricFamily("lookalike_files_to_do", "Files of open jobs.", value=todo)
        is_owner = float(self.application.replica.is_owner())
        yield GaugeMetricFamily(
            "lookalike_owner", "1 in the replica that writes to the indexes.", value=is_owner
        )
        yield from (self._jobs(), self._decoders_replaced(), self._build())

    def _count(self, collection: CollectionRecord) -> int:
        revision = collection.index.revision
        counted_at, count = self.counts.get(collection.id, (-1, 0))
        if counted_at != revision:
            count = self.application.catalogue.images.count(collection.id)
            self.counts[collection.id] = (revision, count)
        return count

    def _lag(self, collection: CollectionRecord) -> int:
        index = collection.index
        if index.applied >= index.revision:
            return 0
        return self.application.catalogue.changes.count(index.id, after=index.applied)

    def _jobs(self) -> Metric:
        jobs = GaugeMetricFamily("lookalike_jobs", "Jobs that are kept.", labels=["state"])
        numbers = self.application.catalogue.jobs.count_states()
        for state in JobState:
            jobs.add_metric([state], numbers.get(state, 0))
        return jobs

    def _build(self) -> Metric:
        application = self.application
        labels = {
            "version": __version__,
            "model": application.model,
            "engine": application.engine,
            "precision": application.version.precision,
        }
        build = GaugeMetricFamily("lookalike_build_info", "1.", labels=list(labels))
        build.add_metric(list(labels.values()), 1)
        return build

    def _decoders_replaced(self) -> Metric:
        replaced = CounterMetricFamily(
            "lookalike_decoders_replaced", "Decoder processes that were lost.", labels=["reason"]
        )
        for reason, number in self.application.describer.decoder.replaced.items():
            replaced.add_metric([reason], number)
        return replaced
