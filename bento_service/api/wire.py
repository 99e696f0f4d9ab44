"""Records of the catalogue, and results of searches and comparisons, as models of the contract."""

import os
import time
from collections.abc import Sequence
from posixpath import basename
from typing import Any

from pydantic import BaseModel

from bento_service.api.pages import DuplicateGroups
from bento_service.application import Application
from bento_service.catalogue.jobs.records import FailureRecord, JobRecord
from bento_service.catalogue.records import CollectionRecord, ImageRecord, SourceRecord
from bento_service.catalogue.states import SourceKind
from bento_service.comparison.comparer import Compared
from bento_service.comparison.duplicate_groups import Group, GroupPage, Member
from bento_service.descriptors.version import Thresholds
from bento_service.pictures.perceptual_hash import HASH_BITS, MAX_HASH_DISTANCE
from bento_service.search.query import TIME_DIGITS, RankedImage, SearchResult
from bento_service.storage.skips import Skip
from client_sdk.schemas import (
    Collection,
    Hit,
    Image,
    Job,
    JobError,
    JobState,
    SearchResponse,
    Skipped,
    Source,
    Took,
)
from client_sdk.schemas.compare import (
    Comparison,
    DuplicateGroup,
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


def image_name(record: ImageRecord) -> str:
    """Return the name of an image's file."""
    return basename(_source(record))


def image(record: ImageRecord) -> Image:
    """Return an image."""
    sources = tuple(
        Source(kind=source.kind, root=source.root or None, path=printable(source.path))
        for source in record.sources
    )
    return Image(**_copied(Image, record) | _shown(record) | {"id": record.id, "sources": sources})


def job(app: Application, record: JobRecord) -> Job:
    """Return a job with its first errors and its speed."""
    failures = (
        app.catalogue.jobs.failures(record.number, after=0, limit=SHOWN_ERRORS)
        if record.failed
        else ()
    )
    speed = _images_per_second(app, record)
    eta = None
    if speed and record.state is JobState.IN_PROGRESS and record.walked:
        eta = round((record.total - record.done) / speed, TIME_DIGITS)
    skipped = tuple(
        Skipped(
            code=each.code,
            count=each.count,
            source=_place(SourceRecord(record.kind, record.root, each.first)),
            detail=Skip(each.code).detail,
        )
        for each in record.skipped
    )
    return Job(
        **_copied(Job, record)
        | {
            "source": _job_source(record),
            "skipped": skipped,
            "images_per_second": None if speed is None else round(speed, TIME_DIGITS),
            "eta_seconds": eta,
            "errors": job_errors(record, failures),
        }
    )


def idle_job(collection: str) -> Job:
    """Return the job that is shown before the first one."""
    counts = dict.fromkeys(("total", "done", "indexed", "duplicates", "failed"), 0)
    return Job(id=None, collection=collection, state=JobState.IDLE, **counts)


def job_errors(record: JobRecord, failures: Sequence[FailureRecord]) -> tuple[JobError, ...]:
    """Return failed files of a job."""
    return tuple(
        JobError(
            source=_place(SourceRecord(record.kind, record.root, failure.path)),
            code=failure.code,
            detail=failure.detail,
        )
        for failure in failures
    )


def search_response(
    app: Application, collection: str, result: SearchResult, *, explain: bool, took_ms: float
) -> SearchResponse:
    """Return the answer to a search."""
    return SearchResponse(
        collection=collection,
        model=app.model,
        hits=tuple(map(_hit, result.hits)),
        lines=lines(app.thresholds[result.space.fingerprint]),
        took_ms=Took(
            decode=result.rounded_ms("decode"),
            describe=result.rounded_ms("describe"),
            search=round(result.search_ms, TIME_DIGITS),
            total=round(took_ms, TIME_DIGITS),
        ),
        warnings=result.warnings,
        explanation=result.explanation() if explain else None,
    )


def collection(app: Application, record: CollectionRecord) -> Collection:
    """Return a collection with its size and its index."""
    others = app.catalogue.indexes.of(record.id)[1:]
    replacement, count = record.index.replacement, app.catalogue.images.count(record.id)
    advice = f"{app.rule.advice}, LOOKALIKE_MILVUS_URI" if app.rule.is_overgrown(count) else None
    return Collection(
        **_copied(Collection, record.space)
        | _copied(Collection, record)
        | {
            "count": count,
            "lag": app.catalogue.changes.count(record.index.id, after=record.index.applied),
            "former": next((each.space.descriptor for each in others if each.ready), None),
            "preparing": next((each.space.descriptor for each in others if not each.ready), None),
            "index_type": app.searcher.index_type(record.index),
            "building": None if replacement is None else replacement.kind,
            "advice": advice,
        }
    )


def comparison(app: Application, collection: str, compared: Compared) -> Comparison:
    """Return the comparison of two pictures."""
    likeness = compared.likeness
    evidence = Evidence(
        **_copied(Evidence, likeness) | {"hash_bits": HASH_BITS, "lines": lines(likeness.lines)}
    )
    return Comparison(
        **_copied(Comparison, compared.space)
        | _copied(Comparison, likeness)
        | {
            "collection": collection,
            "model": app.model,
            "evidence": evidence,
            "warnings": compared.warnings,
        }
    )


def duplicate_groups(app: Application, collection: str, page: GroupPage) -> DuplicateGroups:
    """Return a page of groups of duplicates."""
    return DuplicateGroups(
        collection=collection,
        model=app.model,
        descriptor=page.space.descriptor,
        fingerprint=page.space.fingerprint,
        min_score=page.min_score,
        lines=lines(page.lines),
        groups=tuple(map(_group, page.groups)),
        examined=page.examined,
        next_cursor=None if page.after is None else str(page.after),
    )


def lines(thresholds: Thresholds) -> Lines:
    """Return the thresholds of verdicts."""
    return Lines(**_copied(Lines, thresholds), hash_distance=MAX_HASH_DISTANCE)


def _copied(model: type[BaseModel], record: object) -> dict[str, Any]:
    """Return the fields of a model that a record has under the same names."""
    return {name: getattr(record, name) for name in model.model_fields if hasattr(record, name)}


def _shown(record: ImageRecord) -> dict[str, Any]:
    """Return the fields that hits, images and members of groups share, except the id."""
    path, source = f"/api/v2/images/{record.id}", _source(record)
    return {
        "name": basename(source),
        "source": source,
        "width": record.width,
        "height": record.height,
        "content_url": f"{path}/content",
        "thumbnail_url": f"{path}/thumbnail?digest={record.sha256[:16]}",
    }


def _hit(hit: RankedImage) -> Hit:
    return Hit(
        rank=hit.rank,
        image_id=hit.image.id,
        score=hit.score,
        distance=hit.distance,
        verdict=hit.verdict,
        metadata=hit.image.metadata,
        **_shown(hit.image),
    )


def _group(group: Group) -> DuplicateGroup:
    images = tuple(map(_member, group.members))
    return DuplicateGroup(images=images, verdict=group.verdict, is_whole=group.is_whole)


def _member(member: Member) -> GroupedImage:
    like = None
    if member.like is not None:
        image_id, likeness = member.like
        like = Likeness(image_id=image_id, **_copied(Likeness, likeness))
    shown = _shown(member.image)
    return GroupedImage(id=member.image.id, bytes=member.image.bytes, like=like, **shown)


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


def _source(record: ImageRecord) -> str:
    """Return the first source, or the id of an image that was imported without any."""
    return _place(record.sources[0]) if record.sources else f"image-{record.id}"


def _place(source: SourceRecord) -> str:
    path = printable(source.path)
    return f"{source.root}/{path}" if source.kind is SourceKind.FILE else path
