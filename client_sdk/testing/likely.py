"""The baselines nearest to a failed picture, which may show that it is of another page."""

from pathlib import Path

from client_sdk._sync.client import Client
from client_sdk.errors import LookalikeError, UsageError
from client_sdk.testing.baselines import pictures_below
from client_sdk.testing.judging import LISTED, neighbours
from client_sdk.testing.outcome import Neighbour
from client_sdk.testing.pictures import Shot
from client_sdk.testing.scratch import ScratchCollection

MAX_BASELINES = 200
"""The largest number of baselines in a searched folder, so that a failure does not take minutes."""


class BaselineNeighbours:
    """A search in folders of baselines; each is indexed at its first failure, until `close`.

    Args:
        client: The client that indexes and searches.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._indexed: dict[Path, ScratchCollection | None] = {}

    def nearest(self, shot: Shot, folder: Path) -> tuple[Neighbour, ...]:
        """Return the baselines of a folder nearest to a picture, or none if the search fails.

        The result only explains a failure, so an error of the service is not raised.
        """
        try:
            if folder not in self._indexed:
                self._indexed[folder] = self._index(folder)
            collection = self._indexed[folder]
            if collection is None:
                return ()
            answer = self._client.search(
                (shot.name, shot.data), collection=collection, top_k=LISTED
            )
        except LookalikeError:
            return ()
        return neighbours(answer.hits)

    def close(self) -> None:
        """Delete the collections of the indexed folders."""
        for collection in self._indexed.values():
            if collection is not None:
                collection.delete()
        self._indexed.clear()

    def _index(self, folder: Path) -> ScratchCollection | None:
        try:
            paths = pictures_below(folder)
        except UsageError:
            return None
        if len(paths) > MAX_BASELINES:
            return None
        collection = ScratchCollection.create(self._client, f"baselines-{folder.name}")
        try:
            collection.add_distinct(
                Shot(path.relative_to(folder).as_posix(), path.read_bytes()) for path in paths
            )
        except LookalikeError:
            collection.delete()
            raise
        return collection
