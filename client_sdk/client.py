"""The client that waits for each answer. Its twin that does not is in `async_client`."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Literal, Self, Unpack

from client_sdk import _compare_contract as comparing
from client_sdk import _contract as contract
from client_sdk import _local as local
from client_sdk._contract import SearchKeywords
from client_sdk._folders import FolderCalls
from client_sdk._pictures import Query
from client_sdk._polling import Patience
from client_sdk.compare_schemas import Comparison, DuplicateGroup
from client_sdk.errors import LookalikeError
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    Collection,
    Image,
    Info,
    SearchResponse,
)


class Client(FolderCalls):
    """Talks to one Lookalike service.

    Every method raises `ApiError` where the service refuses, `ConnectError` and `TimeoutExceeded`
    where it does not answer, `UnexpectedAnswer` where something else does, and `VersionMismatch`
    where it is of another time; all of them are `LookalikeError`. One client serves many threads
    and keeps its connections until `close`.

        with Client() as client:
            client.train("holidays").wait(progress=True)
            for hit in client.search("beach.jpg").hits:
                print(hit.score, hit.source)

    Args:
        base_url: Where the service is; else `LOOKALIKE_URL`, else `http://127.0.0.1:8001`.
        token: Sent as a bearer token; else `LOOKALIKE_TOKEN`. Empty sends none.
        timeout: Seconds that each step of a request may take; else `LOOKALIKE_TIMEOUT`, else 60.
        transport: What carries the requests instead of httpx's own.
        retries: How often a call is sent again that failed for a moment and may be repeated: with
            `Retries` in every detail, with a number so many times more, with 0 never. By default
            as `Retries()` says; over a `transport` of yours never.
        check_version: Whether an answer of a service that is too old or too new is refused.

    Raises:
        UsageError: If the address, the token or the timeout cannot be used.
    """

    @classmethod
    def local(
        cls,
        folder: str | PurePath | None = None,
        *,
        model: str | PurePath | None = None,
        roots: Sequence[str | PurePath] = (),
        precision: Literal["int8", "fp32"] | None = None,
        threads: int | None = None,
        timeout: float | None = None,
    ) -> Self:
        """Open a service in this process, with nothing installed or running beside it.

        It answers as a server does: the same pictures get the same scores. Everything is kept in
        the folder, which one client at a time may use; every client may look at it later. Opening
        takes about a second. Needs the extra `local` and a model; see docs/local.md.

        Args:
            folder: Where everything is kept, made if need be; none for a temporary one.
            model: Folder of the model; else `LOOKALIKE_MODEL`, else one of the user's cache.
            roots: The only folders from which `train` may read; every file where none is named.
            precision: `int8` or `fp32`; else the faster one of this machine.
            threads: Cores that describe pictures; else all.
            timeout: As for a service elsewhere.

        Raises:
            UsageError: If the timeout cannot be used.
            LocalUnavailable: If the extra or the model is missing, or another client has the
                folder.
        """
        service = local.open_service(
            folder,
            model=model,
            roots=roots,
            precision=precision,
            threads=threads,
            timeout=timeout,
        )
        return cls(local.URL, token="", timeout=timeout, transport=local.LocalTransport(service))

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

    def search(self, image: Query, **options: Unpack[SearchKeywords]) -> SearchResponse:
        """Find the images nearest to a picture.

        Args:
            image: The query: a picture in any form; `http://` or `https://` and where the service
                finds it, as `search_by_url`; or the id of a stored image, as `search_by_id`.
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

    def search_by_url(self, url: str, **options: Unpack[SearchKeywords]) -> SearchResponse:
        """Find the images nearest to a picture that the service fetches.

        Args:
            url: Where the picture is, on a public host; the operator has to have allowed that.
            **options: As for `search`.

        Raises:
            UrlUnreachable: If nothing could be fetched from there, or nothing may be.
        """
        return self._send(contract.search_by_url(url, **options))

    def compare(self, a: Query, b: Query, *, collection: str = DEFAULT_COLLECTION) -> Comparison:
        """Tell whether two pictures are the same, nearly so, or only similar.

        Args:
            a: A picture, or the id of a stored image.
            b: The same for the other one.
            collection: By whose descriptor they are compared; stored images may be in any.

        Raises:
            ImageNotFound: If there is no image of that id.
            OSError: If a file cannot be read.
            UsageError: If one of them is neither.
        """
        return self._send(comparing.compare(a, b, collection=collection))

    def duplicates(
        self,
        *,
        collection: str = DEFAULT_COLLECTION,
        min_score: float | None = None,
        page_size: int = 20,
    ) -> Iterator[DuplicateGroup]:
        """Walk over the groups of images that are the same picture or nearly so.

        Each group comes once and whole, in the order of its smallest id. The service looks for
        them while the walk goes on, so that the first ones of a large collection come soon.

        Args:
            collection: Which collection.
            min_score: From which score on two images belong together, besides those that their
                hashes join; where none is given, the line of the collection's descriptor from
                which on a comparison says `near_duplicate`.
            page_size: How many groups are asked for at a time.
        """
        first = comparing.duplicates(
            collection=collection, min_score=min_score, page_size=page_size
        )
        for page in self._pages(first):
            yield from page.groups

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

    def update_metadata(self, image_id: int, metadata: Mapping[str, Any]) -> Image:
        """Replace the metadata of one image; what was there before goes."""
        return self._send(contract.update_metadata(image_id, metadata))

    def delete_image(self, image_id: int) -> None:
        """Delete one image."""
        self._send(contract.delete_image(image_id))

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

    def info(self) -> Info:
        """What runs: versions, model, engine, index and limits."""
        return self._send(contract.info())
