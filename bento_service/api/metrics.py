"""Prometheus metrics. Labels are route templates, never raw paths."""

import time
from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento_service.application import Application


class Metrics:
    """The metrics: a middleware that counts requests, and a page of all metrics."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter(
            "lookalike_requests", "Requests answered.", labels, registry=self._registry
        )
        self._seconds = Histogram(
            "lookalike_request_seconds",
            "Seconds until an answer began.",
            ("method", "route"),
            registry=self._registry,
        )

    def observing(self, app: ASGIApp) -> ASGIApp:
        """Wrap an app so that its requests are counted."""

        async def observed(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            started = time.perf_counter()

            async def counting(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self._observe(scope, message["status"], time.perf_counter() - started)
                await send(message)

            await app(scope, receive, counting)

        return observed

    def page(self, application: Application | None) -> Response:
        """Render all metrics in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(self._registry)
        if application is not None:
            registry.register(_CatalogueMetrics(application))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        self._requests.labels(scope["method"], route, str(status)).inc()
        self._seconds.labels(scope["method"], route).observe(seconds)


class _CatalogueMetrics:
    """Metrics that are read from the catalogue at each scrape."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        catalogue = self._application.catalogue
        images = GaugeMetricFamily("lookalike_images", "Images.", labels=["collection"])
        lag = GaugeMetricFamily(
            "lookalike_index_lag", "Changes not in the index yet.", labels=["collection"]
        )
        up = GaugeMetricFamily(
            "lookalike_index_up", "1 where searches are answered.", labels=["collection"]
        )
        overgrown = GaugeMetricFamily(
            "lookalike_index_overgrown",
            "1 where a collection is larger than what Milvus Lite serves well.",
            labels=["collection"],
        )
        for collection in catalogue.collections.all():
            count = catalogue.images.count(collection.id)
            images.add_metric([collection.name], count)
            up.add_metric([collection.name], float(self._application.is_up(collection.index)))
            is_overgrown = self._application.rule.is_overgrown(count)
            overgrown.add_metric([collection.name], float(is_overgrown))
            changes = catalogue.changes.changed_ids(
                collection.index.id, after=collection.index.applied
            )
            lag.add_metric([collection.name], len(changes))
        todo = sum(job.total - job.done for job in catalogue.jobs.open())
        yield images
        yield lag
        yield up
        yield overgrown
        yield GaugeMetricFamily("lookalike_files_to_do", "Files of open jobs.", value=todo)
        yield self._decoders_replaced()

    def _decoders_replaced(self) -> Metric:
        replaced = CounterMetricFamily(
            "lookalike_decoders_replaced", "Decoder processes that were lost.", labels=["reason"]
        )
        for reason, number in self._application.decoders.replaced.items():
            replaced.add_metric([reason], number)
        return replaced
