"""From what comparing has found to its wire models; the others are in `wire`."""

from bento_service.api import wire
from bento_service.application import Application
from bento_service.comparison import verdict as likenesses
from bento_service.comparison.comparer import Compared
from bento_service.comparison.duplicate_groups import Group, Member, Page
from bento_service.descriptors.version import Thresholds
from bento_service.pictures.perceptual_hash import HASH_BITS, MAX_HASH_DISTANCE
from client_sdk.schemas.compare import (
    Comparison,
    DuplicateGroup,
    DuplicateGroups,
    Evidence,
    GroupedImage,
    Likeness,
    Lines,
)


def comparison(app: Application, collection: str, found: Compared) -> Comparison:
    """What two pictures are to each other."""
    likeness, near = found.likeness, found.likeness.closeness
    return Comparison(
        collection=collection,
        model=app.model,
        descriptor=found.space.descriptor,
        fingerprint=found.space.fingerprint,
        score=likeness.score,
        distance=likeness.distance,
        verdict=likeness.verdict,
        evidence=Evidence(
            same_bytes=likeness.same_bytes,
            hash_distance=None if near is None else near.distance,
            hash_bits=HASH_BITS,
            orientation=None if near is None else near.orientation,
            lines=_lines(likeness.lines),
            reasons=likeness.reasons,
        ),
        warnings=found.warnings,
    )


def duplicate_groups(app: Application, collection: str, page: Page) -> DuplicateGroups:
    """Some groups of duplicates."""
    return DuplicateGroups(
        collection=collection,
        model=app.model,
        descriptor=page.space.descriptor,
        fingerprint=page.space.fingerprint,
        min_score=page.min_score,
        lines=_lines(page.lines),
        groups=tuple(map(_group, page.groups)),
        examined=page.examined,
        next_cursor=None if page.after is None else str(page.after),
    )


def _group(group: Group) -> DuplicateGroup:
    images = tuple(map(_member, group.members))
    return DuplicateGroup(images=images, verdict=group.verdict, is_whole=group.is_whole)


def _member(member: Member) -> GroupedImage:
    shown = wire.image(member.image)
    return GroupedImage(
        id=shown.id,
        name=shown.name,
        source=shown.source,
        width=shown.width,
        height=shown.height,
        bytes=shown.bytes,
        content_url=shown.content_url,
        thumbnail_url=shown.thumbnail_url,
        like=None if member.like is None else _like(*member.like),
    )


def _like(image_id: int, likeness: likenesses.Likeness) -> Likeness:
    near = likeness.closeness
    return Likeness(
        image_id=image_id,
        score=likeness.score,
        distance=likeness.distance,
        verdict=likeness.verdict,
        hash_distance=None if near is None else near.distance,
        orientation=None if near is None else near.orientation,
        reasons=likeness.reasons,
    )


def _lines(lines: Thresholds) -> Lines:
    return Lines(
        duplicate=lines.duplicate,
        near_duplicate=lines.near_duplicate,
        hash_distance=MAX_HASH_DISTANCE,
    )
