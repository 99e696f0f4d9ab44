"""Records of the catalogue and results of searches as the models of the HTTP contract."""

import os
import time
from collections.abc import Sequence
from pathlib import PurePosixPath

from bento_service.application import Application
from bento_service.catalogue.jobs.records import FailureRecord, JobRecord
from bento_service.catalogue.records import CollectionRecord, ImageRecord, SourceRecord
from bento_service.catalogue.tables import SourceKind
from bento_service.comparison.comparer import Compared
from bento_service.comparison.duplicate_groups import Group, GroupPage, Member
from bento_service.comparison.verdict import Likeness as Verdict
from bento_service.descriptors.version import Thresholds
from bento_service.pictures.perceptual_hash import HASH_BITS, MAX_HASH_DISTANCE
from bento_service.search.query import RankedImage, SearchResult
from client_sdk.schemas import (
    Collection,
    Hit,
    Image,
    Job,
    JobError,
    JobState,
    SearchResponse,
    Source,
    Took,
)
from client_sdk.schemas.compare import (
    Comparison,
    DuplicateGroup,
    DuplicateGroups,
    Evidence,
    GroupedImage,
    Likeness,
    Lines,
)

SHOWN_ERRORS = 20
"""Number of failed files that a `Job` lists; `/jobs/{id}/errors` lists all."""


def printable(path: str) -> str:
    """Return a path as text that JSON can carry, whatever bytes its name has."""
    return os.fsencode(path).decode("utf-8", "replace")


def job(app: Application, record: JobRecord) -> Job:
    """Return a job with its first errors and its speed."""
    failures = (
        app.catalogue.jobs.failures(record.number, after=0, limit=SHOWN_ERRORS)
        if record.failed
        else ()
    )
    speed = _images_per_second(app, record)
    is_timed = record.state is JobState.IN_PROGRESS and record.walked and speed
    return Job(
        id=record.id,
        collection=record.collection,
        kind=record.kind,
        source=_job_source(record),
        retry_of=record.retry_of,
        state=record.state,
        total=record.total,
        done=record.done,
        indexed=record.indexed,
        duplicates=record.duplicates,
        failed=record.failed,
        unchanged=record.unchanged,
        removed=record.removed,
        dry_run=record.dry_run,
        created_at=record.created_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        images_per_second=speed,
        eta_seconds=(record.total - record.done) / speed if is_timed and speed else None,
        detail=record.detail,
        errors=job_errors(record, failures),
    )


def idle_job(collection: str) -> Job:
    """Return the job that is shown before the first one."""
    return Job(
        id=None,
        collection=collection,
        state=JobState.IDLE,
        total=0,
        done=0,
        indexed=0,
        duplicates=0,
        failed=0,
    )


def job_errors(record: JobRecord, failures: Sequence[FailureRecord]) -> tuple[JobError, ...]:
    """Return failed files of a job."""
    return tuple(
        JobError(
            source=_shown(SourceRecord(record.kind, record.root, failure.path)),
            code=failure.code,
            detail=failure.detail,
        )
        for failure in failures
    )


def image(record: ImageRecord) -> Image:
    """Return an image."""
    return Image(
        id=record.id,
        collection=record.collection,
        name=_name(record),
        source=_source(record),
        sources=tuple(
            Source(kind=source.kind, root=source.root or None, path=printable(source.path))
            for source in record.sources
        ),
        sha256=record.sha256,
        format=record.format,
        width=record.width,
        height=record.height,
        bytes=record.bytes,
        metadata=record.metadata,
        created_at=record.created_at,
        content_url=f"/api/v2/images/{record.id}/content",
        thumbnail_url=f"/api/v2/images/{record.id}/thumbnail",
    )


def search_response(
    app: Application, collection: str, result: SearchResult, *, explain: bool, took_ms: float
) -> SearchResponse:
    """Return the answer to a search."""
    return SearchResponse(
        collection=collection,
        model=app.model,
        hits=tuple(map(_hit, result.hits)),
        took_ms=Took(
            decode=result.decode_ms,
            describe=result.describe_ms,
            search=result.search_ms,
            total=took_ms,
        ),
        warnings=result.warnings,
        explanation=result.explanation() if explain else None,
    )


def collection(app: Application, record: CollectionRecord) -> Collection:
    """Return a collection with its size and its index."""
    changes = app.catalogue.changes.changed_ids(record.index.id, after=record.index.applied)
    others = app.catalogue.indexes.of(record.id)[1:]
    replacement, count = record.index.replacement, app.catalogue.images.count(record.id)
    return Collection(
        name=record.name,
        count=count,
        dimension=record.space.dimension,
        descriptor=record.space.descriptor,
        precision=record.space.precision,
        model=record.space.model,
        fingerprint=record.space.fingerprint,
        lag=len(changes),
        former=next((other.space.descriptor for other in others if other.ready), None),
        preparing=next((other.space.descriptor for other in others if not other.ready), None),
        index_type=app.searcher.index_type(record),
        building=None if replacement is None else replacement.kind,
        advice=(
            f"{app.rule.advice}, LOOKALIKE_MILVUS_URI" if app.rule.is_overgrown(count) else None
        ),
        created_at=record.created_at,
        expires_at=record.expires_at,
    )


def _hit(found: RankedImage) -> Hit:
    shown = image(found.image)
    return Hit(
        rank=found.rank,
        image_id=shown.id,
        score=found.score,
        distance=found.distance,
        name=shown.name,
        source=shown.source,
        width=shown.width,
        height=shown.height,
        metadata=shown.metadata,
        content_url=shown.content_url,
        thumbnail_url=shown.thumbnail_url,
    )


def _job_source(record: JobRecord) -> str:
    if record.kind is SourceKind.UPLOAD:
        return "upload"
    if record.kind is SourceKind.REINDEX:
        return f"reindex to {printable(record.path)}"
    return f"{record.root}/{printable(record.path)}".rstrip("/")


def _images_per_second(app: Application, record: JobRecord) -> float | None:
    if record.state is JobState.IN_PROGRESS:
        return app.worker.rates.per_second(record.number, time.monotonic())
    if record.started_at and record.finished_at and record.done:
        seconds = (record.finished_at - record.started_at).total_seconds()
        return record.done / max(seconds, 1e-3)
    return None


def _name(record: ImageRecord) -> str:
    return PurePosixPath(_source(record)).name


def _source(record: ImageRecord) -> str:
    """Return the first source, or the id of an image that was imported without any."""
    return _shown(record.sources[0]) if record.sources else f"image-{record.id}"


def _shown(source: SourceRecord) -> str:
    path = printable(source.path)
    return f"{source.root}/{path}" if source.kind is SourceKind.FILE else path


def comparison(app: Application, collection: str, found: Compared) -> Comparison:
    """Return the comparison of two pictures."""
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


def duplicate_groups(app: Application, collection: str, page: GroupPage) -> DuplicateGroups:
    """Return a page of groups of duplicates."""
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
    shown = image(member.image)
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


def _like(image_id: int, likeness: Verdict) -> Likeness:
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
