"""The calls for images whose arguments must be checked or converted before they are sent."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict, cast

from client_sdk._arguments import check_names, texts
from client_sdk._calls import ids as given_ids
from client_sdk._calls.call import Call, api, form_of, given, model, post
from client_sdk._calls.pictures import Picture, Query, is_url, stored_id, to_part
from client_sdk.errors import UsageError
from client_sdk.schemas import DEFAULT_COLLECTION, Deleted, Known, SearchOptions, SearchResponse

_DIGESTS = "SHA-256 digests, 64 hexadecimal digits each"


class SearchKeywords(TypedDict, total=False):
    """The options of a search; see `Client.search`."""

    collection: str
    top_k: int
    offset: int
    min_score: float | None
    region: Sequence[int] | None
    exact: bool
    filter: str | None
    explain: bool


def search(query: Query, options: SearchKeywords) -> Call[SearchResponse]:
    """Return the call that searches with a picture, a URL, or the id of a stored image."""
    fields = _search_options(options)
    if is_url(query):
        return _search(json={"url": query, **fields})
    image_id = stored_id(query)
    if image_id is not None:
        return _search(json={"image_id": image_id, **fields})
    return _search(form=form_of(fields), parts=(to_part("file", cast("Picture", query)),))


def _search(**sent: Any) -> Call[SearchResponse]:
    return api("POST", "/search", model(SearchResponse), is_harmless=True, **sent)


def _search_options(options: SearchKeywords) -> dict[str, object]:
    check_names("search", options, SearchKeywords.__annotations__)
    defaults = {name: field.default for name, field in SearchOptions.model_fields.items()}
    chosen = given(**{**defaults, **cast("Mapping[str, object]", options)})
    if "region" in chosen:
        chosen["region"] = given_ids.whole_numbers("region", chosen["region"])
    return chosen


def delete(
    ids: int | Iterable[int] | None,
    *,
    filter: str | None,  # noqa: A002 - the contract's word
    all: bool,  # noqa: A002 - the contract's word
    collection: str,
) -> Call[Deleted]:
    """Return the call that deletes images by ids, by a filter, or all of a collection."""
    if [ids is not None, filter is not None, all].count(True) != 1:
        raise UsageError(
            "delete() takes exactly one of ids, filter=... and all=True; nothing was deleted"
        )
    body = given(
        collection=collection,
        ids=None if ids is None else given_ids.image_ids(ids),
        filter=filter,
        all=all or None,
    )
    return post("/delete", Deleted, body)


def known(sha256: Iterable[str], *, collection: str = DEFAULT_COLLECTION) -> Call[Known]:
    """Return the call that asks which files, given by digest, a collection has."""
    body = {"collection": collection, "sha256": list(texts("sha256", sha256, _DIGESTS))}
    return post("/known", Known, body, is_harmless=True)


def image_path(image_id: int, part: str = "") -> str:
    """Return the path of an image, or of a resource below it, such as `/content`."""
    return f"/images/{given_ids.image_id(image_id)}{part}"
