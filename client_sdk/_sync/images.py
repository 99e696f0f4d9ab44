# Generated from client_sdk/_async/images.py by `make sync`; edit that file instead.
"""Stored images: the methods of `Client` that list, count and delete them."""

from collections.abc import Iterable, Iterator

from client_sdk._arguments import checked
from client_sdk._calls.call import Call, Page
from client_sdk._sync.connection import Connection
from client_sdk._sync.results import Image
from client_sdk.errors import UsageError
from client_sdk.schemas import DEFAULT_COLLECTION, Count, Deleted


@checked
class ImageCalls:
    """The methods of `Client` for stored images."""

    _connection: Connection

    def images(
        self,
        *,
        collection: str = DEFAULT_COLLECTION,
        prefix: str | None = None,
        filter: str | None = None,
        page_size: int = 100,
    ) -> Iterator[Image]:
        """Yield the images of a collection in the order of their ids.

        Args:
            collection: The collection.
            prefix: Yield only images whose source begins with this.
            filter: Yield only images that pass this expression over their metadata.
            page_size: The number of images that one request fetches.
        """
        among = {"collection": collection, "prefix": prefix, "filter": filter, "limit": page_size}
        return self._connection.items(Call("GET", "/images", Page[Image], params=among))

    def count(self, *, collection: str = DEFAULT_COLLECTION, filter: str | None = None) -> int:
        """Count the images of a collection, or those that pass a filter."""
        among = {"collection": collection, "filter": filter}
        answer = self._connection.send(Call("GET", "/count", Count, params=among))
        return answer.count

    def image(self, image_id: int) -> Image:
        """Return one image: its name, sources, size and metadata.

        Its methods fetch its picture and its descriptor, and change its metadata.
        """
        return self._connection.send(Call("GET", f"/images/{image_id}", Image))

    def delete(
        self,
        ids: int | Iterable[int] | None = None,
        *,
        filter: str | None = None,
        all: bool = False,
        collection: str = DEFAULT_COLLECTION,
    ) -> int:
        """Delete images of a collection, and return the number of deleted images.

        Args:
            ids: The id of an image, or several ids.
            filter: Instead of ids, an expression over the metadata that selects the images, such
                as `shop == "north" and price < 20`.
            all: Instead of ids, every image of the collection.
            collection: The collection.

        Raises:
            UsageError: If not exactly one of `ids`, `filter` and `all` is given.
        """
        if [ids is not None, filter is not None, all].count(True) != 1:
            raise UsageError(
                "delete() takes exactly one of ids, filter=... and all=True; nothing was deleted"
            )
        body = {
            "collection": collection,
            "ids": [ids] if isinstance(ids, int) else ids,
            "filter": filter,
            "all": all or None,
        }
        answer = self._connection.send(Call("POST", "/delete", Deleted, body=body))
        return answer.deleted
