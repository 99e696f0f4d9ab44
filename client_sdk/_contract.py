"""The calls of the HTTP contract, version 2."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, TypedDict, TypeVar, Unpack
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from client_sdk._call import Call
from client_sdk._pictures import Picture, to_part, to_parts
from client_sdk.errors import UsageError
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    Collection,
    CollectionList,
    Count,
    Deleted,
    Image,
    ImageList,
    Info,
    Job,
    JobErrorList,
    JobList,
    SearchResponse,
)

API = "/api/v2"

ModelT = TypeVar("ModelT", bound=BaseModel)


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


def train(
    path: str | PurePath,
    *,
    collection: str = DEFAULT_COLLECTION,
    root: str | None = None,
    recursive: bool = True,
    ignore: str | Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
) -> Call[Job]:
    """Index a file or a folder that the service can read."""
    body = {
        "path": path.as_posix() if isinstance(path, PurePath) else path,
        "collection": collection,
        "root": root,
        "recursive": recursive,
        "ignore": [ignore] if isinstance(ignore, str) else list(ignore),
        "metadata": dict(metadata or {}),
    }
    return Call(method="POST", path=f"{API}/train", json=_given(body), read=_model(Job))


def upload(
    pictures: Picture | Iterable[Picture],
    *,
    collection: str = DEFAULT_COLLECTION,
    metadata: Mapping[str, Any] | None = None,
) -> Call[Job]:
    """Index pictures that travel with the request."""
    form = {"collection": collection}
    if metadata:
        form["metadata"] = json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False)
    parts = to_parts("files", pictures)
    return Call(method="POST", path=f"{API}/train", form=form, parts=parts, read=_model(Job))


def process(job: Job | str | None = None) -> Call[Job]:
    """How far a job has come; the newest one where none is named."""
    identifier = job.id if isinstance(job, Job) else job
    params = _params(job=identifier)
    return Call(method="GET", path=f"{API}/process", params=params, read=_model(Job))


def count(
    *,
    collection: str = DEFAULT_COLLECTION,
    filter: str | None = None,  # noqa: A002 - the contract's word
) -> Call[Count]:
    """How many images a collection holds, or how many of them pass a filter."""
    params = _params(collection=collection, filter=filter)
    return Call(method="GET", path=f"{API}/count", params=params, read=_model(Count))


def search(picture: Picture, **options: Unpack[SearchKeywords]) -> Call[SearchResponse]:
    """The images nearest to a picture."""
    form = {name: _form_value(value) for name, value in search_options(**options).items()}
    parts = (to_part("file", picture),)
    read = _model(SearchResponse)
    return Call(method="POST", path=f"{API}/search", form=form, parts=parts, read=read)


def search_by_id(image_id: int, **options: Unpack[SearchKeywords]) -> Call[SearchResponse]:
    """The images nearest to one that is indexed."""
    body = {"image_id": image_id, **search_options(**options)}
    return Call(method="POST", path=f"{API}/search", json=body, read=_model(SearchResponse))


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
        "region": None if region is None else list(region),
        "exact": exact,
        "filter": filter,
        "explain": explain,
    }
    return _given(options)


def delete(ids: int | Iterable[int], *, collection: str = DEFAULT_COLLECTION) -> Call[Deleted]:
    """Delete images by their ids."""
    listed = [ids] if isinstance(ids, int) else list(ids)
    body = {"collection": collection, "ids": listed}
    return Call(method="POST", path=f"{API}/delete", json=body, read=_model(Deleted))


def delete_where(
    filter: str,  # noqa: A002 - the contract's word
    *,
    collection: str = DEFAULT_COLLECTION,
) -> Call[Deleted]:
    """Delete the images that pass a filter."""
    body = {"collection": collection, "filter": filter}
    return Call(method="POST", path=f"{API}/delete", json=body, read=_model(Deleted))


def delete_all(*, collection: str) -> Call[Deleted]:
    """Delete every image of a collection."""
    body = {"collection": collection, "all": True}
    return Call(method="POST", path=f"{API}/delete", json=body, read=_model(Deleted))


def images(
    *,
    collection: str = DEFAULT_COLLECTION,
    prefix: str | None = None,
    filter: str | None = None,  # noqa: A002 - the contract's word
    page_size: int = 100,
) -> Call[ImageList]:
    """The first page of the images of a collection."""
    params = _params(collection=collection, prefix=prefix, filter=filter, limit=page_size)
    return Call(method="GET", path=f"{API}/images", params=params, read=_model(ImageList))


def image(image_id: int) -> Call[Image]:
    """One image."""
    return Call(method="GET", path=f"{API}/images/{image_id}", read=_model(Image))


def content(image_id: int) -> Call[bytes]:
    """The stored bytes of an image."""
    return Call(method="GET", path=f"{API}/images/{image_id}/content", read=_bytes)


def thumbnail(image_id: int, *, size: int | None = None) -> Call[bytes]:
    """A small WebP of an image."""
    path = f"{API}/images/{image_id}/thumbnail"
    return Call(method="GET", path=path, params=_params(size=size), read=_bytes)


def delete_image(image_id: int) -> Call[None]:
    """Delete one image."""
    return Call(method="DELETE", path=f"{API}/images/{image_id}", read=_nothing)


def jobs(*, page_size: int = 100) -> Call[JobList]:
    """The first page of the jobs, newest first."""
    params = _params(limit=page_size)
    return Call(method="GET", path=f"{API}/jobs", params=params, read=_model(JobList))


def identify(job: Job | str) -> str:
    """The id of a job.

    Raises:
        UsageError: If there is none: the answer of `process` before the first job.
    """
    identifier = job.id if isinstance(job, Job) else job
    if not identifier:
        raise UsageError("there is no job yet; start one with `train` or `upload`")
    return identifier


def job(job: Job | str) -> Call[Job]:
    """One job."""
    return Call(method="GET", path=f"{API}/jobs/{_segment(identify(job))}", read=_model(Job))


def job_errors(job: Job | str, *, page_size: int = 100) -> Call[JobErrorList]:
    """The first page of the files that a job could not index."""
    path = f"{API}/jobs/{_segment(identify(job))}/errors"
    return Call(method="GET", path=path, params=_params(limit=page_size), read=_model(JobErrorList))


def collections() -> Call[CollectionList]:
    """All collections."""
    return Call(method="GET", path=f"{API}/collections", read=_model(CollectionList))


def create_collection(
    name: str, descriptor: str | None = None, *, ttl_seconds: int | None = None
) -> Call[Collection]:
    """Create an empty collection."""
    body = _given({"name": name, "descriptor": descriptor, "ttl_seconds": ttl_seconds})
    return Call(method="POST", path=f"{API}/collections", json=body, read=_model(Collection))


def delete_collection(name: str) -> Call[None]:
    """Delete a collection and its images."""
    return Call(method="DELETE", path=f"{API}/collections/{_segment(name)}", read=_nothing)


def reindex(name: str, descriptor: str | None = None, *, drop_missing: bool = False) -> Call[Job]:
    """Describe the images of a collection anew."""
    body = _given({"descriptor": descriptor, "drop_missing": drop_missing})
    return Call(method="POST", path=_reindex_path(name), json=body, read=_model(Job))


def undo_reindex(name: str) -> Call[Collection]:
    """Let searches use the former descriptors again."""
    return Call(method="POST", path=f"{_reindex_path(name)}/undo", read=_model(Collection))


def forget_reindex(name: str) -> Call[None]:
    """Give up an unfinished reindex, and drop the former descriptors."""
    return Call(method="DELETE", path=_reindex_path(name), read=_nothing)


def _reindex_path(name: str) -> str:
    return f"{API}/collections/{_segment(name)}/reindex"


def info() -> Call[Info]:
    """What runs: versions, model, engine, index and limits."""
    return Call(method="GET", path=f"{API}/info", read=_model(Info))


def ready() -> Call[None]:
    """The probe that succeeds once the service can answer searches."""
    return Call(method="GET", path="/readyz", read=_nothing)


def _model(kind: type[ModelT]) -> Callable[[httpx.Response], ModelT]:
    def read(response: httpx.Response) -> ModelT:
        return kind.model_validate_json(response.content)

    return read


def _bytes(response: httpx.Response) -> bytes:
    return response.content


def _nothing(response: httpx.Response) -> None:
    del response


def _given(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _params(**values: str | int | None) -> dict[str, str | int]:
    return {name: value for name, value in values.items() if value is not None}


def _form_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value)


def _segment(text: str) -> str:
    if text.strip(".") == "":
        raise UsageError(f"{text!r} cannot be part of an address")
    return quote(text, safe="")
