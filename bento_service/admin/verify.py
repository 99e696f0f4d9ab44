"""`verify`: compares files, catalogue and index; puts right what can be put right."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, update

from bento_service.admin.answer import CLEAN, FINDINGS, Answer, Refusal
from bento_service.admin.data import chosen, opened_catalogue, service_stopped
from bento_service.admin.examine import (
    dangling,
    examine_catalogue,
    examine_images,
    examine_indexes,
    examine_uploads,
)
from bento_service.admin.findings import REPAIRABLE, Findings, Kind
from bento_service.admin.index import follow_to_the_end
from bento_service.admin.sources import Sources
from bento_service.assembly.opening import open_uploads
from bento_service.catalogue import Catalogue
from bento_service.catalogue.tables import images, indexes
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.settings import Settings
from bento_service.storage.root_bindings import planned_roots


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What `verify` is asked to do.

    Attributes:
        collection: Look at the images and the index of this one alone.
        deep: Read all bytes and descriptors.
        catalogue_only: Leave the index out, which a running service has to itself.
        repair: Put right what can be.
        drop_missing: With `repair`: delete images whose bytes are certainly lost.
        dry_run: With `repair`: only say what would be done.
    """

    collection: str | None = None
    deep: bool = False
    catalogue_only: bool = False
    repair: bool = False
    drop_missing: bool = False
    dry_run: bool = False


def verify(settings: Settings, asked: Verification) -> Answer:
    """Verify, and repair where that was asked for; then the answer says what is left.

    Raises:
        Refusal: A service runs, and what was asked for needs the index or writes.
        IndexUnavailable: Milvus does not answer.
        CollectionNotFound: There is no collection of that name.
    """
    if asked.drop_missing and not asked.repair:
        raise Refusal("--drop-missing deletes images; give it together with --repair")
    with ExitStack() as stack:
        if asked.repair or not asked.catalogue_only:
            instead = "" if asked.repair else ", or use --catalogue-only"
            stack.enter_context(service_stopped(settings, instead=instead))
        catalogue = stack.enter_context(opened_catalogue(settings))
        gallery = stack.enter_context(MilvusGallery(settings.milvus))
        found = _examined(settings, catalogue, gallery, asked)
        if not asked.repair:
            return _answer(found)
        deeds = _deeds(found, asked)
        if asked.dry_run:
            lines = [*found.lines(), *(f"would be done: {deed}" for deed in deeds)]
            record = {**found.record(), "would_be_done": deeds}
            return Answer(record, tuple(lines), FINDINGS if found.counts else CLEAN)
        _repair(settings, catalogue, gallery, found, asked)
        left = _examined(settings, catalogue, gallery, asked)
    lines = [*found.lines(), *(f"done: {deed}" for deed in deeds), "after that:", *left.lines()]
    record = {**left.record(), "before": found.record()["findings"], "done": deeds}
    return Answer(record, tuple(lines), FINDINGS if left.counts else CLEAN)


def _answer(found: Findings) -> Answer:
    return Answer(found.record(), tuple(found.lines()), FINDINGS if found.counts else CLEAN)


def _examined(
    settings: Settings, catalogue: Catalogue, gallery: MilvusGallery, asked: Verification
) -> Findings:
    findings = Findings()
    collections = chosen(catalogue, asked.collection)
    if asked.collection is None:
        examine_catalogue(catalogue, findings, deep=asked.deep)
        examine_uploads(settings, catalogue, findings)
    roots = planned_roots(catalogue, settings.image_roots)
    sources = Sources(settings, roots, deep=asked.deep)
    examine_images(catalogue, collections, sources, findings, deep=asked.deep)
    if not asked.catalogue_only:
        # Connecting to Milvus Lite would make its folder.
        there = "://" in settings.milvus or Path(settings.milvus).exists()
        examine_indexes(catalogue, collections, gallery if there else None, findings)
    return findings


def _deeds(found: Findings, asked: Verification) -> list[str]:
    kinds = [kind for kind in found.counts if kind in REPAIRABLE]
    deeds = [f"{found.counts[kind]} {kind.value} put right" for kind in sorted(kinds)]
    if asked.drop_missing and found.lost:
        deeds.append(f"{found.counts[Kind.IMAGE_LOST]} {Kind.IMAGE_LOST.value} deleted")
    return deeds


def _repair(
    settings: Settings,
    catalogue: Catalogue,
    gallery: MilvusGallery,
    found: Findings,
    asked: Verification,
) -> None:
    if found.counts[Kind.CATALOGUE_DAMAGED]:
        raise Refusal(
            "the catalogue itself is damaged, and everything else is put right from it; restore "
            "a backup (verify without --repair lists what was found)"
        )
    _finish_deletions(catalogue)
    catalogue.hashes.forget(found.misshapen)
    if asked.drop_missing:
        for collection_id, image_ids in found.lost.items():
            catalogue.images.delete(collection_id, image_ids)
    uploads = open_uploads(settings, catalogue)
    if not asked.catalogue_only:
        follow_to_the_end(catalogue, gallery, on_purged=uploads.discard)
    uploads.discard(set(uploads.stored()))


def _finish_deletions(catalogue: Catalogue) -> None:
    """Do for rows that belong to nothing what the database does when it deletes by itself.

    Images are left, and the rows of indexes: with them their descriptors would go, which may be all
    that there is.
    """
    with catalogue.database.writing() as connection:
        for child, key in set(dangling(connection)):
            (foreign_key,) = child.foreign_keys
            if foreign_key.ondelete == "SET NULL":
                nothing = {child.name: None}
                connection.execute(update(child.table).where(child == key).values(nothing))
            elif child.table not in (images, indexes):
                connection.execute(delete(child.table).where(child == key))
