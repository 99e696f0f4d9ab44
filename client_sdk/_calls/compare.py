"""The call that compares two pictures."""

from typing import cast

from client_sdk._calls.call import Call, api, form_of, model
from client_sdk._calls.pictures import Part, Picture, Query, stored_id, to_part
from client_sdk.schemas.compare import Comparison


def compare(a: Query, b: Query, *, collection: str) -> Call[Comparison]:
    """Return the call that compares two pictures; each is a picture or the id of a stored image."""
    body: dict[str, object] = {"collection": collection}
    parts: list[Part] = []
    for number, (name, picture) in enumerate((("a", a), ("b", b)), 1):
        image_id = stored_id(picture)
        if image_id is None:
            parts.append(to_part(name, cast("Picture", picture), number))
        else:
            body[f"{name}_id"] = image_id
    sent = {"form": form_of(body), "parts": tuple(parts)} if parts else {"json": body}
    return api("POST", "/compare", model(Comparison), is_harmless=True, **sent)
