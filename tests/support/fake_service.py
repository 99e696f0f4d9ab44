"""A service in memory for unit tests: answers the contract truthfully, for small things.

    fake = FakeService()
    with Client(transport=fake.transport) as client: ...

Jobs are done when their call is answered. Pictures are really decoded, filters really applied; the
descriptor is the colours of a small copy. What it does not know, such as archives, manifests and
reindexing, is answered with a failure, never with an invented success.
"""

import base64
import binascii
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from pydantic import ValidationError

from bento_service.api.http.problems import explained, parsed_json
from bento_service.api.pages import CollectionList, ImageList
from bento_service.errors import (
    ImageNotFound,
    InvalidArgument,
    LookalikeError,
    Unauthenticated,
)
from bento_service.filters.values import check_metadata
from bento_service.pictures.in_process import thumbnail
from bento_service.requests import (
    CollectionRequest,
    DeleteRequest,
    KnownRequest,
    SearchOptions,
    SearchRequest,
)
from client_sdk import __version__
from client_sdk.decoding.formats import MEDIA_TYPES
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    Count,
    Deleted,
    Info,
    Known,
    Limits,
    SearchResponse,
    Took,
)
from tests.support.fake_comparing import FakeComparing
from tests.support.fake_gallery import (
    DIMENSION,
    FINGERPRINT,
    LINES,
    MAX_PIXELS,
    MODEL,
    described,
    hit,
)
from tests.support.fake_http import (
    Answer,
    form,
    is_form,
    number_of,
    page,
    refusal,
    request_id,
    response_to,
    unknown,
)


