"""Groups of images that are duplicates or nearly so.

Images are the vertices of a graph, links are its edges, and a group is a connected component. The
walk visits the images by id and follows the links of each as far as they go. A group is returned at
its smallest id: the walk skips an image whose group has a smaller one. So a page needs only the id
where it starts, no group is on two pages, and one group is in memory at a time.
"""

import heapq
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Computed, DescriptorSpace, ImageRecord, IndexRecord
from bento_service.comparison.links import LinkLimits, Links
from bento_service.comparison.verdict import STRENGTH, Likeness, Lines
from bento_service.descriptors.version import Thresholds
from bento_service.gallery.gallery import Gallery
from bento_service.search.pending import retry_after_swap
from client_sdk.schemas.compare import Verdict

MAX_GROUP = 200
"""Most images of a group; the rest of a larger group is not searched."""
WALKS_AT_ONCE = 2
"""Requests for duplicates that run at once; others wait."""
SECONDS = 2.0
"""The time for one page; a page takes at most twice as long."""
_Tree = Mapping[int, tuple[int, Likeness] | None]


@dataclass(frozen=True)
class GroupQuery:
    """A page of groups to find.

    Attributes:
        min_score: The score from which on images are linked although they may be no duplicates;
            if `None`, only duplicates are.
        after: The id above which the smallest id of each group must be.
        limit: Most groups to return.
    """

    collection: str
    min_score: float | None = None
    after: int = 0
    limit: int = 20


@dataclass(frozen=True)
class Member:
    """An image of a group, with the earlier member that it is most like; `None` for the first."""

    image: ImageRecord
    like: tuple[int, Likeness] | None


@dataclass(frozen=True)
class Group:
    """Linked images; `is_whole` unless the group has more images than were searched."""

    members: tuple[Member, ...]
    is_whole: bool

    @property
    def verdict(self) -> Verdict:
        """The weakest verdict that connects the group."""
        verdicts = [member.like[1].verdict for member in self.members if member.like is not None]
        return min(verdicts, key=STRENGTH.index)


@dataclass(frozen=True)
class GroupPage:
    """Groups in the order of their smallest ids; the next page starts at `after`, if any."""

    groups: tuple[Group, ...]
    space: DescriptorSpace
    lines: Thresholds
    min_score: float | None
    examined: int
    after: int | None


