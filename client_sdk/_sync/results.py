# Generated from client_sdk/_async/results.py by `make sync`; edit that file instead.
"""Answers that are bound to a connection, with methods that use it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast, overload

from pydantic import BaseModel, PrivateAttr

from client_sdk import schemas
from client_sdk._arguments import check_json, checked
from client_sdk._calls.call import Call
from client_sdk._calls.listing import table, thumbnail_urls
from client_sdk._sync.connection import Connection
from client_sdk.errors import UsageError
from client_sdk.schemas import compare

ImageT = TypeVar("ImageT", bound=BaseModel)


class Bound(BaseModel):
    """A part of an answer that is bound to a connection.

    It equals the wire model with the same fields, and is pickled as that.
    """

    _connection: Connection | None = PrivateAttr(default=None)

    def model_post_init(self, context: object, /) -> None:
        """Bind the part to the connection that is the context of the validation."""
        if isinstance(context, Connection):
            self._connection = context

    @property
    def _sender(self) -> Connection:
        if self._connection is None:
            kind = self._wire().__name__
            raise UsageError(f"this {kind} is not bound to a client; get it from a client")
        return self._connection

    @classmethod
    def _wire(cls) -> type[BaseModel]:
        kinds = cast("tuple[type[BaseModel], ...]", cls.__mro__)
        return next(kind for kind in kinds if not issubclass(kind, Bound))

    def __eq__(self, other: object) -> bool:
        wire = self._wire()
        if not isinstance(other, wire):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in wire.model_fields)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        fields = self.model_dump(exclude_unset=True)
        return type(self).model_validate(fields, context=self._connection)

    def __reduce__(self) -> tuple[Any, ...]:
        # A connection cannot be pickled.
        return self._wire().model_validate, (self.model_dump(),)


class Listing(Bound, Generic[ImageT]):
    """An answer that is a sequence of images: iterate over it, index it, ask for its `len`."""

    _list: ClassVar[str]

    @property
    def _listed(self) -> tuple[ImageT, ...]:
        return cast("tuple[ImageT, ...]", getattr(self, self._list))

    def __iter__(self) -> Iterator[ImageT]:  # type: ignore[override] # pydantic yields its fields
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)

    @overload
    def __getitem__(self, at: int) -> ImageT: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[ImageT, ...]: ...
    def __getitem__(self, at: int | slice) -> ImageT | tuple[ImageT, ...]:
        return self._listed[at]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the images as dictionaries, such as `pandas.DataFrame` takes."""
        return [image.model_dump(by_alias=False) for image in self._listed]

    def _repr_html_(self) -> str:
        return table(self._listed, thumbnail_urls(self._listed, self._connection))


@checked
class StoredImage(Bound):
    """A stored image with methods that fetch its picture and change its metadata."""

    if TYPE_CHECKING:
        image_id: int

    def content(self) -> bytes:
        """Return the stored bytes."""
        return self._sender.send(Call("GET", f"/images/{self.image_id}/content", bytes))

    def thumbnail(self, *, size: int | None = None) -> bytes:
        """Return a small WebP whose longer side has `size` pixels."""
        path = f"/images/{self.image_id}/thumbnail"
        return self._sender.send(Call("GET", path, bytes, fields={"size": size}))

    def descriptor(self) -> schemas.Descriptor:
        """Return the descriptor, the unit vector that searches compare."""
        fields = {"image_id": self.image_id, "collection": schemas.DEFAULT_COLLECTION}
        call = Call("POST", "/describe", schemas.Descriptor, fields=fields, is_idempotent=True)
        return self._sender.send(call)

    def update_metadata(self, metadata: Mapping[str, Any]) -> "Image":
        """Replace all metadata of the image, and return the changed image."""
        fields = {"metadata": check_json("metadata", metadata)}
        path = f"/images/{self.image_id}"
        call = Call("PATCH", path, Image, fields=fields, is_idempotent=True)
        return self._sender.send(call)


# The classes below have the docstrings of the wire models, which describe their fields.


class Hit(schemas.Hit, StoredImage): ...


class Image(schemas.Image, StoredImage): ...


class GroupedImage(compare.GroupedImage, StoredImage): ...


class SearchResponse(schemas.SearchResponse, Listing[Hit]):
    _list: ClassVar[str] = "hits"
    hits: tuple[Hit, ...]  # pyright: ignore[reportIncompatibleVariableOverride]


class DuplicateGroup(compare.DuplicateGroup, Listing[GroupedImage]):
    _list: ClassVar[str] = "images"
    images: tuple[GroupedImage, ...]  # pyright: ignore[reportIncompatibleVariableOverride]
