"""Which images of a collection are the same picture or nearly so: groups, found by searching.

Images are the places of a graph, and what belongs together is joined; a group is what hangs
together. It is told at its smallest id: whoever walks over the images by rising id looks from each
of them as far as its group reaches, and passes over it where that meets a smaller one. So pages
need nothing but the id where they begin, no group is on two of them, and no more than one group is
held at a time.
"""

import heapq
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import (
    Computed,
    DescriptorSpace,
    ImageRecord,
    IndexRecord,
)
from bento_service.comparison.links import IMAGES_A_CALL, Neighbourhood
from bento_service.comparison.verdict import STRENGTH, Likeness, Lines
from bento_service.descriptors.version import Thresholds
from bento_service.gallery.gallery import Gallery
from bento_service.search.searcher import in_present
from client_sdk.schemas.compare import Verdict

MOST_IMAGES = 200
"""Of one group; further ones are not looked for."""
WALKS_AT_ONCE = 2
"""Requests for duplicates that are worked on at the same time; further ones wait."""
SECONDS = 2.0
"""For so long a page is looked for, at most twice as long; what was found by then is a page."""


@dataclass(frozen=True)
class Wanted:
    """Which groups are asked for.

    Attributes:
        collection: In which.
        min_score: From which score on; the descriptor's line for `near_duplicate` if none is given.
        after: Groups whose smallest id is above this.
        limit: At most so many.
    """

    collection: str
    min_score: float | None = None
    after: int = 0
    limit: int = 20


@dataclass(frozen=True)
class Member:
    """An image of a group, with the member before it that it is like; none for the first."""

    image: ImageRecord
    like: tuple[int, Likeness] | None


@dataclass(frozen=True)
class Group:
    """Images that belong together; `is_whole` unless there are more than are looked for."""

    members: tuple[Member, ...]
    is_whole: bool

    @property
    def verdict(self) -> Verdict:
        """The weakest word that holds it together."""
        words = [member.like[1].verdict for member in self.members if member.like is not None]
        return min(words, key=STRENGTH.index)


@dataclass(frozen=True)
class Page:
    """Some groups by their smallest id; `after` is where the next page begins, if there is one."""

    groups: tuple[Group, ...]
    space: DescriptorSpace
    lines: Thresholds
    min_score: float
    examined: int
    after: int | None


class Duplicates:
    """Finds duplicates in all collections."""

    def __init__(
        self, catalogue: Catalogue, gallery: Gallery, *, computed: Computed, lines: Lines
    ) -> None:
        """Prepare.

        Args:
            catalogue: The truth.
            gallery: The index over it.
            computed: What the embedder gives.
            lines: Where verdicts begin, for each of it.
        """
        self._catalogue = catalogue
        self._gallery = gallery
        self._computed = computed
        self._lines = lines
        self._threads = CapacityLimiter(WALKS_AT_ONCE)

    async def page_aside(self, wanted: Wanted) -> Page:
        """`page` without holding up the event loop, and only some at a time."""
        return await run_sync(self.page, wanted, limiter=self._threads)

    def page(self, wanted: Wanted, *, seconds: float = SECONDS) -> Page:
        """Some groups.

        Args:
            wanted: Which.
            seconds: How long they are looked for; at least one image is looked at.

        Raises:
            CollectionNotFound: There is no such collection.
            Conflict: The service does not compute what the collection holds.
            IndexUnavailable: Milvus does not answer, or is too far behind.
        """
        collection = self._catalogue.collections.comparable(wanted.collection, self._computed)
        return in_present(
            self._catalogue,
            collection.index,
            lambda index: self._page(index, wanted, seconds),
        )

    def _page(self, index: IndexRecord, wanted: Wanted, seconds: float) -> Page:
        deadline = time.monotonic() + seconds
        lines = self._lines[index.space.fingerprint]
        min_score = lines.near_duplicate if wanted.min_score is None else wanted.min_score
        around = Neighbourhood(self._catalogue, self._gallery, index, lines, min_score=min_score)
        groups: list[Group] = []
        after: int | None = wanted.after
        examined = 0
        while after is not None:
            ids = self._catalogue.images.ids(index.collection_id, after=after, limit=IMAGES_A_CALL)
            firsts = _firsts(around, ids)
            for image_id in ids:
                group = self._group(around, image_id) if image_id in firsts else None
                after, examined = image_id, examined + 1
                if group is not None:
                    groups.append(group)
                # What is looked at together is finished, unless that takes as long again.
                if len(groups) == wanted.limit or time.monotonic() > deadline + seconds:
                    break
            if len(ids) < IMAGES_A_CALL and (not ids or after == ids[-1]):
                after = None
            if len(groups) == wanted.limit or time.monotonic() > deadline:
                break
        return Page(tuple(groups), index.space, lines, min_score, examined, after)

    def _group(self, around: Neighbourhood, first: int) -> Group | None:
        """The group of an image; none where that has a smaller one."""
        around.linked([first])
        if around.is_cut(first) and around.has_before(first):
            return None
        reached = _reached(around, first)
        if reached is None:
            return None
        some = sorted(reached)[:MOST_IMAGES]
        is_whole = len(reached) <= MOST_IMAGES and not any(map(around.is_cut, reached))
        joined = _joined(first, around.linked(some))
        around.forget_if_much()
        return self._told(joined, is_whole=is_whole)

    def _told(
        self, joined: Mapping[int, tuple[int, Likeness] | None], *, is_whole: bool
    ) -> Group | None:
        images = self._catalogue.images.by_ids(list(joined))
        members = tuple(Member(images[one], like) for one, like in joined.items() if one in images)
        # Where one was deleted just now, what is left is told by the next walk.
        return Group(members, is_whole) if len(members) == len(joined) > 1 else None


def _firsts(around: Neighbourhood, ids: Sequence[int]) -> set[int]:
    """Those of these images that are linked to none with a smaller id, and to others."""
    linked = around.linked(ids)
    firsts = {one for one in ids if linked[one] and min(linked[one]) > one}
    others = sorted({other for one in firsts for other in linked[one]})
    around.linked(others[: 2 * IMAGES_A_CALL])  # what most groups need is asked for together
    return firsts


def _reached(around: Neighbourhood, first: int) -> set[int] | None:
    """What hangs together with an image, as far as is looked; none where that has a smaller id."""
    reached, edge = {first}, [first]
    while edge and len(reached) <= MOST_IMAGES:
        # The smallest come first: where there is one that is smaller still, they lead to it.
        edge.sort()
        some, edge = edge[:IMAGES_A_CALL], edge[IMAGES_A_CALL:]
        new = {other for others in around.linked(some).values() for other in others} - reached
        if new and min(new) < first:
            return None
        reached |= new
        edge += new
    return reached


def _joined(
    first: int, linked: Mapping[int, Mapping[int, Likeness]]
) -> dict[int, tuple[int, Likeness] | None]:
    """Each image with the one before it that it is most like: Prim's tree of the strongest links.

    See R. C. Prim, "Shortest connection networks and some generalizations", 1957.
    """
    joined: dict[int, tuple[int, Likeness] | None] = {}
    waiting: list[tuple[int, float, int, int]] = [(0, 0.0, first, first)]
    while waiting:
        *_, one, by = heapq.heappop(waiting)
        if one in joined:
            continue
        joined[one] = None if one == by else (by, linked[by][one])
        for other, likeness in linked[one].items():
            if other in linked and other not in joined:
                strength = STRENGTH.index(likeness.verdict)
                heapq.heappush(waiting, (-strength, -likeness.score, other, one))
    return joined
