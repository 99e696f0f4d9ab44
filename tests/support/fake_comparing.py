"""The calls of the fake service that compare pictures, by the colours alone."""

import hashlib
from typing import Any

import httpx

from bento_service.api.http.problems import parsed_json
from bento_service.errors import InvalidArgument
from bento_service.requests import CompareForm, CompareRequest, DuplicatesRequest
from tests.support.fake_gallery import (
    FINGERPRINT,
    LINES,
    MODEL,
    Descriptor,
    Held,
    cosine,
    described,
    distance,
    verdict_of,
)
from tests.support.fake_http import Answer, form, is_form, page
from tests.support.fake_jobs import FakeJobs

SPACE = {"model": MODEL, "descriptor": "fake-colours", "fingerprint": FINGERPRINT}


class FakeComparing(FakeJobs):
    """Comparing two pictures, and finding duplicates by comparing all with all."""

    def compare(self, request: httpx.Request) -> Answer:
        files: list[tuple[str, str, bytes]] = []
        asked: CompareRequest | CompareForm
        if is_form(request):
            fields, files = form(request)
            asked = CompareForm.from_form(fields)
        else:
            asked = CompareRequest.model_validate(parsed_json(request.content))
        name = asked.collection
        self.gallery.shelf(name)
        sent = {field: content for field, _, content in files}
        ids = {"a": asked.a_id, "b": asked.b_id}
        if any((side in sent) == (ids[side] is not None) for side in "ab"):
            raise InvalidArgument("give two pictures: of each of `a` and `b` the bytes or the id")
        (one, first), (other, second) = (self._side(side, sent, ids) for side in "ab")
        score, same = cosine(one, other), first == second
        return {
            "collection": name,
            **SPACE,
            "score": score,
            "distance": distance(score),
            "verdict": verdict_of(score),
            "evidence": {
                "same_bytes": same,
                "lines": LINES.model_dump(),
                "reasons": [f"cosine {score:.4f}"],
            },
        }

    def _side(
        self, side: str, sent: dict[str, bytes], ids: dict[str, int | None]
    ) -> tuple[Descriptor, str]:
        if side in sent:
            return described(sent[side])[1], hashlib.sha256(sent[side]).hexdigest()
        held = self.gallery.held(ids[side] or 0)
        return held.descriptor, held.image.sha256

    def duplicates(self, request: httpx.Request) -> Answer:
        wanted = DuplicatesRequest.model_validate(parsed_json(request.content or b"{}"))
        name = wanted.collection
        least = LINES.near_duplicate if wanted.min_score is None else wanted.min_score
        left, groups = self.gallery.among(name, None), []
        examined = len(left)
        while left:
            first, rest = left[0], left[1:]
            near = [held for held in rest if cosine(first.descriptor, held.descriptor) >= least]
            if near:
                groups.append(_group(first, near))
            left = [held for held in rest if held not in near]
        asked = httpx.QueryParams(wanted.model_dump(include={"limit", "cursor"}, exclude_none=True))
        shown, cursor = page(asked, groups, 20)
        return {
            "collection": name,
            **SPACE,
            "min_score": least,
            "lines": LINES.model_dump(),
            "groups": list(shown),
            "examined": examined,
            "next_cursor": cursor,
        }


def _group(first: Held, near: list[Held]) -> dict[str, Any]:
    members = [{**first.image.model_dump(mode="json"), "like": None}]
    scores = [cosine(first.descriptor, held.descriptor) for held in near]
    for score, held in zip(scores, near, strict=True):
        like = {
            "image_id": first.image.id,
            "score": score,
            "distance": distance(score),
            "verdict": verdict_of(score),
        }
        members.append({**held.image.model_dump(mode="json"), "like": like})
    return {"images": members, "verdict": verdict_of(min(scores)), "is_whole": True}
