"""The baselines nearest to a failed picture: it may be the picture of another page."""

from contextlib import ExitStack
from pathlib import Path

from client_sdk._sync.client import Client
from client_sdk.errors import LookalikeError
from client_sdk.testing.among import indexed
from client_sdk.testing.baselines import pictures_below
from client_sdk.testing.judging import LISTED, neighbours
from client_sdk.testing.outcome import Neighbour
from client_sdk.testing.pictures import Shot

MAX_BASELINES = 200
"""The largest number of baselines in a searched folder; indexing more would take too long."""


class BaselineNeighbours:
    """A search in folders of baselines; each is indexed at its first failure, until `close`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._indexed: dict[Path, str] = {}
        self._collections = ExitStack()

    def nearest(self, shot: Shot, folder: Path) -> tuple[Neighbour, ...]:
        """Return the baselines of a folder nearest to a picture, or none if the search fails.

        The result only explains a failure, so an error of the service or of a file is not raised.
        """
        try:
            if folder not in self._indexed:
                if len(pictures_below(folder)) > MAX_BASELINES:
                    return ()
                entered = self._collections.enter_context(indexed(self._client, folder))
                self._indexed[folder] = entered[0]
            answer = self._client.search(
                (shot.name, shot.data), collection=self._indexed[folder], top_k=LISTED
            )
        except (LookalikeError, OSError):
            return ()
        return neighbours(answer.hits)

    def close(self) -> None:
        """Delete the collections of the indexed folders."""
        self._indexed.clear()
        self._collections.close()