@dataclass(frozen=True)
class Duplicates:
    """The search for groups of duplicates in all collections.

    Attributes:
        lines: The thresholds of the computed spaces.
        max_group: Most images of a group.
        link_limits: The limits of finding links.
    """

    catalogue: Catalogue
    gallery: Gallery
    _: KW_ONLY
    computed: Computed
    lines: Lines
    max_group: int = MAX_GROUP
    link_limits: LinkLimits = field(default_factory=LinkLimits)
    _threads: CapacityLimiter = field(
        default_factory=lambda: CapacityLimiter(WALKS_AT_ONCE), init=False
    )
    # Threads share it; only one at a time has the links of a walk.
    _walks: OrderedDict[tuple[object, ...], Links] = field(default_factory=OrderedDict, init=False)

    async def page_async(self, query: GroupQuery) -> GroupPage:
        """Call `page` without blocking the event loop; few walks run at once."""
        return await run_sync(self.page, query, limiter=self._threads)

    def page(self, query: GroupQuery, *, seconds: float = SECONDS) -> GroupPage:
        """Find a page of groups in about `seconds`; at least one image is examined.

        Raises:
            CollectionNotFound: There is no such collection.
            Conflict: The service does not compute its descriptor version.
            IndexUnavailable: The index does not answer, or lacks too many changes.
        """
        collection = self.catalogue.collections.comparable(query.collection, self.computed)
        return retry_after_swap(
            self.catalogue, collection.index, lambda index: self._page(index, query, seconds)
        )

    def _page(self, index: IndexRecord, query: GroupQuery, seconds: float) -> GroupPage:
        deadline = time.monotonic() + seconds
        links, size = self._links(index, query), self.link_limits.images_per_call
        groups: list[Group] = []
        after: int | None = query.after
        examined = 0
        while after is not None:
            ids = self.catalogue.images.ids(index.collection_id, after=after, limit=size)
            firsts = self._firsts(links, ids)
            for image_id in ids:
                group = self._group(links, image_id) if image_id in firsts else None
                after, examined = image_id, examined + 1
                if group is not None:
                    groups.append(group)
                # Finish the images that were examined together, for at most the same time again.
                if len(groups) == query.limit or time.monotonic() > deadline + seconds:
                    break
            if len(ids) < size and (not ids or after == ids[-1]):
                after = None
            if len(groups) == query.limit or time.monotonic() > deadline:
                break
        if after is not None:
            self._walks[_walk(index, query, after)] = links
            if len(self._walks) > WALKS_AT_ONCE:
                self._walks.popitem(last=False)
        lines = self.lines[index.space.fingerprint]
        return GroupPage(tuple(groups), index.space, lines, query.min_score, examined, after)

    def _links(self, index: IndexRecord, query: GroupQuery) -> Links:
        """Return the links of the walk that this page continues, unless anything has changed."""
        continued = self._walks.pop(_walk(index, query, query.after), None)
        return continued or Links(
            self.catalogue,
            self.gallery,
            index,
            self.lines[index.space.fingerprint],
            min_score=query.min_score,
            limits=self.link_limits,
        )

    def _firsts(self, links: Links, ids: Sequence[int]) -> set[int]:
        """Return those of these images that have links, and none to a smaller id."""
        linked = links.of(ids)
        firsts = {
            image_id for image_id in ids if linked[image_id] and min(linked[image_id]) > image_id
        }
        others = sorted({other for image_id in firsts for other in linked[image_id]})
        links.of(others[: 2 * self.link_limits.images_per_call])  # most groups need no more calls
        return firsts

    def _group(self, links: Links, first: int) -> Group | None:
        """Return the group of an image; `None` if it has a smaller id."""
        links.of([first])
        if links.is_cut(first) and links.has_smaller(first):
            return None
        reached = self._reached(links, first)
        if reached is None:
            return None
        some = sorted(reached)[: self.max_group]
        is_whole = len(reached) <= self.max_group and not any(map(links.is_cut, reached))
        tree = _strongest_links(first, links.of(some))
        links.evict_if_large()
        images = self.catalogue.images.by_ids(list(tree))
        if len(images) < len(tree) or len(tree) == 1:
            return None  # an image was deleted just now; the next walk returns the rest
        members = tuple(Member(images[image_id], like) for image_id, like in tree.items())
        return Group(members, is_whole)

    def _reached(self, links: Links, first: int) -> set[int] | None:
        """Follow links from an image up to the limit; return `None` if they reach a smaller id."""
        reached, edge = {first}, [first]
        while edge and len(reached) <= self.max_group:
            # The smallest ids come first, since they lead to smaller ones if there are any.
            edge.sort()
            some = edge[: self.link_limits.images_per_call]
            edge = edge[len(some) :]
            new = {other for linked in links.of(some).values() for other in linked} - reached
            if new and min(new) < first:
                return None
            reached |= new
            edge += new
        return reached


def _walk(index: IndexRecord, query: GroupQuery, after: int) -> tuple[object, ...]:
    """Return what the next page of a walk must have in common with it, to use its links."""
    return index.name, index.revision, index.applied, query.min_score, after


def _strongest_links(first: int, linked: Mapping[int, Mapping[int, Likeness]]) -> _Tree:
    """Return each image with the earlier one that it is most like: Prim's maximum spanning tree.

    See R. C. Prim, "Shortest connection networks and some generalizations", 1957.
    """
    tree: dict[int, tuple[int, Likeness] | None] = {}
    waiting: list[tuple[int, float, int, int]] = [(0, 0.0, first, first)]
    while waiting:
        *_, image_id, by = heapq.heappop(waiting)
        if image_id in tree:
            continue
        tree[image_id] = None if image_id == by else (by, linked[by][image_id])
        for other, likeness in linked[image_id].items():
            if other in linked and other not in tree:
                strength = STRENGTH.index(likeness.verdict)
                heapq.heappush(waiting, (-strength, -likeness.score, other, image_id))
    return tree
