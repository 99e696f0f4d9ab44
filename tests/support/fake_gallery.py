"""The fake service's collections, images and jobs, with a simple descriptor of colours."""

import hashlib
import io
import math
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from bento_service.errors import (
    CollectionNotFound,
    Conflict,
    ImageNotFound,
    InvalidArgument,
    JobNotFound,
    LookalikeError,
)
from bento_service.filters.parser import parse
from bento_service.pictures.in_process import decode
from bento_service.search.passing import passes
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    Collection,
    Hit,
    Image,
    Job,
    JobError,
    JobState,
    Source,
)
from client_sdk.schemas.compare import Lines, Verdict

MODEL = "fake:1"
SIDE = 16
DIMENSION = SIDE * SIDE * 3
FINGERPRINT = hashlib.sha256(b"colours of 16 by 16 pixels").hexdigest()
MAX_PIXELS = 50_000_000
LINES = Lines(duplicate=0.999, near_duplicate=0.99, hash_distance=0)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

Descriptor = NDArray[np.float64]
Sent = tuple[str, bytes]


@dataclass
class Held:
    """An image with what only the service knows of it."""

    image: Image
    content: bytes
    descriptor: Descriptor


@dataclass
class Shelf:
    """A collection."""

    name: str
    created_at: datetime
    changed_at: datetime
    ttl_seconds: int | None = None
    held: dict[int, Held] = field(default_factory=dict)

    @property
    def expires_at(self) -> datetime | None:
        """Return the time at which the collection expires unless it changes."""
        if self.ttl_seconds is None:
            return None
        return self.changed_at + timedelta(seconds=self.ttl_seconds)


@dataclass
class Work:
    """A job, and what it would have to try again."""

    job: Job
    failed: list[Sent]
    metadata: dict[str, Any]
    kind: str
    root: str | None


def described(content: bytes, region: tuple[int, int, int, int] | None = None) -> tuple[Any, Any]:
    """A decoded picture, and its (D,) descriptor of unit length: the colours of a small copy."""
    picture = decode(io.BytesIO(content), side=SIDE, max_pixels=MAX_PIXELS, region=region)
    colours = picture.pixels.astype(np.float64).ravel() - 127.5
    return picture, colours / np.linalg.norm(colours)


def cosine(one: Descriptor, other: Descriptor) -> float:
    """Return the cosine of two unit vectors, to six decimals."""
    return round(float(np.clip(one @ other, -1.0, 1.0)), 6)


def distance(score: float) -> float:
    """Return the distance of two unit vectors with this cosine, to four decimals."""
    return round(math.sqrt(max(0.0, 2.0 - 2.0 * score)), 4)


