"""Collections: the methods of `AsyncClient`, and the handle of one collection."""

from types import NoneType

from client_sdk._arguments import checked
from client_sdk._async.connection import AsyncConnection
from client_sdk._async.jobs import AsyncJobHandle
from client_sdk._calls.call import Call, key_header, segment
from client_sdk.schemas import Collection, CollectionList


@checked
class AsyncCollectionHandle:
    """A collection by its name, with methods that delete and reindex it.

    Attributes:
        name: The name of the collection.
    """

    def __init__(self, name: str, connection: AsyncConnection) -> None:
        self.name = name
        self._connection = connection

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    async def delete(self) -> None:
        """Delete the collection and its images."""
        await self._connection.send(Call("DELETE", self._path(), NoneType))

    async def reindex(
        self,
        descriptor: str | None = None,
        *,
        drop_missing: bool = False,
        idempotency_key: str | None = None,
    ) -> AsyncJobHandle:
        """Start to describe all images of the collection again; searches continue to work.

        Args:
            descriptor: The name of the new descriptor; by default the service chooses.
            drop_missing: If true, delete images whose originals are gone; if false, such an image
                prevents the switch to the new descriptors.
            idempotency_key: The same as in `train`.
        """
        body = {"descriptor": descriptor, "drop_missing": drop_missing}
        headers = key_header(idempotency_key)
        call = Call("POST", self._path("/reindex"), AsyncJobHandle, body=body, headers=headers)
        return await self._connection.send(call)

    async def undo_reindex(self) -> Collection:
        """Switch searches back to the former descriptors; a second call reverts the first."""
        return await self._connection.send(Call("POST", self._path("/reindex/undo"), Collection))

    async def forget_reindex(self) -> None:
        """Cancel an unfinished reindex, and drop the former descriptors."""
        await self._connection.send(Call("DELETE", self._path("/reindex"), NoneType))

    def _path(self, verb: str = "") -> str:
        return f"/collections/{segment(self.name)}{verb}"


@checked
class AsyncCollectionCalls:
    """The methods of `AsyncClient` for collections."""

    _connection: AsyncConnection

    async def collections(self) -> tuple[Collection, ...]:
        """Return all collections, sorted by name."""
        answer = await self._connection.send(Call("GET", "/collections", CollectionList))
        return answer.collections

    def collection(self, name: str) -> AsyncCollectionHandle:
        """Return the handle of a collection, without a request: it need not exist.

        client.collection("hats").reindex("vgg16-rmac4")
        """
        return AsyncCollectionHandle(name, self._connection)

    async def create_collection(
        self, name: str, descriptor: str | None = None, *, ttl_seconds: int | None = None
    ) -> Collection:
        """Create an empty collection.

        Args:
            name: The name, of letters, digits, `-`, `_` and `.`.
            descriptor: Such as `vgg16-rmac4`; by default the service chooses.
            ttl_seconds: The service deletes the collection this many seconds after its last
                change; by default never.
        """
        body = {"name": name, "descriptor": descriptor, "ttl_seconds": ttl_seconds}
        return await self._connection.send(Call("POST", "/collections", Collection, body=body))
