"""The calls of the HTTP contract, version 2, that compare pictures."""

from typing import cast

from client_sdk._call import API, Call, form_value, given, model
from client_sdk._pictures import Part, Picture, Query, stored_id, to_part
from client_sdk.compare_schemas import Comparison, DuplicateGroups
from client_sdk.schemas import DEFAULT_COLLECTION


def compare(a: Query, b: Query, *, collection: str = DEFAULT_COLLECTION) -> Call[Comparison]:
    """What two pictures are to each other, each a picture or the id of a stored image.

    Raises:
        UsageError: If one of them is neither.
    """
    body: dict[str, object] = {"collection": collection}
    parts: list[Part] = []
    for number, (name, one) in enumerate((("a", a), ("b", b)), 1):
        image_id = stored_id(one)
        if image_id is None:
            parts.append(to_part(name, cast("Picture", one), number))
        else:
            body[f"{name}_id"] = image_id
    path, read = f"{API}/compare", model(Comparison)
    if not parts:
        return Call(method="POST", path=path, json=body, read=read, is_harmless=True)
    form = {name: form_value(value) for name, value in body.items()}
    return Call(
        method="POST", path=path, form=form, parts=tuple(parts), read=read, is_harmless=True
    )


def duplicates(
    *,
    collection: str = DEFAULT_COLLECTION,
    min_score: float | None = None,
    page_size: int = 20,
) -> Call[DuplicateGroups]:
    """The first page of the groups of duplicates of a collection."""
    body = given({"collection": collection, "min_score": min_score, "limit": page_size})
    path, read = f"{API}/duplicates", model(DuplicateGroups)
    return Call(method="POST", path=path, json=body, read=read, is_harmless=True)