class FakeGallery:
    """The state of one fake service. Jobs are done at once."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.shelves: dict[str, Shelf] = {}
        self.works: dict[str, Work] = {}
        self.claims: dict[str, tuple[str, str]] = {}
        self._next_id = 1
        self.create(DEFAULT_COLLECTION)

    def create(self, name: str, ttl_seconds: int | None = None) -> Shelf:
        if not _NAME.fullmatch(name):
            raise InvalidArgument(f"collection: {name[:200]!r} cannot be a name")
        if name in self.shelves:
            raise Conflict(f"collection {name!r} exists already")
        now = datetime.now(UTC)
        self.shelves[name] = Shelf(name, now, now, ttl_seconds)
        return self.shelves[name]

    def shelf(self, name: str) -> Shelf:
        if name not in self.shelves:
            known = ", ".join(sorted(self.shelves))
            raise CollectionNotFound(f"collection {name!r} does not exist; use one of: {known}")
        return self.shelves[name]

    def drop(self, name: str) -> None:
        if name == DEFAULT_COLLECTION:
            raise InvalidArgument(f"collection {name!r} always exists")
        del self.shelves[self.shelf(name).name]

    def delete_expired(self) -> None:
        """Drop the collections that were left alone for too long."""
        for name, shelf in list(self.shelves.items()):
            if shelf.expires_at is not None and shelf.expires_at <= datetime.now(UTC):
                del self.shelves[name]

    def collection(self, shelf: Shelf) -> Collection:
        return Collection(
            name=shelf.name,
            count=len(shelf.held),
            dimension=DIMENSION,
            descriptor="fake-colours",
            precision="fp64",
            model=MODEL,
            fingerprint=FINGERPRINT,
            lag=0,
            index_type="FLAT",
            created_at=shelf.created_at,
            expires_at=shelf.expires_at,
        )

    def held(self, image_id: int) -> Held:
        for shelf in self.shelves.values():
            if image_id in shelf.held:
                return shelf.held[image_id]
        raise ImageNotFound(f"there is no image {image_id}; it may have been deleted")

    def among(self, name: str, filter_: str | None, prefix: str | None = None) -> list[Held]:
        """Return the images of a collection that pass, by rising id."""
        which = None if filter_ is None else parse(filter_)
        return [
            held
            for held in self.shelf(name).held.values()
            if (which is None or passes(which, held.image))
            and any(source.path.startswith(prefix or "") for source in held.image.sources)
        ]

    def delete(self, name: str, ids: Iterable[int]) -> int:
        shelf = self.shelf(name)
        shelf.changed_at = datetime.now(UTC)
        return sum(shelf.held.pop(one, None) is not None for one in set(ids))

    def ranked(self, query: Descriptor, among: list[Held]) -> list[tuple[float, Held]]:
        scored = [(cosine(query, held.descriptor), held) for held in among]
        return sorted(scored, key=lambda found: (-found[0], found[1].image.id))

    def train(
        self,
        name: str,
        sent: list[Sent],
        metadata: dict[str, Any],
        *,
        kind: str = "upload",
        root: str | None = None,
        source: str = "upload",
        retry_of: str | None = None,
    ) -> Job:
        """Index files at once; the job is kept completed, and returned as it was accepted."""
        shelf = self.shelves.get(name) or self.create(name)
        new, errors, failed = 0, [], []
        for path, content in sent:
            shown = path if root is None else f"{root}/{path}"
            try:
                new += self._add(shelf, Source(kind=kind, root=root, path=path), content, metadata)
            except LookalikeError as error:
                errors.append(JobError(source=shown, code=error.code, detail=str(error)))
                failed.append((path, content))
        now = datetime.now(UTC)
        job = Job(
            id=uuid4().hex,
            collection=name,
            kind=kind,
            source=source,
            retry_of=retry_of,
            state=JobState.COMPLETED,
            total=len(sent),
            done=len(sent),
            indexed=new,
            duplicates=len(sent) - new - len(failed),
            failed=len(failed),
            created_at=now,
            started_at=now,
            finished_at=now,
            errors=tuple(errors),
        )
        assert job.id is not None
        self.works[job.id] = Work(job, failed, metadata, kind, root)
        return job

    def work(self, job_id: str) -> Work:
        if job_id not in self.works:
            raise JobNotFound(f"there is no job {job_id!r}; GET /api/v2/jobs lists them")
        return self.works[job_id]

    def retry(self, job_id: str) -> Job:
        work = self.work(job_id)
        if not work.failed or any(one.job.retry_of == job_id for one in self.works.values()):
            raise Conflict(f"job {job_id} left nothing to retry")
        return self.train(
            work.job.collection,
            work.failed,
            work.metadata,
            kind=work.kind,
            root=work.root,
            source=work.job.source or "",
            retry_of=job_id,
        )

    def _add(
        self, shelf: Shelf, source: Source, content: bytes, metadata: Mapping[str, Any]
    ) -> bool:
        digest = hashlib.sha256(content).hexdigest()
        shown = source.path if source.root is None else f"{source.root}/{source.path}"
        for held in shelf.held.values():
            if held.image.sha256 == digest:
                if source not in held.image.sources:
                    sources = (*held.image.sources, source)
                    held.image = held.image.model_copy(update={"sources": sources})
                return False
        picture, descriptor = described(content)
        number, self._next_id = self._next_id, self._next_id + 1
        image = Image(
            id=number,
            collection=shelf.name,
            name=PurePosixPath(source.path).name,
            source=shown,
            sources=(source,),
            sha256=digest,
            format=picture.format,
            width=picture.width,
            height=picture.height,
            bytes=len(content),
            metadata=dict(metadata),
            created_at=datetime.now(UTC),
            content_url=f"/api/v2/images/{number}/content",
            thumbnail_url=f"/api/v2/images/{number}/thumbnail",
        )
        shelf.held[number] = Held(image, content, descriptor)
        shelf.changed_at = image.created_at
        return True


def verdict_of(score: float) -> Verdict:
    """Return the verdict on two pictures, by the score of their colours alone."""
    if score >= LINES.duplicate:
        return Verdict.DUPLICATE
    return Verdict.NEAR_DUPLICATE if score >= LINES.near_duplicate else Verdict.SIMILAR


def hit(rank: int, score: float, image: Image) -> Hit:
    """Return an image as a hit of a search."""
    shared = {name: getattr(image, name) for name in Hit.model_fields.keys() & Image.model_fields}
    verdict = verdict_of(score)
    return Hit(rank=rank, score=score, distance=distance(score), verdict=verdict, **shared)


def files_under(path: Path, *, recursive: bool) -> list[Path]:
    """Return the files that a train call of a path means."""
    if path.is_file():
        return [path]
    return sorted(one for one in path.glob("**/*" if recursive else "*") if one.is_file())