class FakeService(FakeComparing):
    """Stands for the service.

    Args:
        root: A folder that may be trained by path, named as it is; none by default.
        token: What callers have to send; anybody may call by default.
    """

    def __init__(self, root: Path | None = None, token: str | None = None) -> None:
        super().__init__(root)
        self.requests: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self)
        self._token = token

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, of either client."""
        self.requests.append(request)
        own = request_id(request)
        with self.gallery.lock:
            self.gallery.delete_expired()
            try:
                response = response_to(self._answer(request, own))
            except ValidationError as error:
                response = refusal(InvalidArgument(explained(error.errors())), own)
            except LookalikeError as error:
                response = refusal(error, own)
        response.headers["X-Request-ID"] = own
        response.headers["X-Lookalike-Version"] = __version__
        return response

    def _answer(self, request: httpx.Request, own: str) -> Answer:
        path = request.url.path
        if path == "/readyz":
            return {}
        if self._token and request.headers.get("authorization") != f"Bearer {self._token}":
            raise Unauthenticated("send a valid token")
        allowed = []
        for method, pattern, call in _ROUTES:
            if found := re.fullmatch(f"/api/v2{pattern}", path):
                if method == request.method:
                    return call(self, request, *found.groups())
                allowed.append(method)
        return unknown(request, own, allowed)

    def count(self, request: httpx.Request) -> Answer:
        given = {**request.url.params, **(parsed_json(request.content) if request.content else {})}
        name = given.get("collection") or DEFAULT_COLLECTION
        return Count(
            collection=name, count=len(self.gallery.among(name, given.get("filter") or None))
        )

    def search(self, request: httpx.Request) -> Answer:
        if is_form(request):
            fields, files = form(request)
            if [field for field, _, _ in files] != ["file"]:
                raise InvalidArgument("the form has no file in its field 'file'; send one")
            options = SearchOptions.from_form(fields)
            self.gallery.shelf(options.collection)
            return self._found(options, *described(files[0][2], options.region))
        body = SearchRequest.model_validate(parsed_json(request.content))
        if [body.image, body.image_id, body.url].count(None) != 2 or body.url is not None:
            raise InvalidArgument("give exactly one of `image` (base64) and `image_id`")
        if body.image is not None:
            return self._found(body, *described(_decoded(body.image), body.region))
        if body.region is not None:
            raise InvalidArgument("region: goes with a picture, not with a stored image")
        held = self.gallery.shelf(body.collection).held.get(body.image_id or 0)
        if held is None:
            raise ImageNotFound(f"there is no image {body.image_id} in {body.collection!r}")
        return self._found(body, None, held.descriptor)

    def _found(self, options: SearchOptions, picture: Any, query: Any) -> SearchResponse:
        among = self.gallery.among(options.collection, options.filter)
        ranked = enumerate(self.gallery.ranked(query, among), 1)
        hits = [
            hit(rank, score, held.image)
            for rank, (score, held) in ranked
            if options.min_score is None or score >= options.min_score
        ]
        return SearchResponse(
            collection=options.collection,
            model=MODEL,
            hits=tuple(hits[options.offset : options.offset + options.top_k]),
            took_ms=Took(decode=0.1, describe=0.1, search=0.1, total=0.3),
            lines=LINES,
            warnings=getattr(picture, "warnings", ()),
            explanation={"index_type": "FLAT", "exact": True} if options.explain else None,
        )

    def delete(self, request: httpx.Request) -> Answer:
        body = DeleteRequest.model_validate(parsed_json(request.content))
        named = [body.ids is not None, body.filter is not None, body.all]
        if named.count(True) != 1 or body.ids == ():
            raise InvalidArgument(
                "name what to delete, one of `ids`, `filter` and `all: true`; nothing was done"
            )
        found = self.gallery.among(body.collection, body.filter)
        ids = body.ids if body.ids is not None else [held.image.id for held in found]
        return Deleted(
            collection=body.collection, deleted=self.gallery.delete(body.collection, ids)
        )

    def images(self, request: httpx.Request) -> Answer:
        given = request.url.params
        name = given.get("collection", DEFAULT_COLLECTION)
        found = self.gallery.among(name, given.get("filter"), given.get("prefix"))
        shown, cursor = page(given, [held.image for held in found], 100)
        return ImageList(images=shown, next_cursor=cursor)

    def known(self, request: httpx.Request) -> Answer:
        body = KnownRequest.model_validate(parsed_json(request.content))
        held = {held.image.sha256 for held in self.gallery.among(body.collection, None)}
        found = tuple(one for one in body.sha256 if one in held)
        return Known(collection=body.collection, known=found)

    def image(self, request: httpx.Request, number: str) -> Answer:
        return self.gallery.held(number_of(number)).image

    def patch_image(self, request: httpx.Request, number: str) -> Answer:
        held = self.gallery.held(number_of(number))
        metadata = parsed_json(request.content)["metadata"]
        check_metadata(metadata)
        held.image = held.image.model_copy(update={"metadata": metadata})
        return held.image

    def delete_image(self, request: httpx.Request, number: str) -> None:
        image = self.gallery.held(number_of(number)).image
        self.gallery.delete(image.collection, [image.id])

    def content(self, request: httpx.Request, number: str) -> Answer:
        held = self.gallery.held(number_of(number))
        kind = MEDIA_TYPES[held.image.format]
        return httpx.Response(200, content=held.content, headers={"content-type": kind})

    def thumbnail(self, request: httpx.Request, number: str) -> Answer:
        side = int(request.url.params.get("size", 256))
        source = io.BytesIO(self.gallery.held(number_of(number)).content)
        small = thumbnail(source, side=side, max_pixels=MAX_PIXELS)
        return httpx.Response(200, content=small, headers={"content-type": "image/webp"})

    def collections(self, request: httpx.Request) -> Answer:
        shelves = sorted(self.gallery.shelves.values(), key=lambda shelf: shelf.name)
        return CollectionList(collections=tuple(map(self.gallery.collection, shelves)))

    def create_collection(self, request: httpx.Request) -> Answer:
        body = CollectionRequest.model_validate(parsed_json(request.content))
        made = self.gallery.collection(self.gallery.create(body.name, body.ttl_seconds))
        return httpx.Response(201, content=made.model_dump_json())

    def delete_collection(self, request: httpx.Request, name: str) -> None:
        self.gallery.drop(name)

    def info(self, request: httpx.Request) -> Answer:
        return Info(
            version=__version__,
            model=MODEL,
            fingerprint=FINGERPRINT,
            descriptor="fake-colours",
            dimension=DIMENSION,
            engine="numpy",
            precision="fp64",
            index_type="FLAT",
            image_roots=() if self._root is None else (self._root.name,),
            lines=LINES,
            limits=Limits(
                max_upload_bytes=64 * 2**20,
                max_request_bytes=2**30,
                max_pixels=MAX_PIXELS,
                max_jpeg_pixels=MAX_PIXELS,
                max_top_k=1000,
                formats=tuple(MEDIA_TYPES),
            ),
        )


def _decoded(image: str) -> bytes:
    try:
        return base64.b64decode(image, validate=True)
    except binascii.Error as error:
        raise InvalidArgument(f"image: is no base64: {error}") from error


_JOB = r"/jobs/([^/]+)"
_IMAGE = r"/images/([^/]+)"
_ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("POST", "/train", FakeService.train),
    ("GET", "/process", FakeService.process),
    ("GET", "/count", FakeService.count),
    ("POST", "/count", FakeService.count),
    ("POST", "/search", FakeService.search),
    ("POST", "/delete", FakeService.delete),
    ("POST", "/compare", FakeService.compare),
    ("POST", "/duplicates", FakeService.duplicates),
    ("GET", "/images", FakeService.images),
    ("POST", "/known", FakeService.known),
    ("GET", _IMAGE, FakeService.image),
    ("PATCH", _IMAGE, FakeService.patch_image),
    ("DELETE", _IMAGE, FakeService.delete_image),
    ("GET", f"{_IMAGE}/content", FakeService.content),
    ("GET", f"{_IMAGE}/thumbnail", FakeService.thumbnail),
    ("GET", "/jobs", FakeService.jobs),
    ("GET", _JOB, FakeService.job),
    ("GET", f"{_JOB}/errors", FakeService.job_errors),
    ("GET", f"{_JOB}/events", FakeService.events),
    ("POST", f"{_JOB}/cancel", FakeService.cancel),
    ("POST", f"{_JOB}/retry", FakeService.retry),
    ("GET", "/collections", FakeService.collections),
    ("POST", "/collections", FakeService.create_collection),
    ("DELETE", "/collections/([^/]+)", FakeService.delete_collection),
    ("GET", "/info", FakeService.info),
)
