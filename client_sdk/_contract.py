"""The calls of the HTTP contract, version 2, except those of jobs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict, Unpack, cast

from client_sdk import _arguments as arguments
from client_sdk._call import (
    API,
    Call,
    content_of,
    form_value,
    given,
    model,
    nothing,
    params_of,
    segment,
)
from client_sdk._pictures import Picture, Query, is_url, stored_id, to_part
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    Collection,
    CollectionList,
    Count,
    Deleted,
    Image,
    ImageList,
    Info,
    Known,
    SearchResponse,
)

DIGESTS = "SHA-256 digests, 64 hexadecimal digits each"
"""What `known` takes, for its errors."""


class SearchKeywords(TypedDict, total=False):
    """The options of a search, the same for every kind of query; see `Client.search`."""

    collection: str
    top_k: int
    offset: int
    min_score: float | None
    region: Sequence[int] | None
    exact: bool
    filter: str | None
    explain: bool


def count(
    *,
    collection: str = DEFAULT_COLLECTION,
    filter: str | None = None,  # noqa: A002 - the contract's word
) -> Call[Count]:
    """How many images a collection holds, or how many of them pass a filter."""
    params = params_of(collection=collection, filter=filter)
    return Call(method="GET", path=f"{API}/count", params=params, read=model(Count))


def search(query: Query, **options: Unpack[SearchKeywords]) -> Call[SearchResponse]:
    """The images nearest to a picture, to one that the service fetches, or to a stored one."""
    if is_url(query):
        return search_by_url(query, **options)
    image_id = stored_id(query)
    if image_id is not None:
        return search_by_id(image_id, **options)
    form = {name: form_value(value) for name, value in search_options(**options).items()}
    return _search(form=form, parts=(to_part("file", cast("Picture", query)),))


def search_by_id(image_id: int, **options: Unpack[SearchKeywords]) -> Call[SearchResponse]:
    """The images nearest to one that is indexed."""
    return _search(json={"image_id": arguments.image_id(image_id), **search_options(**options)})


def search_by_url(url: str, **options: Unpack[SearchKeywords]) -> Call[SearchResponse]:
    """The images nearest to a picture that the service fetches."""
    return _search(json={"url": url, **search_options(**options)})


def _search(**sent: Any) -> Call[SearchResponse]:
    read = model(SearchResponse)
    return Call(method="POST", path=f"{API}/search", read=read, is_harmless=True, **sent)


def search_options(
    *,
    collection: str = DEFAULT_COLLECTION,
    top_k: int = 10,
    offset: int = 0,
    min_score: float | None = None,
    region: Sequence[int] | None = None,
    exact: bool = False,
    filter: str | None = None,  # noqa: A002 - the contract's word
    explain: bool = False,
) -> dict[str, object]:
    """The options of a search as fields of a body, those without a value left out."""
    options: dict[str, object] = {
        "collection": collection,
        "top_k": top_k,
        "offset": offset,
        "min_score": min_score,
        "region": None if region is None else arguments.whole_numbers("region", region),
        "exact": exact,
        "filter": filter,
        "explain": explain,
    }
    return given(options)


def delete(ids: int | Iterable[int], *, collection: str = DEFAULT_COLLECTION) -> Call[Deleted]:
    """Delete images by their ids."""
    body = {"collection": collection, "ids": arguments.image_ids(ids)}
    return Call(method="POST", path=f"{API}/delete", json=body, read=model(Deleted))


def delete_where(
    filter: str,  # noqa: A002 - the contract's word
    *,
    collection: str = DEFAULT_COLLECTION,
) -> Call[Deleted]:
    """Delete the images that pass a filter."""
    body = {"collection": collection, "filter": filter}
    return Call(method="POST", path=f"{API}/delete", json=body, read=model(Deleted))


def delete_all(*, collection: str) -> Call[Deleted]:
    """Delete every image of a collection."""
    body = {"collection": collection, "all": True}
    return Call(method="POST", path=f"{API}/delete", json=body, read=model(Deleted))


def images(
    *,
    collection: str = DEFAULT_COLLECTION,
    prefix: str | None = None,
    filter: str | None = None,  # noqa: A002 - the contract's word
    page_size: int = 100,
) -> Call[ImageList]:
    """The first page of the images of a collection."""
    params = params_of(collection=collection, prefix=prefix, filter=filter, limit=page_size)
    return Call(method="GET", path=f"{API}/images", params=params, read=model(ImageList))


def known(sha256: Iterable[str], *, collection: str = DEFAULT_COLLECTION) -> Call[Known]:
    """Which of some bytes a collection holds."""
    body = {"collection": collection, "sha256": list(arguments.texts("sha256", sha256, DIGESTS))}
    path = f"{API}/known"
    return Call(method="POST", path=path, json=body, read=model(Known), is_harmless=True)


def image(image_id: int) -> Call[Image]:
    """One image."""
    return Call(method="GET", path=_image_path(image_id), read=model(Image))


def content(image_id: int) -> Call[bytes]:
    """The stored bytes of an image."""
    return Call(method="GET", path=f"{_image_path(image_id)}/content", read=content_of)


def thumbnail(image_id: int, *, size: int | None = None) -> Call[bytes]:
    """A small WebP of an image."""
    path = f"{_image_path(image_id)}/thumbnail"
    return Call(method="GET", path=path, params=params_of(size=size), read=content_of)


def update_metadata(image_id: int, metadata: Mapping[str, Any]) -> Call[Image]:
    """Replace the metadata of an image."""
    body, path = {"metadata": dict(metadata)}, _image_path(image_id)
    return Call(method="PATCH", path=path, json=body, read=model(Image), is_harmless=True)


def delete_image(image_id: int) -> Call[None]:
    """Delete one image."""
    return Call(method="DELETE", path=_image_path(image_id), read=nothing)


def _image_path(image_id: int) -> str:
    return f"{API}/images/{arguments.image_id(image_id)}"


def collections() -> Call[CollectionList]:
    """All collections."""
    return Call(method="GET", path=f"{API}/collections", read=model(CollectionList))


def create_collection(
    name: str, descriptor: str | None = None, *, ttl_seconds: int | None = None
) -> Call[Collection]:
    """Create an empty collection."""
    body = given({"name": name, "descriptor": descriptor, "ttl_seconds": ttl_seconds})
    return Call(method="POST", path=f"{API}/collections", json=body, read=model(Collection))


def delete_collection(name: str) -> Call[None]:
    """Delete a collection and its images."""
    return Call(method="DELETE", path=f"{API}/collections/{segment(name)}", read=nothing)


def info() -> Call[Info]:
    """What runs: versions, model, engine, index and limits."""
    return Call(method="GET", path=f"{API}/info", read=model(Info))


def ready() -> Call[None]:
    """The probe that succeeds once the service can answer searches."""
    return Call(method="GET", path="/readyz", read=nothing)
