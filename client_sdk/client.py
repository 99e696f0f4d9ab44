"""The client that waits for each answer. Its twin that does not is in `async_client`."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePath
from types import TracebackType
from typing import Any, Self, Unpack

import httpx

from client_sdk import _contract as contract
from client_sdk import _settings as settings
from client_sdk._call import AnswerT, Call, PageT, next_call
from client_sdk._contract import SearchKeywords
from client_sdk._pictures import Picture
from client_sdk._polling import Patience, is_complete, standing
from client_sdk.errors import LookalikeError
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    Collection,
    Image,
    Info,
    Job,
    JobError,
    SearchResponse,
)


class Client:
    """Talks to one Lookalike service.

    Every method raises `ApiError` where the service refuses, `ConnectError` and `TimeoutExceeded`
    where it does not answer, and `UnexpectedAnswer` where something else does; all of them are
    `LookalikeError`. One client serves many threads and keeps its connections until `close`.

        with Client() as client:
            client.wait(client.train("holidays"))
            for hit in client.search("beach.jpg").hits:
                print(hit.score, hit.source)

    Args:
        base_url: Where the service is; else `LOOKALIKE_URL`, else `http://127.0.0.1:8001`.
        token: Sent as a bearer token; else `LOOKALIKE_TOKEN`. Empty sends none.
        timeout: Seconds that each step of a request may take; else `LOOKALIKE_TIMEOUT`, else 60.
        transport: What carries the requests instead of httpx's own, such as one that retries.

    Raises:
        UsageError: If the address, the token or the timeout cannot be used.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        token: str | None = None,
        timeout: float | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings = settings.resolve(base_url, token, timeout)
        self._http = httpx.Client(
            base_url=self._settings.base_url,
            headers=self._settings.headers,
            limits=settings.CONNECTIONS,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back. The client cannot be used afterwards."""
        self._http.close()

    def train(
        self,
        path: str | PurePath,
        *,
        collection: str = DEFAULT_COLLECTION,
        root: str | None = None,
        recursive: bool = True,
        ignore: str | Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> Job:
        """Start to index a file or a folder that the service can read.

        Args:
            path: As the service sees it: absolute and under an image root, or relative to one.
            collection: Where the images go.
            root: Name of the image root of a relative path, where the service has several.
            recursive: Whether to walk into the folders below.
            ignore: Shell patterns (`*.gif`, `drafts/*`) of paths below `path` to leave out.
            metadata: Stored with every image of this call.

        Returns:
            The job as it was accepted; `wait` for its end.
        """
        return self._send(
            contract.train(
                path,
                collection=collection,
                root=root,
                recursive=recursive,
                ignore=ignore,
                metadata=metadata,
            )
        )

    def upload(
        self,
        images: Picture | Iterable[Picture],
        *,
        collection: str = DEFAULT_COLLECTION,
        metadata: Mapping[str, Any] | None = None,
    ) -> Job:
        """Send pictures to be indexed. Files are read while they travel, one after the other.

        Args:
            images: One picture or many, in one request.
            collection: Where the images go.
            metadata: Stored with every image of this call.

        Raises:
            UsageError: If there is no picture, or something is none.
            OSError: If a file cannot be read.
        """
        return self._send(contract.upload(images, collection=collection, metadata=metadata))

    def process(self, job: Job | str | None = None) -> Job:
        """How far a job has come: the newest one, or the one that is named.

        Before the first job its state is `idle` and its id `None`.
        """
        return self._send(contract.process(job))

    def wait(
        self,
        job: Job | str,
        *,
        timeout: float = 600.0,
        interval: float = 0.2,
        on_progress: Callable[[Job], object] | None = None,
    ) -> Job:
        """Wait until a job is completed. A service that is away for a moment does no harm.

        Args:
            job: The job, or its id.
            timeout: Seconds to wait at most.
            interval: Seconds before the second look; grows gently up to 2 s.
            on_progress: Called with the job after each look.

        Returns:
            The completed job; some of its files may have failed.

        Raises:
            JobFailed: If the job failed or was canceled.
            TimeoutExceeded: If it is not completed in time; it goes on all the same.
        """
        patience = Patience(timeout=timeout, interval=interval)
        job_id, seen = contract.identify(job), None
        while True:
            missed: LookalikeError | None = None
            try:
                seen = self._send(contract.process(job_id), patience.request_seconds)
            except LookalikeError as error:
                missed = error
            else:
                if on_progress is not None:
                    on_progress(seen)
                if is_complete(seen):
                    return seen
            time.sleep(patience.pause(standing(job_id, seen), missed))

    def wait_ready(self, *, timeout: float = 60.0, interval: float = 0.2) -> None:
        """Wait until the service can answer searches.

        Args:
            timeout: Seconds to wait at most.
            interval: Seconds before the second look; grows gently up to 2 s.

        Raises:
            TimeoutExceeded: If it is not ready in time.
        """
        patience = Patience(timeout=timeout, interval=interval)
        while True:
            try:
                return self._send(contract.ready(), patience.request_seconds)
            except LookalikeError as error:
                pause = patience.pause("the service is not ready", error)
            time.sleep(pause)

    def count(
        self,
        *,
        collection: str = DEFAULT_COLLECTION,
        filter: str | None = None,  # noqa: A002 - the contract's word
    ) -> int:
        """How many images a collection holds.

        Args:
            collection: Which collection.
            filter: Only images that pass this expression over their metadata.
        """
        return self._send(contract.count(collection=collection, filter=filter)).count

    def search(self, image: Picture, **options: Unpack[SearchKeywords]) -> SearchResponse:
        """Find the images nearest to a picture.

        Args:
            image: The query.
            **options: `collection` to search; `top_k` (10), how many hits at most, and `offset`
                (0), how many to skip; `min_score`, in [-1, 1], to leave out worse hits;
                `region`, `(x, y, width, height)` in pixels of the upright query; `exact` (no),
                to compare with every image; `filter`, an expression over the metadata;
                `explain` (no), to be told how the answer was found.

        Raises:
            OSError: If the file cannot be read.
            UsageError: If the query is no picture.
        """
        return self._send(contract.search(image, **options))

    def search_by_id(self, image_id: int, **options: Unpack[SearchKeywords]) -> SearchResponse:
        """Find the images nearest to one that is indexed.

        Args:
            image_id: The query, an image of that collection; it is a hit too.
            **options: As for `search`; `region` goes only with a picture.
        """
        return self._send(contract.search_by_id(image_id, **options))

    def delete(self, ids: int | Iterable[int], *, collection: str = DEFAULT_COLLECTION) -> int:
        """Delete images by their ids; returns how many there were."""
        return self._send(contract.delete(ids, collection=collection)).deleted

    def delete_where(
        self,
        filter: str,  # noqa: A002 - the contract's word
        *,
        collection: str = DEFAULT_COLLECTION,
    ) -> int:
        """Delete the images that pass a filter, all at once; returns how many there were.

        Args:
            filter: An expression over the metadata, such as `shop == "north" and price < 20`.
            collection: Only in this collection.
        """
        return self._send(contract.delete_where(filter, collection=collection)).deleted

    def delete_all(self, *, collection: str) -> int:
        """Delete every image of a collection; returns how many there were."""
        return self._send(contract.delete_all(collection=collection)).deleted

    def images(
        self,
        *,
        collection: str = DEFAULT_COLLECTION,
        prefix: str | None = None,
        filter: str | None = None,  # noqa: A002 - the contract's word
        page_size: int = 100,
    ) -> Iterator[Image]:
        """Walk over the images of a collection by rising id.

        Args:
            collection: Which collection.
            prefix: Only images whose source begins with this.
            filter: Only images that pass this expression over their metadata.
            page_size: How many are asked for at a time.
        """
        first = contract.images(
            collection=collection, prefix=prefix, filter=filter, page_size=page_size
        )
        for page in self._pages(first):
            yield from page.images

    def image(self, image_id: int) -> Image:
        """What is known about one image."""
        return self._send(contract.image(image_id))

    def content(self, image_id: int) -> bytes:
        """The stored bytes of an image."""
        return self._send(contract.content(image_id))

    def thumbnail(self, image_id: int, *, size: int | None = None) -> bytes:
        """A small WebP of an image.

        Args:
            image_id: Which image.
            size: Pixels of the longer side; the service's own default where none is given.
        """
        return self._send(contract.thumbnail(image_id, size=size))

    def delete_image(self, image_id: int) -> None:
        """Delete one image."""
        self._send(contract.delete_image(image_id))

    def jobs(self) -> Iterator[Job]:
        """Walk over the jobs, newest first."""
        for page in self._pages(contract.jobs()):
            yield from page.jobs

    def job(self, job: Job | str) -> Job:
        """One job."""
        return self._send(contract.job(job))

    def job_errors(self, job: Job | str) -> Iterator[JobError]:
        """Walk over all files that a job could not index."""
        for page in self._pages(contract.job_errors(job)):
            yield from page.errors

    def collections(self) -> tuple[Collection, ...]:
        """All collections, by name."""
        return self._send(contract.collections()).collections

    def create_collection(
        self, name: str, descriptor: str | None = None, *, ttl_seconds: int | None = None
    ) -> Collection:
        """Create an empty collection.

        Args:
            name: Letters, digits, `-`, `_` and `.`.
            descriptor: What describes its images, such as `vgg16-rmac4`; else the service chooses.
            ttl_seconds: Have it deleted so long after its last change, for scratch collections.
        """
        call = contract.create_collection(name, descriptor, ttl_seconds=ttl_seconds)
        return self._send(call)

    def delete_collection(self, name: str) -> None:
        """Delete a collection and its images."""
        self._send(contract.delete_collection(name))

    def reindex(
        self, name: str, descriptor: str | None = None, *, drop_missing: bool = False
    ) -> Job:
        """Start to describe the images of a collection anew; searches go on meanwhile.

        Args:
            name: Of the collection.
            descriptor: By which descriptor; else the service chooses.
            drop_missing: Delete images whose originals are gone, instead of not switching.
        """
        call = contract.reindex(name, descriptor, drop_missing=drop_missing)
        return self._send(call)

    def undo_reindex(self, name: str) -> Collection:
        """Let searches use the former descriptors again; a second time takes that back."""
        return self._send(contract.undo_reindex(name))

    def forget_reindex(self, name: str) -> None:
        """Give up a reindex that is not finished, and drop the former descriptors."""
        self._send(contract.forget_reindex(name))

    def info(self) -> Info:
        """What runs: versions, model, engine, index and limits."""
        return self._send(contract.info())

    def _pages(self, first: Call[PageT]) -> Iterator[PageT]:
        call: Call[PageT] | None = first
        while call is not None:
            page = self._send(call)
            yield page
            call = next_call(call, page.next_cursor)

    def _send(self, call: Call[AnswerT], within: float = math.inf) -> AnswerT:
        with call.prepared(self._http, self._settings.limits(within)) as request:
            response = self._http.send(request)
        return call.answer(response)
